"""The end of a refresh: whether anybody looks, the record closed, and people called where nobody does."""

from __future__ import annotations

import json

import pytest

from fraud.errors import MonitoringSuperseded, StoreUnavailable
from fraud.monitoring import Outcome
from tests.fakes.monitoring import watch
from tests.fakes.monitoring_world import MonitoringWorld

CAUGHT = json.dumps({"Error": "States.TaskFailed", "Cause": json.dumps({"FailureReason": "out of memory"})})


SILENT_AFTER = 26 * 3_600
"""Seconds, as the stack has it unless told otherwise."""


@pytest.fixture
def world() -> MonitoringWorld:
    return MonitoringWorld().with_champion()


def with_baseline(world: MonitoringWorld) -> MonitoringWorld:
    run = world.do("lock").run
    world.baseline_made(run)
    world.do("judge_baseline", run=run)
    return world


@pytest.mark.parametrize(("age", "alive"), [(0, True), (SILENT_AFTER, True), (SILENT_AFTER + 1, False)])
def test_liveness_is_how_long_ago_somebody_looked(world: MonitoringWorld, age: int, alive: bool) -> None:
    with_baseline(world).watches.put(watch(ended_at=world.clock() - age))
    answer = world.do("check_liveness")
    assert (answer.next, world.record.is_alive) == ("checked", alive)
    assert ("Nobody looks any more" in answer.sentence) is not alive


@pytest.mark.parametrize(("hours", "alive"), [(48, True), (47, False)])
def test_liveness_of_rarer_looks_takes_as_much_silence_as_the_stack_says(hours: float, alive: bool) -> None:
    world = with_baseline(MonitoringWorld(silent_hours=hours).with_champion())
    world.watches.put(watch(ended_at=world.clock() - 48 * 3_600))
    world.do("check_liveness")
    assert world.record.is_alive is alive


def test_liveness_of_a_new_baseline_waits_for_the_first_look(world: MonitoringWorld) -> None:
    assert "the first look comes by itself" in with_baseline(world).do("check_liveness").sentence
    assert world.record.is_alive


def test_liveness_without_any_look_a_day_after_the_baseline_is_silence(world: MonitoringWorld) -> None:
    world.refreshed()
    world.clock.pass_by(SILENT_AFTER + 1)
    answer = world.refreshed("second")
    assert (answer.next, world.record.is_alive) == ("silent", False)
    assert "Nobody ever looked" in answer.sentence
    assert [subject for subject, _ in world.bell.rung] == ["Monitoring is silent"]


def test_liveness_of_looks_that_are_switched_off_is_no_silence() -> None:
    world = MonitoringWorld(looks=False).with_champion()
    world.refreshed()
    world.clock.pass_by(SILENT_AFTER + 1)
    assert world.refreshed("second").next == "unchanged"
    assert world.bell.rung == []


def test_release_of_a_first_refresh_says_what_is_new(world: MonitoringWorld) -> None:
    answer = world.refreshed()
    assert answer.next == "refreshed"
    assert answer.sentence.startswith("The baseline is new; fraud-a-data-quality is scheduled.")
    assert (world.record.outcome, world.record.is_over) == (Outcome.REFRESHED, True)


def test_release_of_a_refresh_whose_champion_was_replaced_says_so(world: MonitoringWorld) -> None:
    former = world.champion
    with_baseline(world).with_champion("b")
    world.do("check_liveness")
    answer = world.do("release")
    assert answer.next == "refreshed"
    assert answer.sentence.endswith(
        f"{world.champion} serves by now, not {former}: the next look asks for its baseline."
    )
    assert world.do("release") == answer


def test_release_whose_routing_cannot_be_read_is_asked_for_again_and_rings_once(world: MonitoringWorld) -> None:
    with_baseline(world).watches.put(watch(ended_at=world.clock() - SILENT_AFTER - 1))
    world.do("check_liveness")
    world.faults.before("routing.read", world.faults.count("routing.read") + 1, StoreUnavailable("throttled"))
    with pytest.raises(StoreUnavailable):
        world.do("release")
    world.do("release")
    assert len(world.bell.rung) == 1


def test_release_that_is_repeated_rings_once(world: MonitoringWorld) -> None:
    with_baseline(world).watches.put(watch(ended_at=world.clock() - SILENT_AFTER - 1))
    world.do("check_liveness")
    first = world.do("release")
    assert (world.do("release"), len(world.bell.rung)) == (first, 1)


def test_release_whose_bell_fails_is_asked_for_again(world: MonitoringWorld) -> None:
    with_baseline(world).watches.put(watch(ended_at=world.clock() - SILENT_AFTER - 1))
    world.do("check_liveness")
    world.faults.before("bell.ring", 1, StoreUnavailable("throttled"))
    with pytest.raises(StoreUnavailable):
        world.do("release")
    assert not world.record.is_over
    assert world.do("release").next == "silent"
    assert len(world.bell.rung) == 1


def test_fail_closes_the_record_with_the_reason(world: MonitoringWorld) -> None:
    world.do("lock")
    answer = world.do("fail", error=CAUGHT)
    assert (answer.next, answer.sentence) == ("failed", "States.TaskFailed: out of memory")
    assert (world.record.outcome, world.record.sentence) == (Outcome.FAILED, answer.sentence)


def test_fail_keeps_the_baseline_that_stood(world: MonitoringWorld) -> None:
    world.refreshed()
    world.do("lock", "second")
    world.do("fail", "second", error=CAUGHT)
    assert world.record.baseline is not None


def test_fail_without_the_lock_leaves_the_others_alone(world: MonitoringWorld) -> None:
    world.do("lock")
    before = world.record
    assert world.do("fail", "second", error=CAUGHT).next == "failed"
    assert world.record == before


def test_release_of_another_execution_is_superseded(world: MonitoringWorld) -> None:
    world.do("lock")
    with pytest.raises(MonitoringSuperseded):
        world.do("release", "second")
