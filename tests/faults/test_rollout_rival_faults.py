"""Row 30 of the fault table: of two rollouts that start, one runs, and the other is refused cleanly."""

import pytest

from fraud.errors import StoreUnavailable
from fraud.rollout import Stage
from tests.fakes.faults import Crash
from tests.fakes.rollout_machine import PACKAGE, Machine, abandon, before_a_rollout, calls, every_task, everything, meet
from tests.fakes.rollout_world import RolloutWorld
from tests.fakes.world import Stores

MOMENTS = ["before", "after"]
LOCK = [("store.read", 1), ("routing.read", 1), ("registry.describe", 1), ("alarms.unfit", 1), ("store.begin", 1)]
TAKE_OVER = [
    ("store.read", 1),
    ("store.read", 2),
    ("routing.read", 1),
    ("store.commit", 1),
    ("store.read", 3),
    ("routing.read", 2),
    ("observations.arms", 1),
    ("observations.arms", 2),
    ("scorer.score", 1),
    ("store.save", 1),
    ("routing.read", 3),
    ("registry.describe", 1),
    ("alarms.unfit", 1),
    ("store.begin", 1),
]
"""Calls of the task `lock`, and which of their name they are: for a free lock, and for that of a dead execution."""


@pytest.fixture
def world(stores: Stores) -> RolloutWorld:
    return before_a_rollout(stores)


def check_one_holds(world: RolloutWorld, *machines: Machine) -> None:
    """One execution has the lock, and what it is about to roll out; the others were told who that is."""
    assert sorted(each.word for each in machines) == ["locked", "refused"]
    [holder] = [each for each in machines if each.word == "locked"]
    [refused] = [each for each in machines if each.word == "refused"]
    assert (world.record.owner, world.record.candidate.version) == (holder.arn, holder.version)
    told = f"Rollout {holder.name} of version {holder.version}, started by ada, is deploying"
    assert told in refused.answer["sentence"] and refused.next is None


def test_fault_30_calls_of_the_lock_are_those_that_are_tried() -> None:
    world = before_a_rollout()
    assert calls(world, Machine(world).reach("lock")) == LOCK
    world = abandon(before_a_rollout(shadow_seconds=0))
    assert calls(world, Machine(world, "second", 3).reach("lock")) == TAKE_OVER


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("call", "nth"), LOCK)
def test_fault_30_rival_at_any_call_of_the_first_lock_leaves_one_holder(
    world: RolloutWorld, call: str, nth: int, moment: str
) -> None:
    first, second = Machine(world).reach("lock"), Machine(world, "second", 3).reach("lock")
    meet(world, moment, call, second.step, nth)
    first.step()
    check_one_holds(world, first, second)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("call", "nth"), LOCK)
def test_fault_30_rival_at_any_call_of_a_later_lock_leaves_one_holder(
    world: RolloutWorld, call: str, nth: int, moment: str
) -> None:
    Machine(world, "earlier").reach("bring_up")
    world.aborting.on_end(world.record.owner, "Its execution ended: ABORTED.")
    first, second = Machine(world).reach("lock"), Machine(world, "second", 3).reach("lock")
    meet(world, moment, call, second.step, nth)
    first.step()
    check_one_holds(world, first, second)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("call", "nth"), TAKE_OVER)
def test_fault_30_rival_at_any_call_of_a_takeover_leaves_one_holder(
    abandoned: RolloutWorld, call: str, nth: int, moment: str
) -> None:
    world = abandoned
    second, third = Machine(world, "second").reach("lock"), Machine(world, "third", 3).reach("lock")
    meet(world, moment, call, third.step, nth)
    second.step()
    check_one_holds(world, second, third)
    assert world.routing is not None and (world.routing.challenger, world.routing.share_bps) == (None, 0)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize(("call", "nth"), TAKE_OVER)
def test_fault_30_takeover_that_crashes_at_any_call_restores_traffic_first_and_is_completed_by_its_repetition(
    abandoned: RolloutWorld, call: str, nth: int, moment: str
) -> None:
    world = abandoned
    second = Machine(world, "second", 3).reach("lock")
    meet(world, moment, call, Crash(), nth)
    with pytest.raises(Crash):
        second.step()
    assert world.routing is not None
    restored = (world.routing.challenger, world.routing.share_bps) == (None, 0)
    # Nothing of the dead rollout is closed while its challenger still gets traffic.
    assert restored or (world.record.rollout_id, world.record.stage) == ("first", Stage.CANARY)
    assert second.step() == "locked"
    assert (world.record.owner, world.record.stage) == (second.arn, Stage.DEPLOYING)
    assert (world.routing.challenger, world.routing.share_bps) == (None, 0)


def test_fault_30_takeover_rolls_its_own_model_out_to_the_end() -> None:
    world = abandon(before_a_rollout(shadow_seconds=0))
    Machine(world, "second", 3).finish()
    assert (world.serving(), world.record.stage) == (f"{PACKAGE}3", Stage.PROMOTED)
    world.check_nothing_lost()


def test_fault_30_rival_between_any_two_tasks_is_refused_and_changes_nothing() -> None:
    world = before_a_rollout(approval="before_full")
    machine = Machine(world).reach("bring_up")
    for task in every_task(world, machine):
        before = everything(world)
        rival = Machine(world, f"rival-{task}", 3).finish()
        assert rival.word == "refused" and "Rollout first of version 2, started by ada, is" in rival.answer["sentence"]
        assert everything(world) == before
        if task == "answer":
            world.steering.approve("grace", world.record.approval.request_id if world.record.approval else "")
    assert (world.serving(), world.record.released) == (f"{PACKAGE}2", True)


def test_fault_30_same_package_again_is_under_way_and_changes_nothing(world: RolloutWorld) -> None:
    machine = Machine(world).reach("bring_up")
    before = everything(world)
    rival = Machine(world, "second").finish()
    assert rival.word == "under_way" and machine.arn in rival.answer["sentence"]
    assert everything(world) == before


def test_fault_30_lost_answer_to_the_lock_leaves_it_with_who_took_it(world: RolloutWorld) -> None:
    machine = Machine(world).reach("lock")
    meet(world, "after", "store.begin", StoreUnavailable("TransactWriteItems: ReadTimeoutError"))
    assert machine.step() == "locked"
    assert (world.record.owner, world.record.revision) == (machine.arn, 1)
