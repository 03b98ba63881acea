"""What verdicts say of a window's models, measured on transactions that are old enough to be judged.

A mature transaction without a verdict counts as genuine, as it does in training; one that was blocked has no outcome.
Where policy releases some of what it would block, those released stand for all: each counts as often as the inverse of
the probability of its release, and blocks beside them do not count. Without a release, blocks that nobody judged are
missing: a model that blocks many frauds is then left with those that it missed; and of few releases chance may take
none, or none that is fraud. So a loss counts as proven only if it also stands when all these blocks kept their promise.

Three metrics are held against the promise of the package: how well scores rank (ROC AUC), and what reviews and blocks
catch (recall) and hit (precision) at the thresholds that it was registered with. Average precision and precision
depend on how much fraud there is, which is no merit of a model: both are measured with genuine transactions weighed so
that frauds have the share that they had when the promise was made. Average precision is told, not judged: it moves
with the very top of the ranking, which is blocked and seldom seen again; so do metrics of blocks alone.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import pyarrow.compute as pc

from model import bootstrap, clustered_shares, mature_rows, metrics, monitoring_context, verdicts
from model.examples import Flags
from model.findings import CHAMPION, Finding, Labels
from model.metrics import Floats, Integers, Ranking
from model.monitored_rows import ACTIONS, Rows
from model.monitoring_context import Context

CHECK = "model_quality_check"
JUDGED = ("auc", "alert_recall", "alert_precision")
"""Metrics that are held against the promise, in the words of the package."""
DRAWS = 200
"""Of cards: they measure a standard error, to a twentieth of it."""
SEED = 1
_BLOCK = ACTIONS.index("block")
_NORMAL = NormalDist()
_IN_WORDS = {
    "auc": "the ROC AUC",
    "alert_recall": "the share of frauds reviewed or blocked",
    "alert_precision": "the share of frauds among what was reviewed or blocked",
}


class Measured(NamedTuple):
    """A metric of one model; the ends are each wrong with the probability asked for."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Outcomes:
    """What became of the transactions that one model scored.

    Args:
        is_fraud: of the rows.
        score: of the model.
        card: position of each row's card.
        weight: how often each counts.
        terminal: position of each row's terminal; None where that is not known.
    """

    is_fraud: Flags
    score: Floats
    card: Integers
    weight: Floats
    terminal: Integers | None = None

    @property
    def frauds(self) -> int:
        """Rows that are fraud."""
        return int(self.is_fraud.sum())

    @property
    def has_both(self) -> bool:
        """Whether there is anything to tell apart."""
        return 0 < self.frauds < len(self.is_fraud)

    def at_share(self, fraud_share: float) -> Outcomes:
        """Genuine rows weighed so that frauds have a given share."""
        fraud = float(self.weight[self.is_fraud].sum())
        genuine = float(self.weight[~self.is_fraud].sum())
        factor = fraud * (1 - fraud_share) / (genuine * fraud_share)
        return replace(self, weight=np.where(self.is_fraud, self.weight, self.weight * factor))


def tests(context: Context) -> int:
    """How many tests are made at most."""
    return len(JUDGED) * len(context.roles)


def check(
    rows: Rows, context: Context, *, alpha: float
) -> tuple[list[Finding], dict[str, Mapping[str, float]], Labels]:
    """Quality of every model against the champion's promise, metrics by role, and what is known of outcomes.

    Args:
        rows: of the archive.
        context: of the look.
        alpha: of each of `tests`.
    """
    measured = {role: measure(rows, role, context, alpha) for role in context.roles}
    findings = [verdicts.feed(rows, context)]
    for role in context.roles:
        findings += _judged(rows, role, context, measured[role])
    quality = {role: {name: each.value for name, each in found.items()} for role, found in measured.items()}
    return findings, {role: values for role, values in quality.items() if values}, verdicts.labels(rows, context)


# --- Which rows count -------------------------------------------------------------------------------------------------


