"""Candidate against champion on matured labels: what was measured, `evaluation.json`, and what follows from it.

The job `evaluate` measures, on rows that neither learned from; the verdict is a pure function of its numbers and of the
plan. Three verdicts, the worst last: a gain that is proven is promoted, what cannot be told goes no further than the
shadow unless a person says so, a loss is rejected.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Literal

import msgspec

from fraud.errors import InvalidEvidence
from fraud.retraining_plan import Plan

DOCUMENT, REPORT, CARD = "evaluation.json", "report.html", "model_card.md"
LARGEST_DOCUMENT = 4 * 1024 * 1024
METRIC = "average_precision"
"""What the verdict rests on: it needs no threshold and weighs the few frauds, see model/metrics.py."""
FEWEST_SEGMENT_FRAUDS = 20
"""A segment with fewer is shown, and decides nothing."""


class Verdict(StrEnum):
    """What becomes of a candidate, the worst last."""

    PROMOTE = "promote"
    SHADOW_ONLY = "shadow_only"
    REJECT = "reject"


WORST_LAST = tuple(Verdict)


class Interval(msgspec.Struct, frozen=True):
    """The candidate's value less the champion's, and the 95 % interval of that (bootstrap, clustered by card)."""

    difference: float
    low: float
    high: float


class Measured(msgspec.Struct, frozen=True):
    """One model on the rows.

    Args:
        model_package: ARN; empty for the candidate, which has none yet.
        model_sha256: of model.ubj.
        metrics: by the names of `model.backtest.METRICS_IN_WORDS`, and at the package's own thresholds
            `block_precision`, `block_recall`, `alert_precision`, `alert_recall` and `review_share`.
    """

    model_package: str
    model_sha256: str
    metrics: dict[str, float]


class Segment(msgspec.Struct, frozen=True):
    """Average precision on some of the rows.

    Args:
        by: what they have in common: channel, country, amount, or the age of the card.
        value: of it.
        rows, frauds: how many.
        candidate: its average precision; None without frauds, or with nothing else.
        champion: likewise.
        gain: of the candidate over the champion; None where it cannot be estimated.
    """

    by: str
    value: str
    rows: int
    frauds: int
    candidate: float | None = None
    champion: float | None = None
    gain: Interval | None = None


class Group(msgspec.Struct, frozen=True):
    """How the candidate, at its thresholds, treats the genuine transactions of one group.

    Args:
        by: field of the transaction.
        value: of it.
        genuine: genuine rows of the group.
        false_alerts: share of them that are reviewed or blocked.
        ratio: that share over the share of all; None where that is none.
    """

    by: str
    value: str
    genuine: int
    false_alerts: float
    ratio: float | None = None


class Evaluation(msgspec.Struct, frozen=True):
    """`evaluation.json`, schema version 1.

    Args:
        source: where the rows come from: `archive`, `history` or `simulator`.
        rows, frauds, cards: that were measured on.
        first_at, last_at: event time of the first and the last row, RFC 3339.
        candidate: the new model.
        champion: the one that serves; None when none does.
        gains: candidate less champion by metric; lower is better for `cost` and `ece`.
        segments: on parts of the rows.
        groups: fairness, at the candidate's thresholds.
    """

    schema_version: Literal[1]
    source: Literal["archive", "history", "simulator"]
    rows: int
    frauds: int
    cards: int
    first_at: str
    last_at: str
    candidate: Measured
    champion: Measured | None
    gains: dict[str, Interval]
    segments: tuple[Segment, ...]
    groups: tuple[Group, ...]


class Judgement(msgspec.Struct, frozen=True):
    """The verdict, and a sentence for everything that spoke for it."""

    verdict: Verdict
    reasons: tuple[str, ...]

    @property
    def sentence(self) -> str:
        """The reasons as text."""
        return " ".join(self.reasons)


def parse(text: bytes) -> Evaluation:
    """Raises: InvalidEvidence: it is not what `evaluate` writes, or says nothing of the metric that counts."""
    try:
        found = msgspec.json.decode(text, type=Evaluation)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvidence(f"{DOCUMENT} cannot be read: {error}") from error
    if METRIC not in found.candidate.metrics or "ece" not in found.candidate.metrics:
        raise InvalidEvidence(f"{DOCUMENT} lacks the candidate's {METRIC} or ece")
    if found.champion is not None and METRIC not in found.gains:
        raise InvalidEvidence(f"{DOCUMENT} lacks the gain in {METRIC}")
    return found


def judge(found: Evaluation, plan: Plan) -> Judgement:
    """What becomes of the candidate."""
    findings = [*_floors(found, plan), *_comparison(found, plan), *_segments(found, plan)]
    worst = max((verdict for verdict, _ in findings), key=WORST_LAST.index)
    return Judgement(worst, tuple(sentence for verdict, sentence in findings if verdict is worst))


def _floors(found: Evaluation, plan: Plan) -> Iterator[tuple[Verdict, str]]:
    """What no candidate may fall below, whoever serves."""
    metrics: Mapping[str, float] = found.candidate.metrics
    reached, error = metrics[METRIC], metrics["ece"]
    chance = found.frauds / found.rows if found.rows else 1.0
    if reached < plan.least_gain * chance:
        floor = f"{plan.least_gain:g} times the {chance:.3%} that chance alone would give"
        yield Verdict.REJECT, f"Its average precision of {reached:.3f} is below {floor}."
    if error > plan.most_calibration_error:
        limit = f"{plan.most_calibration_error:g}: its scores do not mean what they say"
        yield Verdict.REJECT, f"Its calibration error of {error:.3f} is above {limit}."


def _comparison(found: Evaluation, plan: Plan) -> Iterator[tuple[Verdict, str]]:
    if found.source == "simulator":
        yield Verdict.SHADOW_ONLY, "It learned from simulated payments: a person must say whether it may serve."
    elif found.champion is None:
        yield Verdict.PROMOTE, f"No model serves yet; its average precision is {found.candidate.metrics[METRIC]:.3f}."
    if found.champion is not None:
        yield _against(found.gains[METRIC], plan.margin)


def _against(gain: Interval, margin: float) -> tuple[Verdict, str]:
    numbers = f"{gain.difference:+.3f} average precision over the champion (95 % {gain.low:+.3f} to {gain.high:+.3f})"
    if gain.low > -margin:
        return Verdict.PROMOTE, f"It is {'better' if gain.low > 0 else 'no worse than allowed'}: {numbers}."
    if gain.high < 0:
        return Verdict.REJECT, f"It is worse: {numbers}."
    return Verdict.SHADOW_ONLY, f"Whether it is better cannot be told: {numbers}."


def _segments(found: Evaluation, plan: Plan) -> Iterator[tuple[Verdict, str]]:
    for each in found.segments:
        if each.gain and each.frauds >= FEWEST_SEGMENT_FRAUDS and each.gain.high < -plan.segment_loss:
            yield (
                Verdict.SHADOW_ONLY,
                f"It loses {-each.gain.difference:.3f} average precision where {each.by} is {each.value}.",
            )
