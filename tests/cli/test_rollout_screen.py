"""A rollout's screen: what is going on, how far it is, what the gates say, and what to type next."""

from __future__ import annotations

import io
from dataclasses import replace as altered

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from rich.console import Console, RenderableType

from cli.rollout_numbers import measure
from cli.rollout_position import bar, rungs
from cli.rollout_record import Observed
from cli.rollout_screen import following, line, past, screen
from fraud.analysis import Outcome, Verdict
from fraud.rollout import ApprovalRequest, Candidate, Event, Rollout, Stage
from fraud.rollout_plan import GATES, Plan
from fraud.routing import ServedModel

START = 1_777_629_600.0  # 2026-05-01 10:00:00 UTC
NOW = START + 2_240
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/7"
CANARY = Rollout(
    rollout_id="rollout-1",
    owner="arn:execution",
    started_by="arn:aws:sts::123456789012:assumed-role/Admin/jane",
    started_at=START,
    candidate=Candidate(
        slot="b",
        endpoint="fraud-b",
        model_package=ARN,
        version=7,
        instance_type="ml.m5.large",
        instance_count=2,
    ),
    served=ServedModel("fraud-b", ARN, (), "hash", 0.4, 0.9),
    champion="a",
    plan=Plan(approval="before_full"),
    stage=Stage.CANARY,
    step=1,
    since=NOW - 240,
    epoch=4,
    lease_until=NOW + 900,
    verdicts=(
        Verdict(
            gate="block_rate",
            outcome=Outcome.INCONCLUSIVE,
            sentence="It blocks 1.1 %: too few to tell.",
            observed=0.011,
            limit=0.05,
            count=1234,
        ),
    ),
    events=(Event(at=NOW - 240, sentence="The challenger gets 5 % of the cards."),),
)
QUESTION = ApprovalRequest(request_id="q", token="secret", step=4, requested_at=NOW - 60, asked_since=NOW - 120)
ASKED = replace(CANARY, stage=Stage.APPROVAL, step=3, approval=QUESTION)
OBSERVED = Observed(
    CANARY,
    {"champion": "a", "model_package": "arn:aws:sagemaker:eu-west-1:1:model-package/fraud/6"},
    {"a": {"transactions": 23_000, "block": 230, "review": 920, "degraded": 23}, "b": {"transactions": 1_000}},
)
SHADOW = {
    "transactions": 1_100,
    "unanswered": 100,
    "champion_block": 10,
    "challenger_block": 25,
    "latency": {
        "champion": {"calls": 9, "mean_ms": 12.5, "p99_ms": 22.627},
        "challenger": {"calls": 9, "mean_ms": 14.0, "p99_ms": None},
    },
}


def shown(part: RenderableType) -> str:
    """What a terminal of 80 columns shows, white space made one."""
    console = Console(width=80, file=io.StringIO())
    console.print(part)
    assert isinstance(console.file, io.StringIO)
    return " ".join(console.file.getvalue().split())


def seen(rollout: Rollout, now: float = NOW) -> str:
    return shown(screen(altered(OBSERVED, rollout=rollout), now))


@pytest.mark.parametrize(
    "words",
    [
        "◌ Canary version 7 in slot b",
        "The challenger gets 5 % of the cards.",
        "→ fraud rollout pause",
        "█░░░░░░░░░░░░░░░░░░░ 5 %",
        "canary, step 2 of 5, for 4 min",
        "11 min at least",
        "2 × ml.m5.large, fraud-b",
        "slot a, version 6",
        "10:00:00 by assumed-role/Admin/jane",
        "● 5 % bake 15 min ← here",
        "… block_rate 1.1 % 5 % 1,234 It blocks 1.1 %: too few to tell.",
        "champion (slot a) 23,000 1 % 4 % 0.1 %",
        "challenger (slot b) 1,000 0 % 0 % 0 %",
        "10:33:20 The challenger gets",
    ],
)
def test_screen_of_a_canary_says(words: str) -> None:
    assert words in seen(CANARY)


def test_screen_of_a_pause_says_who_how_long_and_how_to_go_on() -> None:
    text = seen(replace(CANARY, paused_at=NOW - 120, paused_by="arn:aws:iam::1:user/jane"))
    assert "‖ Paused in canary" in text
    assert "Paused by user/jane 2 min ago; unless it is resumed within 23 h 58 min, it is rolled back." in text
    assert "→ fraud rollout resume" in text and "→ fraud rollout pause" not in text


def test_screen_of_a_pause_does_not_count_it_as_time_in_the_stage() -> None:
    assert "13 min at least" in seen(replace(CANARY, paused_at=NOW - 120, paused_by="jane"))
    assert "12 min at least" in seen(replace(CANARY, paused_seconds=60.0))