def outcomes(rows: Rows, role: str, context: Context, *, doubt: bool = False) -> Outcomes:
    """What became of the cohort's rows of one model.

    Args:
        rows: of the archive.
        role: of the model.
        context: of the look.
        doubt: counts what the model blocked and nobody judged as the promise says that it would turn out, and what was
            released once: no release stands for a block that is counted itself.
    """
    scored = (
        mature_rows.cohort(rows, context)
        & monitoring_context.of_package(rows, context.roles[role])
        & ~np.isnan(rows.score)
    )
    if doubt and role == CHAMPION:
        known, weights = scored & ((rows.action != _BLOCK) | rows.judged), np.ones(len(rows))
        lost = scored & _lost(rows, context)
    else:
        known, weights = scored & mature_rows.has_outcome(rows), mature_rows.weights(rows)
        lost = np.zeros(len(rows), dtype=np.bool_)
    hit = context.baseline.promise.get("block_precision", 1.0)
    parts = (
        (known, rows.is_fraud, weights),
        (lost, np.ones_like(known), hit),
        (lost, ~np.ones_like(known), 1 - hit),
    )
    return Outcomes(
        is_fraud=np.concatenate([is_fraud[which] for which, is_fraud, _ in parts]),
        score=np.concatenate([rows.score[which] for which, _, _ in parts]),
        card=_positions(rows, "card_token", [which for which, _, _ in parts]),
        weight=np.concatenate([np.broadcast_to(weight, len(rows))[which] for which, _, weight in parts]),
        terminal=_positions(rows, "terminal_id", [which for which, _, _ in parts]),
    )


def _positions(rows: Rows, column: str, parts: list[Flags]) -> Integers:
    """Positions of the values of a column, for some rows after the other."""
    codes = pc.fill_null(rows.events[column], "").combine_chunks().dictionary_encode().indices.to_numpy()
    return np.concatenate([codes[which] for which in parts]).astype(np.int64)


def _lost(rows: Rows, context: Context) -> Flags:
    """Blocks of the model, not of a rule, that nobody judged."""
    threshold = context.baseline.thresholds.get("block", math.inf)
    lost: Flags = (rows.action == _BLOCK) & ~rows.judged & (rows.score >= threshold)
    return lost


# --- What is measured -------------------------------------------------------------------------------------------------


def measure(rows: Rows, role: str, context: Context, alpha: float) -> dict[str, Measured]:
    """Metrics of one model by name; empty where it has too few mature frauds.

    Only the champion's thresholds are known, and the share of frauds that its promise was made at.
    """
    known = outcomes(rows, role, context)
    if known.frauds < context.limits.fewest_frauds or not known.has_both:
        return {}
    found = _measure(known, role, context, alpha)
    doubted = outcomes(rows, role, context, doubt=True)
    if np.array_equal(doubted.weight, known.weight):
        return found
    kept = _measure(doubted, role, context, alpha)
    return {name: each._replace(high=max(each.high, kept[name].high)) for name, each in found.items()}


def _measure(given: Outcomes, role: str, context: Context, alpha: float) -> dict[str, Measured]:
    fraud_share = context.baseline.promise.get("fraud_share", 0.0)
    at_promise = given.at_share(fraud_share) if role == CHAMPION and 0 < fraud_share < 1 else given
    found = _ranked(at_promise, alpha)
    if role != CHAMPION:
        return found
    for name, threshold in (("alert", "review"), ("block", "block")):
        if threshold in context.baseline.thresholds:
            above = given.score >= context.baseline.thresholds[threshold]
            found |= _share(f"{name}_recall", above, given, given.is_fraud, alpha)
            found |= _share(f"{name}_precision", at_promise.is_fraud, at_promise, above, alpha)
    return found


def _share(name: str, events: Flags, given: Outcomes, of: Flags, alpha: float) -> dict[str, Measured]:
    if not of.any():
        return {}
    # Frauds of one card are alike, and so are those of one terminal that was taken over: whichever tells less decides.
    clusters = [each[of] for each in (given.card, given.terminal) if each is not None]
    found = [clustered_shares.of(events[of], each, alpha, given.weight[of]) for each in clusters]
    return {name: Measured(found[0].value, min(each.low for each in found), max(each.high for each in found))}


