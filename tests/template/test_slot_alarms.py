"""The alarms of the two slots: what goes wrong with a model fires an alarm of its slot, and of no other."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from fraud.aws import slot_alarms
from fraud.aws.endpoints import VARIANT
from fraud.deadline import ATTEMPTS, READ_TIMEOUT
from fraud.services.challenger import SMOKE_ATTEMPTS
from tests.template.published_metrics import NAMESPACE, SLOTS, published, series

Alarm = dict[str, Any]
ENOUGH_CALLS = 20
PREFIX = "${AWS::StackName}-slot-"


@pytest.fixture
def alarms(of_type: Callable[[str], dict[str, Alarm]]) -> dict[str, Alarm]:
    """The slots' alarms, by what follows the stack's name and `slot-`."""
    found = [each["Properties"] for each in of_type("AWS::CloudWatch::Alarm").values()]
    named = {each["AlarmName"]["Fn::Sub"]: each for each in found if "AlarmName" in each}
    return {name.removeprefix(PREFIX): each for name, each in named.items() if name.startswith(PREFIX)}


def dimensions(watched: dict[str, Any]) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in watched["Dimensions"]}


def metrics_of(alarm: Alarm) -> list[dict[str, Any]]:
    """What an alarm looks at: a metric, or those of an expression."""
    parts = [each["MetricStat"]["Metric"] for each in alarm.get("Metrics", []) if "MetricStat" in each]
    return parts or [alarm]


def test_each_slot_has_the_same_four_under_the_names_that_rollouts_look_for(alarms: dict[str, Alarm]) -> None:
    assert sorted(alarms) == sorted(f"{slot}-{kind}" for slot in SLOTS for kind in slot_alarms.KINDS)


def test_those_who_look_for_them_and_the_rule_know_the_same_prefix(template: dict[str, Any]) -> None:
    for name in ("PrepareRolloutFunction", "JudgeRolloutFunction", "AbortRolloutFunction"):
        variables = template["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables["ALARM_PREFIX"] == {"Fn::Sub": PREFIX}


def test_the_alarms_of_both_slots_differ_in_their_slot_only(alarms: dict[str, Alarm]) -> None:
    for kind in slot_alarms.KINDS:
        first, second = (json.dumps(alarms[f"{slot}-{kind}"]) for slot in SLOTS)
        swapped = first.replace("StackName}-a", "StackName}-b").replace('"Value": "a"', '"Value": "b"')
        assert swapped.replace("-slot-a-", "-slot-b-").replace("slot a", "slot b").replace("#slota", "#slotb") == second
        assert first != second


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize(
    ("kind", "names"),
    [("errors", ["Invocations", "Invocation5XXErrors"]), ("latency", ["Invocations", "ModelLatency"])],
)
def test_an_endpoints_alarm_watches_the_variant_that_every_endpoint_has(
    alarms: dict[str, Alarm], slot: str, kind: str, names: list[str]
) -> None:
    watched = metrics_of(alarms[f"{slot}-{kind}"])
    assert [(each["Namespace"], each["MetricName"]) for each in watched] == [("AWS/SageMaker", name) for name in names]
    endpoint = {"Fn::Sub": f"${{AWS::StackName}}-{slot}"}
    assert [dimensions(each) for each in watched] == [{"EndpointName": endpoint, "VariantName": VARIANT}] * len(names)


@pytest.mark.parametrize("slot", SLOTS)
def test_errors_are_counted_among_more_calls_than_a_smoke_test_makes(alarms: dict[str, Alarm], slot: str) -> None:
    *parts, value = alarms[f"{slot}-errors"]["Metrics"]
    assert {(each["MetricStat"]["Stat"], each["MetricStat"]["Period"]) for each in parts} == {("Sum", 60)}
    assert [each["ReturnData"] for each in (*parts, value)] == [False, False, True]
    calls, errors = (each["Id"] for each in parts)
    assert value["Expression"] == f"IF({calls} >= {ENOUGH_CALLS}, {errors}, 0)"


@pytest.mark.parametrize("slot", SLOTS)
def test_latency_is_a_percentile_in_milliseconds_of_more_calls_than_a_smoke_test_makes(
    alarms: dict[str, Alarm], slot: str
) -> None:
    """A model that was just started answers its first calls late, or with an error."""
    calls, latency, value = alarms[f"{slot}-latency"]["Metrics"]
    assert [(each["MetricStat"]["Stat"], each["MetricStat"]["Period"]) for each in (calls, latency)] == [
        ("Sum", 60),
        ("p99", 60),
    ]
    assert [each["ReturnData"] for each in (calls, latency, value)] == [False, False, True]
    assert value["Expression"] == f"IF({calls['Id']} >= {ENOUGH_CALLS}, {latency['Id']} / 1000, 0)"
    assert ENOUGH_CALLS > SMOKE_ATTEMPTS * ATTEMPTS


@pytest.mark.parametrize("slot", SLOTS)
@pytest.mark.parametrize(("kind", "metric"), [("fallback", "Degraded"), ("block-rate", "Blocked")])
def test_a_share_is_of_the_slots_decisions_and_of_enough_of_them(
    alarms: dict[str, Alarm], slot: str, kind: str, metric: str
) -> None:
    *parts, share = alarms[f"{slot}-{kind}"]["Metrics"]
    assert [part["MetricStat"]["Metric"]["MetricName"] for part in parts] == ["Decisions", metric]
    assert {(part["MetricStat"]["Stat"], part["MetricStat"]["Period"], part["ReturnData"]) for part in parts} == {
        ("Sum", 60, False)
    }
    whole, part = (each["Id"] for each in parts)
    assert share["Expression"] == f"IF({whole} >= 50, 100 * {part} / {whole}, 0)"
    assert share["ReturnData"] is True


@pytest.mark.parametrize("slot", SLOTS)
def test_a_share_is_of_metrics_that_scoring_publishes_for_the_slot(alarms: dict[str, Alarm], slot: str) -> None:
    watched = [each for kind in ("fallback", "block-rate") for each in metrics_of(alarms[f"{slot}-{kind}"])]
    assert {series(each) for each in watched} <= published()
    assert [dimensions(each)["Slot"] for each in watched] == [slot] * 4
    assert [each["Namespace"] for each in watched] == [NAMESPACE] * 4


def test_one_bad_minute_is_enough_because_the_champion_is_there_to_go_back_to(alarms: dict[str, Alarm]) -> None:
    assert {each["EvaluationPeriods"] for each in alarms.values()} == {1}
    assert not any("DatapointsToAlarm" in each for each in alarms.values())
    parts = [part for each in alarms.values() for part in each["Metrics"] if "MetricStat" in part]
    assert {part["MetricStat"]["Period"] for part in parts} == {60}


def test_limits_are_parameters_with_bounds(alarms: dict[str, Alarm], template: dict[str, Any]) -> None:
    limits = {kind: alarms[f"a-{kind}"]["Threshold"] for kind in slot_alarms.KINDS}
    assert limits == {
        "errors": {"Ref": "RollbackErrorCount"},
        "latency": {"Ref": "RollbackLatencyMs"},
        "fallback": {"Ref": "RollbackFallbackPercent"},
        "block-rate": {"Ref": "RollbackBlockPercent"},
    }
    for name in (each["Ref"] for each in limits.values()):
        given = template["Parameters"][name]
        assert given["MinValue"] <= given["Default"] <= given["MaxValue"]
    assert template["Parameters"]["RollbackLatencyMs"]["Default"] < READ_TIMEOUT * 1000
