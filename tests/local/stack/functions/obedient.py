"""A function that does what its records say, and writes down which records it was given."""

import base64
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3


def handler(event: dict[str, Any], context: Any) -> Any:
    if "command" in event:
        return _direct(event["command"], context)
    if "detail" in event:
        event = {"Records": [{"messageId": event["id"], "body": json.dumps(event["detail"])}]}
    orders = list(_orders(event))
    _note([order["id"] for _, order in orders])
    _perform({order["do"] for _, order in orders})
    return {"batchItemFailures": [{"itemIdentifier": name} for name, order in orders if order["do"] == "report"]}


def _orders(event: dict[str, Any]) -> Iterator[tuple[str, dict[str, str]]]:
    for record in event["Records"]:
        if "kinesis" in record:
            yield record["kinesis"]["sequenceNumber"], json.loads(base64.b64decode(record["kinesis"]["data"]))
        elif "dynamodb" in record:
            image = record["dynamodb"]["NewImage"]
            yield record["dynamodb"]["SequenceNumber"], {name: value["S"] for name, value in image.items()}
        else:
            yield record["messageId"], json.loads(record["body"])


def _note(ids: list[str]) -> None:
    table = boto3.resource("dynamodb").Table(os.environ["JOURNAL"])
    table.put_item(Item={"function": os.environ["NAME"], "at": time.time_ns(), "ids": ids})


def _perform(actions: set[str]) -> None:
    if "raise" in actions:
        raise LookupError("told to")
    if "hang" in actions:
        time.sleep(60)


def _direct(command: str, context: Any) -> Any:
    if command == "measure":
        sys.stdout.write(json.dumps(_METRIC) + "\n")
    if command == "exit":
        os._exit(3)
    if command == "text":
        return "5"
    if command == "layer":
        note = Path(os.environ["NOTE"]).read_text(encoding="utf-8")
        return {"note": note, **{name: os.environ[name] for name in ("SOURCE", "NOTE", "OTHER")}}
    if command == "much":
        return "x" * 262_144
    _perform({command})
    return {"name": os.environ["NAME"], "remaining": context.get_remaining_time_in_millis(), "pid": os.getpid()}


_METRIC = {
    "_aws": {
        "Timestamp": 0,
        "CloudWatchMetrics": [
            {"Namespace": "Obedient", "Dimensions": [["service"]], "Metrics": [{"Name": "Orders", "Unit": "Count"}]}
        ],
    },
    "service": "reader",
    "Orders": [3, 4],
}
