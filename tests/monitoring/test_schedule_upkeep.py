"""Schedules of Model Monitor: led to what the baseline says, waited for, and failing soft."""

from __future__ import annotations

import pytest

from fraud.errors import DeploymentInterrupted, MonitoringSuperseded
from fraud.machine_task import Answer
from fraud.monitoring import ScheduleStatus
from fraud.services.schedule_upkeep import LOOK_SECONDS, PATIENCE, QUICK_LOOK_SECONDS, QUICK_LOOKS_UNTIL
from tests.fakes.monitoring import FakeModelMonitor
from tests.fakes.monitoring_world import SLOTS, MonitoringWorld

CLOSED = "Model Monitor is closed to new customers."


def begun(monitor: FakeModelMonitor | None = None, *, schedules: bool = True, slot: str = "a") -> MonitoringWorld:
    """A refresh whose baseline is made."""
    world = MonitoringWorld(monitor=monitor or FakeModelMonitor(), schedules=schedules).with_champion(slot)
    made_baseline(world)
    return world


def made_baseline(world: MonitoringWorld, who: str = "first") -> None:
    run = world.do("lock", who).run
    if world.record.baseline is None:
        world.baseline_made(run)
        world.do("judge_baseline", who, run=run)


def settled(world: MonitoringWorld, who: str = "first") -> Answer:
    """The answer that is no wait."""
    for _ in range(PATIENCE // QUICK_LOOK_SECONDS):
        answer = world.do("replace_schedules", who)
        if answer.next != "wait":
            return answer
        waited = world.clock() - world.record.schedules_since
        assert answer.wait_seconds == (QUICK_LOOK_SECONDS if waited < QUICK_LOOKS_UNTIL else LOOK_SECONDS)
        world.clock.pass_by(answer.wait_seconds)
    raise AssertionError("it never settles")


def statuses(world: MonitoringWorld) -> dict[str, ScheduleStatus]:
    return {each.endpoint: each.status for each in world.record.schedules}


@pytest.mark.parametrize("slot", ["a", "b"])
def test_champions_slot_gets_a_schedule_and_the_other_has_none(slot: str) -> None:
    world = begun(slot=slot)
    assert settled(world).next == "settled"
    other = next(each for each in SLOTS if not each.endswith(slot))
    assert statuses(world) == {f"fraud-{slot}": ScheduleStatus.SCHEDULED, other: ScheduleStatus.OFF}
    (plan,) = set(world.monitor.ensured)
    baseline = world.record.baseline
    assert baseline is not None
    assert plan.constraints_uri == f"{baseline.uri}constraints.json"
    assert world.record.changed_schedules


def test_schedule_that_is_on_its_way_is_waited_for() -> None:
    world = begun(FakeModelMonitor(looks=3))
    assert world.do("replace_schedules").next == "wait"
    assert settled(world).next == "settled"
    assert world.clock() - world.record.schedules_since >= 3 * QUICK_LOOK_SECONDS


def test_schedule_that_never_comes_to_rest_is_given_up_and_the_rest_goes_on() -> None:
    world = begun(FakeModelMonitor(looks=10_000))
    answer = settled(world)
    assert answer.next == "settled"
    assert world.clock() - world.record.schedules_since > PATIENCE
    assert statuses(world)["fraud-a"] is ScheduleStatus.FAILED
    assert "did not come to rest within 30 minutes" in answer.sentence


def test_refusal_is_noted_and_the_rest_goes_on() -> None:
    world = begun(FakeModelMonitor(refusal=CLOSED))
    answer = settled(world)
    assert (answer.next, statuses(world)["fraud-a"]) == ("settled", ScheduleStatus.REFUSED)
    assert CLOSED in answer.sentence
    assert world.refreshed("first").next == "refreshed"


def test_failure_is_noted_with_its_reason() -> None:
    world = begun(FakeModelMonitor(failures={"fraud-a": "no such image"}))
    assert "no such image" in settled(world).sentence
    assert statuses(world)["fraud-a"] is ScheduleStatus.FAILED


def test_schedule_of_a_stack_that_wants_none_is_removed() -> None:
    monitor = FakeModelMonitor()
    settled(begun(monitor))
    world = begun(monitor, schedules=False)
    settled(world)
    assert (monitor.standing, set(statuses(world).values())) == ({}, {ScheduleStatus.OFF})


def test_schedule_moves_with_the_champion() -> None:
    world = begun()
    settled(world)
    world.do("release")
    world.executions.running.clear()
    world.with_champion("b")
    made_baseline(world, "second")
    settled(world, "second")
    assert set(world.monitor.standing) == {"fraud-b"}


def test_champion_that_was_replaced_meanwhile_gets_no_schedule_of_the_formers_baseline() -> None:
    world = begun()
    world.with_champion("b")
    assert settled(world).next == "settled"
    assert world.monitor.ensured == []
    assert set(statuses(world).values()) == {ScheduleStatus.OFF}


def test_schedule_of_a_champion_that_was_replaced_in_its_own_slot_is_removed() -> None:
    world = begun()
    settled(world)
    world.with_champion("a")
    settled(world)
    assert world.monitor.standing == {}
    assert set(statuses(world).values()) == {ScheduleStatus.OFF}


def test_schedule_that_stands_is_no_change_whatever_its_last_run_came_to() -> None:
    world = begun()
    settled(world)
    world.do("release")
    world.executions.running.clear()
    world.monitor.runs["fraud-a"] = "the run of 2025-06-15 10:00 UTC found no violation"
    made_baseline(world, "second")
    answer = settled(world, "second")
    assert "found no violation" in answer.sentence
    assert not world.record.changed_schedules


def test_interruption_is_for_the_machine_to_retry() -> None:
    world = begun(FakeModelMonitor(interruptions=[DeploymentInterrupted("throttled")]))
    with pytest.raises(DeploymentInterrupted):
        world.do("replace_schedules")
    assert settled(world).next == "settled"


def test_schedules_of_another_execution_are_left_alone() -> None:
    world = begun()
    with pytest.raises(MonitoringSuperseded):
        world.do("replace_schedules", "second")
    assert world.monitor.ensured == []
