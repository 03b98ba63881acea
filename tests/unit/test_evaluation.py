"""The verdict on a candidate: proven gains are promoted, what cannot be told is not, losses are rejected."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fraud.errors import InvalidEvidence
from fraud.evaluation import (
    FEWEST_SEGMENT_FRAUDS,
    WORST_LAST,
    Evaluation,
    Group,
    Interval,
    Judgement,
    Measured,
    Segment,
    Verdict,
    judge,
    parse,
)
from fraud.retraining_plan import Plan

PLAN = Plan()
METRICS = {"average_precision": 0.4, "ece": 0.01}
CHAMPION = Measured("arn:m/3", "cd" * 32, {"average_precision": 0.36, "ece": 0.02})
BETTER, UNCLEAR, WORSE = Interval(0.04, 0.01, 0.07), Interval(0.01, -0.02, 0.04), Interval(-0.05, -0.08, -0.02)
GAINS, SHARES = st.floats(-1, 1), st.floats(0, 1)


def ascending(count: int, numbers: st.SearchStrategy[float]) -> st.SearchStrategy[list[float]]:
    return st.lists(numbers, min_size=count, max_size=count).map(sorted)


def measured(**metrics: float) -> Measured:
    return Measured("", "ab" * 32, METRICS | metrics)


def evaluation(gain: Interval = BETTER, **fields: Any) -> Evaluation:
    """A candidate that is better than its champion, beyond doubt."""
    given: dict[str, Any] = {
        "schema_version": 1,
        "source": "archive",
        "rows": 10_000,
        "frauds": 100,
        "cards": 900,
        "first_at": "2025-06-01T00:00:00.000Z",
        "last_at": "2025-06-08T00:00:00.000Z",
        "candidate": measured(),
        "champion": CHAMPION,
        "gains": {"average_precision": gain},
        "segments": (),
        "groups": (),
    }
    return Evaluation(**given | fields)


def first(**fields: Any) -> Evaluation:
    """Of a candidate that no champion stands beside."""
    return evaluation(**{"champion": None, "gains": {}} | fields)


def segment(gain: Interval | None, frauds: int = FEWEST_SEGMENT_FRAUDS, value: str = "atm") -> Segment:
    return Segment("channel", value, 1_000, frauds, 0.3, 0.4, gain)


def written(found: Evaluation, **fields: Any) -> bytes:
    return json.dumps(msgspec.to_builtins(found) | fields).encode()


def severity(judgement: Judgement) -> int:
    return WORST_LAST.index(judgement.verdict)


def test_parse_reads_what_was_measured() -> None:
    found = evaluation(
        segments=(segment(None), segment(UNCLEAR)),
        groups=(Group("country", "DE", 4_000, 0.01, None),),
        source="history",
    )
    assert parse(written(found)) == found


def test_parse_first_model_needs_no_gain() -> None:
    assert parse(written(first())) == first()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (b"", "cannot be read"),
        (b"\xff", "cannot be read"),
        (b"[" * 100_000, "cannot be read"),
        (b'{"x": ' + b"[" * 100_000, "cannot be read"),
        (written(evaluation(), schema_version=2), "cannot be read"),
        (written(evaluation(), source="dice"), "cannot be read"),
        (written(evaluation(gain=Interval(0.1, float("nan"), 0.2))), "cannot be read"),
        (written(evaluation(candidate=measured(average_precision=float("inf")))), "cannot be read"),
        (written(evaluation(), gains=None), "cannot be read"),
        (
            written(evaluation(candidate=Measured("", "", {"ece": 0.1}))),
            "lacks the candidate's average_precision or ece",
        ),
        (written(evaluation(candidate=Measured("", "", {"average_precision": 0.1}))), "lacks the candidate's"),
        (written(evaluation(gains={"ece": BETTER})), "lacks the gain in average_precision"),
    ],
)
def test_parse_what_says_nothing_of_the_metric_that_counts_is_no_evidence(text: bytes, words: str) -> None:
    with pytest.raises(InvalidEvidence, match=rf"^evaluation\.json .*{words}"):
        parse(text)


def test_judge_gain_that_is_proven_is_promoted_with_its_numbers() -> None:
    assert judge(evaluation(), PLAN) == Judgement(
        Verdict.PROMOTE,
        ("It is better: +0.040 average precision over the champion (95 % +0.010 to +0.070).",),
    )


def test_judge_gain_that_cannot_be_told_goes_no_further_than_the_shadow() -> None:
    assert judge(evaluation(UNCLEAR), PLAN) == Judgement(
        Verdict.SHADOW_ONLY,
        ("Whether it is better cannot be told: +0.010 average precision over the champion (95 % -0.020 to +0.040).",),
    )


def test_judge_loss_that_is_proven_is_rejected() -> None:
    assert judge(evaluation(WORSE), PLAN) == Judgement(
        Verdict.REJECT,
        ("It is worse: -0.050 average precision over the champion (95 % -0.080 to -0.020).",),
    )


@pytest.mark.parametrize(
    ("gain", "margin", "verdict"),
    [
        (Interval(0, 0, 0), 0.0, Verdict.SHADOW_ONLY),
        (Interval(0.1, 0, 0.2), 0.0, Verdict.SHADOW_ONLY),
        (Interval(0.1, 0.0001, 0.2), 0.0, Verdict.PROMOTE),
        (Interval(0, -0.05, 0.05), 0.05, Verdict.SHADOW_ONLY),
        (Interval(0, -0.0499, 0.05), 0.05, Verdict.PROMOTE),
        (Interval(-0.01, -0.02, 0), 0.0, Verdict.SHADOW_ONLY),
        (Interval(-0.01, -0.02, -0.0001), 0.0, Verdict.REJECT),
    ],
)
def test_judge_bounds_are_where_they_are_said_to_be(gain: Interval, margin: float, verdict: Verdict) -> None:
    assert judge(evaluation(gain), Plan(margin=margin)).verdict is verdict


def test_judge_loss_within_the_margin_is_called_what_it_is() -> None:
    said = judge(evaluation(UNCLEAR), Plan(margin=0.03)).sentence
    assert said.startswith("It is no worse than allowed: +0.010 average precision")


def test_judge_first_model_is_promoted() -> None:
    assert judge(first(), PLAN) == Judgement(Verdict.PROMOTE, ("No model serves yet; its average precision is 0.400.",))


@pytest.mark.parametrize("found", [first(source="simulator"), evaluation(source="simulator")])
def test_judge_model_of_simulated_payments_is_left_to_a_person(found: Evaluation) -> None:
    assert judge(found, PLAN) == Judgement(
        Verdict.SHADOW_ONLY, ("It learned from simulated payments: a person must say whether it may serve.",)
    )


def test_judge_model_of_simulated_payments_that_is_worse_is_rejected() -> None:
    assert judge(evaluation(WORSE, source="simulator"), PLAN).verdict is Verdict.REJECT


@pytest.mark.parametrize("given_champion", [True, False])
def test_judge_model_that_knows_nothing_is_rejected_whoever_serves(given_champion: bool) -> None:
    """Labels that were shuffled teach nothing."""
    candidate = measured(average_precision=0.0299)
    found = evaluation(candidate=candidate) if given_champion else first(candidate=candidate)
    assert judge(found, PLAN) == Judgement(
        Verdict.REJECT,
        ("Its average precision of 0.030 is below 3 times the 1.000% that chance alone would give.",),
    )


def test_judge_model_at_the_least_gain_is_not_rejected_for_it() -> None:
    assert judge(first(frauds=100, rows=10_000, candidate=measured(average_precision=0.03)), PLAN).verdict is (
        Verdict.PROMOTE
    )


@pytest.mark.parametrize(("ece", "verdict"), [(0.05, Verdict.PROMOTE), (0.0501, Verdict.REJECT)])
def test_judge_scores_that_do_not_mean_what_they_say_are_rejected(ece: float, verdict: Verdict) -> None:
    assert judge(evaluation(candidate=measured(ece=ece)), PLAN).verdict is verdict


def test_judge_every_reason_for_the_verdict_is_told_and_none_for_a_better_one() -> None:
    found = evaluation(WORSE, candidate=measured(average_precision=0.001, ece=0.2), segments=(segment(WORSE),))
    verdict, reasons = judge(found, Plan(segment_loss=0.01)).verdict, judge(found, Plan(segment_loss=0.01)).reasons
    assert verdict is Verdict.REJECT
    assert [reason.split(" of ")[0].split(":")[0] for reason in reasons] == [
        "Its average precision",
        "Its calibration error",
        "It is worse",
    ]


def test_judge_measured_on_nothing_is_rejected() -> None:
    assert judge(first(rows=0, frauds=0), PLAN).verdict is Verdict.REJECT


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        (segment(Interval(-0.1, -0.2, -0.0501)), Verdict.SHADOW_ONLY),
        (segment(Interval(-0.1, -0.2, -0.05)), Verdict.PROMOTE),
        (segment(Interval(-0.1, -0.2, -0.0501), frauds=FEWEST_SEGMENT_FRAUDS - 1), Verdict.PROMOTE),
        (segment(None), Verdict.PROMOTE),
    ],
)
def test_judge_segment_that_loses_too_much_beyond_doubt_is_left_to_a_person(found: Segment, verdict: Verdict) -> None:
    assert judge(evaluation(segments=(found,)), PLAN).verdict is verdict


def test_judge_segments_that_lose_are_named() -> None:
    loss = Interval(-0.1, -0.2, -0.06)
    found = evaluation(segments=(segment(loss), segment(BETTER, value="web"), segment(loss, value="pos")))
    assert judge(found, PLAN).sentence == (
        "It loses 0.100 average precision where channel is atm. It loses 0.100 average precision where channel is pos."
    )


@given(ascending(3, GAINS), SHARES, st.sampled_from(["archive", "simulator"]))
def test_judge_raising_the_low_end_never_makes_the_verdict_worse(ends: list[float], margin: float, source: str) -> None:
    low, raised, high = ends
    plan = Plan(margin=margin)
    before, after = (judge(evaluation(Interval(high, each, high), source=source), plan) for each in (low, raised))
    assert severity(after) <= severity(before)


@given(ascending(2, GAINS), SHARES, SHARES)
def test_judge_raising_the_whole_interval_never_makes_the_verdict_worse(
    ends: list[float], lift: float, margin: float
) -> None:
    low, high = ends
    plan = Plan(margin=margin)
    before, after = (judge(evaluation(Interval(0, low + each, high + each)), plan) for each in (0.0, lift))
    assert severity(after) <= severity(before)


@given(ascending(2, GAINS), ascending(2, SHARES))
def test_judge_wider_margin_never_makes_the_verdict_worse(ends: list[float], margins: list[float]) -> None:
    found = evaluation(Interval(0, *ends))
    narrow, wide = (judge(found, Plan(margin=margin)) for margin in margins)
    assert severity(wide) <= severity(narrow)


@given(ascending(2, SHARES), ascending(2, SHARES))
def test_judge_better_candidate_is_never_judged_worse(reached: list[float], errors: list[float]) -> None:
    before = judge(evaluation(candidate=measured(average_precision=reached[0], ece=errors[1])), PLAN)
    after = judge(evaluation(candidate=measured(average_precision=reached[1], ece=errors[0])), PLAN)
    assert severity(after) <= severity(before)


@given(GAINS, st.floats(0, 1), st.integers(0, 100), st.lists(GAINS, max_size=4))
def test_judge_always_says_why(low: float, reached: float, frauds: int, losses: list[float]) -> None:
    segments = tuple(segment(Interval(each, each, each)) for each in losses)
    found = evaluation(
        Interval(low, low, 1), candidate=measured(average_precision=reached), frauds=frauds, segments=segments
    )
    judgement = judge(found, PLAN)
    assert judgement.reasons and all(reason.endswith(".") for reason in judgement.reasons)
    assert judge(replace(found, segments=()), PLAN).verdict in WORST_LAST[: severity(judgement) + 1]
