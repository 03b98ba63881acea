"""The gates: whether what was seen of a challenger keeps its limits.

Before it has traffic, its block and review rates must be proven to keep them: the shadow decides on the same
transactions as the champion, which takes few of them. With traffic, harm is watched for: a stage is stopped when a
limit is shown to be broken, and passed when enough was seen within the limits. `gates.error_probability` is divided
among all tests of a stage that bind (Bonferroni), and each of them holds under peeking.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from itertools import accumulate, pairwise
from typing import NamedTuple

import msgspec

from fraud import confidence
from fraud.analysis import LATENCY_EDGES_MS, Arm, FiredAlarm, Latency, Outcome, Pairs, Shadow, Verdict
from fraud.confidence import Cluster, Estimate, Interval
from fraud.rollout_plan import GATES, Gates

LEAST_CALLS = 30
"""Fewest calls that a latency is judged by: when times spread as wide as their mean, the logarithm of a ratio of two
means of 30 has a standard deviation of a quarter, and a ratio of 3 lies four of them above 1."""

_SLOW_SHARE = 0.01
"""Of the calls that a 99th percentile leaves above it."""
_PLACES_MS = (0.0, *LATENCY_EDGES_MS, LATENCY_EDGES_MS[-1] * 2**0.25)
"""Edges of the histogram's places; the last one is given an upper edge, though it has none."""

_TESTS_OF_SHADOW = {"errors": 1, "latency": 2, "block_rate": 3, "review_rate": 3}
"""Gate → bounds that may stop the stage: a cap is one, a margin to both sides two."""
_TESTS_OF_CANARY = {"errors": 2, "block_rate": 3, "review_rate": 3}
_TESTS_OF_SOAK = {"errors": 1, "block_rate": 1, "review_rate": 1}


class _Rate(NamedTuple):
    """A rate of the challenger's, in fields and in words.

    Args:
        gate: its gate.
        limit: field of `Gates` with its cap; the one with `_increase` behind it has the margin.
        field: of `Tally`, and of `Pairs` behind a prefix.
        does: the verb.
        rest: what follows the number of transactions.
    """

    gate: str
    limit: str
    field: str
    does: str
    rest: str = ""


_ERRORS = _Rate("errors", "error_rate", "degraded", "leaves", " without a score")
_BLOCK = _Rate("block_rate", "block_rate", "block", "blocks")
_REVIEW = _Rate("review_rate", "review_rate", "review", "sends", " to review")


class _Test(msgspec.Struct, frozen=True, kw_only=True):
    """A measurement against a limit.

    Args:
        gate: whose.
        claim: measurement and limit in words.
        observed: the measurement.
        interval: what cannot be told from the truth.
        least: what the truth may be at least.
        most: what it may be at most.
        count: observations.
        needed: observations with which it passes if no harm is shown; None where it must be proven.
    """

    gate: str
    claim: str
    observed: float
    interval: Interval
    least: float = -math.inf
    most: float
    count: int
    needed: int | None


def judge_shadow(gates: Gates, seen: Shadow, alarms: Sequence[FiredAlarm]) -> tuple[Verdict, ...]:
    """Every gate, by what the challenger says of transactions that the champion decides."""
    alpha = _alpha(gates, _TESTS_OF_SHADOW)
    pairs = list(seen.pairs.values())
    unanswered = confidence.of_clusters(Cluster(each.unanswered, 0, each.transactions) for each in pairs)
    return _verdicts(
        gates,
        _traffic(gates, unanswered.size, "transactions in the shadow"),
        _cap(gates, _ERRORS, unanswered, alpha, gates.transactions),
        *_latency(gates, seen, alpha),
        *_of_pairs(gates, _BLOCK, pairs, alpha),
        *_of_pairs(gates, _REVIEW, pairs, alpha),
        _alarms(alarms),
    )


def judge_canary(gates: Gates, champion: Arm, challenger: Arm, alarms: Sequence[FiredAlarm]) -> tuple[Verdict, ...]:
    """Every gate but latency, the challenger's cards beside the champion's."""
    alpha = _alpha(gates, _TESTS_OF_CANARY)
    return _verdicts(
        gates,
        _traffic(gates, _of_arm(_ERRORS, challenger).size, "of the challenger's transactions"),
        *_of_arms(gates, _ERRORS, champion, challenger, alpha),
        *_of_arms(gates, _BLOCK, champion, challenger, alpha),
        *_of_arms(gates, _REVIEW, champion, challenger, alpha),
        _alarms(alarms),
    )


def judge_soak(gates: Gates, challenger: Arm, alarms: Sequence[FiredAlarm]) -> tuple[Verdict, ...]:
    """Every gate but latency, without a champion to compare with."""
    alpha = _alpha(gates, _TESTS_OF_SOAK)
    return _verdicts(
        gates,
        _traffic(gates, _of_arm(_ERRORS, challenger).size, "of the challenger's transactions"),
        *(
            _cap(gates, rate, _of_arm(rate, challenger), alpha, gates.transactions)
            for rate in (_ERRORS, _BLOCK, _REVIEW)
        ),
        _alarms(alarms),
    )


