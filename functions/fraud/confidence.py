"""Bounds that hold however often they are looked at, on transactions of cards that come back.

Two things make the textbook's intervals too narrow here. A rollout is looked at again and again, and an interval made
for one look errs far more often over sixty. And a card that was blocked once is blocked again: a hundred transactions
of one card are not a hundred observations. So every bound is a confidence sequence, valid at all looks at once, and its
variance comes from the buckets of cards, which do not know of each other.

Each side of an interval errs with probability `alpha` at most, over all looks together.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

_HALVINGS = 40
_LARGEST_EXPONENT = 700.0
"""exp of more than 709 is no float."""
_RAREST_LIMIT = 1e-4


class Cluster(NamedTuple):
    """Transactions on the cards of a bucket.

    Args:
        more: events that count for the challenger's rate.
        less: events that count against it; 0 where a rate and no change is estimated.
        size: transactions.
    """

    more: int
    less: int
    size: int


class Estimate(NamedTuple):
    """A mean, and how well it is known.

    Args:
        value: of it.
        variance: of `value`, clusters taken into account; never below that of as many independent observations.
        size: observations.
        effective: independent observations that it is worth.
        freedom: degrees of freedom of `variance`.
    """

    value: float
    variance: float
    size: int
    effective: float
    freedom: float


class Interval(NamedTuple):
    """What cannot be told from the truth."""

    low: float
    high: float


NOTHING = Estimate(0.0, math.inf, 0, 0.0, 0.0)
EVERYTHING = Interval(-math.inf, math.inf)


def of_clusters(clusters: Iterable[Cluster]) -> Estimate:
    """Events per transaction, with the jackknife's variance over clusters.

    Leaving one cluster out at a time (CR3) errs on the safe side where a few large clusters dominate: MacKinnon,
    Nielsen and Webb, "Fast and reliable jackknife and bootstrap methods for cluster-robust inference", 2023. The
    degrees of freedom are those of Kish's effective number of clusters, (Σn)² / Σn², less one. Variance over the
    binomial's is the design effect, and the effective size is the size over it.
    """
    seen = [each for each in clusters if each.size > 0]
    size = sum(each.size for each in seen)
    if not size:
        return NOTHING
    events = sum(each.more + each.less for each in seen)
    value = sum(each.more - each.less for each in seen) / size
    independent = max(events / size - value * value, 0.0) / size
    variance = max(_jackknife(seen, value, size), independent)
    effective = size * independent / variance if variance > independent else float(size)
    return Estimate(value, variance, size, effective, size**2 / sum(each.size**2 for each in seen) - 1)


def _jackknife(seen: Sequence[Cluster], value: float, size: int) -> float:
    count = len(seen)
    if count == 1:
        return math.inf
    squares = sum(((each.more - each.less - value * each.size) / (size - each.size)) ** 2 for each in seen)
    return squares * (count - 1) / count


def of_independent(events: int, size: int) -> Estimate:
    """A share of observations that do not depend on each other."""
    if not size:
        return NOTHING
    value = events / size
    return Estimate(value, value * (1 - value) / size, size, float(size), size - 1)


def of_logarithm(total: float, values: Sequence[float], counts: Sequence[int]) -> Estimate:
    """The logarithm of a mean, by the delta method.

    Args:
        total: sum of the observations, exact.
        values: of the histogram's places, for the variance.
        counts: observations at each place.
    """
    size = sum(counts)
    if not size or total <= 0:
        return NOTHING
    mean = total / size
    squares = sum(count * (value / mean - 1) ** 2 for value, count in zip(values, counts, strict=True))
    return Estimate(math.log(mean), squares / size**2, size, math.inf, size - 1)


def share(counted: Estimate, alpha: float, limit: float) -> Interval:
    """Where a share can lie: the beta-binomial mixture, which holds from the first transaction and without any event.

    A normal approximation would be sure of zero after no event. This one inverts a test martingale: the likelihood
    under Beta(1, 1 / limit − 1) over that under a share exceeds 1/alpha with probability alpha at most, ever (Ville;
    Robbins, "Statistical methods related to the law of the iterated logarithm", 1970). Clusters shrink the counts to
    the effective size, and few of them by Student's t: Korn and Graubard, "Confidence intervals for proportions with
    small expected number of positive counts estimated from survey data", 1998.

    Args:
        counted: the share as counted.
        alpha: of each side.
        limit: what it will be held against; the bounds are narrowest there.
    """
    normal = math.sqrt(2 * math.log(1 / alpha))
    size = counted.effective * (normal / _student(normal, counted.freedom)) ** 2
    events = counted.value * size
    rare = 1 / min(max(limit, _RAREST_LIMIT), 0.5) - 1
    threshold = _log_beta(1 + events, rare + size - events) - _log_beta(1, rare) - math.log(1 / alpha)

    def excluded(candidate: float) -> bool:
        return _log_power(candidate, events) + _log_power(1 - candidate, size - events) < threshold

    return Interval(_bisect(counted.value, 0.0, excluded), _bisect(counted.value, 1.0, excluded))


def _log_beta(a: float, b: float) -> float:
    return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)


def _log_power(base: float, exponent: float) -> float:
    if not exponent:
        return 0.0
    return exponent * math.log(base) if base > 0 else -math.inf


def _bisect(inside: float, outside: float, excluded: Callable[[float], bool]) -> float:
    """The bound between a value inside and one that may be outside, rounded outwards."""
    for _ in range(_HALVINGS):
        middle = (inside + outside) / 2
        inside, outside = (inside, middle) if excluded(middle) else (middle, outside)
    return outside


def excess(challenger: Estimate, champion: Estimate, alpha: float, limit: float) -> Interval:
    """How far a rare share can lie above another: each one's own bounds, at half of alpha.

    Wider than `difference` where events abound, but right where there are none.
    """
    ours, theirs = (share(each, alpha / 2, limit) for each in (challenger, champion))
    return Interval(ours.low - theirs.high, ours.high - theirs.low)


def difference(challenger: Estimate, champion: Estimate, alpha: float, expected: int) -> Interval:
    """How far a mean can lie above that of other observations."""
    return _asymptotic(challenger.value - champion.value, (challenger, champion), 1, alpha, expected)


def change(paired: Estimate, alpha: float, expected: int) -> Interval:
    """How far a mean of differences, each within a pair, can lie from zero."""
    return _asymptotic(paired.value, (paired,), 2, alpha, expected)


def _asymptotic(value: float, parts: Sequence[Estimate], kinds: int, alpha: float, expected: int) -> Interval:
    """The asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas (arXiv 2103.06476).

    Transactions are its clock. Where cards come back, information grows more slowly than their number, so that looks
    resemble each other more than those at a Brownian motion: by Slepian's inequality the bound is crossed less often.

    The multiplier is Student's at the smallest degrees of freedom of the parts. Each part's variance grows by that of
    multiplier² / 4 more events of each kind on its effective size, which rules false certainty out where few were seen:
    the adjustment of Agresti and Caffo (2000) for two samples, of Bonett and Price (2012) for pairs.

    Args:
        value: the estimate.
        parts: what it is made of, independent of each other.
        kinds: of events in each part: a pair may differ in two ways.
        alpha: of each side.
        expected: observations of a part at which the bound is narrowest for what was seen.
    """
    size = min(each.size for each in parts)
    if not size:
        return EVERYTHING
    multiplier = _student(_boundary(size / expected, alpha), min(each.freedom for each in parts))
    if math.isinf(multiplier) or any(not each.effective for each in parts):
        return EVERYTHING
    unseen = sum(kinds * multiplier**2 / 4 / each.effective**2 for each in parts)
    radius = multiplier * math.sqrt(sum(each.variance for each in parts) + unseen)
    return Interval(value - radius, value + radius)


def _boundary(elapsed: float, alpha: float) -> float:
    """The one-sided normal mixture's boundary, in standard deviations (their proposition B.1).

    Args:
        elapsed: time over the time at which the boundary is lowest (their equation 9, for rho²).
        alpha: probability that a Brownian motion ever crosses it.
    """
    lowest = -2 * math.log(alpha)
    time = elapsed * (lowest + math.log(lowest + 1))
    return math.sqrt(2 * (time + 1) / time * math.log(1 + math.sqrt(time + 1) / (2 * alpha)))


def _student(normal: float, freedom: float) -> float:
    """Student's quantile at a normal one's probability, by Wallace's approximation (1959)."""
    if freedom <= 0:
        return math.inf
    exponent = (normal * (8 * freedom + 3) / (8 * freedom + 1)) ** 2 / freedom
    return math.sqrt(freedom * math.expm1(exponent)) if exponent < _LARGEST_EXPONENT else math.inf
