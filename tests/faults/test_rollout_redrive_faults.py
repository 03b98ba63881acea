"""Row 31 of the fault table: what an execution repeats after a newer rollout took its lock has no effect at all."""

from contextlib import suppress
from itertools import product
from typing import Any

import pytest

from fraud.rollout_task import BY_APPROVAL
from tests.fakes.rollout_machine import (
    FUNCTIONS,
    PACKAGE,
    TRANSIENT,
    Machine,
    abandon,
    before_a_rollout,
    calls,
    every_task,
    everything,
    meet,
)
from tests.fakes.rollout_world import RolloutWorld

MOMENTS = ["before", "after"]


def check_superseded(world: RolloutWorld, old: Machine) -> None:
    """No task of an execution whose lock is gone has any effect."""
    before = everything(world)
    for task in FUNCTIONS.keys() - {"check", "lock"}:
        for step in (0, 1):
            answer = old.call(task, step=step, sentence="Again.", token="old")
            assert answer["next"] == "superseded", task
            assert everything(world) == before, task
    assert old.call("check", model_package_arn=f"{PACKAGE}2")["next"] != "locked"
    assert world.aborting.on_end(old.arn, "Its execution ended: FAILED.").next == "ignored"
    assert everything(world) == before


def newer(world: RolloutWorld) -> tuple[Machine, Machine]:
    """The old execution, and the one that took its lock."""
    return Machine(world, answer={"step": 0}), Machine(world, "second", 3).reach("bring_up")


def test_fault_31_any_task_repeated_after_a_newer_rollout_began_changes_nothing(abandoned: RolloutWorld) -> None:
    old, second = newer(abandoned)
    check_superseded(abandoned, old)
    abandoned.per_second = 0
    second.reach("judge")
    check_superseded(abandoned, old)


def test_fault_31_any_task_repeated_between_any_two_of_a_newer_rollout_changes_nothing() -> None:
    world = abandon(before_a_rollout(approval="before_full"))
    old, second = newer(world)
    for task in every_task(world, second):
        check_superseded(world, old)
        before = everything(world)
        assert old.call("lock", model_package_arn=f"{PACKAGE}2")["next"] == "refused"
        assert everything(world) == before
        if task == "answer":
            world.steering.approve("grace", world.record.approval.request_id if world.record.approval else "")
    check_superseded(world, old)
    assert world.serving() == f"{PACKAGE}3"
    world.check_nothing_lost()


def at(world: RolloutWorld, task: str) -> Machine:
    """The execution `first`, before a task of its way forward or of its way back."""
    machine = Machine(world)
    if task in ("restore", "verify_rollback", "remove", "release"):
        machine.reach("verify").next = "restore"
    return machine.reach(task)


def taken_over(world: RolloutWorld, old: Machine, task: str, moment: str, call: str, nth: int) -> Machine:
    """Let another execution take the lock in the middle of a task; nothing changes from then on."""
    second = Machine(world, "second", 3).reach("lock")
    left: list[Any] = []

    def take() -> None:
        world.clock.now = world.record.lease_until + 1
        left.append((second.step(), world.record, world.routing))

    meet(world, moment, call, take, nth)
    with suppress(*TRANSIENT):
        old.call(task)
    assert left == [("locked", world.record, world.routing)]
    return second


@pytest.mark.parametrize(
    "task",
    [
        "bring_up",
        "smoke",
        "shadow",
        "shift",
        "verify",
        "judge",
        "promote",
        "restore",
        "verify_rollback",
        "remove",
        "release",
    ],
)
def test_fault_31_takeover_at_any_call_of_a_task_leaves_it_without_effect(task: str) -> None:
    twin = before_a_rollout()
    made = calls(twin, at(twin, task))
    for moment, (call, nth) in product(MOMENTS, made):
        world = before_a_rollout()
        old = at(world, task)
        second = taken_over(world, old, task, moment, call, nth)
        second.finish()
        assert (world.serving(), world.record.owner) == (f"{PACKAGE}3", second.arn)
        world.check_nothing_lost()


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(
    ("task", "call"),
    [("shift", call) for call in ("store.read", "routing.read", "store.commit")]
    + [("judge", call) for call in ("store.read", "alarms.fired", "observations.arms", "store.save")],
)
def test_fault_31_takeover_at_any_call_of_a_shift_or_a_look_leaves_it_without_effect(
    abandoned: RolloutWorld, task: str, call: str, moment: str
) -> None:
    taken_over(abandoned, Machine(abandoned, answer={"step": 1}), task, moment, call, 1)


def test_fault_31_any_task_repeated_after_its_own_rollout_is_over_changes_nothing() -> None:
    world = before_a_rollout()
    machine = Machine(world).reach("verify")
    world.aborting.by_person("ada", "no good")
    machine.finish()
    before = everything(world)
    for task in FUNCTIONS.keys() - {"check", "release"}:
        assert machine.call(task, step=0, token="old")["next"] == "superseded", task
    assert machine.call("release")["next"] == "released"
    assert everything(world) == before


NAMELESS: dict[str, Any] = {}
BY_EVENT = {"model_package_arn": f"{PACKAGE}3", "started_by": BY_APPROVAL}


@pytest.mark.parametrize("given", [NAMELESS, BY_EVENT], ids=["nothing named", "an event"])
def test_fault_31_lock_of_a_stopped_execution_after_a_newer_model_was_promoted_is_refused_and_changes_nothing(
    given: dict[str, Any],
) -> None:
    world = before_a_rollout()
    old = Machine(world)
    old.answer = old.call("check", input=given)
    assert (old.word, old.answer["model_package_arn"]) == ("roll_out", f"{PACKAGE}3")
    world.enlist()
    Machine(world, "second", 4).finish()
    assert world.serving() == f"{PACKAGE}4"
    before = everything(world)
    assert old.call("lock", input=given)["next"] == "refused"
    assert everything(world) == before


def test_fault_31_lock_of_a_stopped_execution_after_a_newer_model_was_approved_is_refused_and_changes_nothing() -> None:
    world = before_a_rollout()
    old = Machine(world)
    old.answer = old.call("check", input=NAMELESS)
    world.enlist()
    before = everything(world)
    answer = old.call("lock", input=NAMELESS)
    assert answer["next"] == "refused" and "Version 4 is to be rolled out by now" in answer["sentence"]
    assert everything(world) == before
