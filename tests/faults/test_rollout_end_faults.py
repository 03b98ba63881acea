"""Row 33 of the fault table, where nothing of the machine is left: executions that end, and people, at every task."""

from collections.abc import Iterator

import pytest

from fraud.errors import StoreUnavailable
from fraud.rollout import Stage
from tests.fakes.faults import Crash
from tests.fakes.rollout_machine import PACKAGE, Machine, before_a_rollout, check_rolled_back, everything, meet
from tests.fakes.rollout_world import RolloutWorld, events

ENDED = "Its execution ended: ABORTED."
APPROVALS = ["never", "before_traffic", "before_full"]


def approve(world: RolloutWorld) -> None:
    if world.record.approval is not None and world.record.stage is Stage.APPROVAL:
        world.steering.approve("grace", world.record.approval.request_id)


def stopped_after_every_task(approval: str = "never", champion: bool = True) -> Iterator[tuple[RolloutWorld, Machine]]:
    """Rollouts from the lock on, each of which is left after one task more than the one before."""
    for tasks in range(1, 100):
        world = before_a_rollout(approval=approval) if champion else without_a_champion()
        machine = Machine(world).reach("lock")
        for _ in range(tasks):
            if machine.next == "answer":
                approve(world)
            machine.step()
        yield world, machine
        if machine.next is None:
            return
    raise AssertionError("it does not end")


def without_a_champion() -> RolloutWorld:
    """Versions 1 to 3 are approved, and none serves."""
    world = RolloutWorld()
    for _ in range(3):
        world.enlist()
    return world


def check_left_in_order(world: RolloutWorld, promoted: bool) -> None:
    """One version serves alone, from the one endpoint there is, and the lock is free."""
    slot, version = ("b", 2) if promoted else ("a", 1)
    assert world.record.released and world.record.stage is (Stage.PROMOTED if promoted else Stage.ROLLED_BACK)
    assert world.record.verified is not promoted
    assert world.routing is not None and (world.routing.champion, world.routing.challenger) == (slot, None)
    assert world.serving() == f"{PACKAGE}{version}"
    assert world.endpoints.standing.keys() == {f"fraud-{slot}"}
    assert world.bell.rung == []
    assert {(rollout, stage) for rollout, stage, _ in world.announcements.made} == {("first", world.record.stage)}


@pytest.mark.parametrize("approval", APPROVALS)
def test_fault_33_execution_that_ends_after_every_task_leaves_one_model_and_a_free_lock(approval: str) -> None:
    for world, machine in stopped_after_every_task(approval):
        promoted, over = world.record.stage is Stage.PROMOTED, world.record.released
        world.bell.rung.clear()
        assert world.aborting.on_end(machine.arn, ENDED).next == ("ignored" if over else "released")
        check_left_in_order(world, promoted)
        world.check_nothing_lost()


def test_fault_33_execution_that_ends_is_tidied_up_once() -> None:
    for world, machine in stopped_after_every_task():
        world.aborting.on_end(machine.arn, ENDED)
        before = everything(world)
        assert world.aborting.on_end(machine.arn, ENDED).next == "ignored"
        assert everything(world) == before
        assert sum(each.startswith("Rolled back") for each in events(world.record)) <= 1


def test_fault_33_execution_that_ends_lets_the_next_rollout_go_all_the_way() -> None:
    for world, machine in stopped_after_every_task():
        world.aborting.on_end(machine.arn, ENDED)
        after = Machine(world, "second", 3).finish()
        assert (after.word, world.serving(), world.record.stage) == ("released", f"{PACKAGE}3", Stage.PROMOTED)
        world.check_nothing_lost()


def test_fault_33_first_rollout_of_a_stack_that_ends_leaves_the_first_model_or_none() -> None:
    for world, machine in stopped_after_every_task(champion=False):
        served = world.record.stage is Stage.PROMOTED
        world.aborting.on_end(machine.arn, ENDED)
        assert world.serving() == (f"{PACKAGE}2" if served else None)
        assert world.endpoints.standing.keys() == ({"fraud-a"} if served else set())
        assert world.record.released
        Machine(world, "second", 3).finish()
        assert world.serving() == f"{PACKAGE}3"


def test_fault_33_end_of_an_execution_whose_calls_fail_is_told_again_and_completed() -> None:
    world = before_a_rollout()
    machine = Machine(world).reach("verify")
    world.faults.calls.clear()
    world.aborting.on_end(machine.arn, ENDED)
    made = list(world.faults.calls)
    for place, call in enumerate(made):
        for moment, fault in [(m, f) for m in ("before", "after") for f in (Crash(), StoreUnavailable("no answer"))]:
            world = before_a_rollout()
            machine = Machine(world).reach("verify")
            meet(world, moment, call, fault, made[: place + 1].count(call))
            with pytest.raises((Crash, StoreUnavailable)):
                world.aborting.on_end(machine.arn, ENDED)
            world.aborting.on_end(machine.arn, ENDED)
            check_rolled_back(world)


def test_fault_33_endpoint_that_the_end_of_an_execution_leaves_is_told_and_removed_by_the_next() -> None:
    world = before_a_rollout()
    machine = Machine(world).reach("verify")
    world.endpoints.lingering = 3
    assert world.aborting.on_end(machine.arn, ENDED).next == "released"
    [(subject, message)] = world.bell.rung
    assert subject == "An endpoint is left" and "fraud-b" in message
    Machine(world, "second", 3).finish()
    assert world.serving() == f"{PACKAGE}3"


@pytest.mark.parametrize("approval", APPROVALS)
def test_fault_33_person_who_stops_it_after_every_task_is_obeyed_or_refused(approval: str) -> None:
    for world, machine in stopped_after_every_task(approval):
        if machine.next is None or world.record.stage is Stage.PROMOTED:
            before = everything(world)
            answer = world.aborting.by_person("grace", "a bad feeling")
            assert answer.next == "refused" and "a promoted one stays so" in answer.sentence
            assert everything(world) == before
            check_left_in_order(world, promoted=True) if machine.next is None else None
            continue
        assert world.aborting.by_person("grace", "a bad feeling").next == "stopped"
        assert world.routing is not None and world.routing.challenger is None
        machine.finish()
        assert world.record.reason == "Stopped by grace: a bad feeling."
        check_rolled_back(world)


def test_fault_33_person_and_end_of_the_execution_together_roll_back_once() -> None:
    for world, machine in stopped_after_every_task():
        if world.record.stage is Stage.PROMOTED:
            return
        world.aborting.by_person("grace", "a bad feeling")
        world.aborting.on_end(machine.arn, ENDED)
        check_rolled_back(world)
        assert sum(each.startswith("Rolled back") for each in events(world.record)) == 1
        assert world.record.reason == "Stopped by grace: a bad feeling."
    raise AssertionError("it was never promoted")
