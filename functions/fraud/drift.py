"""How far a distribution lies from its baseline, and how far chance alone would take it.

Two numbers say how far: the population stability index and the largest distance of the cumulative distributions, both
of counts in the same bins. Both exceed 0 for two samples of the very same traffic, the more so the smaller they are:
a fixed limit cries wolf on small windows or sleeps through large ones. So a limit is the larger of what is worth
telling (a floor) and of what chance reaches with a given probability.

Rows are no independent draws: a card's transactions resemble each other, and so do those of a day. A sample is worth
its size over its design effect, how many times as much shares vary from day to day as those of independent rows would
(Kish, "Survey Sampling", 1965; Rao and Scott, "On chi-squared tests for multiway contingency tables", 1984).
Every size below is such an effective one, and every alpha that of the one test asked for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import NamedTuple

DEFAULT_DESIGN_EFFECT = 4.0
"""Where none could be estimated."""
SMOOTHING = 0.5
"""Added to every count before shares are compared, so that an empty bin has a logarithm: Jeffreys' prior."""
FEWEST_DAYS = 5
FEWEST_ROWS_OF_A_DAY = 50
STEADY_SHARE = 0.25
"""Of a floor: a distribution that moves so much by itself would reach the floor without any change."""
_HALVINGS = 40


class Floors(NamedTuple):
    """Distances that are not worth telling, however certain they are."""

    psi: float
    ks: float


class Shift(NamedTuple):
    """How far a distribution moved, and how far it may."""

    psi: float
    ks: float
    psi_limit: float
    ks_limit: float

    @property
    def is_shifted(self) -> bool:
        """Whether either distance is beyond its limit."""
        return self.psi > self.psi_limit or self.ks > self.ks_limit

    @property
    def can_tell(self) -> bool:
        """Whether any shift could be beyond its limit: where days differ wholly from each other, none can."""
        return self.ks_limit < 1


class ShareShift(NamedTuple):
    """A share, what it was, and between which bounds it may lie; all 0 to 1."""

    expected: float
    observed: float
    low: float
    high: float

    @property
    def is_shifted(self) -> bool:
        """Whether it lies outside of them."""
        return not self.low <= self.observed <= self.high


def psi(expected: Sequence[float], observed: Sequence[float]) -> float:
    """The population stability index, Σ (q − p) ln(q / p) over the bins, of counts; `SMOOTHING` is added to each count.

    It is the symmetric Kullback–Leibler divergence: 0 where the shares are equal.

    Raises:
        ValueError: there are no bins, or not as many on both sides.
    """
    shares = zip(_smoothed(expected), _smoothed(observed), strict=True)
    return sum((q - p) * math.log(q / p) for p, q in shares)


def _smoothed(counts: Sequence[float]) -> list[float]:
    if not counts:
        raise ValueError("there are no bins")
    total = sum(counts) + SMOOTHING * len(counts)
    return [(count + SMOOTHING) / total for count in counts]


def ks(expected: Sequence[int], observed: Sequence[int]) -> float:
    """The largest distance of the cumulative distributions at the edges of the bins, 0 to 1; 0 if a side is empty.

    Raises:
        ValueError: there are not as many bins on both sides.
    """
    ours, theirs = sum(expected), sum(observed)
    pairs = list(zip(accumulate(expected), accumulate(observed), strict=True))
    return max(abs(a / ours - b / theirs) for a, b in pairs) if ours and theirs else 0.0


def effective(rows: float, most: float, design_effect: float) -> float:
    """Independent rows that a sample is worth, at least 1.

    Args:
        rows: of the sample.
        most: rows beyond which more do not help, because they share their days with the others: what the design effect
            was estimated on.
        design_effect: how many times as much shares vary as those of independent rows.
    """
    return max(min(rows, most) / design_effect, 1.0)


def shift(
    expected: Sequence[int],
    observed: Sequence[int],
    *,
    expected_size: float,
    observed_size: float,
    alpha: float,
    floors: Floors,
) -> Shift:
    """Both distances of a distribution beside their limits; each may err with half of alpha.

    Of two samples of the same distribution, PSI / (1/n + 1/m) has asymptotically the chi-square distribution with one
    degree of freedom less than there are bins: Yurdakul, "Statistical properties of population stability index", 2018;
    Yurdakul and Naranjo in the Journal of Risk Model Validation 14(4), 2020. The largest distance exceeds
    λ √(1/n + 1/m) with probability 2 exp(−2 λ²) at most: the first term of Kolmogorov's series, an upper bound for any
    number of bins.

    Counts are brought to their effective sizes before they are smoothed: a bin that holds one card's burst is as
    uncertain as one that holds a single row, and unsmoothed its logarithm would far exceed what chi-square allows.
    """
    spread = 1 / expected_size + 1 / observed_size
    chance = Floors(
        psi=_chi_square_quantile(len(expected) - 1, alpha / 2) * spread,
        ks=math.sqrt(math.log(4 / alpha) / 2 * spread),
    )
    return Shift(
        psi=psi(_scaled(expected, expected_size), _scaled(observed, observed_size)),
        ks=ks(expected, observed),
        psi_limit=max(floors.psi, chance.psi),
        ks_limit=max(floors.ks, chance.ks),
    )


def _scaled(counts: Sequence[int], size: float) -> list[float]:
    total = sum(counts)
    return [count * size / total for count in counts] if total else list(counts)


@lru_cache(maxsize=1024)
def _chi_square_quantile(freedom: int, alpha: float) -> float:
    """What a chi-square variable exceeds with probability alpha."""
    if not freedom:
        return 0.0
    high = 2.0
    while _chi_square_tail(freedom, high) > alpha:
        high *= 2
    return _bisect(0.0, high, lambda x: _chi_square_tail(freedom, x) <= alpha)


