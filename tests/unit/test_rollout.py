"""What follows from a look at a rollout: forward only on proof, back at once on harm, and never for ever."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.analysis import Outcome, Verdict
from fraud.rollout import (
    MOST_EVENTS,
    REVERSIBLE,
    ApprovalRequest,
    Ask,
    Event,
    Hold,
    Next,
    Promote,
    RollBack,
    Rollout,
    Shift,
    Stage,
    next_step,
)
from fraud.rollout_plan import PAUSED_LOOK, Plan
from tests.fakes.rollouts import rollout

START = 1_750_000_000.0
PLAN = Plan(
    steps_bps=(500, 5_000),
    shadow_seconds=600,
    bake_seconds=300,
    soak_seconds=1_200,
    look_seconds=60,
    deadline_seconds=3_600,
    pause_seconds=1_800,
)
SHADOW = {"stage": Stage.SHADOW, "step": None}
FIRST = {"stage": Stage.CANARY, "step": 0}
LAST = {"stage": Stage.CANARY, "step": 1}
SOAK = {"stage": Stage.SOAK, "step": 2}
TIMES = {Stage.SHADOW: 600, Stage.CANARY: 300, Stage.SOAK: 1_200}


def verdict(outcome: Outcome, gate: str = "errors", **fields: Any) -> Verdict:
    return Verdict(gate=gate, outcome=outcome, sentence=f"{gate}: {outcome}.", **fields)


PASS, UNCLEAR, FAIL = verdict(Outcome.PASS), verdict(Outcome.INCONCLUSIVE, "traffic"), verdict(Outcome.FAIL, "latency")
ADVICE = verdict(Outcome.FAIL, "block_rate", advisory=True)


def look(where: dict[str, Any], verdicts: Sequence[Verdict], seconds: float, plan: Plan = PLAN, **fields: Any) -> Next:
    """The next step so many seconds into a stage."""
    return next_step(rollout(plan=plan, since=START, **where, **fields), verdicts, START + seconds)


@pytest.mark.parametrize(
    ("where", "step"),
    [
        (SHADOW, Shift("Every gate passed: the challenger gets 5 % of the cards.", 0)),
        (FIRST, Shift("Every gate passed: the challenger gets 50 % of the cards.", 1)),
        (LAST, Shift("Every gate passed: the challenger gets 100 % of the cards.", 2)),
        (SOAK, Promote("Every gate passed with all traffic.")),
    ],
)
def test_next_step_passed_stage_leads_to_the_following(where: dict[str, Any], step: Next) -> None:
    shortest = TIMES[where["stage"]]
    assert look(where, [PASS, PASS], shortest) == step
    assert isinstance(look(where, [PASS, PASS], shortest - 0.5), Hold)


@pytest.mark.parametrize(
    ("approval", "where", "step"),
    [
        ("before_traffic", SHADOW, Ask("Every gate passed: may the challenger get 5 % of the cards?", 0, 600)),
        ("before_traffic", FIRST, Shift("Every gate passed: the challenger gets 50 % of the cards.", 1)),
        ("before_full", SHADOW, Shift("Every gate passed: the challenger gets 5 % of the cards.", 0)),
        ("before_full", LAST, Ask("Every gate passed: may the challenger get 100 % of the cards?", 2, 600)),
        ("before_full", SOAK, Promote("Every gate passed with all traffic.")),
    ],
)
def test_next_step_person_is_asked_where_the_plan_says_so(approval: Any, where: dict[str, Any], step: Next) -> None:
    assert look(where, [PASS], 2_000, msgspec.structs.replace(PLAN, approval=approval)) == step


@pytest.mark.parametrize("where", [SHADOW, FIRST, LAST, SOAK])
@pytest.mark.parametrize("seconds", [0, 10_000])
@pytest.mark.parametrize("paused_at", [None, START])
def test_next_step_failing_gate_rolls_back_at_once(
    where: dict[str, Any], seconds: float, paused_at: float | None
) -> None:
    other = verdict(Outcome.FAIL, "alarms")
    assert look(where, [PASS, FAIL, UNCLEAR, other], seconds, paused_at=paused_at) == RollBack(
        "latency: fail. alarms: fail."
    )


def test_next_step_advice_stops_nothing_and_proves_nothing() -> None:
    assert look(FIRST, [PASS, ADVICE], 300) == look(FIRST, [PASS], 300)
    passing = verdict(Outcome.PASS, "block_rate", advisory=True)
    assert look(FIRST, [passing], 300) == Hold("Nothing was measured.", 60)


@pytest.mark.parametrize(
    ("seconds", "step"),
    [
        (0, Hold("300 s of canary are left.", 60)),
        (270, Hold("30 s of canary are left.", 30)),
        (299.9, Hold("0 s of canary are left.", 1)),
        (300, Hold("traffic: inconclusive.", 60)),
        (3_599, Hold("traffic: inconclusive.", 60)),
        (3_600, RollBack("After 3,600 s in canary it cannot be told: traffic: inconclusive.")),
    ],
)
def test_next_step_what_cannot_be_told_holds_until_the_deadline(seconds: float, step: Next) -> None:
    assert look(FIRST, [PASS, UNCLEAR], seconds) == step


def test_fault_29_silence_holds_and_then_rolls_back() -> None:
    assert look(SOAK, [], 1_200) == Hold("Nothing was measured.", 60)
    assert look(SOAK, [], 3_600) == RollBack("After 3,600 s in soak it cannot be told: Nothing was measured.")


def test_next_step_passing_at_the_deadline_is_passing() -> None:
    assert isinstance(look(FIRST, [PASS], 3_600), Shift)


def test_next_step_earlier_pauses_do_not_count_as_time_in_the_stage() -> None:
    assert look(FIRST, [PASS], 400, paused_seconds=200.0) == Hold("100 s of canary are left.", 60)
    assert isinstance(look(FIRST, [PASS], 500, paused_seconds=200.0), Shift)
    assert isinstance(look(FIRST, [UNCLEAR], 3_700, paused_seconds=200.0), Hold)
    assert isinstance(look(FIRST, [UNCLEAR], 3_800, paused_seconds=200.0), RollBack)


@pytest.mark.parametrize(
    ("seconds", "step"),
    [
        (2_000, Hold("Paused by ada.", 300)),
        (3_600, Hold("Paused by ada.", 200)),
        (3_799, Hold("Paused by ada.", 1)),
        (3_800, RollBack("It was paused for 1,800 s, longer than the plan allows.")),
    ],
)
def test_next_step_pause_goes_nowhere_and_ends(seconds: float, step: Next) -> None:
    assert look(FIRST, [PASS], seconds, paused_at=START + 2_000, paused_by="ada") == step


@pytest.mark.parametrize(("look_seconds", "seconds"), [(60, 300), (900, 900)])
def test_next_step_pause_is_looked_at_no_more_often_than_a_stage(look_seconds: int, seconds: int) -> None:
    plan = msgspec.structs.replace(PLAN, look_seconds=look_seconds)
    assert look(FIRST, [PASS], 10, plan, paused_at=START, paused_by="ada") == Hold("Paused by ada.", seconds)


ASKED = {"stage": Stage.APPROVAL, "step": 1}


def asked(approved_by: str | None = None) -> ApprovalRequest:
    """A question about full traffic."""
    return ApprovalRequest(
        request_id="q", token="t", step=2, requested_at=START, asked_since=START - 300, approved_by=approved_by
    )


@pytest.mark.parametrize(("seconds", "wait"), [(0, 600), (85_000, 600), (86_000, 400), (86_399.9, 1)])
@pytest.mark.parametrize("verdicts", [[PASS], [UNCLEAR], []])
def test_next_step_unanswered_question_is_asked_again(verdicts: list[Verdict], seconds: float, wait: int) -> None:
    step = look(ASKED, verdicts, seconds, approval=asked())
    assert isinstance(step, Ask) and (step.step, step.seconds) == (2, wait)


def test_next_step_question_that_nobody_answers_leads_back() -> None:
    assert look(ASKED, [PASS], 86_400, approval=asked()) == RollBack("Nobody approved it within 86,400 s.")


def test_next_step_approved_question_leads_to_its_step() -> None:
    told = "Approved by grace: the challenger gets 100 % of the cards."
    assert look(ASKED, [UNCLEAR], 90_000, approval=asked("grace")) == Shift(told, 2)


@pytest.mark.parametrize("approved_by", [None, "grace"])
def test_next_step_gate_that_fails_while_a_person_is_asked_leads_back(approved_by: str | None) -> None:
    assert look(ASKED, [PASS, FAIL], 10, approval=asked(approved_by)) == RollBack("latency: fail.")


OUTCOMES = st.sampled_from(Outcome)
VERDICTS = st.lists(st.builds(verdict, OUTCOMES, advisory=st.booleans()), max_size=5)
PLACES = st.sampled_from([SHADOW, FIRST, LAST, SOAK])


@given(PLACES, VERDICTS, st.floats(0, 20_000), st.floats(0, 5_000), st.none() | st.floats(0, 20_000))
def test_next_step_any_look_is_safe(
    where: dict[str, Any], verdicts: list[Verdict], seconds: float, earlier: float, pause: float | None
) -> None:
    paused_at = None if pause is None else START + min(pause, seconds)
    step = look(where, verdicts, seconds, paused_at=paused_at, paused_seconds=earlier)
    binding = [each.outcome for each in verdicts if not each.advisory]
    if Outcome.FAIL in binding:
        assert isinstance(step, RollBack)
    if isinstance(step, Shift | Promote):
        assert binding and set(binding) == {Outcome.PASS}
        assert paused_at is None
        assert seconds - earlier >= TIMES[where["stage"]]
    if isinstance(step, Hold):
        assert 1 <= step.seconds <= (PLAN.look_seconds if paused_at is None else PAUSED_LOOK)
        assert paused_at is not None or seconds - earlier < PLAN.deadline_seconds
    assert isinstance(step, Promote) <= (where is SOAK)


@given(PLACES, st.lists(OUTCOMES, max_size=3), st.floats(0, 5_000), st.lists(OUTCOMES, max_size=3))
def test_next_step_advice_never_matters(
    where: dict[str, Any], outcomes: list[Outcome], seconds: float, advice: list[Outcome]
) -> None:
    verdicts = [verdict(each) for each in outcomes]
    advised = [*verdicts, *(verdict(each, "block_rate", advisory=True) for each in advice)]
    assert look(where, advised, seconds) == look(where, verdicts, seconds)


@given(st.lists(st.integers(1, 9_999), min_size=1, max_size=10, unique=True).map(sorted), st.booleans())
def test_next_step_passing_looks_lead_through_every_share_to_promotion(steps: list[int], shadow: bool) -> None:
    plan = Plan(steps_bps=tuple(steps), shadow_seconds=900 * shadow, look_seconds=120)
    record = rollout(plan=plan, stage=Stage.SHADOW, since=START)
    shares = []
    for _ in range(len(plan.shares)):
        step = next_step(record, [PASS], START + 900)
        assert isinstance(step, Shift)
        stage = Stage.SOAK if plan.shares[step.step] == 10_000 else Stage.CANARY
        record = msgspec.structs.replace(record, stage=stage, step=step.step)
        shares.append(record.share_bps)
    assert shares == [*steps, 10_000]
    assert isinstance(next_step(record, [PASS], START + 900), Promote)


@pytest.mark.parametrize(
    ("stage", "step", "share"),
    [
        (Stage.DEPLOYING, None, 0),
        (Stage.SHADOW, None, 0),
        (Stage.CANARY, 0, 500),
        (Stage.CANARY, 1, 5_000),
        (Stage.APPROVAL, None, 0),
        (Stage.APPROVAL, 1, 5_000),
        (Stage.SOAK, 2, 10_000),
        (Stage.ROLLING_BACK, 1, 0),
        (Stage.ROLLED_BACK, 2, 0),
        (Stage.PROMOTED, 2, 0),
    ],
)
def test_share_bps_is_the_steps_while_the_challenger_is_tried(stage: Stage, step: int | None, share: int) -> None:
    assert rollout(plan=PLAN, stage=stage, step=step).share_bps == share


def test_reversible_stages_are_all_before_a_decision() -> None:
    assert {Stage.PROMOTED, Stage.ROLLED_BACK, Stage.ROLLING_BACK} == set(Stage) - REVERSIBLE


def test_told_adds_to_the_story() -> None:
    record = rollout().told(1.5, "It began.").told(2.5, "It went on.")
    assert record.events == (Event(at=1.5, sentence="It began."), Event(at=2.5, sentence="It went on."))
    assert msgspec.structs.replace(record, events=()) == rollout()


def test_told_story_is_bounded_and_the_oldest_give_way() -> None:
    record = rollout()
    for number in range(MOST_EVENTS + 5):
        record = record.told(float(number), f"look {number}")
    assert len(record.events) == MOST_EVENTS
    assert [record.events[0].sentence, record.events[-1].sentence] == ["look 5", f"look {MOST_EVENTS + 4}"]


@given(
    st.lists(st.tuples(st.floats(0, 2e9), st.text(max_size=20)), max_size=5), st.sampled_from(Stage), st.integers(0, 2)
)
def test_record_is_read_as_it_was_written(events: list[tuple[float, str]], stage: Stage, step: int) -> None:
    record = rollout(plan=PLAN, stage=stage, step=step, verdicts=(PASS, ADVICE))
    for at, sentence in events:
        record = record.told(at, sentence)
    assert msgspec.json.decode(msgspec.json.encode(record), type=Rollout) == record
