"""Row 33 of the fault table: rollbacks whose calls fail, that cannot be verified, or whose execution is gone."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from fraud.errors import RollbackUnverified, StoreUnavailable
from fraud.rollout import Stage
from tests.fakes.faults import Crash
from tests.fakes.rollout_machine import TRIES, Machine, before_a_rollout, check_rolled_back, meet
from tests.fakes.rollout_world import RolloutWorld, events
from tests.fakes.world import Stores

LOST = StoreUnavailable("TransactWriteItems: ReadTimeoutError")
ENDED = "Its execution ended: ABORTED."


@pytest.fixture
def canary(stores: Stores) -> RolloutWorld:
    """The challenger has half of the cards."""
    world = before_a_rollout(stores, shadow_seconds=0)
    Machine(world).reach("verify")
    return world


def restoring(world: RolloutWorld) -> Machine:
    """The execution, which restores the traffic next."""
    world.per_second = 0
    return Machine(world, next="restore", answer={"sentence": "It was no good."})


def check_restored_once(world: RolloutWorld, epoch: int) -> None:
    """One write took the challenger out."""
    assert world.routing is not None
    assert (world.routing.epoch, world.routing.challenger, world.routing.share_bps) == (epoch + 1, None, 0)
    assert [each for each in events(world.record) if each.startswith("Rolled back")] == ["Rolled back: It was no good."]


# --- Calls that fail --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("failures", [1, 3, TRIES - 1])
def test_fault_33_restoring_that_fails_is_tried_again_and_done_once(canary: RolloutWorld, failures: int) -> None:
    machine, epoch = restoring(canary), canary.record.epoch
    for nth in range(1, failures + 1):
        meet(canary, "before", "store.commit", LOST, nth)
    tried = canary.faults.count("store.commit")
    assert machine.step() == "restored"
    assert canary.faults.count("store.commit") == tried + failures + 1
    check_restored_once(canary, epoch)
    machine.finish()
    check_rolled_back(canary)


@pytest.mark.parametrize("call", ["store.read", "routing.read", "store.commit"])
def test_fault_33_lost_answer_to_any_call_of_the_restoring_is_done_once(canary: RolloutWorld, call: str) -> None:
    machine, epoch = restoring(canary), canary.record.epoch
    meet(canary, "after", call, LOST)
    assert machine.step() == "restored"
    check_restored_once(canary, epoch)
    machine.finish()
    check_rolled_back(canary)


def test_fault_33_restoring_that_never_succeeds_is_never_called_done(canary: RolloutWorld) -> None:
    machine = restoring(canary)
    for nth in range(1, TRIES + 1):
        meet(canary, "before", "store.commit", LOST, nth)
    with pytest.raises(StoreUnavailable):
        machine.step()
    assert (canary.record.stage, canary.record.verified, canary.record.released) == (Stage.CANARY, False, False)
    assert canary.aborting.on_end(machine.arn, ENDED).next == "released"
    check_rolled_back(canary)


def test_fault_33_rollback_whose_execution_crashes_at_any_call_is_completed_by_its_repetition() -> None:
    world = before_a_rollout()
    Machine(world).reach("verify")
    world.faults.calls.clear()
    restoring(world).finish()
    made = list(world.faults.calls)
    for place, call in enumerate(made):
        for moment in ("before", "after"):
            world = before_a_rollout()
            Machine(world).reach("verify")
            machine, epoch = restoring(world), world.record.epoch
            meet(world, moment, call, Crash(), made[: place + 1].count(call))
            with pytest.raises(Crash):
                machine.finish()
            machine.finish()
            check_restored_once(world, epoch)
            check_rolled_back(world)


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("call", ["store.read", "routing.read", "store.commit", "callbacks.interrupt"])
def test_fault_33_alarm_whose_call_fails_is_told_again_and_wakes_the_machine(call: str, moment: str) -> None:
    world = before_a_rollout(approval="before_full")
    machine = Machine(world).reach("answer")
    meet(world, moment, call, LOST)
    with pytest.raises(StoreUnavailable):
        world.aborting.on_alarm("b", world.clock(), "It was no good.")
    epoch = world.record.epoch - (world.record.stage is Stage.ROLLING_BACK)
    world.aborting.on_alarm("b", world.clock(), "It was no good.")
    assert [token for token, _ in world.callbacks.interrupted] == [machine.token]
    check_restored_once(world, epoch)
    machine.finish()
    check_rolled_back(world)


# --- Rollbacks that cannot be verified --------------------------------------------------------------------------------

Trouble = Callable[[RolloutWorld], None]


def champion_down(world: RolloutWorld) -> None:
    world.scorer.break_down("fraud-a")


def champion_without_score(world: RolloutWorld) -> None:
    world.scorer.answers["fraud-a"] = lambda rows: [None for _ in rows]


def challenger_routed(world: RolloutWorld) -> None:
    """Somebody gives the challenger all cards by hand."""
    assert world.routing is not None
    slots = {**world.routing.slots, "b": world.record.served}
    world.stores.set_routing(replace(world.routing, challenger="b", share_bps=10_000, slots=slots))


def challenger_counted(world: RolloutWorld) -> None:
    """Somebody does, and takes it back without a new epoch."""
    routing = world.routing
    challenger_routed(world)
    world.flow(4)
    assert routing is not None
    world.stores.set_routing(routing)


TROUBLES = {
    "the champion is down": (champion_down, "does not answer"),
    "the champion gives no score": (champion_without_score, "gives no score"),
    "the challenger is routed to": (challenger_routed, "still gives slot b 100 % of the cards"),
    "the challenger decided": (challenger_counted, "4 decisions were routed to the challenger after the rollback"),
}
troubles = pytest.mark.parametrize(("trouble", "why"), TROUBLES.values(), ids=TROUBLES)


def check_unverified(world: RolloutWorld) -> None:
    assert (world.record.stage, world.record.verified, world.record.released) == (Stage.ROLLING_BACK, False, False)
    assert not any(each.startswith("Verified") for each in events(world.record))


@troubles
def test_fault_33_rollback_that_is_not_seen_in_force_is_an_error_and_never_done(
    canary: RolloutWorld, trouble: Trouble, why: str
) -> None:
    machine = restoring(canary).reach("verify_rollback")
    trouble(canary)
    for _ in range(3):
        with pytest.raises(RollbackUnverified, match=why):
            machine.step()
        check_unverified(canary)


@troubles
def test_fault_33_execution_that_ends_with_its_rollback_unverified_rings_and_keeps_the_lock(
    canary: RolloutWorld, trouble: Trouble, why: str
) -> None:
    machine = restoring(canary).reach("verify_rollback")
    trouble(canary)
    with pytest.raises(RollbackUnverified, match=why):
        canary.aborting.on_end(machine.arn, ENDED)
    check_unverified(canary)
    [(subject, message)] = canary.bell.rung
    assert subject == "A rollback is not verified" and why in message
    canary.per_second = 4
    assert Machine(canary, "second", 3).finish().word == "refused"
    assert "fraud-b" in canary.endpoints.standing


def test_fault_33_rollback_in_traffic_is_verified_by_a_decision_made_since(canary: RolloutWorld) -> None:
    canary.flow(8)
    machine = restoring(canary).reach("verify_rollback")
    canary.per_second = 4
    assert machine.step() == "verified"
    assert "4 decisions are counted since, none for the challenger" in events(canary.record)[-1]


def test_fault_33_rollback_that_is_verified_later_is_done_then(canary: RolloutWorld) -> None:
    machine = restoring(canary).reach("verify_rollback")
    champion_down(canary)
    with pytest.raises(RollbackUnverified):
        machine.step()
    canary.scorer.recover("fraud-a")
    assert machine.step() == "verified"
    machine.finish()
    check_rolled_back(canary)
