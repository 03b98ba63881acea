"""Which examples are learned from and which are measured on: by time, with a gap, and what neither may use.

    first ── learned from ──│── gap ──│── measured on ── last │ immature ── as of

A random split would show a model the same card's other payments of the day that it is measured on; the gap is as long
as verdicts take in service, so that nothing is learned that could not have been known.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fraud.entities import DAY
from model.examples import Examples, Flags

LARGEST_PART = 4
"""The measured days, and likewise the gap, take one part in so many of all days at most."""


class Lengths(NamedTuple):
    """What a plan asks for, seconds."""

    training: int
    maturity: int
    evaluation: int
    gap: int


class Windows(NamedTuple):
    """Moments in seconds since 1970; each window includes its first and excludes its last."""

    learn_from: int
    learn_to: int
    evaluate_from: int
    evaluate_to: int


class Split(NamedTuple):
    """Which rows are learned from, which are measured on, and how many neither has, by the reason.

    The gap is in seconds.
    """

    learning: Flags
    evaluation: Flags
    left_out: dict[str, int]
    gap: int


def windows(first: int, last: int, lengths: Lengths) -> Windows:
    """Cut the time from the first to the last row."""
    learn_from = max(first, last + 1 - lengths.training)
    most = (last - learn_from) // LARGEST_PART
    evaluate_from = last + 1 - min(lengths.evaluation, most)
    return Windows(learn_from, evaluate_from - min(lengths.gap, most), evaluate_from, last + 1)


def split(examples: Examples, as_of: int, lengths: Lengths) -> Split:
    """Sort every row into a part, or out with the first reason that holds."""
    reasons = {
        "unreadable": ~examples.readable,
        "immature": examples.at > as_of - lengths.maturity,
        # To take these for genuine would teach that whatever is blocked is genuine.
        "blocked_without_verdict": examples.blocked & ~examples.judged,
    }
    left_out, left = _sorted_out(np.ones(len(examples), dtype=np.bool_), reasons)
    if not left.any():
        return Split(left, left, left_out, 0)
    moments = windows(int(examples.at[left].min()), int(examples.at[left].max()), lengths)
    old, gap = examples.at < moments.learn_from, _within(examples, moments.learn_to, moments.evaluate_from)
    more, left = _sorted_out(left, {"older": old, "gap": gap})
    learning = left & (examples.at < moments.learn_to)
    return Split(learning, left & ~learning, left_out | more, moments.evaluate_from - moments.learn_to)


def as_days(seconds: int) -> float:
    """Seconds as days, to three decimals."""
    return round(seconds / DAY, 3)


def _within(examples: Examples, first: int, end: int) -> Flags:
    within: Flags = (examples.at >= first) & (examples.at < end)
    return within


def _sorted_out(left: Flags, reasons: dict[str, Flags]) -> tuple[dict[str, int], Flags]:
    """How many rows each reason takes of those that are left, and what is left then."""
    counts = {}
    for reason, applies in reasons.items():
        counts[reason] = int((left & applies).sum())
        left = left & ~applies
    return counts, left
