"""What scores and features looked like in training, kept small, so that drift can be measured against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict

import numpy as np
import numpy.typing as npt

BINS = 10


class Histogram(TypedDict):
    """Counts of one feature.

    Args:
        edges: inner cut points; a value on one belongs to the bin below, and the outer bins are open.
        counts: one more than there are edges.
        missing: rows without a value; not in `counts`.
    """

    edges: list[float]
    counts: list[int]
    missing: int


def histogram(values: npt.NDArray[np.float32]) -> Histogram:
    """Bins of about equal counts; fewer where values repeat."""
    present = values[~np.isnan(values)]
    edges = np.unique(np.quantile(present, np.arange(1, BINS) / BINS, method="lower")) if len(present) else present
    counts = np.bincount(np.searchsorted(edges, present, side="left"), minlength=len(edges) + 1)
    return Histogram(edges=edges.tolist(), counts=counts.tolist(), missing=len(values) - len(present))


def baseline(names: Sequence[str], features: npt.NDArray[np.float32]) -> dict[str, Histogram]:
    """A histogram for every feature."""
    return {name: histogram(features[:, i]) for i, name in enumerate(names)}


def score_quantiles(scores: npt.NDArray[np.float64]) -> list[float]:
    """The 0th to the 100th percentile: maps a score to its rank among the scores of training."""
    quantiles: list[float] = np.quantile(scores, np.linspace(0, 1, 101)).tolist()
    return quantiles
