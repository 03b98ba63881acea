"""Shares of rows whose cards, or terminals, come back, with intervals that hold at any level and from any sample.

Rows of one card resemble each other, so the variance comes from the clusters: what each adds to the ratio beyond its
share (the linearised ratio estimator; Cochran, "Sampling Techniques", 1977, chapter 6). Over the binomial's variance
that is the design effect, and rows over it the effective size; few clusters shrink it further, as Student's t widens an
interval (Korn and Graubard, 1998). Bounds invert Chernoff's inequality on that size: a normal approximation would be
sure of zero after no event, and draws cannot show what happens once in 100,000.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model.metrics import Flags, Floats

Clusters = npt.NDArray[np.integer]
_HALVINGS = 50
_LARGEST_EXPONENT = 700.0
"""exp of more than 709 is no float."""
_NORMAL = NormalDist()


class Share(NamedTuple):
    """A share of rows, 0 to 1.

    Args:
        value: as counted.
        low, high: each is wrong with probability `alpha` at most.
        rows: it rests on.
        effective: independent rows that they are worth.
    """

    value: float
    low: float
    high: float
    rows: int
    effective: float

    @property
    def design_effect(self) -> float:
        """How many rows are worth one that is independent."""
        return self.rows / self.effective if self.effective else 1.0


NOTHING = Share(0.0, 0.0, 1.0, 0, 0.0)


def of(events: Flags | Floats, clusters: Clusters, alpha: float, weights: Floats | None = None) -> Share:
    """How often something happened.

    Args:
        events: of every row, whether it did, or how many of its values did.
        clusters: of every row, any non-negative code.
        alpha: of each side.
        weights: by which rows count; 1 each without.
    """
    counts = np.ones(len(events)) if weights is None else weights
    total = float(counts.sum())
    if not total:
        return NOTHING
    value = min(float(counts @ events) / total, 1.0)
    _, position = np.unique(clusters, return_inverse=True)
    sizes = np.bincount(position, counts).astype(np.float64)
    effective = _effective(events, position, counts, sizes, value)
    trusted = effective * _trust(float(sizes.sum()) ** 2 / float(sizes @ sizes) - 1, alpha)
    return Share(value, *_bounds(value, trusted, alpha), len(events), effective)


def _effective(events: Flags | Floats, position: Clusters, weights: Floats, sizes: Floats, value: float) -> float:
    independent = float(weights.sum()) ** 2 / float(weights @ weights)
    spread = value * (1 - value)
    if spread <= 0:
        # Where all agree, nothing tells how alike the rows of a cluster are: as many as there are clusters then.
        return float(sizes.sum()) ** 2 / float(sizes @ sizes)
    beyond = np.bincount(position, weights * (events - value))
    freedom = max(len(sizes) - 1, 1)
    variance = float(beyond @ beyond) / float(sizes.sum()) ** 2 * len(sizes) / freedom
    return min(spread / variance, independent) if variance > 0 else independent


def _trust(freedom: float, alpha: float) -> float:
    """The square of the normal quantile over Student's, by Wallace's approximation (1959); 0 for a single cluster."""
    if freedom <= 0:
        return 0.0
    normal = -_NORMAL.inv_cdf(alpha)
    exponent = (normal * (8 * freedom + 3) / (8 * freedom + 1)) ** 2 / freedom
    return normal**2 / (freedom * math.expm1(exponent)) if exponent < _LARGEST_EXPONENT else 0.0


def _bounds(value: float, effective: float, alpha: float) -> tuple[float, float]:
    if not effective:
        return 0.0, 1.0
    distance = math.log(1 / alpha) / effective

    def excluded(candidate: float) -> bool:
        return _divergence(value, candidate) > distance

    return _bisect(value, 0.0, excluded), _bisect(value, 1.0, excluded)


def _divergence(p: float, q: float) -> float:
    """Kullback and Leibler's, of a coin from another; infinite where the other cannot give what was seen."""
    pairs = ((p, q), (1 - p, 1 - q))
    return sum(a * math.log(a / b) if b > 0 else math.inf for a, b in pairs if a > 0)


def _bisect(inside: float, outside: float, excluded: Callable[[float], bool]) -> float:
    """The bound between a value inside and one that may be outside, rounded outwards."""
    if not excluded(outside):
        return outside
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if excluded(middle) else (middle, outside)
    return outside
