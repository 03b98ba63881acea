"""What scores and features looked like in training, kept small, so that drift can be measured against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

from fraud import drift
from fraud.drift import Floors

BINS = 10
DAY = 86_400
FLOORS = Floors(psi=0.1, ks=0.1)
"""Changes worth telling, by the defaults of `fraud.monitoring_plan`: training cannot know the plan of later looks."""
ALPHA = 0.001
"""Probability that a distribution which does not move is called unsteady."""

Values = npt.NDArray[np.float32] | npt.NDArray[np.float64]
Seconds = npt.NDArray[np.int64]
Counts = npt.NDArray[np.int64]


class Histogram(TypedDict):
    """How one feature, or the scores, were spread; see `fraud.model_package.Baseline`, which reads it."""

    edges: list[float]
    counts: list[int]
    missing: int
    zeros: int
    design_effect: float
    is_steady: bool


def histogram(values: Values, at: Seconds) -> Histogram:
    """Bins of about equal counts, fewer where values repeat, and how they vary from day to day.

    Args:
        values: NaN where there is none.
        at: event time of each, seconds since 1970.
    """
    edges, counts = _daily(values, at)
    total = counts.sum(axis=0)
    design_effect = drift.design_effect(counts.tolist())
    middle = _middle(counts)
    return Histogram(
        edges=edges.tolist(),
        counts=total.tolist(),
        missing=len(values) - int(total.sum()),
        zeros=int(np.count_nonzero(values == 0)),
        design_effect=design_effect,
        is_steady=drift.is_steady(
            counts[:middle].sum(axis=0).tolist(),
            counts[middle:].sum(axis=0).tolist(),
            design_effect=design_effect,
            floors=FLOORS,
            alpha=ALPHA,
        ),
    )


def _daily(values: Values, at: Seconds) -> tuple[Values, Counts]:
    """Edges between the bins, and counts of each day and bin."""
    present = ~np.isnan(values)
    known = values[present]
    edges = np.unique(np.quantile(known, np.arange(1, BINS) / BINS, method="lower")) if len(known) else known
    days, day = np.unique(at[present] // DAY, return_inverse=True)
    width = len(edges) + 1
    bins = day * width + np.searchsorted(edges, known, side="left")
    return edges, np.bincount(bins, minlength=len(days) * width).reshape(len(days), width)


def _middle(counts: Counts) -> int:
    """The day that halves the rows best, so that a day is never cut in two."""
    rows = counts.sum(axis=1).cumsum()
    return int(np.searchsorted(rows, rows[-1] / 2)) + 1 if len(rows) else 0


def baseline(names: Sequence[str], features: npt.NDArray[np.float32], at: Seconds) -> dict[str, Histogram]:
    """A histogram for every feature."""
    return {name: histogram(features[:, i], at) for i, name in enumerate(names)}


def score_quantiles(scores: npt.NDArray[np.float64]) -> list[float]:
    """The 0th to the 100th percentile: maps a score to its rank among the scores of training."""
    quantiles: list[float] = np.quantile(scores, np.linspace(0, 1, 101)).tolist()
    return quantiles