def test_screen_of_a_question_asks_it_and_says_how_to_answer() -> None:
    text = seen(ASKED)
    assert "? Waiting for approval" in text and "May the challenger get 100 % of the cards? Asked 1 min ago" in text
    assert "→ fraud rollout approve" in text and "→ fraud rollout reject --reason …" in text


def test_screen_of_an_answered_question_says_by_whom() -> None:
    text = seen(replace(ASKED, approval=replace(QUESTION, approved_by="arn:aws:iam::1:user/joe")))
    assert "Approved by user/joe." in text and "fraud rollout approve" not in text


@pytest.mark.parametrize(("verified", "words"), [(True, "is verified to be back"), (False, "is not verified yet")])
def test_screen_of_a_rollback_says_why_and_whether_it_is_in_force(verified: bool, words: str) -> None:
    text = seen(replace(CANARY, stage=Stage.ROLLED_BACK, reason="It blocks too much.", verified=verified))
    assert "✖ Rolled back" in text and "It blocks too much." in text and words in text
    assert "challenger (slot b)" not in text


def test_screen_of_a_promotion_shows_all_traffic_and_no_arms() -> None:
    text = seen(replace(CANARY, stage=Stage.PROMOTED, step=4))
    assert "✔ Promoted" in text and "█" * 20 + " 100 %" in text and "challenger (slot b)" not in text


def test_screen_past_the_shortest_time_says_what_it_waits_for() -> None:
    assert "until the gates can tell, 3 h at most" in seen(replace(CANARY, since=NOW - 3_600))


def test_screen_of_a_dead_state_machine_says_how_to_give_the_traffic_back() -> None:
    assert "has been silent for 1 min longer than is allowed" in seen(replace(CANARY, lease_until=NOW - 60))
    assert "silent" not in seen(CANARY)
    assert "silent" not in seen(replace(CANARY, lease_until=NOW - 60, stage=Stage.PROMOTED))


def test_screen_of_a_shadow_compares_the_same_transactions() -> None:
    rollout = replace(CANARY, stage=Stage.SHADOW, step=None)
    text = shown(screen(altered(OBSERVED, rollout=rollout, shadow=SHADOW), NOW))
    assert "champion 1,000 1 % 0 % 12.5 ≤ 22.63" in text
    assert "challenger 1,000 2.5 % 0 % 14 > 55,000" in text
    assert "no score 100" in text


def test_screen_of_an_advisory_gate_says_that_it_stops_nothing() -> None:
    verdict = replace(CANARY.verdicts[0], advisory=True)
    assert "Stops nothing: It blocks" in seen(replace(CANARY, verdicts=(verdict,)))


def test_screen_shows_a_persons_text_as_text() -> None:
    story = (Event(at=NOW, sentence="[red]because[/red]\x1b[2J\nof it"),)
    assert "[red]because[/red] [2J of it" in seen(replace(CANARY, events=story))


@pytest.mark.parametrize(
    ("share", "picture"),
    [(0, "░" * 20 + " 0 %"), (1, "█" + "░" * 19 + " 0.01 %"), (5_000, "█" * 10 + "░" * 10 + " 50 %")],
)
def test_bar_shows_even_the_smallest_share(share: int, picture: str) -> None:
    assert bar(share).plain == picture


def states(rollout: Rollout) -> dict[str, str]:
    return {rung.name: rung.state for rung in rungs(rollout)}


def test_ladder_of_a_canary_is_done_below_and_ahead_above() -> None:
    assert states(CANARY) == {
        "deploy": "done", "shadow": "done", "1 %": "done", "5 %": "current", "25 %": "ahead", "50 %": "ahead",
        "approval": "ahead", "100 %": "ahead", "promote": "ahead",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("rollout", "rung"),
    [
        (replace(CANARY, stage=Stage.DEPLOYING, step=None, epoch=0), "deploy"),
        (replace(CANARY, stage=Stage.SHADOW, step=None), "shadow"),
        (ASKED, "approval"),
        (replace(ASKED, stage=Stage.SOAK, step=4), "100 %"),
    ],
)
def test_ladder_shows_where_it_is(rollout: Rollout, rung: str) -> None:
    assert [name for name, state in states(rollout).items() if state == "current"] == [rung]


@pytest.mark.parametrize(
    ("rollout", "rung"),
    [
        (replace(CANARY, step=None, epoch=0), "deploy"),
        (replace(CANARY, step=None), "shadow"),
        (CANARY, "5 %"),
        (ASKED, "approval"),
    ],
)
def test_ladder_of_a_rollback_shows_where_it_failed(rollout: Rollout, rung: str) -> None:
    found = states(replace(rollout, stage=Stage.ROLLED_BACK))
    assert [name for name, state in found.items() if state == "failed"] == [rung]
    assert "ahead" not in found.values() and found["promote"] == "skipped"


