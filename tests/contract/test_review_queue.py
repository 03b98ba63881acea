"""A decision waits for review until something is known of it."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from fraud import entities, windows
from fraud.aws import decision_items
from fraud.decision import Action
from fraud.label import Label, Source
from fraud.ports import LabelChange, LabelCommit
from tests.fakes import samples
from tests.fakes.aws import AwsStores
from tests.fakes.faults import Clock
from tests.fakes.samples import NOW


@pytest.fixture
def aws_stores(no_account: None) -> Iterator[AwsStores]:
    with mock_aws():
        yield AwsStores(Clock(NOW))


def queue(stores: AwsStores) -> Any:
    key = {"transaction_id": {"S": "t1"}}
    return stores.dynamodb.get_item(TableName="decisions", Key=key)["Item"].get("review_queue")


@pytest.mark.parametrize("source", list(Source))
def test_review_is_closed_by_any_verdict(aws_stores: AwsStores, source: Source) -> None:
    ports = aws_stores.ports()
    ports.decisions.commit([samples.commit(samples.decision(action=Action.REVIEW, reasons=("why",)))])
    assert queue(aws_stores)["S"].startswith("open#")
    verdict = Label(False, source, NOW * 1000, NOW)
    terminal = windows.empty(entities.TERMINAL)
    assert ports.labels.apply(LabelCommit("terminal#m1", 0, terminal, (LabelChange("t1", None, verdict),)))
    assert queue(aws_stores) is None


def test_reviews_are_spread_over_partitions() -> None:
    decisions = [
        samples.decision(samples.accepted(card=f"c{number}"), action=Action.REVIEW, reasons=("why",))
        for number in range(200)
    ]
    queues = {decision_items.encode(each, 1)["review_queue"]["S"] for each in decisions}
    assert queues == {f"open#{number}" for number in range(decision_items.REVIEW_QUEUES)}
