"""The stack as its users meet it: plain boto3 puts and sends, and looks at what became of it."""

import gzip
import json
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any

from typer.testing import CliRunner

from cli.main import app
from fraud import entities
from fraud.aws import entity_items
from tests.end_to_end.poison import Event
from tests.local.conftest import Running

MOST_RECORDS = 500


class Spine:
    """A running stack, by its outputs."""

    def __init__(self, running: Running) -> None:
        self._running = running
        self.outputs = running.outputs
        self._kinesis, self._sqs = running.client("kinesis"), running.client("sqs")
        self._dynamodb, self._s3 = running.client("dynamodb"), running.client("s3")

    # --- In ----------------------------------------------------------------------------------------------------------

    def put(self, records: Sequence[tuple[str, bytes]]) -> None:
        """Put records, each under its partition key, in this order."""
        for start in range(0, len(records), MOST_RECORDS):
            entries = [{"PartitionKey": key, "Data": data} for key, data in records[start : start + MOST_RECORDS]]
            answer = self._kinesis.put_records(StreamName=self.outputs["TransactionStreamName"], Records=entries)
            assert answer["FailedRecordCount"] == 0

    def put_events(self, events: Iterable[Event]) -> None:
        self.put([(event["card_token"], json.dumps(event).encode()) for event in events])

    def send_label(self, label: Event) -> None:
        self._sqs.send_message(QueueUrl=self.outputs["LabelQueueUrl"], MessageBody=json.dumps(label))

    def bury_label(self, label: Event) -> None:
        """As if it could not be recorded five times."""
        self._sqs.send_message(QueueUrl=self.outputs["LabelDeadLetterQueueUrl"], MessageBody=json.dumps(label))

    def command(self, *words: str) -> dict[str, Any]:
        """What a command of `fraud` answers to programs."""
        where = ["--endpoint-url", self._running.url, "--stack-name", self._running.stack_name, "--region", "us-east-1"]
        result = CliRunner().invoke(app, [*words, "--json", *where], catch_exceptions=False)
        assert result.exit_code == 0, result.stderr
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    def subscribe(self) -> None:
        """Have every decision announced on a queue of one's own."""
        events, bus = self._running.client("events"), self.outputs["EventBusName"]
        arn = self._sqs.get_queue_attributes(QueueUrl=self._subscriber, AttributeNames=["QueueArn"])
        events.put_rule(Name="tell-me", EventBusName=bus, EventPattern=json.dumps({"source": ["fraud.decisions"]}))
        target = {"Id": "mine", "Arn": arn["Attributes"]["QueueArn"]}
        assert events.put_targets(Rule="tell-me", EventBusName=bus, Targets=[target])["FailedEntryCount"] == 0

    @cached_property
    def _subscriber(self) -> str:
        return str(self._sqs.create_queue(QueueName="subscriber")["QueueUrl"])

    # --- Out ---------------------------------------------------------------------------------------------------------

    def decisions(self) -> dict[str, dict[str, Any]]:
        """Every decision by its id, in DynamoDB's notation."""
        return {item["transaction_id"]["S"]: item for item in self._scan("DecisionTableName")}

    def projected(self) -> int:
        """How many decisions have been projected."""
        return sum(item.get("projected", {}).get("BOOL", False) for item in self.decisions().values())

    def counted(self) -> Counter[str]:
        """Counters of all epochs, slots and card buckets, summed."""
        total: Counter[str] = Counter()
        for item in self._scan("RolloutTableName"):
            total.update({name: int(value["N"]) for name, value in item.items() if "N" in value})
        return total

    def terminals(self) -> dict[str, tuple[int, int]]:
        """Transactions and known frauds of every terminal."""
        items = [item for item in self._scan("EntityTableName") if item["entity"]["S"].startswith("terminal#")]
        states = entity_items.decode_all(items, time.time())
        return {key.partition("#")[2]: self._sums(stored.state) for key, stored in states.items()}

    def _sums(self, state: Any) -> tuple[int, int]:
        tiles = state.series[entities.TERMINAL_DAYS].values()
        count, frauds = (entities.TERMINAL.sums.index(name) for name in ("count", "frauds"))
        return sum(tile[count] for tile in tiles), sum(tile[frauds] for tile in tiles)

    def early_labels(self) -> set[str]:
        """Ids of the transactions that a label waits for."""
        keys = [item["entity"]["S"] for item in self._scan("EntityTableName")]
        return {key.partition("#")[2] for key in keys if key.startswith("label#")}

    def quarantined(self) -> list[dict[str, Any]]:
        """Every line of the records that were refused."""
        return [
            json.loads(line) for body in self._objects("QuarantineBucketName", "poison/") for line in body.splitlines()
        ]

    def given_up(self) -> list[bytes]:
        """What Lambda could not get processed."""
        return list(self._objects("QuarantineBucketName", "aws/lambda/"))

    def alarming(self) -> list[str]:
        """Alarms that are on."""
        alarms = self._running.client("cloudwatch").describe_alarms(StateValue="ALARM")
        return [each["AlarmName"] for each in alarms["MetricAlarms"]]

    def quarantine_text(self) -> bytes:
        """All of the quarantine."""
        return b"\n".join(self._objects("QuarantineBucketName", ""))

    def archived(self, prefix: str) -> set[str]:
        """Ids of the transactions in what Firehose delivered there."""
        lines = (
            line for body in self._objects("ArchiveBucketName", prefix) for line in gzip.decompress(body).splitlines()
        )
        return {json.loads(line)["transaction_id"] for line in lines}

    def announced(self) -> Iterator[dict[str, Any]]:
        """Events that have come since the last look."""
        while found := self._sqs.receive_message(QueueUrl=self._subscriber, MaxNumberOfMessages=10).get("Messages"):
            for message in found:
                self._sqs.delete_message(QueueUrl=self._subscriber, ReceiptHandle=message["ReceiptHandle"])
                yield json.loads(message["Body"])

    def waiting(self) -> int:
        """Labels in either queue."""
        names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
        queues = (self.outputs["LabelQueueUrl"], self.outputs["LabelDeadLetterQueueUrl"])
        answers = (self._sqs.get_queue_attributes(QueueUrl=url, AttributeNames=names) for url in queues)
        return sum(int(value) for answer in answers for value in answer["Attributes"].values())

    def _scan(self, output: str) -> Iterator[dict[str, Any]]:
        pages = self._dynamodb.get_paginator("scan").paginate(TableName=self.outputs[output], ConsistentRead=True)
        return (item for page in pages for item in page["Items"])

    def _objects(self, output: str, prefix: str) -> Iterator[bytes]:
        bucket = self.outputs[output]
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        keys = (each["Key"] for page in pages for each in page.get("Contents", []))
        return (self._s3.get_object(Bucket=bucket, Key=key)["Body"].read() for key in keys)