def test_ladder_without_a_shadow_or_a_question_has_no_such_step() -> None:
    found = states(replace(CANARY, plan=Plan(shadow_seconds=0, steps_bps=(50,)), step=0))
    assert list(found) == ["deploy", "0.5 %", "100 %", "promote"]


def test_ladder_of_the_first_model_has_no_shares() -> None:
    assert list(states(replace(CANARY, champion=None, step=None))) == ["deploy", "promote"]


def test_following_an_end_there_is_only_history() -> None:
    over = replace(CANARY, stage=Stage.PROMOTED, released=True)
    assert following(over) == ["fraud rollout history"]
    assert following(replace(CANARY, stage=Stage.ROLLING_BACK)) == []


def test_past_rollouts_say_outcome_share_and_duration() -> None:
    back = replace(CANARY, stage=Stage.ROLLED_BACK, reason="It blocks too much.")
    text = shown(past([replace(CANARY, stage=Stage.PROMOTED), back], NOW + 86_400))
    assert "2026-05-01 10:00 jane 7 100 % 33 min 20 s ✔ Promoted" in text
    assert "7 5 % 33 min 20 s ✖ Rolled back: It blocks too much." in text


def test_line_is_a_time_and_a_sentence() -> None:
    assert line(Event(at=START, sentence="Begun\nnow.")) == "2026-05-01T10:00:00+00:00 Begun now."


def test_measure_is_a_share_where_the_gate_is_one() -> None:
    assert [measure("errors", 0.01), measure("latency", 83.0), measure("traffic", None)] == ["1 %", "83", "–"]


TIMES = st.floats(allow_nan=True, allow_infinity=True)
TEXTS = st.text(max_size=200)
COUNTS = st.integers(0, 2**63)
VERDICTS = st.builds(
    Verdict,
    gate=st.sampled_from(GATES) | TEXTS,
    outcome=st.sampled_from(Outcome),
    sentence=TEXTS,
    observed=st.none() | TIMES,
    limit=st.none() | TIMES,
    count=COUNTS,
    advisory=st.booleans(),
)
APPROVALS = st.builds(
    ApprovalRequest,
    request_id=TEXTS,
    token=TEXTS,
    step=st.integers(0, 4),
    requested_at=TIMES,
    approved_by=st.none() | TEXTS,
)
ROLLOUTS = st.builds(
    replace,
    st.just(CANARY),
    rollout_id=TEXTS,
    started_by=TEXTS,
    started_at=TIMES,
    champion=st.none() | st.sampled_from("ab"),
    plan=st.builds(
        Plan,
        approval=st.sampled_from(["never", "before_traffic", "before_full"]),
        shadow_seconds=st.sampled_from([0, 9]),
    ),
    stage=st.sampled_from(Stage),
    step=st.none() | st.integers(0, 4),
    since=TIMES,
    epoch=st.integers(0, 9),
    lease_until=TIMES,
    paused_at=st.none() | TIMES,
    paused_by=st.none() | TEXTS,
    paused_seconds=TIMES,
    approval=st.none() | APPROVALS,
    verdicts=st.lists(VERDICTS, max_size=6).map(tuple),
    reason=TEXTS,
    verified=st.booleans(),
    released=st.booleans(),
    events=st.lists(st.builds(Event, at=TIMES, sentence=TEXTS), max_size=9).map(tuple),
)
ARMS = st.dictionaries(st.sampled_from("ab"), st.dictionaries(st.sampled_from(["transactions", "block"]), COUNTS))


@settings(max_examples=60)
@given(rollout=ROLLOUTS, arms=ARMS, now=TIMES)
def test_screen_of_any_record_fits_eighty_columns(
    rollout: Rollout, arms: dict[str, dict[str, int]], now: float
) -> None:
    console = Console(width=80, file=io.StringIO())
    lines = console.render_lines(screen(Observed(rollout, {}, arms, SHADOW), now), pad=False)
    assert len(lines) > 5
    assert all(sum(segment.cell_length for segment in row) <= 80 for row in lines)


@settings(max_examples=30)
@given(rollouts=st.lists(ROLLOUTS, max_size=3), now=TIMES)
def test_past_of_any_records_has_a_row_for_each(rollouts: list[Rollout], now: float) -> None:
    assert len(past(rollouts, now).rows) == len(rollouts)
    assert shown(past(rollouts, now)).startswith("started (UTC)")