def _ranked(given: Outcomes, alpha: float) -> dict[str, Measured]:
    """Metrics of the ranking, with intervals from cards drawn again.

    The draws give a standard error, on the scale of the log odds, where a metric near 1 has room on both sides; and the
    level a multiple of it. Percentiles of draws end long before one in 100,000.
    """
    ranked = _Ranked(given)
    found = ranked(np.ones(ranked.cards))
    drawn = bootstrap.measure_again(ranked, bootstrap.draw_cards(ranked.cards, DRAWS, SEED))
    cards = len(np.unique(given.card[given.is_fraud]))
    return {name: _interval(value, drawn[name], cards, alpha) for name, value in found.items()}


def _interval(value: float, drawn: Floats, cards: int, alpha: float) -> Measured:
    if cards < bootstrap.FEWEST_CARDS or not 0 < value < 1:
        return Measured(value, 0.0, 1.0)
    inside = np.clip(drawn, 1e-9, 1 - 1e-9)
    radius = -bootstrap.expanded(_NORMAL.inv_cdf(alpha), cards) * float(np.std(np.log(inside / (1 - inside)), ddof=1))
    middle = math.log(value / (1 - value))
    return Measured(value, _logistic(middle - radius), _logistic(middle + radius))


def _logistic(x: float) -> float:
    return 0.5 * (1 + math.tanh(x / 2))


class _Ranked:
    """Rows from the highest score down, whose weights and cards count."""

    def __init__(self, given: Outcomes) -> None:
        order = np.argsort(-given.score, kind="stable")
        score, self._is_fraud, self._weight = given.score[order], given.is_fraud[order], given.weight[order]
        cards, self._card = np.unique(given.card[order], return_inverse=True)
        self.cards = len(cards)
        self._ends = np.append(np.flatnonzero(np.diff(score)), len(score) - 1)
        self._levels = score[self._ends]

    def __call__(self, counts: Floats) -> dict[str, float]:
        """By name; empty where the cards that count have no fraud or nothing but fraud."""
        weight = counts[self._card] * self._weight
        rows, frauds = weight.cumsum()[self._ends], (weight * self._is_fraud).cumsum()[self._ends]
        if not 0 < frauds[-1] < rows[-1]:
            return {}
        any_left = rows > 0
        ranking = Ranking(self._levels[any_left], rows[any_left], frauds[any_left])
        return {"average_precision": metrics.average_precision(ranking), "auc": metrics.roc_auc(ranking)}


# --- What is said -----------------------------------------------------------------------------------------------------


def _judged(rows: Rows, role: str, context: Context, measured: Mapping[str, Measured]) -> Iterator[Finding]:
    known = outcomes(rows, role, context)
    for name in JUDGED:
        reason = _unjudged(name, known, role, measured, context)
        if reason:
            yield monitoring_context.skipped(CHECK, "quality", name, role, known.frauds, reason)
        else:
            yield _finding(name, role, measured[name], known, context)


def _unjudged(name: str, known: Outcomes, role: str, measured: Mapping[str, Measured], context: Context) -> str:
    """Why nothing can be said; empty otherwise."""
    if role != CHAMPION:
        return f"The baseline does not hold what the {role} promised."
    if not measured:
        fewest = context.limits.fewest_frauds
        return f"{known.frauds:,} mature frauds of the {role}'s; {fewest:,}, and genuine rows, are needed to judge it."
    promise = context.baseline.promise
    if name not in promise or (name == "alert_precision" and not 0 < promise.get("fraud_share", 0.0) < 1):
        return f"The {role}'s package does not promise {_IN_WORDS[name]} at a known share of frauds."
    if name not in measured:
        return f"Nothing mature reached the {role}'s thresholds."
    return ""


def _finding(name: str, role: str, found: Measured, known: Outcomes, context: Context) -> Finding:
    promised = context.baseline.promise[name]
    limit = promised - context.limits.quality_loss
    lost = found.high < limit
    end = "so it is lost" if lost else "so no such loss is proven"
    return monitoring_context.judged(
        CHECK,
        "quality",
        name,
        role,
        is_violated=lost,
        observed=found.value,
        limit=limit,
        count=len(known.is_fraud),
        sentence=(
            f"On {len(known.is_fraud):,} mature transactions of the {role}'s with {known.frauds:,} frauds, "
            f"{_IN_WORDS[name]} is {found.value:.3f} ({found.low:.3f} to {found.high:.3f}); promised were "
            f"{promised:.3f}, and {limit:.3f} is asked for, {end}."
        ),
    )
