"""Row 27 of the fault table: an alarm in the middle of a shift wins."""

import pytest

from fraud.rollout import Stage
from tests.fakes.rollout_machine import Machine, before_a_rollout, check_rolled_back, everything, meet
from tests.fakes.rollout_world import RolloutWorld
from tests.fakes.world import Stores

MOMENTS = ["before", "after"]
MOVE = ["store.read", "routing.read", "store.commit"]
"""What a task calls to move traffic, in order; what a rollback calls is the same."""


@pytest.fixture
def shadowed(stores: Stores) -> RolloutWorld:
    """The first shift comes next, and nothing was decided yet."""
    world = before_a_rollout(stores)
    machine = Machine(world).reach("bring_up")
    world.per_second = 0
    machine.reach("judge")
    return world


def shifting(world: RolloutWorld) -> Machine:
    """The execution, whose gates passed."""
    return Machine(world, next="shift", answer={"next": "shift", "sentence": "", "step": 0, "wait_seconds": 0})


def alarm(world: RolloutWorld, slot: str = "b", late: float = 0) -> str:
    """The event of an alarm comes, so many seconds late; the word of the answer."""
    return world.aborting.on_alarm(slot, world.clock() - late, "The alarm fraud-slot-b-errors went off.").next


def share(world: RolloutWorld) -> tuple[str | None, int]:
    assert world.routing is not None
    return world.routing.challenger, world.routing.share_bps


def test_fault_27_calls_of_a_shift_and_of_an_alarm_are_those_that_are_tried() -> None:
    world = before_a_rollout()
    machine = Machine(world).reach("shift")
    world.faults.calls.clear()
    machine.step()
    assert world.faults.calls == MOVE
    world.faults.calls.clear()
    alarm(world)
    # The last one looks for a machine that waits for a person.
    assert world.faults.calls == [*MOVE, "store.read"]


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("call", MOVE)
def test_fault_27_alarm_at_any_call_of_a_shift_wins(shadowed: RolloutWorld, call: str, moment: str) -> None:
    machine = shifting(shadowed)
    meet(shadowed, moment, call, lambda: alarm(shadowed))
    machine.step()
    assert share(shadowed) == (None, 0)
    while machine.next in ("shift", "verify"):
        machine.step()
    assert machine.word == "roll_back"
    assert share(shadowed) == (None, 0)
    machine.finish()
    check_rolled_back(shadowed)
    assert "fraud-slot-b-errors went off" in shadowed.record.reason


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("call", MOVE)
def test_fault_27_shift_at_any_call_of_an_alarm_loses(shadowed: RolloutWorld, call: str, moment: str) -> None:
    machine = shifting(shadowed)
    meet(shadowed, moment, call, machine.step)
    assert alarm(shadowed) == "stopped"
    assert machine.played
    assert share(shadowed) == (None, 0)
    machine.finish()
    assert share(shadowed) == (None, 0)
    check_rolled_back(shadowed)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("call", ["store.read", "alarms.fired", "observations.shadow", "store.save"])
def test_fault_27_alarm_at_any_call_of_a_look_wins(shadowed: RolloutWorld, call: str, moment: str) -> None:
    machine = Machine(shadowed, next="judge", answer={"next": "shadowing", "wait_seconds": 0})
    meet(shadowed, moment, call, lambda: alarm(shadowed))
    machine.step()
    assert shadowed.record.stage is Stage.ROLLING_BACK
    assert machine.finish().word == "released"
    assert "fraud-slot-b-errors went off" in shadowed.record.reason
    check_rolled_back(shadowed)


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("call", MOVE)
@pytest.mark.parametrize("move", ["shadow", "shift", "promote"])
def test_fault_27_alarm_at_any_call_of_any_move_leaves_one_model_for_everybody(
    move: str, call: str, moment: str
) -> None:
    world = before_a_rollout()
    machine = Machine(world).reach(move, visit=2 if move == "shift" else 1)
    world.faults.calls.clear()
    # Before the shadow the alarms are not armed: nothing can be wrong with a challenger that was not asked.
    ignored = move == "shadow" and (call, moment) != ("store.commit", "after")
    answers: list[str] = []
    meet(world, moment, call, lambda: answers.append(alarm(world)))
    machine.step()
    served = move == "promote" and world.record.stage is Stage.PROMOTED
    assert answers == ["ignored" if ignored or served else "stopped"]
    assert machine.finish().word == "released"
    assert share(world) == (None, 0)
    assert world.record.stage is (Stage.PROMOTED if ignored or served else Stage.ROLLED_BACK)
    assert served == (move == "promote" and (call, moment) == ("store.commit", "after"))
    world.check_nothing_lost()


def test_fault_27_challenger_of_a_shift_that_lost_decides_nothing() -> None:
    world = before_a_rollout()
    machine = Machine(world).reach("shift")
    meet(world, "before", "store.commit", lambda: alarm(world))
    machine.step()
    world.scorer.asked.clear()
    world.flow(20)
    assert set(world.scorer.asked) == {"fraud-a"}
    world.check_nothing_lost()


def test_fault_27_record_that_keeps_moving_does_not_keep_an_alarm_from_winning(shadowed: RolloutWorld) -> None:
    for number in range(1, 8):
        meet(shadowed, "before", "store.commit", lambda: shadowed.records.save(shadowed.record), number)
    assert alarm(shadowed) == "stopped"
    assert share(shadowed) == (None, 0)


@pytest.mark.parametrize(("slot", "late"), [("a", 0), ("c", 0), ("b", 3_600)])
def test_fault_27_alarm_of_another_slot_or_an_earlier_challenger_changes_nothing(slot: str, late: float) -> None:
    world = before_a_rollout()
    Machine(world).reach("verify")
    before = everything(world)
    assert alarm(world, slot, late) == "ignored"
    assert everything(world) == before


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("call", MOVE)
def test_fault_27_share_taken_by_hand_at_any_call_of_a_shift_is_not_given_again(
    shadowed: RolloutWorld, call: str, moment: str
) -> None:
    assert shadowed.routing is not None
    machine = shifting(shadowed)
    taken = (
        shadowed.routing.shifted(0) if (call, moment) == ("store.commit", "after") else shadowed.routing
    ).unchallenged()
    meet(shadowed, moment, call, lambda: shadowed.stores.set_routing(taken))
    while machine.next in ("shift", "verify"):
        machine.step()
    assert machine.word == "roll_back"
    assert shadowed.routing == taken
    machine.finish()
    check_rolled_back(shadowed)


def test_fault_27_share_taken_by_hand_before_the_promotion_is_not_given_again() -> None:
    world = before_a_rollout()
    machine = Machine(world).reach("promote")
    assert world.routing is not None
    world.stores.set_routing(world.routing.unchallenged())
    assert machine.step() == "roll_back" and "somebody else changed it" in machine.answer["sentence"]
    machine.finish()
    check_rolled_back(world)


def test_fault_27_alarm_while_a_person_is_asked_wakes_the_machine_and_wins() -> None:
    world = before_a_rollout(approval="before_traffic")
    machine = Machine(world).reach("answer")
    alarm(world)
    assert [token for token, _ in world.callbacks.interrupted] == [machine.token]
    machine.finish()
    check_rolled_back(world)
