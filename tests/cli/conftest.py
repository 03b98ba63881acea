"""A stack on moto, without CloudFormation: its names are given."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import boto3
import pytest
from moto import mock_aws
from typer.testing import CliRunner

from cli import target as targets
from cli.target import Target

REGION = "eu-west-1"
# One for all tests: a session reads the definition of each service only once.
SESSION = boto3.Session("testing", "testing", region_name=REGION)
PLAIN = Target("fraud", region=REGION)
PLAIN.__dict__["session"] = SESSION
KEYS = {
    "EntityTable": [("entity", "HASH")],
    "DecisionTable": [("transaction_id", "HASH")],
    "RolloutTable": [("pk", "HASH"), ("sk", "RANGE")],
}


@cache
def kept_client(service: str, config: str) -> Any:
    return Target.client(PLAIN, service, **json.loads(config))


def client(service: str, **config: Any) -> Any:
    """A client as the target makes it, made once for all tests: that is what takes longest."""
    return kept_client(service, json.dumps(config))


def make_table(dynamodb: Any, name: str) -> None:
    dynamodb.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": key, "KeyType": kind} for key, kind in KEYS[name]],
        AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key, _ in KEYS[name]],
    )


def make_bucket(s3: Any, name: str) -> None:
    s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_versioning(Bucket=name, VersioningConfiguration={"Status": "Enabled"})


def build(target: Target) -> dict[str, str]:
    """What the commands use of the template, and its outputs."""
    target.client("kinesis").create_stream(StreamName="transactions", ShardCount=1)
    for name in KEYS:
        make_table(target.client("dynamodb"), name)
    for name in ("quarantine", "archive"):
        make_bucket(target.client("s3"), name)
    queues = {name: target.client("sqs").create_queue(QueueName=name)["QueueUrl"] for name in ("labels", "dead")}
    return {
        "TransactionStreamName": "transactions",
        "LabelQueueUrl": queues["labels"],
        "LabelDeadLetterQueueUrl": queues["dead"],
        **{f"{name}Name": name for name in KEYS},
        "QuarantineBucketName": "quarantine",
        "ArchiveBucketName": "archive",
        "EndpointSlotA": "fraud-a",
        "EndpointSlotB": "fraud-b",
        "ModelPackageGroupName": "fraud-models",
        "SageMakerExecutionRoleArn": "arn:aws:iam::123456789012:role/models",
        "ModelImageUri": "141502667606.dkr.ecr.eu-west-1.amazonaws.com/sagemaker-xgboost:3.2-0",
        "DataKeyArn": target.client("kms").create_key()["KeyMetadata"]["Arn"],
        "EventBusName": "fraud",
    }


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Target]:
    """A stack that every command finds."""
    with mock_aws():
        target = Target("fraud", region=REGION)
        target.__dict__["session"] = SESSION
        target.__dict__["client"] = client
        target.__dict__["outputs"] = build(target)
        target.__dict__["resources"] = {
            "ScoreTransactionsFunction": "score",
            "ProjectDecisionsFunction": "project",
        }
        monkeypatch.setattr(targets, "resolve", lambda **_: target)
        yield target


@pytest.fixture
def rolled(stack: Target) -> Target:
    """A stack with what a rollout needs."""
    stack.outputs["RolloutMachineArn"] = "arn:machine"
    stack.outputs["SteerRolloutFunctionName"] = "steer"
    stack.outputs["AbortRolloutFunctionName"] = "abort"
    return stack


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Every wait, none of them waited."""
    done: list[float] = []
    monkeypatch.setattr("time.sleep", done.append)
    return done


@pytest.fixture
def runner() -> CliRunner:
    return CliRunner()


def records_of(target: Target) -> list[dict[str, Any]]:
    """Everything in the transaction stream."""
    kinesis = target.client("kinesis")
    shard = kinesis.list_shards(StreamName="transactions")["Shards"][0]["ShardId"]
    first = kinesis.get_shard_iterator(StreamName="transactions", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    records: list[dict[str, Any]] = kinesis.get_records(ShardIterator=first["ShardIterator"])["Records"]
    return records


def messages_of(target: Target, output: str = "LabelQueueUrl") -> list[str]:
    """Everything in a queue."""
    sqs, bodies = target.client("sqs"), []
    while found := sqs.receive_message(QueueUrl=target.output(output), MaxNumberOfMessages=10).get("Messages"):
        bodies += [message["Body"] for message in found]
    return bodies
