"""What a run of transactions came to: pure arithmetic over what was sent and what was decided."""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """A decision beside the truth.

    Args:
        action: approve, review or block.
        score: None when rules decided.
        amount_minor: minor units.
        is_fraud: what it truly was.
        arrived_at, decided_at: seconds since 1970.
        degraded: no model answered where one should have.
    """

    action: str
    score: float | None
    amount_minor: int
    is_fraud: bool
    arrived_at: float
    decided_at: float
    degraded: bool = False


@dataclass(frozen=True, slots=True)
class Fraud:
    """How fraud fared; values in minor units. What is reviewed counts as caught."""

    count: int
    blocked: int
    reviewed: int
    value: int
    value_saved: int
    genuine_blocked: int

    @property
    def caught(self) -> int:
        """Blocked or sent to review."""
        return self.blocked + self.reviewed


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Milliseconds."""

    p50: float
    p99: float


@dataclass(frozen=True, slots=True)
class Summary:
    """What a run came to.

    Args:
        sent: transactions put to the stream.
        quarantined: of those, how many lie in quarantine.
        lost: neither decided nor quarantined; anything but 0 is a bug.
        per_second: decided, from the first arrival to the last decision of the part sent at full speed.
        capacity: how many people can review.
        precision_at_capacity: share of fraud among the `capacity` highest scores; None without scores.
        latency: from arrival in the stream to the committed decision, at a pace below full speed.
        handler: one invocation, a batch each.
    """

    sent: int
    decided: int
    quarantined: int
    lost: int
    actions: dict[str, int]
    degraded: int
    fraud: Fraud
    capacity: int
    precision_at_capacity: float | None
    per_second: float
    latency: Percentiles | None
    handler: Percentiles | None

    def as_json(self) -> dict[str, object]:
        """For programs."""
        return asdict(self)


def summarise(
    sent: int,
    quarantined: int,
    at_full_speed: Sequence[Outcome],
    paced: Sequence[Outcome],
    latency_ms: Sequence[float],
    handler_ms: Sequence[float],
    review_share: float,
) -> Summary:
    """Count it all; `review_share` is the share of transactions that people can review."""
    outcomes = [*at_full_speed, *paced]
    capacity = max(1, round(review_share * len(outcomes)))
    return Summary(
        sent=sent,
        decided=len(outcomes),
        quarantined=quarantined,
        lost=sent - len(outcomes) - quarantined,
        actions=dict.fromkeys(("approve", "review", "block"), 0) | Counter(each.action for each in outcomes),
        degraded=sum(each.degraded for each in outcomes),
        fraud=fraud(outcomes),
        capacity=capacity,
        precision_at_capacity=precision_at(outcomes, capacity),
        per_second=throughput(at_full_speed),
        latency=percentiles(latency_ms),
        handler=percentiles(handler_ms),
    )


def fraud(outcomes: Iterable[Outcome]) -> Fraud:
    """How fraud fared, and how many honest customers were refused."""
    every = list(outcomes)
    frauds = [each for each in every if each.is_fraud]
    return Fraud(
        count=len(frauds),
        blocked=sum(each.action == "block" for each in frauds),
        reviewed=sum(each.action == "review" for each in frauds),
        value=sum(each.amount_minor for each in frauds),
        value_saved=sum(each.amount_minor for each in frauds if each.action != "approve"),
        genuine_blocked=sum(each.action == "block" and not each.is_fraud for each in every),
    )


def precision_at(outcomes: Iterable[Outcome], capacity: int) -> float | None:
    """Share of fraud among the highest scores, as many as people can review."""
    scored = [each for each in outcomes if each.score is not None]
    highest = sorted(scored, key=lambda each: each.score or 0.0, reverse=True)[:capacity]
    return sum(each.is_fraud for each in highest) / len(highest) if highest else None


def throughput(outcomes: Sequence[Outcome]) -> float:
    """Decisions a second from the first arrival to the last decision."""
    if not outcomes:
        return 0.0
    span = max(each.decided_at for each in outcomes) - min(each.arrived_at for each in outcomes)
    return len(outcomes) / span if span > 0 else math.inf


def percentiles(values: Sequence[float]) -> Percentiles | None:
    """Nearest rank; None of nothing."""
    ordered = sorted(values)
    return Percentiles(_rank(ordered, 0.50), _rank(ordered, 0.99)) if ordered else None


def _rank(ordered: Sequence[float], share: float) -> float:
    return round(ordered[max(0, math.ceil(share * len(ordered)) - 1)], 3)
