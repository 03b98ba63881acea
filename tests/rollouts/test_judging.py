"""The looks at a rollout under way: what they measure, what they answer, and what they note."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fraud.analysis import Outcome
from fraud.decision import Score
from fraud.errors import ModelUnavailable, RolloutMoved, RolloutStopped, RolloutSuperseded, StoreUnavailable
from fraud.rollout import Stage
from fraud.rollout_task import Answer
from tests.fakes.rollout_world import RolloutWorld, events, task
from tests.fakes.samples import NOW
from tests.rollouts.stages import OTHER, at_step, deployed, in_shadow, promoted, refused, restored

SLACK = 15 * 60


def judge(world: RolloutWorld, **fields: Any) -> Answer:
    return world.judging.judge(task("judge", **fields))


def outcomes(world: RolloutWorld) -> dict[str, Outcome]:
    return {each.gate: each.outcome for each in world.record.verdicts}


def after(world: RolloutWorld, seconds: float) -> RolloutWorld:
    world.pass_by(seconds)
    return world


# --- In time and within the limits ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "told"),
    [(in_shadow, "15 s of shadow are left."), (lambda: at_step(1), "15 s of canary are left.")],
)
def test_judge_stage_that_is_not_over_holds_until_the_next_look(world: Callable[[], RolloutWorld], told: str) -> None:
    assert judge(after(world(), 5)) == Answer(next="hold", sentence=told, wait_seconds=10)


def test_judge_stage_that_is_almost_over_is_looked_at_again_at_its_end() -> None:
    assert judge(after(in_shadow(), 17)) == Answer(next="hold", sentence="3 s of shadow are left.", wait_seconds=3)


def test_judge_shadow_that_passes_shifts_to_the_first_step() -> None:
    told = "Every gate passed: the challenger gets 20 % of the cards."
    assert judge(after(in_shadow(), 20)) == Answer(next="shift", sentence=told, step=0)


def test_judge_canary_that_passes_shifts_to_the_next_step() -> None:
    told = "Every gate passed: the challenger gets 50 % of the cards."
    assert judge(after(at_step(0), 40)) == Answer(next="shift", sentence=told, step=1)


def test_judge_last_canary_that_passes_shifts_to_all_cards() -> None:
    told = "Every gate passed: the challenger gets 100 % of the cards."
    assert judge(after(at_step(1), 40)) == Answer(next="shift", sentence=told, step=2)


def test_judge_soak_that_passes_promotes() -> None:
    told = "Every gate passed with all traffic."
    assert judge(after(at_step(2), 20)) == Answer(next="promote", sentence=told)


@pytest.mark.parametrize(
    ("world", "share", "step"),
    [
        (lambda: in_shadow(approval="before_traffic"), "20", 0),
        (lambda: at_step(1, approval="before_full"), "100", 2),
    ],
)
def test_judge_step_that_needs_approval_asks(world: Callable[[], RolloutWorld], share: str, step: int) -> None:
    told = f"Every gate passed: may the challenger get {share} % of the cards?"
    assert judge(after(world(), 40)) == Answer(next="ask", sentence=told, step=step, wait_seconds=600)


def test_judge_approval_before_full_traffic_does_not_ask_before() -> None:
    assert judge(after(in_shadow(approval="before_full"), 20)).next == "shift"


# --- Otherwise --------------------------------------------------------------------------------------------------------


def test_judge_too_few_transactions_hold_beyond_the_shortest_time() -> None:
    world = in_shadow()
    world.flow(7)
    world.clock.pass_by(100)
    answer = judge(world)
    assert (answer.next, answer.wait_seconds) == ("hold", 10)
    assert answer.sentence.startswith("Seen 7 transactions in the shadow; 20 are needed.")


def test_judge_what_cannot_be_told_by_the_deadline_is_rolled_back() -> None:
    world = in_shadow()
    world.flow(7)
    world.clock.pass_by(599)
    assert judge(world).next == "hold"
    world.clock.pass_by(1)
    answer = judge(world)
    assert answer.next == "roll_back"
    assert answer.sentence.startswith("After 600 s in shadow it cannot be told: Seen 7 transactions in the shadow;")


def failing(rows: object) -> list[Score | None]:
    raise ModelUnavailable("ModelError")


@pytest.mark.parametrize("step", [0, 2])
def test_judge_challenger_that_fails_is_rolled_back_before_the_stage_is_over(step: int) -> None:
    world = at_step(step)
    world.scorer.answers["fraud-b"] = failing
    answer = judge(after(world, 15))
    assert answer.next == "roll_back"
    assert outcomes(world)["errors"] is Outcome.FAIL
    assert events(world.record)[-1] == answer.sentence


def test_judge_challenger_that_fails_in_the_shadow_is_rolled_back_before_it_serves_anybody() -> None:
    world = in_shadow()
    world.scorer.answers["fraud-b"] = failing
    assert judge(after(world, 15)).next == "roll_back"
    assert {slot for _, slot, _ in world.stores.counters()} == {"a"}


def blocking(rows: Any) -> list[Score | None]:
    return [Score(0.95) for _ in rows]


def test_judge_advisory_gate_is_told_of_and_stops_nothing() -> None:
    world = in_shadow()
    world.scorer.answers["fraud-b"] = blocking
    assert judge(after(world, 20)).next == "shift"
    [block] = [each for each in world.record.verdicts if each.gate == "block_rate"]
    assert (block.outcome, block.observed, block.advisory) == (Outcome.FAIL, 1.0, True)


def test_judge_binding_gate_rolls_back_in_its_words() -> None:
    world = in_shadow(gates={"advisory": []})
    world.scorer.answers["fraud-b"] = blocking
    answer = judge(after(world, 20))
    assert answer.next == "roll_back"
    assert "blocks" in answer.sentence


@pytest.mark.parametrize("world", [in_shadow, lambda: at_step(0), lambda: at_step(2)])
def test_judge_alarm_of_the_challengers_slot_rolls_back_also_when_it_is_over(world: Callable[[], RolloutWorld]) -> None:
    standing = world()
    standing.alarms.move("b", "latency", "ALARM", NOW + 3)
    standing.alarms.move("b", "latency", "OK", NOW + 4)
    assert judge(after(standing, 5)) == Answer(
        next="roll_back", sentence="The alarm fraud-slot-b-latency fired at 15:06:43 UTC: as told."
    )


def test_judge_alarm_of_the_champions_slot_is_not_the_challengers() -> None:
    world = in_shadow()
    world.alarms.move("a", "latency", "ALARM", NOW + 3)
    assert judge(after(world, 20)).next == "shift"


def test_judge_alarm_that_was_over_before_the_stage_is_not_held_against_it() -> None:
    world = deployed()
    world.alarms.move("b", "latency", "ALARM", NOW)
    world.alarms.move("b", "latency", "OK", NOW + 1)
    world.clock.pass_by(2)
    world.shifting.shadow(task("shadow"))
    assert judge(after(world, 20)).next == "shift"


# --- Pauses -----------------------------------------------------------------------------------------------------------


def test_judge_paused_rollout_holds_although_everything_passes() -> None:
    world = in_shadow()
    world.steering.pause("grace", "lunch")
    assert judge(after(world, 60)) == Answer(next="hold", sentence="Paused by grace.", wait_seconds=300)


def test_judge_pause_keeps_the_lease_until_the_next_look() -> None:
    world = in_shadow(look_seconds=900, deadline_seconds=86_400)
    world.steering.pause("grace", "a holiday")
    assert judge(world).wait_seconds == 900
    assert world.record.lease_until == NOW + 900 + SLACK


def test_judge_pause_does_not_count_to_the_stage_nor_to_its_deadline() -> None:
    world = in_shadow()
    world.flow(7)
    world.clock.pass_by(10)
    for _ in range(2):
        world.steering.pause("grace", "")
        world.clock.pass_by(1_000)
        world.steering.resume("grace")
    assert world.record.paused_seconds == 2_000
    assert judge(world) == Answer(next="hold", sentence="10 s of shadow are left.", wait_seconds=10)
    world.clock.pass_by(589)
    assert judge(world).next == "hold"
    world.clock.pass_by(1)
    assert judge(world).sentence.startswith("After 600 s in shadow it cannot be told")


def test_judge_failing_gate_rolls_back_in_a_pause() -> None:
    world = in_shadow()
    world.steering.pause("grace", "")
    world.alarms.move("b", "errors", "ALARM", NOW + 1)
    assert judge(after(world, 5)).next == "roll_back"


def test_judge_pause_longer_than_the_plan_allows_is_rolled_back() -> None:
    world = in_shadow(pause_seconds=100)
    world.steering.pause("grace", "")
    world.clock.pass_by(99)
    assert judge(world).next == "hold"
    world.clock.pass_by(1)
    told = "It was paused for 100 s, longer than the plan allows."
    assert judge(world) == Answer(next="roll_back", sentence=told)


def test_judge_alarm_that_was_over_before_the_canary_began_does_not_count_while_a_person_is_asked() -> None:
    world = awaiting()
    assert world.record.approval is not None
    began = world.record.approval.asked_since
    world.alarms.move("b", "errors", "ALARM", began - 5)
    world.alarms.move("b", "errors", "OK", began - 1)
    assert judge(after(world, 10)).next == "ask"


def test_judge_challenger_that_breaks_down_in_the_shadow_while_a_person_is_asked_is_rolled_back() -> None:
    world = in_shadow(approval="before_traffic")
    world.pass_by(20)
    world.steering.ask(task("ask", step=0, token="token"))
    assert judge(after(world, 10)).next == "ask"
    world.scorer.break_down("fraud-b")
    assert judge(after(world, 60)).next == "roll_back"
    assert {slot for _, slot, _ in world.stores.counters()} == {"a"}


# --- What it notes ----------------------------------------------------------------------------------------------------


def test_judge_every_look_notes_the_verdicts_and_renews_the_lease() -> None:
    world = after(in_shadow(), 5)
    story = events(world.record)
    judge(world)
    assert list(outcomes(world)) == ["traffic", "errors", "latency", "block_rate", "review_rate", "alarms"]
    assert world.record.lease_until == NOW + 5 + 10 + SLACK
    assert events(world.record) == story
    assert (world.record.stage, world.record.since) == (Stage.SHADOW, NOW)


def test_judge_decision_is_told_in_the_story() -> None:
    world = after(in_shadow(), 20)
    answer = judge(world)
    assert events(world.record)[-1] == answer.sentence


def test_judge_repeated_answers_the_same() -> None:
    world = after(in_shadow(), 20)
    assert judge(world) == judge(world)


def test_judge_counts_the_epoch_only() -> None:
    """What the challenger decided at the step before does not count for this one."""
    world = after(at_step(0), 40)
    world.shifting.shift(task("shift", step=1))
    world.clock.pass_by(20)
    assert judge(world).sentence.startswith("Seen 0 of the challenger's transactions; 20 are needed.")


def test_judge_record_that_moved_meanwhile_is_looked_at_again() -> None:
    world = after(in_shadow(), 20)
    number = world.faults.count("store.save") + 1
    world.faults.before("store.save", number, lambda: world.steering.pause("grace", ""))
    with pytest.raises(RolloutMoved):
        judge(world)
    assert judge(world).sentence == "Paused by grace."


@pytest.mark.parametrize("port", ["observations.shadow", "alarms.fired", "store.read"])
def test_judge_measurement_that_cannot_be_read_is_no_verdict(port: str) -> None:
    world = after(in_shadow(), 20)
    with refused(world, StoreUnavailable, "Throttling"):
        world.faults.before(port, world.faults.count(port) + 1, StoreUnavailable("Throttling"))
        judge(world)
    assert judge(world).next == "shift"


def test_judge_stopped_rollout_says_why() -> None:
    world = restored()
    with refused(world, RolloutStopped, "^It was no good.$"):
        judge(world)


def test_judge_promoted_rollout_is_not_judged_again() -> None:
    world = promoted()
    with refused(world, RolloutStopped, "The rollout is promoted already."):
        judge(world)


def test_judge_of_another_execution_is_superseded() -> None:
    world = in_shadow()
    with refused(world, RolloutSuperseded, "does not hold the lock"):
        judge(world, execution=OTHER)


# --- While a person is asked ------------------------------------------------------------------------------------------


def awaiting(step: int = 2) -> RolloutWorld:
    """A rollout that asks about full traffic, its canary at 50 %."""
    world = at_step(1, approval="before_full")
    world.pass_by(20)
    world.steering.ask(task("ask", step=step, token="token"))
    return world


def test_judge_question_without_an_answer_is_asked_again_and_is_no_news() -> None:
    world = awaiting()
    told = len(world.record.events)
    answer = judge(after(world, 30))
    assert (answer.next, answer.step, answer.wait_seconds) == ("ask", 2, 600)
    assert len(world.record.events) == told


def test_judge_approval_is_found_in_the_record_whoever_was_waiting() -> None:
    world = awaiting()
    world.callbacks.waiting.clear()
    assert world.record.approval is not None
    world.steering.approve("grace", world.record.approval.request_id)
    answer = judge(after(world, 30))
    assert (answer.next, answer.step) == ("shift", 2)
    assert world.shifting.shift(task("shift", step=2)).next == "shifted"


def test_judge_challenger_that_breaks_down_while_a_person_is_asked_is_rolled_back() -> None:
    world = awaiting()
    world.scorer.break_down("fraud-b")
    answer = judge(after(world, 60))
    assert answer.next == "roll_back" and "without a score" in answer.sentence


def test_judge_approval_does_not_outweigh_a_challenger_that_broke_down() -> None:
    world = awaiting()
    world.scorer.break_down("fraud-b")
    world.pass_by(60)
    assert world.record.approval is not None
    world.steering.approve("grace", world.record.approval.request_id)
    assert judge(world).next == "roll_back"


@pytest.mark.parametrize("since", [-5.0, 3.0])
def test_judge_alarm_that_fired_and_recovered_since_the_canary_began_counts_while_a_person_is_asked(
    since: float,
) -> None:
    world = awaiting()
    asked_at = world.record.since
    world.alarms.move("b", "errors", "ALARM", asked_at + since)
    world.alarms.move("b", "errors", "OK", asked_at + since + 1)
    assert judge(after(world, 10)).next == "roll_back"
