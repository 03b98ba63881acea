"""Row 28 of the fault table, and of row 29 what is about alarms: they recover within a bake, or have no data."""

from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import product
from typing import Any

import pytest

from fraud.aws.slot_alarms import KINDS, CloudWatchSlotAlarms
from fraud.errors import RolloutRefused
from fraud.rollout import Stage
from tests.fakes.aws import client
from tests.fakes.rollout_machine import Machine, before_a_rollout, check_rolled_back
from tests.fakes.rollout_world import RolloutWorld, task
from tests.fakes.rollouts import ALARM, OK
from tests.fakes.samples import NOW
from tests.fakes.scripted_client import Respond, answering


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.CANARY, Stage.SOAK])
def test_fault_28_alarm_that_recovers_within_a_bake_still_fails_it(stage: Stage, kind: str, paused: bool) -> None:
    world = before_a_rollout()
    machine = Machine(world).reach_look(stage)
    if paused:
        world.steering.pause("ada", "lunch")
    world.alarms.move("b", kind, ALARM, world.clock() + 0.5)
    world.alarms.move("b", kind, OK, world.clock() + 1)
    assert machine.step() == "roll_back"
    assert f"The alarm fraud-slot-b-{kind} fired" in machine.answer["sentence"]
    machine.finish()
    check_rolled_back(world)


def test_fault_28_alarm_that_recovers_fails_the_bake_also_if_a_later_look_judges_it() -> None:
    world = before_a_rollout()
    machine = Machine(world, plan={"bake_seconds": 6}).reach_look(Stage.CANARY)
    world.alarms.move("b", "errors", ALARM, world.clock() + 0.5)
    world.alarms.move("b", "errors", OK, world.clock() + 1)
    world.pass_by(4)
    assert machine.step() == "roll_back"


def test_fault_28_alarm_that_recovered_before_the_bake_is_not_its_own() -> None:
    world = before_a_rollout()
    world.alarms.move("b", "errors", ALARM, world.clock() - 20)
    world.alarms.move("b", "errors", OK, world.clock() - 10)
    Machine(world).finish()
    assert world.record.stage is Stage.PROMOTED


def test_fault_28_alarm_that_recovers_while_a_person_is_asked_wins_over_the_approval() -> None:
    for approval, approved in product(("before_traffic", "before_full"), (False, True)):
        world = before_a_rollout(approval=approval, approval_seconds=1_500)
        machine = Machine(world).reach("answer")
        world.per_second = 0
        recover_soon(world)
        if approved:
            world.steering.approve("grace", world.record.approval.request_id if world.record.approval else "")
        assert machine.step() == ("answered" if approved else "timeout")
        assert machine.step() == "roll_back" and "The alarm fraud-slot-b-errors fired" in machine.answer["sentence"]
        machine.finish()
        check_rolled_back(world)


def test_fault_28_alarm_that_recovers_between_the_look_and_the_question_fails_it() -> None:
    world = before_a_rollout(approval="before_full", approval_seconds=1_500)
    machine = Machine(world).reach("ask")
    world.per_second = 0
    recover_soon(world)
    machine.reach("judge", visit=1 + sum(task == "judge" for task, _ in machine.played))
    assert machine.step() == "roll_back" and "The alarm fraud-slot-b-errors fired" in machine.answer["sentence"]


def recover_soon(world: RolloutWorld) -> None:
    """An alarm goes off and recovers, and no event tells of it."""
    world.alarms.move("b", "errors", ALARM, world.clock() + 0.2)
    world.alarms.move("b", "errors", OK, world.clock() + 0.5)
    world.pass_by(1)


def cloudwatch(state: str, *changes: tuple[float, str, str]) -> AbstractContextManager[None]:
    """The alarms of slot b in a state; one of them with a history: when, from and to what."""
    items = [(at, history(at, old, new)) for at, old, new in changes]

    def describe_alarms(AlarmNames: list[str], **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"MetricAlarms": [described(name, state) for name in AlarmNames]}

    def describe_alarm_history(AlarmName: str, StartDate: datetime, **_: Any) -> dict[str, Any]:  # noqa: N803
        found = [each for at, each in items if each["AlarmName"] == AlarmName and at >= StartDate.timestamp()]
        return {"AlarmHistoryItems": found}

    operations: dict[str, Respond] = {"DescribeAlarms": describe_alarms, "DescribeAlarmHistory": describe_alarm_history}
    return answering(client("cloudwatch"), **operations)


