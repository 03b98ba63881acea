"""Where shards are read: the stand-in's Kinesis streams and DynamoDB streams, read in process."""

import base64
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Protocol

from local.gateway import service
from local.streams.reader import Record


class Source(Protocol):
    """A stream, as its event source mapping sees it."""

    batch_info: str
    """The member of an on-failure record that describes a batch of this kind of stream."""

    def shards(self) -> list[str]: ...

    def end(self, shard: str) -> str:
        """The newest record's sequence number; empty when there is none."""
        ...

    def read(self, shard: str, after: str, limit: int) -> Sequence[Record]: ...


def open_source(arn: str, region: str) -> Source | None:
    """The stream with this ARN; None for a source that is not a stream."""
    kind, resource = arn.split(":")[2], arn.split(":", 5)[5]
    if kind == "kinesis":
        return KinesisSource(arn, resource.removeprefix("stream/"), region)
    if kind == "dynamodb":
        return TableStreamSource(resource.split("/")[1])
    return None


class KinesisSource:
    """A Kinesis stream; sequence numbers of the stand-in have one width, so they sort as text."""

    batch_info = "KinesisBatchInfo"

    def __init__(self, arn: str, name: str, region: str) -> None:
        self._arn = arn
        self._name = name
        self._region = region

    def shards(self) -> list[str]:
        stream = service("kinesis")._streams.get(self._name)
        return list(stream["shards"]) if stream else []

    def end(self, shard: str) -> str:
        records = self._records(shard)
        return str(records[-1]["SequenceNumber"]) if records else ""

    def read(self, shard: str, after: str, limit: int) -> Sequence[Record]:
        records = self._records(shard)
        start = bisect_right(records, after, key=lambda record: str(record["SequenceNumber"]))
        return [self._record(shard, stored) for stored in records[start : start + limit]]

    def _records(self, shard: str) -> list[Any]:
        stream = service("kinesis")._streams.get(self._name)
        records: list[Any] = stream["shards"][shard]["records"] if stream else []
        return records

    def _record(self, shard: str, stored: dict[str, Any]) -> Record:
        data = stored["Data"] if isinstance(stored["Data"], str) else base64.b64encode(stored["Data"]).decode()
        sequence = str(stored["SequenceNumber"])
        arrived_at = stored["ApproximateArrivalTimestamp"]
        event = {
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": stored["PartitionKey"],
                "sequenceNumber": sequence,
                "data": data,
                "approximateArrivalTimestamp": arrived_at,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": f"{shard}:{sequence}",
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": f"arn:aws:iam::{self._arn.split(':')[4]}:role/lambda-role",
            "awsRegion": self._region,
            "eventSourceARN": self._arn,
        }
        return Record(sequence, float(arrived_at), event, len(data))


class TableStreamSource:
    """A table's stream, which the stand-in keeps as one shard."""

    batch_info = "DDBStreamBatchInfo"
    _SHARD = "shardId-00000000000000000000-00000000"

    def __init__(self, table: str) -> None:
        self._table = table

    def shards(self) -> list[str]:
        return [self._SHARD]

    def end(self, shard: str) -> str:
        records = self._records()
        return _sequence(records[-1]) if records else ""

    def read(self, shard: str, after: str, limit: int) -> Sequence[Record]:
        records = self._records()
        start = bisect_right(records, after, key=_sequence)
        return [_table_record(stored) for stored in records[start : start + limit]]

    def _records(self) -> list[Any]:
        records: list[Any] = service("dynamodb").stream_live_records(self._table)
        return records


def _sequence(stored: dict[str, Any]) -> str:
    return str(stored["dynamodb"]["SequenceNumber"])


def _table_record(stored: dict[str, Any]) -> Record:
    # The stand-in counts no bytes; a decision is some two kilobytes, and only the 6 MB limit of a payload asks.
    return Record(_sequence(stored), float(stored["dynamodb"]["ApproximateCreationDateTime"]), stored, 2048)
