"""Reads what lies in quarantine: what the functions refused, and batches that Lambda gave up on."""

import base64
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from cli.errors import CommandError
from cli.producer import Record

POISON, FAILED = "poison/", "aws/lambda/"
LONGEST_KEY = 256
"""Characters of a partition key."""
Destination = Literal["stream", "queue", "function"]


@dataclass
class Contents:
    """What one object holds.

    Args:
        destination: where its records go.
        records: what is given back; for `function`, one event of the stream's consumer.
        kept: lines that cannot be given back.
        ids: of the records given back, the numbers under which the stream or the queue had them.

    """

    destination: Destination
    records: list[Record] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)
    ids: list[str] = field(default_factory=list)


def read(key: str, body: bytes) -> Contents:
    """The records of an object, by what wrote it. Raises: CommandError."""
    try:
        return failed_batch(json.loads(body)) if key.startswith(FAILED) else poison(body.decode().split("\n"))
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(f"{key} cannot be read ({error!r}); move it away or leave it out with --prefix.") from error


def poison(lines: Sequence[str]) -> Contents:
    """Lines that a function refused."""
    documents = [(line, json.loads(line)) for line in lines if line.strip()]
    contents = Contents("queue" if documents and documents[0][1]["source"] == "labels" else "stream")
    for line, document in documents:
        if document["replayable"]:
            contents.records.append(_refused_record(document))
            contents.ids.append(document["record_id"])
        else:
            contents.kept.append(line)
    return contents


def _refused_record(document: Mapping[str, Any]) -> Record:
    payload = document["payload"]
    return Record(_card_in(payload) or document["record_id"], payload.encode())


def _card_in(payload: str) -> str | None:
    """The card, which keeps the record on its shard; what is still no transaction may go to any."""
    try:
        card_token = json.loads(payload)["card_token"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    return card_token if isinstance(card_token, str) and 0 < len(card_token) <= LONGEST_KEY else None


def failed_batch(document: Mapping[str, Any]) -> Contents:
    """A batch that Lambda gave up on, with the whole event in `payload`, as an object or as its text.

    https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html
    """
    payload = document["payload"]
    event = json.loads(payload) if isinstance(payload, str) else payload
    if all("kinesis" in record for record in event["Records"]):
        records = [record["kinesis"] for record in event["Records"]]
        ids = [record["sequenceNumber"] for record in records]
        return Contents("stream", [_stream_record(record) for record in records], ids=ids)
    ids = [record["dynamodb"]["SequenceNumber"] for record in event["Records"]]
    return Contents("function", [Record("", json.dumps(event).encode())], ids=ids)


def _stream_record(kinesis: Mapping[str, Any]) -> Record:
    return Record(kinesis["partitionKey"], base64.b64decode(kinesis["data"]))
