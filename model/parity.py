"""Whether what was served is what the events at hand give, computed again by the implementation that training uses.

The same cards and terminals are looked at every time, those whose key has the smallest hash. What cannot be computed
again is left out, and what honest operation leaves open is allowed for:

* A card's state is committed with the decision, so its features are the same to the last bit. But its history may be
  older than the rows: a window counts where it lies within them, and a feature of all history where what was served
  says that the card was first seen within them. Events that arrived in another order than they happened, or so close
  together that it cannot be told, were folded in that order: they are left out, and so is all history of their card.
* A terminal's state is written after the decision, by a stream: what arrived in the last minutes of a day may be
  missing on the next. So its counts lie between those of what was there in time and those of everything.
* Verdicts count from the day they were given, and may come up to a day later. And verdicts come that are about
  transactions older than the rows: they bound what may have been known from below only, until such verdicts can no
  longer be. Which frauds were of ordinary amounts rests on all history of their cards: those lie below all frauds.

Beyond that nothing should differ; shares that may are for what is lost on the way, on both sides.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from model import clustered_shares, monitoring_context, recomputed_cards, recomputed_terminals
from model.clustered_shares import Share
from model.findings import ALL, Finding, Parity
from model.monitored_rows import Rows
from model.monitoring_context import Context
from model.recomputed import CARD, TERMINAL, VERDICT, Column

CHECK = "parity_check"
MOST_TERMINAL_MISMATCHES = 0.05
"""Share of a count at terminals: it is made of many cards' events, any of which may be lost on one side."""
MOST_VERDICT_MISMATCHES = 0.2
"""Share of what is known of frauds: few days have any, and verdicts may come late; as in `model/probe.py`."""
MOST_NAMED = 3
_IN_WORDS = {
    CARD: "of transactions and cards",
    TERMINAL: "that count transactions at terminals",
    VERDICT: "that tell of known frauds at terminals",
}


class Compared(NamedTuple):
    """One feature, and on how many rows it differs."""

    column: Column
    share: Share


def tests(_: Context) -> int:
    """How many tests are made: one, which all features share."""
    return 1


def check(rows: Rows, context: Context, *, alpha: float) -> tuple[list[Finding], Parity]:
    """One finding for each kind of feature, and how much was compared.

    Args:
        rows: of the archive, those before the window included.
        context: of the look.
        alpha: of all comparisons together.
    """
    limits = context.limits
    cards = recomputed_cards.recompute(rows, limits.parity_entities)
    terminals = recomputed_terminals.recompute(rows, limits.parity_entities, context.kept, limits.maturity)
    compared = compare([*cards.columns, *terminals.columns], alpha)
    kinds = {CARD: limits.most_parity_mismatches, TERMINAL: MOST_TERMINAL_MISMATCHES, VERDICT: MOST_VERDICT_MISMATCHES}
    # Whoever allows more on cards does not mean less on what is looser by nature.
    allowed = {kind: max(limit, limits.most_parity_mismatches) for kind, limit in kinds.items()}
    findings = [
        _finding(kind, [each for each in compared if each.column.kind == kind], allowed[kind]) for kind in kinds
    ]
    return findings, Parity(
        cards=cards.entities,
        terminals=terminals.entities,
        compared=sum(each.share.rows for each in compared),
        mismatched=sum(int(each.column.mismatched.sum()) for each in compared),
        left_out=cards.left_out + terminals.left_out,
    )


def compare(columns: Sequence[Column], alpha: float) -> list[Compared]:
    """Every feature that can be computed again on any row; they share the level among them."""
    filled = [column for column in columns if len(column.served)]
    return [Compared(column, _share(column, alpha / len(columns))) for column in filled]


def _share(column: Column, alpha: float) -> Share:
    """Of values that differ; each card or terminal counts once, so that a busy one that is broken is one still."""
    _, position, rows = np.unique(column.entity, return_inverse=True, return_counts=True)
    return clustered_shares.of(column.mismatched, position, alpha, 1 / rows[position])


def _finding(kind: str, compared: Sequence[Compared], limit: float) -> Finding:
    if not compared:
        told = f"No feature {_IN_WORDS[kind]} can be computed again from the transactions at hand."
        return monitoring_context.skipped(CHECK, "data", kind, ALL, 0, told)
    worst = sorted(compared, key=lambda each: (-each.share.low, -each.share.value))[:MOST_NAMED]
    count = sum(each.share.rows for each in compared)
    return monitoring_context.judged(
        CHECK,
        "data",
        kind,
        ALL,
        is_violated=worst[0].share.low > limit,
        observed=worst[0].share.value,
        limit=limit,
        count=count,
        sentence=f"{count:,} values of {len(compared):,} features {_IN_WORDS[kind]} were computed again: "
        + ("; ".join(_told(worst)) or "all are as they were served")
        + f" ({limit:.2%} allowed of each).",
    )


def _told(worst: Sequence[Compared]) -> Iterator[str]:
    """The features that differ most, each with an example; never with what says whose transaction it was."""
    for column, share in worst:
        differs = column.mismatched
        if differs.any():
            row = int(differs.argmax())
            served, computed = _word(column.served[row]), _range(column.low[row], column.high[row])
            yield (
                f"{column.feature} differs on {share.value:.2%} of {share.rows:,} ({share.low:.2%} or more for sure), "
                f"such as {served} where {computed} is right"
            )


def _range(low: float, high: float) -> str:
    if low == high or math.isnan(low):
        return _word(low)
    return f"{_word(low)} or more" if math.isinf(high) else f"{_word(low)} to {_word(high)}"


def _word(value: float) -> str:
    return "nothing" if math.isnan(value) else f"{value:,.10g}"
