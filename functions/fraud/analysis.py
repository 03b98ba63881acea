"""From limits and measurements to verdicts.

"Cannot tell" differs from "bad": a verdict is FAIL, INCONCLUSIVE or PASS, and carries what was observed, the limit, on
how many transactions, and a sentence. What is looked at again and again is judged by tests that hold under peeking.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import StrEnum

import msgspec


class Outcome(StrEnum):
    """The closed set of outcomes, worst first."""

    FAIL = "fail"
    INCONCLUSIVE = "inconclusive"
    PASS = "pass"  # noqa: S105


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What a gate says.

    Args:
        gate: its name, one of `rollout_plan.GATES`.
        outcome: of it.
        sentence: for people, with the numbers.
        observed: what was measured, in the limit's unit; None while nothing was.
        limit: what it is held against; None where there is none.
        count: transactions it rests on.
        advisory: whether it is told of only.
    """

    gate: str
    outcome: Outcome
    sentence: str
    observed: float | None = None
    limit: float | None = None
    count: int = 0
    advisory: bool = False


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """Decisions on the cards of a bucket, by the slot they were routed to."""

    transactions: int = 0
    approve: int = 0
    review: int = 0
    block: int = 0
    degraded: int = 0


Arm = Mapping[int, Tally]
"""Card bucket → what was decided there: cards stay in their bucket, so buckets are the clusters of all statistics."""


class Pairs(msgspec.Struct, frozen=True, kw_only=True):
    """The same transactions, as the champion decided and as the challenger would have, on the cards of a bucket.

    Args:
        transactions: how many.
        unanswered: how many the challenger left without a score; the other counts are of the rest.
        champion_block: blocked by the champion.
        challenger_block: would have been blocked by the challenger.
        both_block: both.
        champion_review: sent to review by the champion.
        challenger_review: would have been sent to review by the challenger.
        both_review: both.
    """

    transactions: int = 0
    unanswered: int = 0
    champion_block: int = 0
    challenger_block: int = 0
    both_block: int = 0
    champion_review: int = 0
    challenger_review: int = 0
    both_review: int = 0


LATENCY_EDGES_MS = tuple(round(2 ** (exponent / 4), 3) for exponent in range(4, 64))
"""Upper edges of the latency histogram, milliseconds: quarter powers of two from 2 ms to 55 s."""


class Latency(msgspec.Struct, frozen=True, kw_only=True):
    """Calls with the same rows to one of the two models.

    Args:
        counts: calls by `LATENCY_EDGES_MS`, and one place more for what took longer.
        total_ms: sum of their times, milliseconds.
    """

    counts: tuple[int, ...] = (0,) * (len(LATENCY_EDGES_MS) + 1)
    total_ms: float = 0.0


class Shadow(msgspec.Struct, frozen=True, kw_only=True):
    """What the shadow saw.

    Args:
        pairs: by card bucket.
        champion: its answers to the shadow's calls.
        challenger: its answers to the same rows.
    """

    pairs: Mapping[int, Pairs] = msgspec.field(default_factory=dict)
    champion: Latency = msgspec.field(default_factory=Latency)
    challenger: Latency = msgspec.field(default_factory=Latency)


class FiredAlarm(msgspec.Struct, frozen=True, kw_only=True):
    """An alarm of the challenger's slot that is, or was, in ALARM.

    Args:
        name: of the alarm.
        at: when, seconds since 1970.
        reason: CloudWatch's own.
    """

    name: str
    at: float
    reason: str


def binding(verdicts: Iterable[Verdict]) -> list[Verdict]:
    """Those that may stop a rollout, or hold it up."""
    return [each for each in verdicts if not each.advisory]


def worst(verdicts: Iterable[Verdict]) -> Outcome:
    """The worst outcome of those that bind; INCONCLUSIVE without any, for silence must never promote."""
    return min((each.outcome for each in binding(verdicts)), key=list(Outcome).index, default=Outcome.INCONCLUSIVE)
