"""Which alarms ask for a new model: those of the stack that are in ALARM now."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from fraud.aws.retraining_alarms import MOST_PAGES, CloudWatchRetrainingAlarms
from fraud.errors import StoreUnavailable
from fraud.retraining_ports import RetrainingAlarms
from tests.fakes.retraining import FakeRetrainingAlarms
from tests.fakes.scripted_client import answering, refusal

PREFIX = "stack-retrain-"


@dataclass
class CloudWatch:
    """Alarms as CloudWatch tells of them.

    Args:
        states: type and state of each alarm, by its name.
        page: alarms on a page; a page may be empty, with more to come.
    """

    states: dict[str, tuple[str, str]] = field(default_factory=dict)
    page: int = 100

    def describe_alarms(
        self,
        AlarmNamePrefix: str,  # noqa: N803
        StateValue: str,  # noqa: N803
        AlarmTypes: list[str],  # noqa: N803
        MaxRecords: int,  # noqa: N803
        NextToken: str = "0",  # noqa: N803
    ) -> dict[str, Any]:
        assert 1 <= MaxRecords <= 100
        names = sorted(name for name in self.states if name.startswith(AlarmNamePrefix))
        start, end = int(NextToken), int(NextToken) + self.page
        on = [name for name in names[start:end] if self.states[name][1] == StateValue]
        told = {
            f"{kind}s": [{"AlarmName": name} for name in on if self.states[name][0] == kind and kind in AlarmTypes]
            for kind in ("MetricAlarm", "CompositeAlarm")
        }
        return told | ({"NextToken": str(end)} if end < len(names) else {})


@pytest.fixture
def cloudwatch() -> CloudWatch:
    return CloudWatch()


@pytest.fixture
def adapter(cloudwatch: CloudWatch) -> Iterator[RetrainingAlarms]:
    client = boto3.client("cloudwatch")
    with answering(client, DescribeAlarms=cloudwatch.describe_alarms):
        yield CloudWatchRetrainingAlarms(client, PREFIX)


@pytest.fixture(params=["memory", "aws"])
def alarms(request: pytest.FixtureRequest, cloudwatch: CloudWatch) -> RetrainingAlarms:
    cloudwatch.states = {
        f"{PREFIX}quality": ("MetricAlarm", "ALARM"),
        f"{PREFIX}drift": ("CompositeAlarm", "ALARM"),
        f"{PREFIX}data": ("MetricAlarm", "OK"),
        f"{PREFIX}delay": ("MetricAlarm", "INSUFFICIENT_DATA"),
        "stack-slot-a-errors": ("MetricAlarm", "ALARM"),
    }
    if request.param == "memory":
        return FakeRetrainingAlarms({f"{PREFIX}quality", f"{PREFIX}drift"})
    adapter: RetrainingAlarms = request.getfixturevalue("adapter")
    return adapter


def test_firing_alarms_of_both_kinds_are_told_in_order(alarms: RetrainingAlarms) -> None:
    assert alarms.firing() == [f"{PREFIX}drift", f"{PREFIX}quality"]


def test_firing_none_is_empty(adapter: RetrainingAlarms) -> None:
    assert adapter.firing() == []


def test_firing_alarm_on_a_later_page_is_told(adapter: RetrainingAlarms, cloudwatch: CloudWatch) -> None:
    cloudwatch.states = {f"{PREFIX}{number}": ("MetricAlarm", "OK") for number in range(5)}
    cloudwatch.states[f"{PREFIX}4"] = ("MetricAlarm", "ALARM")
    cloudwatch.page = 2
    assert adapter.firing() == [f"{PREFIX}4"]


@pytest.mark.parametrize(("pages", "told"), [(MOST_PAGES, True), (MOST_PAGES + 1, False)])
def test_firing_looks_at_so_many_pages_and_no_more(
    adapter: RetrainingAlarms, cloudwatch: CloudWatch, pages: int, told: bool
) -> None:
    cloudwatch.states = {f"{PREFIX}{number:03d}": ("MetricAlarm", "ALARM") for number in range(pages)}
    cloudwatch.page = 1
    if told:
        assert len(adapter.firing()) == pages
    else:
        with pytest.raises(StoreUnavailable, match="more than 1000 alarms are on"):
            adapter.firing()


def test_firing_not_answered_is_unavailable() -> None:
    client = boto3.client("cloudwatch")

    def refuse(**_: Any) -> dict[str, Any]:
        raise refusal("Throttling")

    with (
        answering(client, DescribeAlarms=refuse),
        pytest.raises(StoreUnavailable, match=r"^DescribeAlarms: Throttling$"),
    ):
        CloudWatchRetrainingAlarms(client, PREFIX).firing()