def _alpha(gates: Gates, tests: Mapping[str, int]) -> float:
    """The error probability of one bound."""
    return gates.error_probability / max(1, sum(n for gate, n in tests.items() if gate not in gates.advisory))


def _verdicts(gates: Gates, *tested: Verdict) -> tuple[Verdict, ...]:
    """One for each gate, in their order: what the worst of its tests says."""
    worst: dict[str, Verdict] = {}
    for verdict in sorted(tested, key=lambda verdict: list(Outcome).index(verdict.outcome)):
        worst.setdefault(verdict.gate, verdict)
    return tuple(
        msgspec.structs.replace(worst[gate], advisory=gate in gates.advisory) for gate in GATES if gate in worst
    )


def _traffic(gates: Gates, count: int, what: str) -> Verdict:
    return Verdict(
        gate="traffic",
        outcome=Outcome.PASS if count >= gates.transactions else Outcome.INCONCLUSIVE,
        sentence=f"Seen {count:,} {what}; {gates.transactions:,} are needed.",
        observed=count,
        limit=gates.transactions,
        count=count,
    )


def _alarms(alarms: Sequence[FiredAlarm]) -> Verdict:
    return Verdict(
        gate="alarms",
        outcome=Outcome.FAIL if alarms else Outcome.PASS,
        sentence=" ".join(map(_told, alarms)) or "No alarm of the challenger's fired.",
        observed=len(alarms),
        limit=0,
    )


def _told(alarm: FiredAlarm) -> str:
    at = datetime.fromtimestamp(alarm.at, UTC)
    return f"The alarm {alarm.name} fired at {at:%H:%M:%S} UTC: {alarm.reason.rstrip('.')}."


def _nothing(gate: str, whose: str) -> Verdict:
    return Verdict(gate=gate, outcome=Outcome.INCONCLUSIVE, sentence=f"Nothing was seen of the {whose} yet.")


def _of_pairs(gates: Gates, rate: _Rate, pairs: Iterable[Pairs], alpha: float) -> list[Verdict]:
    """Margin and cap of a rate, to be proven; only what one model does and the other does not tells them apart."""
    ours, theirs, both = (f"{whose}_{rate.field}" for whose in ("challenger", "champion", "both"))
    counts = [
        (getattr(each, ours), getattr(each, theirs), getattr(each, both), each.transactions - each.unanswered)
        for each in pairs
    ]
    challenger = confidence.of_clusters(Cluster(mine, 0, size) for mine, _, _, size in counts)
    champion = confidence.of_clusters(Cluster(its, 0, size) for _, its, _, size in counts)
    changed = confidence.of_clusters(Cluster(mine - agreed, its - agreed, size) for mine, its, agreed, size in counts)
    bounds = confidence.change(changed, alpha, gates.transactions)
    return [
        _margin(gates, rate, challenger, champion, bounds, None),
        _cap(gates, rate, challenger, alpha, None),
    ]


def _of_arms(gates: Gates, rate: _Rate, champion: Arm, challenger: Arm, alpha: float) -> list[Verdict]:
    """Margin and cap of a rate, to be watched."""
    ours, theirs = _of_arm(rate, challenger), _of_arm(rate, champion)
    if rate is _ERRORS:
        bounds = confidence.excess(ours, theirs, alpha, gates.error_rate)
    else:
        bounds = confidence.difference(ours, theirs, alpha, gates.transactions)
    needed = gates.transactions
    return [_margin(gates, rate, ours, theirs, bounds, needed), _cap(gates, rate, ours, alpha, needed)]


def _of_arm(rate: _Rate, arm: Arm) -> Estimate:
    return confidence.of_clusters(Cluster(getattr(each, rate.field), 0, each.transactions) for each in arm.values())


def _cap(gates: Gates, rate: _Rate, seen: Estimate, alpha: float, needed: int | None) -> Verdict:
    if not seen.size:
        return _nothing(rate.gate, "challenger")
    most = getattr(gates, rate.limit)
    return _judged(
        _Test(
            gate=rate.gate,
            claim=f"{_predicate(rate, seen)}, and at most {100 * most:g} % is allowed.",
            observed=seen.value,
            interval=confidence.share(seen, alpha, most),
            most=most,
            count=seen.size,
            needed=needed,
        )
    )


def _margin(
    gates: Gates, rate: _Rate, ours: Estimate, theirs: Estimate, bounds: Interval, needed: int | None
) -> Verdict:
    if not ours.size or not theirs.size:
        return _nothing(rate.gate, "champion" if ours.size else "challenger")
    most = getattr(gates, f"{rate.limit}_increase")
    return _judged(
        _Test(
            gate=rate.gate,
            claim=f"{_predicate(rate, ours)}, {_comparison(ours, theirs)}, and at most {100 * most:g} is allowed.",
            observed=ours.value - theirs.value,
            interval=bounds,
            # Fewer errors than the champion's are no harm.
            least=-math.inf if rate is _ERRORS else -most,
            most=most,
            count=ours.size,
            needed=needed,
        )
    )