def _chi_square_tail(freedom: int, x: float) -> float:
    """Probability beyond x, exact: Abramowitz and Stegun, 26.4.4 and 26.4.5."""
    odd = freedom % 2
    term = math.sqrt(2 * x / math.pi) * math.exp(-x / 2) if odd else math.exp(-x / 2)
    tail = math.erfc(math.sqrt(x / 2)) if odd else 0.0
    for degree in range(2 + odd, freedom + 1, 2):
        tail += term
        term *= x / degree
    return tail


def share_shift(
    expected_count: int,
    expected_rows: int,
    observed_count: int,
    observed_rows: int,
    *,
    expected_size: float,
    observed_size: float,
    alpha: float,
    floor: float,
) -> ShareShift:
    """A share beside the bounds that chance alone leaves with probability alpha at most, at least a floor away.

    The bounds invert the likelihood ratio of two binomials with Chernoff's threshold ln(2 / alpha), which holds for
    the smallest samples and the rarest events, where a normal approximation would be sure of zero (Chernoff, 1952).
    A side without rows bounds nothing.
    """
    if not expected_rows or not observed_rows:
        return ShareShift(0.0, 0.0, 0.0, 1.0)
    share, threshold = expected_count / expected_rows, math.log(2 / alpha)

    def excluded(candidate: float) -> bool:
        return _likelihood_ratio(share, expected_size, candidate, observed_size) > threshold

    return ShareShift(
        expected=share,
        observed=observed_count / observed_rows,
        low=max(min(_bisect(share, 0.0, excluded), share - floor), 0.0),
        high=min(max(_bisect(share, 1.0, excluded), share + floor), 1.0),
    )


def _likelihood_ratio(p: float, n: float, q: float, m: float) -> float:
    """Logarithm of the likelihood of two shares of their own over that of one for both."""
    pooled = (p * n + q * m) / (n + m)
    return n * _divergence(p, pooled) + m * _divergence(q, pooled)


def _divergence(p: float, q: float) -> float:
    """Kullback–Leibler's, of a Bernoulli variable from another."""
    happens = p * math.log(p / q) if p > 0 else 0.0
    return happens + ((1 - p) * math.log((1 - p) / (1 - q)) if p < 1 else 0.0)


def _bisect(inside: float, outside: float, excluded: Callable[[float], bool]) -> float:
    """The bound between a value inside and one that may be outside, rounded outwards."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if excluded(middle) else (middle, outside)
    return outside


def design_effect(daily: Sequence[Sequence[int]]) -> float:
    """How many times as much shares vary from day to day as those of independent rows would; never below 1.

    Pearson's statistic over its degrees of freedom, and the largest of several: of all bins, and at each edge between
    them, because bins that move together move the cumulative distribution more than each of them says; of days, and of
    fifths of the time, because what wanders over weeks varies little from one day to the next. Days with fewer than
    `FEWEST_ROWS_OF_A_DAY` rows are left out; with fewer than `FEWEST_DAYS` others, or where all rows lie in one bin,
    nothing can be estimated.

    Args:
        daily: for each day in turn, counts of the same bins.
    """
    days = [day for day in daily if sum(day) >= FEWEST_ROWS_OF_A_DAY]
    used = [position for position, column in enumerate(zip(*days, strict=True)) if any(column)]
    if len(days) < FEWEST_DAYS or len(used) < 2:
        return DEFAULT_DESIGN_EFFECT
    counts = [[day[position] for position in used] for day in days]
    length = len(counts) // FEWEST_DAYS
    parts = [_sums(counts[first : first + length]) for first in range(0, len(counts), length)]
    return max(1.0, _largest_overdispersion(counts), _largest_overdispersion(parts))


def _largest_overdispersion(counts: Sequence[Sequence[int]]) -> float:
    """Of all bins, and of the two sides of each edge between them."""
    cuts = [[[sum(row[:cut]), sum(row[cut:])] for row in counts] for cut in range(1, len(counts[0]))]
    return max(map(_overdispersion, [counts, *cuts]))


def _overdispersion(counts: Sequence[Sequence[int]]) -> float:
    """Pearson's statistic of homogeneity over its degrees of freedom; every bin has counts."""
    totals = _sums(counts)
    rows = sum(totals)
    statistic = 0.0
    for row in counts:
        share = sum(row) / rows
        statistic += sum((n - share * total) ** 2 / (share * total) for n, total in zip(row, totals, strict=True))
    return statistic / ((len(counts) - 1) * (len(totals) - 1))


def _sums(counts: Sequence[Sequence[int]]) -> list[int]:
    return [sum(column) for column in zip(*counts, strict=True)]


def is_steady(
    first: Sequence[int], second: Sequence[int], *, design_effect: float, floors: Floors, alpha: float
) -> bool:
    """Whether the halves of a time are alike: no floor apart, and no quarter of one unless by chance.

    A distribution that moves by itself, such as the age of cards in a young archive, says nothing of change. A half
    without rows moved nowhere.
    """
    if not sum(first) or not sum(second):
        return True
    moved = shift(
        first,
        second,
        expected_size=effective(sum(first), math.inf, design_effect),
        observed_size=effective(sum(second), math.inf, design_effect),
        alpha=alpha,
        floors=Floors(floors.psi * STEADY_SHARE, floors.ks * STEADY_SHARE),
    )
    return not moved.is_shifted and psi(first, second) <= floors.psi and ks(first, second) <= floors.ks
