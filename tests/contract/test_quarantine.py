"""Quarantine keeps what was rejected, once, however often it is told."""

import json

import boto3
import pytest
from botocore.stub import Stubber

from fraud import intake
from fraud.aws.quarantine import S3Quarantine, as_line
from fraud.errors import StoreUnavailable
from tests.fakes import samples
from tests.fakes.aws import AwsStores
from tests.fakes.samples import PAN
from tests.fakes.world import Stores


def test_put_records_are_kept_with_their_reasons(stores: Stores) -> None:
    rejected = [intake.reject(samples.record(number, b"{"), "not_json", "why") for number in (1, 2)]
    stores.ports().quarantine.put(rejected)
    assert stores.quarantined() == {
        ("transactions", "00001"): "not_json",
        ("transactions", "00002"): "not_json",
    }


def test_put_the_same_records_again_adds_nothing(stores: Stores) -> None:
    rejected = [intake.reject(samples.record(1, b"{"), "not_json", "why")]
    stores.ports().quarantine.put(rejected)
    stores.ports().quarantine.put(rejected)
    assert len(stores.quarantined()) == 1
    if isinstance(stores, AwsStores):
        assert len(stores.quarantine_objects()) == 1


def test_put_refused_object_is_unavailable() -> None:
    client = boto3.client("s3")
    with Stubber(client) as stub:
        stub.add_client_error("put_object", "SlowDown", http_status_code=503)
        with pytest.raises(StoreUnavailable, match=r"^PutObject: SlowDown$"):
            S3Quarantine(client, "bucket").put([intake.reject(samples.record(1, b"{"), "not_json", "why")])


def test_as_line_intact_record_can_be_replayed_to_the_letter() -> None:
    payload = samples.payload(amount_minor=-1)
    line = as_line(intake.reject(samples.record(1, payload), "invalid_amount_minor", "why"))
    assert line["replayable"] and line["payload"].encode() == payload


@pytest.mark.parametrize(
    "payload", [b"\xff{", f'{{"pan": "{PAN}"}}'.encode(), b"x" * 20_000], ids=["bytes", "pan", "long"]
)
def test_as_line_changed_record_says_that_it_cannot_be_replayed(payload: bytes) -> None:
    line = as_line(intake.reject(samples.record(1, payload), "not_json", "why"))
    assert not line["replayable"]
    assert PAN not in json.dumps(line)
