"""Artefacts in S3 and the routing item in DynamoDB, as rollouts read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from fraud.aws import routing_items
from fraud.aws.package_store import S3PackageStore
from fraud.aws.routing_store import DynamoRoutingStore
from fraud.errors import DeploymentFailed, DeploymentInterrupted, InvalidPackage, StoreUnavailable
from fraud.routing import Routing, ServedModel

REGION = "eu-central-1"
SERVED = ServedModel("fraud-a", "arn:m/3", ("transaction_amount", "card_count_1h"), "hash", 0.1 + 0.2, 1 / 3)
ROUTING = Routing(1, "steady", "a", None, 0, "fresh", {"a": SERVED})


@pytest.fixture
def aws() -> Iterator[None]:
    with mock_aws():
        yield


@pytest.fixture
def packages(aws: None) -> S3PackageStore:
    client = boto3.client("s3", region_name=REGION)
    client.create_bucket(Bucket="archive", CreateBucketConfiguration={"LocationConstraint": REGION})
    return S3PackageStore(client, "archive")


@pytest.fixture
def routing(aws: None) -> DynamoRoutingStore:
    client: Any = boto3.client("dynamodb", region_name=REGION)
    client.create_table(
        TableName="rollouts",
        KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": name, "AttributeType": "S"} for name in ("pk", "sk")],
        BillingMode="PAY_PER_REQUEST",
    )
    return DynamoRoutingStore(client, "rollouts")


def test_write_artefact_is_read_under_its_uri(packages: S3PackageStore) -> None:
    uri = packages.write("m/model.tar.gz", b"content")

    assert uri == "s3://archive/models/m/model.tar.gz"
    assert packages.read(uri, 7) == b"content"


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("m/report.html", "text/html; charset=utf-8"),
        ("m/model_card.md", "text/markdown; charset=utf-8"),
        ("m/training_set.sql", "text/plain; charset=utf-8"),
        ("m/evaluation.json", "application/json"),
        ("m/model.tar.gz", "application/octet-stream"),
    ],
)
def test_write_what_people_open_is_of_a_kind_that_browsers_show(packages: S3PackageStore, name: str, kind: str) -> None:
    packages.write(name, b"content")

    assert packages.client.head_object(Bucket="archive", Key=f"models/{name}")["ContentType"] == kind


def test_read_object_larger_than_allowed_is_refused(packages: S3PackageStore) -> None:
    uri = packages.write("m/model.tar.gz", b"content")

    with pytest.raises(InvalidPackage, match="is larger than 6 bytes"):
        packages.read(uri, 6)


@pytest.mark.parametrize("uri", ["s3://archive/models/none", "s3://no-such-bucket/models/none"])
def test_read_what_is_not_there_is_refused(packages: S3PackageStore, uri: str) -> None:
    with pytest.raises(InvalidPackage, match=f"there is no object {uri}"):
        packages.read(uri, 10)


@pytest.mark.parametrize("uri", ["", "model.tar.gz", "https://archive/m", "s3://archive", "s3://archive/", "s3:///m"])
def test_read_what_is_no_uri_of_an_object_is_refused(uri: str) -> None:
    with pytest.raises(InvalidPackage, match="is no S3 URI of an object"):
        S3PackageStore(None, "archive").read(uri, 10)


@pytest.mark.parametrize(("code", "kind"), [("AccessDenied", DeploymentFailed), ("SlowDown", DeploymentInterrupted)])
def test_store_that_refuses_says_why(code: str, kind: type[Exception]) -> None:
    client = boto3.client("s3", region_name=REGION)
    store = S3PackageStore(client, "archive")
    with Stubber(client) as stub:
        stub.add_client_error("get_object", code, "the reason")
        stub.add_client_error("put_object", code, "the reason")

        with pytest.raises(kind, match=f"reading s3://archive/m: {code}: the reason"):
            store.read("s3://archive/m", 10)
        with pytest.raises(kind, match=f"storing s3://archive/models/m: {code}"):
            store.write("m", b"")


def test_routing_none_yet_is_none(routing: DynamoRoutingStore) -> None:
    assert routing.read() is None


def test_routing_is_read_as_it_was_written(routing: DynamoRoutingStore) -> None:
    routing.client.put_item(TableName="rollouts", Item=routing_items.encode(ROUTING))

    assert routing.read() == ROUTING


def test_routing_store_that_does_not_answer_is_unavailable() -> None:
    client = boto3.client("dynamodb", region_name=REGION)
    store = DynamoRoutingStore(client, "rollouts")
    with Stubber(client) as stub:
        stub.add_client_error("get_item", "ProvisionedThroughputExceededException")

        with pytest.raises(StoreUnavailable):
            store.read()