def history(at: float, old: str, new: str) -> dict[str, Any]:
    return {
        "AlarmName": "fraud-slot-b-latency",
        "Timestamp": datetime.fromtimestamp(at, UTC),
        "HistoryData": f'{{"oldState": {{"stateValue": "{old}"}}, "newState": {{"stateValue": "{new}"}}}}',
    }


def described(name: str, state: str) -> dict[str, Any]:
    dimensions = [{"Name": "EndpointName", "Value": "fraud-b"}, {"Name": "VariantName", "Value": "primary"}]
    metric = {"Namespace": "AWS/SageMaker", "MetricName": "Invocation5XXErrors", "Dimensions": dimensions}
    changed = {"StateUpdatedTimestamp": datetime.fromtimestamp(NOW, UTC), "TreatMissingData": "missing"}
    return {"AlarmName": name, "StateValue": state, **changed, **metric}


def alarms() -> CloudWatchSlotAlarms:
    return CloudWatchSlotAlarms(client("cloudwatch"), "fraud-slot-", {"a": "fraud-a", "b": "fraud-b"}, "Fraud")


HISTORIES = {
    "recovered": (OK, [(0.5, OK, ALARM), (1.0, ALARM, OK)]),
    "fired earlier, recovered": (OK, [(-5.0, OK, ALARM), (1.0, ALARM, OK)]),
    "fired earlier, still in it": (ALARM, [(-5.0, OK, ALARM)]),
    "recovered and lost its data": ("INSUFFICIENT_DATA", [(0.5, OK, ALARM), (1.0, ALARM, "INSUFFICIENT_DATA")]),
}


@pytest.mark.parametrize(("state", "changes"), HISTORIES.values(), ids=HISTORIES)
def test_fault_28_alarm_that_recovers_is_found_in_the_history_of_cloudwatch(
    state: str, changes: list[tuple[float, str, str]]
) -> None:
    world = before_a_rollout()
    Machine(world).reach_look(Stage.CANARY)
    moved = [(world.record.since + at, old, new) for at, old, new in changes]
    world.pass_by(2)
    with cloudwatch(state, *moved):
        answer = replace(world.judging, alarms=alarms()).judge(task("judge"))
    assert answer.next == "roll_back" and "The alarm fraud-slot-b-latency fired" in answer.sentence


def test_fault_28_alarm_that_was_deleted_within_a_bake_fails_it() -> None:
    def describe_alarms(AlarmNames: list[str], **_: Any) -> dict[str, Any]:  # noqa: N803
        return {"MetricAlarms": [described(name, OK) for name in AlarmNames if not name.endswith("latency")]}

    world = before_a_rollout()
    Machine(world).reach_look(Stage.CANARY)
    nothing: dict[str, Respond] = {
        "DescribeAlarms": describe_alarms,
        "DescribeAlarmHistory": lambda **_: {"AlarmHistoryItems": []},
    }
    with answering(client("cloudwatch"), **nothing):
        answer = replace(world.judging, alarms=alarms()).judge(task("judge"))
    assert answer.next == "roll_back" and "fraud-slot-b-latency" in answer.sentence


# --- Row 29, as far as it is about alarms -----------------------------------------------------------------------------


def test_fault_29_alarms_without_data_to_go_by_refuse_the_start() -> None:
    world = before_a_rollout()
    start = replace(world.start, alarms=alarms())
    with cloudwatch("INSUFFICIENT_DATA"), pytest.raises(RolloutRefused, match="fraud-slot-b-errors has no data"):
        start.check(task("check", input=Machine(world).given))


def test_fault_29_alarms_without_data_fire_nothing() -> None:
    with cloudwatch("INSUFFICIENT_DATA"):
        assert alarms().fired("b", NOW) == []
