"""How many decisions a second there are, over all slots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from fraud.aws.traffic import WINDOW, CloudWatchTraffic
from fraud.errors import StoreUnavailable
from fraud.rollout_ports import Traffic
from tests.fakes.rollouts import SteadyTraffic
from tests.fakes.samples import NOW
from tests.fakes.scripted_client import answering, refusal

NAMESPACE = "FraudDetection"
MINUTE = NOW // 60 * 60
"""Start of the minute that is not over."""


@pytest.fixture
def client(no_account: None) -> Iterator[Any]:
    with mock_aws():
        yield boto3.client("cloudwatch")


def publish(client: Any, decisions: float, at: float, slot: str = "a", **fields: Any) -> None:
    dimensions = [{"Name": "Slot", "Value": slot}, {"Name": "service", "Value": "score_transactions"}]
    datum = {"MetricName": "Decisions", "Dimensions": dimensions, "Timestamp": at, "Value": decisions} | fields
    client.put_metric_data(Namespace=NAMESPACE, MetricData=[datum])


def adapter(client: Any) -> CloudWatchTraffic:
    return CloudWatchTraffic(client, NAMESPACE, lambda: NOW)


@pytest.fixture(params=["memory", "aws"])
def steady(request: pytest.FixtureRequest, client: Any) -> Callable[[float], Traffic]:
    """Traffic of so many decisions a second, for a while."""

    def make(per_second: float) -> Traffic:
        if request.param == "memory":
            return SteadyTraffic(per_second)
        for minute in range(1, 31):
            publish(client, per_second * 60, MINUTE - 60 * minute)
        return adapter(client)

    return make


@pytest.mark.parametrize("decisions", [0.0, 0.5, 40.0])
def test_per_second_steady_traffic_is_told(steady: Callable[[float], Traffic], decisions: float) -> None:
    assert steady(decisions).per_second() == pytest.approx(decisions)


def test_per_second_without_metrics_is_zero(client: Any) -> None:
    assert adapter(client).per_second() == 0


def test_per_second_all_slots_are_added(client: Any) -> None:
    for decisions, slot in ((900, "a"), (1800, "b"), (3600, "none")):
        publish(client, decisions, MINUTE - WINDOW, slot)
    assert adapter(client).per_second() == 7


def test_per_second_traffic_that_began_lately_is_taken_from_its_beginning(client: Any) -> None:
    publish(client, 600, MINUTE - 120)
    publish(client, 600, MINUTE - 60)
    assert adapter(client).per_second() == 10


def test_per_second_traffic_that_pauses_is_not_taken_for_more(client: Any) -> None:
    publish(client, 600, MINUTE - 300)
    assert adapter(client).per_second() == 2


def test_per_second_traffic_of_the_minute_under_way_alone_is_a_first_impression(client: Any) -> None:
    publish(client, 400, MINUTE)
    assert adapter(client).per_second() == 400 / (NOW - MINUTE)


def test_per_second_only_the_last_15_full_minutes_count(client: Any) -> None:
    for at in (MINUTE, MINUTE - WINDOW - 1):
        publish(client, 9_000, at)
    for at in (MINUTE - 1, MINUTE - WINDOW):
        publish(client, 900, at)
    assert adapter(client).per_second() == 2


def test_per_second_other_metrics_do_not_count(client: Any) -> None:
    publish(client, 900, MINUTE - 60, MetricName="Blocked")
    publish(client, 900, MINUTE - 60, Dimensions=[{"Name": "Slot", "Value": "a"}])
    publish(client, 900, MINUTE - 60, "c")
    assert adapter(client).per_second() == 0


def test_per_second_incomplete_answer_is_unavailable() -> None:
    def answer(**asked: Any) -> dict[str, Any]:
        assert {each["MetricStat"]["Metric"]["Namespace"] for each in asked["MetricDataQueries"]} == {NAMESPACE}
        return {"MetricDataResults": [{"Id": "slot_a", "Values": [60.0], "StatusCode": "PartialData"}]}

    cloudwatch = boto3.client("cloudwatch")
    with answering(cloudwatch, GetMetricData=answer), pytest.raises(StoreUnavailable, match="not complete"):
        adapter(cloudwatch).per_second()


def test_per_second_not_answered_is_unavailable() -> None:
    def answer(**asked: Any) -> dict[str, Any]:
        raise refusal("Throttling")

    cloudwatch = boto3.client("cloudwatch")
    with (
        answering(cloudwatch, GetMetricData=answer),
        pytest.raises(StoreUnavailable, match="GetMetricData: Throttling"),
    ):
        adapter(cloudwatch).per_second()
