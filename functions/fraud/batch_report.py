"""What became of a batch of transactions, for metrics and logs."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from fraud.decision import Decision


@dataclass(frozen=True, slots=True)
class Call:
    """One attempt to have a slot score rows, for the metrics.

    Args:
        slot: who was asked.
        rows: for how many.
        unanswered: how many of them got no score.
        seconds: how long it took.
    """

    slot: str
    rows: int
    unanswered: int
    seconds: float

    @property
    def failed(self) -> bool:
        """Whether not one row got a score."""
        return self.unanswered == self.rows


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that could not be accepted.

    Args:
        reason: stable word.
        payload: as it came; what may be told of it is `transaction_lines`' to say.
    """

    reason: str
    payload: bytes


@dataclass(slots=True)
class BatchReport:
    """What became of a batch.

    Args:
        decided: decisions this batch committed.
        latencies: of those, seconds from arrival in the stream until the commit was known.
        repeated: records whose decision already stood, with the same content.
        rejected: records now in quarantine, or refused to the caller.
        unstored: records that should be in quarantine and could not be put there.
        undecided: transaction ids that no decision is known to be committed for.
        failed: sequence numbers to be delivered again, lowest first.
        calls: attempts to have a slot score rows.
        transactions: write transactions sent.
        cancelled: how many of them wrote nothing.
    """

    decided: list[Decision] = field(default_factory=list)
    latencies: list[float] = field(default_factory=list)
    repeated: int = 0
    rejected: list[Refused] = field(default_factory=list)
    unstored: list[Refused] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    calls: list[Call] = field(default_factory=list)
    transactions: int = 0
    cancelled: int = 0

    def summary(self) -> dict[str, Any]:
        """Counts for the one log line of a batch; ids of transactions are not among them."""
        return {
            "decided": len(self.decided),
            "degraded": sum(decision.degraded for decision in self.decided),
            "repeated": self.repeated,
            "quarantined": dict(Counter(each.reason for each in self.rejected)),
            "to_be_delivered_again": len(self.failed),
        }
