"""Rows 25, 26 and 29 of the fault table: a challenger, or its traffic, that fails."""

from collections import Counter

import pytest

from fraud import rollout
from fraud.analysis import Outcome
from fraud.decision import Score
from fraud.rollout import Stage
from tests.fakes import rollouts, samples
from tests.fakes.rollout_machine import Machine, before_a_rollout, check_rolled_back, everything
from tests.fakes.rollout_world import RolloutWorld
from tests.fakes.world import Stores

judged = pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.CANARY, Stage.SOAK])


# --- Row 25: the challenger is gone -----------------------------------------------------------------------------------


def gone_in_a_canary() -> tuple[RolloutWorld, Machine]:
    """The challenger has half of the cards and answers no more; the champion would block everything."""
    world = before_a_rollout()
    machine = Machine(world).reach_look(Stage.CANARY)
    world.scorer.break_down("fraud-b")
    world.scorer.answers["fraud-a"] = lambda rows: [Score(0.95) for _ in rows]
    return world, machine


def test_fault_25_challenger_gone_in_a_canary_is_answered_for_by_the_champion() -> None:
    world, _ = gone_in_a_canary()
    before = world.stores.decided().keys()
    world.pass_by(2)
    new = [each for key, each in world.stores.decided().items() if key not in before]
    assert {each.action for each in new} == {"block"}
    assert {each.slot: each.degraded for each in new} == {"a": False, "b": True}
    world.check_nothing_lost()


def test_fault_25_challenger_gone_in_a_canary_fails_the_errors_gate_and_is_rolled_back() -> None:
    world, machine = gone_in_a_canary()
    for _ in range(9):
        if machine.step() != "hold":
            break
    assert machine.word == "roll_back"
    errors = next(each for each in world.record.verdicts if each.gate == "errors")
    assert errors.outcome is Outcome.FAIL and "without a score" in machine.answer["sentence"]
    assert world.clock() < world.record.since + world.record.plan.deadline_seconds
    machine.finish()
    check_rolled_back(world)


def test_fault_25_challenger_gone_in_a_canary_gets_nothing_after_the_rollback() -> None:
    world, machine = gone_in_a_canary()
    machine.finish()
    world.scorer.asked.clear()
    world.flow(20)
    assert set(world.scorer.asked) == {"fraud-a"}
    world.check_nothing_lost()


def test_fault_25_challenger_gone_while_a_person_is_asked_is_rolled_back_at_the_next_look() -> None:
    world = before_a_rollout(approval="before_full", approval_seconds=1_500)
    machine = Machine(world).reach("answer")
    world.scorer.break_down("fraud-b")
    world.per_second = 0
    world.flow(60)
    assert machine.step() == "timeout"
    assert machine.step() == "roll_back" and "without a score" in machine.answer["sentence"]
    machine.finish()
    check_rolled_back(world)


# --- Row 26: a batch in flight ----------------------------------------------------------------------------------------


def by_epoch_and_slot(world: RolloutWorld) -> Counter[tuple[int, str]]:
    counted: Counter[tuple[int, str]] = Counter()
    for (epoch, slot, _), counter in world.stores.counters().items():
        counted[epoch, slot] += counter["transactions"]
    return counted


def test_fault_26_batch_in_flight_at_the_rollback_keeps_its_epoch_and_the_next_one_is_all_the_champions(
    stores: Stores,
) -> None:
    world, _ = before_a_canary(stores)
    world.world.faults.before("decisions.commit", 1, lambda: world.aborting.by_person("ada", "no good"))
    world.flow(12)
    epoch = world.record.epoch
    assert set(by_epoch_and_slot(world)) == {(epoch - 1, "a"), (epoch - 1, "b")}
    world.scorer.asked.clear()
    world.flow(12)
    decided = Counter((each.epoch, each.slot) for each in world.stores.decided().values())
    assert by_epoch_and_slot(world) == decided
    assert decided[epoch, "a"] == 12 and (epoch, "b") not in decided
    assert set(world.scorer.asked) == {"fraud-a"}
    world.check_nothing_lost()


def test_fault_26_batches_of_before_and_after_the_rollback_that_are_projected_together_keep_their_epochs(
    stores: Stores,
) -> None:
    world, _ = before_a_canary(stores)
    decide(world, 0)
    world.aborting.by_person("ada", "no good")
    decide(world, 12)
    assert world.world.project(stores.stream()) == []
    decided = Counter((each.epoch, each.slot) for each in stores.decided().values())
    assert by_epoch_and_slot(world) == decided
    assert len(decided) == 3


def decide(world: RolloutWorld, start: int) -> None:
    """A dozen transactions, on as many cards, are decided and not projected yet."""
    payloads = [samples.payload(f"t{each}", f"card-{each}") for each in range(start, start + 12)]
    assert world.world.score([samples.record(start + place, each) for place, each in enumerate(payloads)]) == []


def test_fault_26_batch_in_flight_at_the_rollback_is_not_held_against_it(stores: Stores) -> None:
    world, machine = before_a_canary(stores)
    world.world.faults.before("decisions.commit", 1, lambda: world.aborting.by_person("ada", "no good"))
    world.flow(12)
    machine.next = "restore"
    machine.finish()
    check_rolled_back(world)
    assert "0 decisions are counted since, none for the challenger" in world.record.events[-1].sentence


def before_a_canary(stores: Stores) -> tuple[RolloutWorld, Machine]:
    """The challenger has half of the cards, and nothing was decided yet."""
    world = before_a_rollout(stores, shadow_seconds=0)
    machine = Machine(world).reach("bring_up")
    world.per_second = 0
    return world, machine.reach("judge")


# --- Row 29: no traffic -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [0, 3])
@judged
def test_fault_29_traffic_that_stops_is_waited_for_until_the_deadline_and_never_promotes(
    stage: Stage, seen: int
) -> None:
    world = before_a_rollout()
    machine = Machine(world).reach_look(stage)
    since, share, world.per_second = world.record.since, world.record.share_bps, 0
    world.flow(seen)
    while machine.step() == "hold":
        assert world.record.share_bps == share
        assert "pass" not in {each.outcome for each in world.record.verdicts if each.gate == "traffic"}
    assert machine.word == "roll_back" and "cannot be told" in machine.answer["sentence"]
    assert world.clock() == since + world.record.plan.deadline_seconds
    machine.finish()
    check_rolled_back(world)


@judged
def test_fault_29_no_traffic_passes_no_gate_that_measures_any(stage: Stage) -> None:
    world = before_a_rollout()
    machine = Machine(world).reach_look(stage)
    world.per_second = 0
    machine.step()
    outcomes = {each.gate: each.outcome for each in world.record.verdicts}
    assert outcomes.pop("alarms") is Outcome.PASS
    assert set(outcomes.values()) == {Outcome.INCONCLUSIVE}


def test_fault_29_no_verdict_at_all_holds_and_then_rolls_back() -> None:
    record = rollouts.rollout(stage=Stage.SOAK, step=4)
    soaked, late = (record.since + seconds for seconds in (record.plan.soak_seconds, record.plan.deadline_seconds))
    assert isinstance(rollout.next_step(record, (), soaked), rollout.Hold)
    assert isinstance(rollout.next_step(record, (), late), rollout.RollBack)


def test_fault_29_no_traffic_at_the_start_is_refused_before_anything_is_made() -> None:
    world = before_a_rollout()
    world.per_second, before = 0, everything(world)
    machine = Machine(world).finish()
    assert machine.word == "refused" and "start when there is more traffic" in machine.answer["sentence"]
    assert everything(world) == before