def _predicate(rate: _Rate, seen: Estimate) -> str:
    return f"The challenger {rate.does} {100 * seen.value:.2f} % of {seen.size:,} transactions{rate.rest}"


def _comparison(ours: Estimate, theirs: Estimate) -> str:
    points = 100 * (ours.value - theirs.value)
    return f"the champion {100 * theirs.value:.2f} %: {abs(points):.2f} points {'less' if points < 0 else 'more'}"


def _judged(test: _Test) -> Verdict:
    outcome = _outcome(test)
    return Verdict(
        gate=test.gate,
        outcome=outcome,
        sentence=test.claim + (_doubt(test) if outcome is Outcome.INCONCLUSIVE else ""),
        observed=test.observed,
        limit=test.most,
        count=test.count,
    )


def _outcome(test: _Test) -> Outcome:
    """Shown harm fails; what is observed beyond a limit, and may be chance, passes as little as what is unseen."""
    low, high = test.interval
    if low > test.most or high < test.least:
        return Outcome.FAIL
    if test.needed is not None:
        low = high = test.observed
    kept = test.least <= low and high <= test.most and test.count >= (test.needed or 0)
    return Outcome.PASS if kept else Outcome.INCONCLUSIVE


def _doubt(test: _Test) -> str:
    """Why it cannot be told."""
    low, high = (100 * bound for bound in test.interval)
    if test.needed is not None:
        return " It may be chance." if test.count >= test.needed else f" {test.needed:,} of them are needed."
    if math.isinf(low):
        return " So few cards prove nothing."
    return f" In truth it may be anything from {low:.2f} to {high:.2f}: more transactions must tell."


def _latency(gates: Gates, seen: Shadow, alpha: float) -> list[Verdict]:
    """The challenger's slowest calls against a limit, and its mean against the champion's on the same rows."""
    ours, theirs = (_log_mean(calls) for calls in (seen.challenger, seen.champion))
    if not ours.size or not theirs.size:
        return [_nothing("latency", "champion's calls" if ours.size else "challenger's calls")]
    return [_slowest(gates, seen.challenger, alpha), _ratio(gates, ours, theirs, alpha)]


def _slowest(gates: Gates, calls: Latency, alpha: float) -> Verdict:
    """The 99th percentile: above its limit where more than a hundredth of all calls is shown to be.

    A call counts as above it when its whole place in the histogram is.
    """
    most, count = gates.latency_p99_ms, sum(calls.counts)
    above = sum(there for there, low in zip(calls.counts, _PLACES_MS[:-1], strict=True) if low >= most)
    shown = confidence.share(confidence.of_independent(above, count), alpha, _SLOW_SHARE).low > _SLOW_SHARE
    observed = _percentile(calls.counts)
    return _judged(
        _Test(
            gate="latency",
            claim=f"The challenger's p99 is {observed:,.0f} ms on {count:,} calls, and at most {most:,.0f} is allowed.",
            observed=observed,
            interval=Interval(math.inf, math.inf) if shown and count >= LEAST_CALLS else confidence.EVERYTHING,
            most=most,
            count=count,
            needed=LEAST_CALLS,
        )
    )


def _percentile(counts: Sequence[int]) -> float:
    """The 99th, milliseconds, in the middle of its place.

    One call more may be slower than it, for a cold model's first one always is.
    """
    count = sum(counts)
    rank = max(count - max(count // 100, 1), 1)
    place = next(place for place, upto in enumerate(accumulate(counts)) if upto >= rank)
    return (_PLACES_MS[place] + _PLACES_MS[place + 1]) / 2


def _ratio(gates: Gates, ours: Estimate, theirs: Estimate, alpha: float) -> Verdict:
    """The challenger's mean over the champion's; one slow call widens the bounds by as much as it moves them."""
    most, count = gates.latency_ratio, min(ours.size, theirs.size)
    bounds = confidence.difference(ours, theirs, alpha, LEAST_CALLS)
    observed = math.exp(ours.value - theirs.value)
    return _judged(
        _Test(
            gate="latency",
            claim=f"The challenger takes {observed:.2f} times the champion's mean of {math.exp(theirs.value):,.1f} ms "
            f"on {count:,} calls, and at most {most:g} times is allowed.",
            observed=observed,
            interval=Interval(math.exp(bounds.low), math.inf) if count >= LEAST_CALLS else confidence.EVERYTHING,
            most=most,
            count=count,
            needed=LEAST_CALLS,
        )
    )


def _log_mean(calls: Latency) -> Estimate:
    middles = [(low + high) / 2 for low, high in pairwise(_PLACES_MS)]
    return confidence.of_logarithm(calls.total_ms, middles, calls.counts)
