"""Is one model better than another? Paired on the same rows, with the doubt that comes from who happened to pay.

Frauds of one card are alike, so cards are drawn again rather than rows (cluster bootstrap).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from model import metrics
from model.metrics import Codes, Flags, Floats


class Difference(NamedTuple):
    """Average precision of the second over the first, and the standard error of that."""

    average_precision: float
    standard_error: float


def compare(is_fraud: Flags, first: Floats, second: Floats, cards: Codes, draws: int, seed: int) -> Difference:
    """Two scores of each row held against each other; `cards` says whose row it is."""
    rng = np.random.default_rng(seed)
    _, which = np.unique(cards, return_inverse=True)
    order = np.argsort(which, kind="stable")
    bounds = np.searchsorted(which[order], np.arange(which.max() + 2))
    drawn = []
    for _ in range(draws):
        rows = _rows_of(rng.integers(0, len(bounds) - 1, len(bounds) - 1), order, bounds)
        if is_fraud[rows].any():
            drawn.append(_gain(is_fraud[rows], first[rows], second[rows]))
    return Difference(_gain(is_fraud, first, second), float(np.std(drawn, ddof=1)))


def _gain(is_fraud: Flags, first: Floats, second: Floats) -> float:
    before, after = (metrics.average_precision(metrics.rank(is_fraud, scores)) for scores in (first, second))
    return after - before


def _rows_of(drawn: metrics.Integers, order: metrics.Integers, bounds: metrics.Integers) -> metrics.Integers:
    """The rows of each drawn card, as often as it was drawn."""
    lengths = bounds[drawn + 1] - bounds[drawn]
    starts = np.repeat(bounds[drawn] - np.concatenate([[0], lengths.cumsum()[:-1]]), lengths)
    rows: metrics.Integers = order[starts + np.arange(lengths.sum())]
    return rows
