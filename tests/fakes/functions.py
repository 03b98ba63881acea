"""The shipped Lambda functions, invoked with AWS's own events over moto; keeps every line they write."""

from __future__ import annotations

import base64
import copy
import importlib
import io
import json
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.aws import BUCKET, DECISIONS, ENTITIES, ROLLOUTS, AwsStores, client

EVENTS = Path(__file__).parent.parent / "events"
ENVIRONMENT = {
    "POWERTOOLS_METRICS_NAMESPACE": "FraudDetection/tests",
    "POWERTOOLS_SERVICE_NAME": "tests",
    "ENTITY_TABLE": ENTITIES,
    "DECISION_TABLE": DECISIONS,
    "ROLLOUT_TABLE": ROLLOUTS,
    "QUARANTINE_BUCKET": BUCKET,
    "DECISION_RETENTION_DAYS": "365",
    "ENTITY_RETENTION_DAYS": "365",
    "ANSWER_BUDGET_MS": "1500",
    "DECISION_ARCHIVE_STREAM": "decision-archive",
    "LABEL_ARCHIVE_STREAM": "label-archive",
    "EVENT_BUS": "fraud",
    "ROLLOUT_PLAN": "{}",
    "PROFILE_PLAN": "{}",
    "MOST_INSTANCES": "4",
    "ENDPOINT_SLOT_A": "fraud-a",
    "ENDPOINT_SLOT_B": "fraud-b",
    "MODEL_PACKAGE_GROUP": "fraud",
    "MODEL_IMAGE": "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:3.2-0",
    "MODEL_BUCKET": BUCKET,
    "EXECUTION_ROLE": "arn:aws:iam::123456789012:role/models",
    "VOLUME_KEY": "arn:aws:kms:eu-central-1:123456789012:key/0",
    "CAPTURE_URI": "s3://archive/capture",
    "CAPTURE_PERCENTAGE": "0",
    "ALARM_PREFIX": "fraud-slot-",
    "ALARM_TOPIC": "arn:aws:sns:eu-central-1:123456789012:alarms",
}


class Context:
    """What the runtime passes beside the event."""

    function_name = "function"
    memory_limit_in_mb = 1769
    invoked_function_arn = "arn:aws:lambda:eu-central-1:123456789012:function:function"
    aws_request_id = "52fdfc07-2182-154f-163f-5f0f9a621d72"

    def get_remaining_time_in_millis(self) -> int:
        return 60_000


class Functions:
    """The functions in one execution environment each, over one set of moto stores."""

    def __init__(self, stores: AwsStores, monkeypatch: pytest.MonkeyPatch) -> None:
        self.stores = stores
        self.log = io.StringIO()
        for name, value in ENVIRONMENT.items():
            monkeypatch.setenv(name, value)
        _create_sinks()

    def call(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        """Returns the function's answer. Its clients outlive the test: moto answers for them."""
        module = importlib.import_module(name)
        # Metrics are printed; log lines go to the standard output of the time of the import.
        module.logger.registered_handler.setStream(self.log)
        with redirect_stdout(self.log):
            answer: dict[str, Any] = module.handler(event, Context())
        return answer

    def invoke(self, name: str, event: dict[str, Any]) -> list[str]:
        """Returns what the function wants delivered again."""
        return [each["itemIdentifier"] for each in self.call(name, event)["batchItemFailures"]]

    def score(self, *payloads: bytes, key: str = "c1") -> list[str]:
        return self.invoke("score_transactions", kinesis_event(*payloads, key=key))

    def lines(self) -> list[dict[str, Any]]:
        """Every line written: log and metrics."""
        return [json.loads(line) for line in self.log.getvalue().splitlines()]

    def metric(self, name: str) -> float:
        """Sum of a metric over all lines."""
        values = [line[name] for line in self.lines() if name in line]
        return sum(sum(each) if isinstance(each, list) else each for each in values)


def golden(name: str) -> dict[str, Any]:
    """An event as AWS sends it."""
    event: dict[str, Any] = json.loads((EVENTS / f"{name}.json").read_text())
    return event


def kinesis_event(*payloads: bytes, key: str = "c1") -> dict[str, Any]:
    """The golden event with other records."""
    event = golden("kinesis_transactions")
    [template] = event["Records"]
    event["Records"] = []
    for number, payload in enumerate(payloads):
        record = copy.deepcopy(template)
        record["kinesis"] |= {
            "sequenceNumber": f"{int(template['kinesis']['sequenceNumber']) + number}",
            "data": base64.b64encode(payload).decode(),
            "partitionKey": key,
        }
        event["Records"].append(record)
    return event


def _create_sinks() -> None:
    client("events").create_event_bus(Name="fraud")
    firehose = client("firehose")
    for name in ("decision-archive", "label-archive"):
        firehose.create_delivery_stream(
            DeliveryStreamName=name,
            ExtendedS3DestinationConfiguration={
                "RoleARN": "arn:aws:iam::123456789012:role/firehose",
                "BucketARN": f"arn:aws:s3:::{BUCKET}",
                "Prefix": f"{name}/",
            },
        )
