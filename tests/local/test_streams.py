"""Streams to functions on the running stack: what the stand-in's own pollers would skip, repeat or lose."""

import base64
import json
import time
import uuid
from itertools import chain
from typing import Any

import pytest

from tests.local.conftest import Running, eventually


class Streams:
    """Sends orders to the stream or the table, and tells which invocations they led to."""

    def __init__(self, stack: Running, outputs: dict[str, str]) -> None:
        self.outputs = outputs
        self._run = uuid.uuid4().hex[:8]
        self._kinesis = stack.client("kinesis")
        self._dynamodb = stack.client("dynamodb")
        self._s3 = stack.client("s3")

    def put(self, *actions: str) -> None:
        records = [
            {"Data": json.dumps({"id": self._id(number), "do": action}), "PartitionKey": "k"}
            for number, action in enumerate(actions)
        ]
        self._kinesis.put_records(StreamName=self.outputs["Stream"], Records=records)

    def write(self, number: int, action: str) -> None:
        item = {"id": {"S": self._id(number)}, "do": {"S": action}}
        self._dynamodb.put_item(TableName=self.outputs["Items"], Item=item)

    def mark(self, number: int) -> None:
        self._dynamodb.update_item(
            TableName=self.outputs["Items"],
            Key={"id": {"S": self._id(number)}},
            UpdateExpression="SET done = :yes",
            ExpressionAttributeValues={":yes": {"BOOL": True}},
        )

    def batches(self, function: str) -> list[list[int]]:
        """The invocations of a function that had records of this test."""
        found = self._dynamodb.query(
            TableName=self.outputs["Journal"],
            KeyConditionExpression="#f = :f",
            ExpressionAttributeNames={"#f": "function"},
            ExpressionAttributeValues={":f": {"S": function}},
            ConsistentRead=True,
        )["Items"]
        batches = [[value["S"] for value in item["ids"]["L"]] for item in found]
        return [[int(name.split("-")[1]) for name in batch] for batch in batches if batch[0].startswith(self._run)]

    def given_up(self) -> list[tuple[str, dict[str, Any]]]:
        """Keys and bodies of the on-failure objects about this test's records."""
        found = []
        for entry in self._s3.list_objects_v2(Bucket=self.outputs["Failures"]).get("Contents", ()):
            body = json.loads(self._s3.get_object(Bucket=self.outputs["Failures"], Key=entry["Key"])["Body"].read())
            if any(self._run in self._source(record) for record in json.loads(body["payload"])["Records"]):
                found.append((entry["Key"], body))
        return found

    def _source(self, record: dict[str, Any]) -> str:
        if "kinesis" in record:
            return base64.b64decode(record["kinesis"]["data"]).decode()
        return str(record["dynamodb"]["NewImage"]["id"]["S"])

    def _id(self, number: int) -> str:
        return f"{self._run}-{number}"


@pytest.fixture
def streams(stack: Running, outputs: dict[str, str]) -> Streams:
    return Streams(stack, outputs)


def test_records_reach_the_function_once_in_batches_of_the_mappings_size(streams: Streams) -> None:
    streams.put(*["ok"] * 25)
    eventually(lambda: sum(map(len, streams.batches("reader"))) >= 25)
    batches = streams.batches("reader")
    assert list(chain.from_iterable(batches)) == list(range(25))
    assert max(map(len, batches)) == 10


def test_a_record_that_raises_is_isolated_and_written_to_the_failure_bucket(streams: Streams) -> None:
    streams.put("ok", "ok", "raise", "ok")
    ((key, body),) = eventually(streams.given_up)
    eventually(lambda: [3] in streams.batches("reader") or [2, 3] in streams.batches("reader"))
    (record,) = json.loads(body["payload"])["Records"]
    assert json.loads(base64.b64decode(record["kinesis"]["data"]))["do"] == "raise"
    assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
    assert body["KinesisBatchInfo"]["batchSize"] == 1
    assert key.startswith("aws/lambda/") and "/shardId-000000000000/" in key


def test_the_shard_moves_on_after_a_record_was_given_up(streams: Streams) -> None:
    streams.put("raise", "ok")
    eventually(streams.given_up)
    eventually(lambda: [1] in streams.batches("reader"))


def test_reported_failures_are_not_skipped(streams: Streams) -> None:
    streams.put("ok", "report", "ok")
    ((_, body),) = eventually(streams.given_up)
    assert body["KinesisBatchInfo"]["batchSize"] == 1
    eventually(lambda: [2] in streams.batches("reader"))
    assert streams.batches("reader")[:2] == [[0, 1, 2], [1, 2]]


def test_a_function_that_hangs_is_killed_and_counts_as_failed(streams: Streams) -> None:
    streams.put("hang")
    ((_, body),) = eventually(streams.given_up)
    assert body["requestContext"]["condition"] == "RetryAttemptsExhausted"
    streams.put("ok")
    eventually(lambda: len(streams.batches("reader")) == 2)


def test_items_reach_a_function_that_filters_for_the_unmarked_until_they_are_marked(streams: Streams) -> None:
    streams.write(0, "ok")
    streams.mark(0)
    streams.write(1, "ok")
    eventually(lambda: 1 in chain.from_iterable(streams.batches("projector")))
    assert list(chain.from_iterable(streams.batches("projector"))) == [0, 1]


def test_an_item_put_over_a_marked_one_reaches_the_function_again(streams: Streams) -> None:
    streams.write(0, "ok")
    streams.mark(0)
    streams.write(0, "again")
    eventually(lambda: list(chain.from_iterable(streams.batches("projector"))) == [0, 0])


def test_a_failed_table_stream_batch_is_written_whole_with_its_records(streams: Streams) -> None:
    streams.write(0, "raise")
    ((_, body),) = eventually(streams.given_up)
    assert body["DDBStreamBatchInfo"]["batchSize"] == 1
    assert body["responseContext"]["functionError"] == "Unhandled"
    assert json.loads(body["payload"])["Records"][0]["eventName"] == "INSERT"


def test_paused_mapping_reads_nothing_and_goes_on_where_it_stopped(
    stack: Running, streams: Streams, outputs: dict[str, str]
) -> None:
    functions = stack.client("lambda")
    mapping = next(
        each["UUID"]
        for each in functions.list_event_source_mappings()["EventSourceMappings"]
        if each["EventSourceArn"].endswith(outputs["Stream"]) and "reader" in each["FunctionArn"].lower()
    )
    streams.put("ok")
    eventually(lambda: streams.batches("reader") == [[0]])
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    streams.put(*["ok"] * 3)
    time.sleep(1.5)  # longer than the service takes to notice
    assert streams.batches("reader") == [[0]]

    functions.update_event_source_mapping(UUID=mapping, Enabled=True)

    eventually(lambda: sum(map(len, streams.batches("reader"))) >= 4)
    assert sorted(chain.from_iterable(streams.batches("reader"))) == [0, 0, 1, 2]
