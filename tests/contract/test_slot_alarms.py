"""Which alarms of a slot fired, also those that recovered, and what keeps them from guarding a rollout."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

import boto3
import pytest

from fraud.aws.slot_alarms import KINDS, MOST_PAGES, CloudWatchSlotAlarms
from fraud.errors import StoreUnavailable
from fraud.rollout_ports import SlotAlarms
from tests.fakes.rollouts import ALARM, ALARM_PREFIX, OK, ScriptedAlarms
from tests.fakes.samples import NOW
from tests.fakes.scripted_client import answering, refusal

ENDPOINTS = {"a": "stack-a", "b": "stack-b"}
UNKNOWN = "INSUFFICIENT_DATA"
ERRORS, LATENCY, FALLBACK, BLOCK_RATE = (f"{ALARM_PREFIX}b-{kind}" for kind in KINDS)


def time_of(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def of_endpoint(slot: str, metric: str) -> dict[str, Any]:
    dimensions = {"EndpointName": ENDPOINTS[slot], "VariantName": "primary"}
    return {"Namespace": "AWS/SageMaker", "MetricName": metric, "Dimensions": listed(dimensions)}


def of_slot(slot: str, metric: str, **other: str) -> dict[str, Any]:
    dimensions = {"Slot": slot, "service": "score_transactions"} | other
    return {"Namespace": "FraudDetection", "MetricName": metric, "Dimensions": listed(dimensions)}


def listed(dimensions: dict[str, str]) -> list[dict[str, str]]:
    return [{"Name": name, "Value": value} for name, value in dimensions.items()]


def share(*metrics: dict[str, Any]) -> dict[str, Any]:
    """What is watched by an alarm over an expression."""
    stats = [
        {"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}, "ReturnData": False}
        for number, metric in enumerate(metrics)
    ]
    return {"Metrics": [{"Id": "share", "Expression": "IF(m1 >= 100, 100 * m0 / m1, 0)"}, *stats]}


@dataclass
class CloudWatch:
    """The alarms of two slots as CloudWatch tells of them, their history in pages.

    Args:
        alarms: as DescribeAlarms tells of them, by name.
        changes: as DescribeAlarmHistory does, oldest first.
        page: changes on a page.
    """

    alarms: dict[str, dict[str, Any]] = field(default_factory=dict)
    changes: list[dict[str, Any]] = field(default_factory=list)
    page: int = 100

    def __post_init__(self) -> None:
        for slot in ENDPOINTS:
            self.define(slot, "errors", of_endpoint(slot, "Invocation5XXErrors"))
            self.define(slot, "latency", of_endpoint(slot, "ModelLatency"))
            self.define(slot, "fallback", share(of_slot(slot, "Degraded"), of_slot(slot, "Decisions")))
            self.define(slot, "block-rate", share(of_slot(slot, "Blocked"), of_slot(slot, "Decisions")))

    def define(self, slot: str, kind: str, watched: dict[str, Any], **fields: Any) -> None:
        name = f"{ALARM_PREFIX}{slot}-{kind}"
        state = {"StateValue": OK, "StateReason": "as told", "StateUpdatedTimestamp": time_of(NOW - 3600)}
        self.alarms[name] = {"AlarmName": name, "TreatMissingData": "notBreaching", **state, **watched, **fields}

    def move(self, slot: str, kind: str, state: str, at: float) -> None:
        alarm = self.alarms[f"{ALARM_PREFIX}{slot}-{kind}"]
        states = [{"stateValue": each, "stateReason": "as told"} for each in (alarm["StateValue"], state)]
        data = json.dumps({"version": "1.0", "oldState": states[0], "newState": states[1]})
        # The last time that CloudWatch wrote the state is not the time that the state changed.
        times = {"StateUpdatedTimestamp": time_of(at + 999), "StateTransitionedTimestamp": time_of(at)}
        alarm |= {"StateValue": state, **times}
        item = {"AlarmName": alarm["AlarmName"], "Timestamp": time_of(at), "HistoryItemType": "StateUpdate"}
        self.changes.append(item | {"HistoryData": data})

    def describe_alarms(self, AlarmNames: list[str], AlarmTypes: list[str]) -> dict[str, Any]:  # noqa: N803
        assert AlarmTypes == ["MetricAlarm"]
        return {"MetricAlarms": [alarm for name, alarm in self.alarms.items() if name in AlarmNames]}

    def describe_alarm_history(
        self,
        AlarmName: str,  # noqa: N803
        HistoryItemType: str,  # noqa: N803
        StartDate: datetime,  # noqa: N803
        MaxRecords: int,  # noqa: N803
        ScanBy: str,  # noqa: N803
        NextToken: str = "0",  # noqa: N803
    ) -> dict[str, Any]:
        assert (HistoryItemType, ScanBy) == ("StateUpdate", "TimestampAscending")
        assert MaxRecords <= 100
        found = [each for each in self.changes if each["AlarmName"] == AlarmName and each["Timestamp"] >= StartDate]
        end = int(NextToken) + self.page
        token = {"NextToken": str(end)} if end < len(found) else {}
        return {"AlarmHistoryItems": found[int(NextToken) : end]} | token


class Moved(Protocol):
    """What lets alarms change."""

    def move(self, slot: str, kind: str, state: str, at: float) -> None: ...


@pytest.fixture
def cloudwatch() -> CloudWatch:
    return CloudWatch()


@pytest.fixture
def adapter(cloudwatch: CloudWatch) -> Iterator[SlotAlarms]:
    client = boto3.client("cloudwatch")
    with answering(
        client, DescribeAlarms=cloudwatch.describe_alarms, DescribeAlarmHistory=cloudwatch.describe_alarm_history
    ):
        yield CloudWatchSlotAlarms(client, ALARM_PREFIX, ENDPOINTS, "FraudDetection")


@pytest.fixture(params=["memory", "aws"])
def guard(request: pytest.FixtureRequest, cloudwatch: CloudWatch, adapter: SlotAlarms) -> tuple[SlotAlarms, Moved]:
    if request.param == "aws":
        return adapter, cloudwatch
    scripted = ScriptedAlarms()
    return scripted, scripted


Guard = tuple[SlotAlarms, Moved]


def names(alarms: SlotAlarms, since: float = NOW, slot: str = "b") -> list[str]:
    return [each.name for each in alarms.fired(slot, since)]


def test_fired_quiet_alarms_are_none(guard: Guard) -> None:
    assert guard[0].fired("b", NOW) == []
    assert guard[0].unfit("b") == []


def test_fired_alarm_tells_when_and_why(guard: Guard) -> None:
    alarms, cloudwatch = guard
    cloudwatch.move("b", "errors", ALARM, NOW + 60)
    [fired] = alarms.fired("b", NOW)
    assert (fired.name, fired.at, fired.reason) == (ERRORS, NOW + 60, "as told")


def test_fault_28_fired_and_recovered_still_counts(guard: Guard) -> None:
    alarms, cloudwatch = guard
    cloudwatch.move("b", "latency", ALARM, NOW + 60)
    cloudwatch.move("b", "latency", OK, NOW + 120)
    assert [(each.name, each.at) for each in alarms.fired("b", NOW)] == [(LATENCY, NOW + 60)]


def test_fired_before_and_recovered_before_does_not_count(guard: Guard) -> None:
    alarms, cloudwatch = guard
    cloudwatch.move("b", "latency", ALARM, NOW - 120)
    cloudwatch.move("b", "latency", OK, NOW - 60)
    assert alarms.fired("b", NOW) == []


@pytest.mark.parametrize("recovered", [False, True])
def test_fired_before_and_lasting_counts(guard: Guard, recovered: bool) -> None:
    alarms, cloudwatch = guard
    cloudwatch.move("b", "fallback", ALARM, NOW - 60)
    if recovered:
        cloudwatch.move("b", "fallback", OK, NOW + 60)
    [fired] = alarms.fired("b", NOW)
    assert fired.name == FALLBACK
    assert fired.at <= NOW


def test_fired_several_times_is_told_once_the_earliest_first(guard: Guard) -> None:
    alarms, cloudwatch = guard
    for at, kind, state in (
        (10, "errors", ALARM),
        (20, "block-rate", ALARM),
        (30, "errors", OK),
        (40, "block-rate", OK),
        (50, "errors", ALARM),
    ):
        cloudwatch.move("b", kind, state, NOW + at)
    assert [(each.name, each.at) for each in alarms.fired("b", NOW)] == [(ERRORS, NOW + 10), (BLOCK_RATE, NOW + 20)]


def test_fired_alarms_of_the_other_slot_are_not_told(guard: Guard) -> None:
    alarms, cloudwatch = guard
    cloudwatch.move("a", "errors", ALARM, NOW + 60)
    assert names(alarms) == []
    assert names(alarms, slot="a") == [f"{ALARM_PREFIX}a-errors"]


def test_unfit_alarm_in_alarm_is_named(guard: Guard) -> None:
    alarms, cloudwatch = guard
    cloudwatch.move("b", "errors", ALARM, NOW - 60)
    assert alarms.unfit("b") == [f"{ERRORS} is in ALARM: as told"]
    assert alarms.unfit("a") == []
    cloudwatch.move("b", "errors", OK, NOW - 30)
    assert alarms.unfit("b") == []


def test_fired_on_a_later_page_is_found(adapter: SlotAlarms, cloudwatch: CloudWatch) -> None:
    cloudwatch.page = 2
    for number in range(4):
        cloudwatch.move("b", "errors", UNKNOWN if number % 2 else OK, NOW + number)
    cloudwatch.move("b", "errors", ALARM, NOW + 4)
    cloudwatch.move("b", "errors", OK, NOW + 5)
    assert [(each.name, each.at) for each in adapter.fired("b", NOW)] == [(ERRORS, NOW + 4)]


def test_fired_within_the_second_of_the_start_counts(adapter: SlotAlarms, cloudwatch: CloudWatch) -> None:
    cloudwatch.move("b", "errors", ALARM, NOW)
    cloudwatch.move("b", "errors", OK, NOW)
    assert names(adapter, since=NOW + 0.75) == [ERRORS]


def test_fired_history_without_an_end_is_unavailable(adapter: SlotAlarms, cloudwatch: CloudWatch) -> None:
    cloudwatch.page = 1
    for number in range(MOST_PAGES + 1):
        cloudwatch.move("b", "errors", UNKNOWN, NOW + number)
    with pytest.raises(StoreUnavailable, match=ERRORS):
        adapter.fired("b", NOW)


def test_unfit_missing_alarm_is_named(adapter: SlotAlarms, cloudwatch: CloudWatch) -> None:
    del cloudwatch.alarms[LATENCY]
    assert adapter.unfit("b") == [f"{LATENCY} does not exist: deploy the stack again."]


def test_unfit_all_alarms_missing_are_named(adapter: SlotAlarms, cloudwatch: CloudWatch) -> None:
    cloudwatch.alarms.clear()
    assert len(adapter.unfit("a")) == len(KINDS)


@pytest.mark.parametrize(
    ("treatment", "fit"), [("notBreaching", True), ("missing", False), ("ignore", False), ("breaching", False)]
)
def test_unfit_alarm_without_data_is_fit_where_that_is_taken_for_good(
    adapter: SlotAlarms, cloudwatch: CloudWatch, treatment: str, fit: bool
) -> None:
    cloudwatch.alarms[ERRORS] |= {"StateValue": UNKNOWN, "TreatMissingData": treatment}
    assert (adapter.unfit("b") == []) is fit


def test_unfit_alarm_without_actions_is_fit_because_its_events_are_sent(
    adapter: SlotAlarms, cloudwatch: CloudWatch
) -> None:
    cloudwatch.alarms[ERRORS]["ActionsEnabled"] = False
    assert adapter.unfit("b") == []


@pytest.mark.parametrize(
    "watched",
    [
        of_endpoint("a", "ModelLatency"),
        of_endpoint("b", "ModelLatency") | {"Namespace": "Other"},
        of_endpoint("b", "ModelLatency") | {"Dimensions": listed({"EndpointName": "stack-b"})},
        of_endpoint("b", "ModelLatency") | {"Dimensions": listed({"EndpointName": "stack-b", "VariantName": "other"})},
        of_endpoint("b", "ModelLatency") | {"Dimensions": []},
        share(of_slot("a", "Degraded"), of_slot("a", "Decisions")),
        share(of_slot("b", "Degraded"), of_slot("a", "Decisions")),
        share(of_slot("b", "Degraded", service="other"), of_slot("b", "Decisions")),
        share(of_slot("b", "Degraded", more="x"), of_slot("b", "Decisions")),
        share(of_slot("b", "Degraded"), of_slot("b", "Decisions") | {"Namespace": "Other"}),
        share(),
    ],
)
def test_unfit_alarm_that_watches_something_else_is_named(
    adapter: SlotAlarms, cloudwatch: CloudWatch, watched: dict[str, Any]
) -> None:
    cloudwatch.define("b", "latency", watched)
    assert adapter.unfit("b") == [f"{LATENCY} watches something else than slot b: deploy the stack again."]


@pytest.mark.parametrize("operation", ["DescribeAlarms", "DescribeAlarmHistory"])
def test_alarms_that_are_not_answered_are_unavailable(cloudwatch: CloudWatch, operation: str) -> None:
    def refuse(**asked: Any) -> dict[str, Any]:
        raise refusal("Throttling")

    answers = {
        "DescribeAlarms": cloudwatch.describe_alarms,
        "DescribeAlarmHistory": cloudwatch.describe_alarm_history,
    } | {operation: refuse}
    client = boto3.client("cloudwatch")
    with answering(client, **answers), pytest.raises(StoreUnavailable, match=f"^{operation}: Throttling$"):
        CloudWatchSlotAlarms(client, ALARM_PREFIX, ENDPOINTS, "FraudDetection").fired("b", NOW)
