"""Decisions as events on the bus, ten to a call."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

import msgspec

from fraud.aws.calls import unavailable
from fraud.decision import Action
from fraud.errors import StoreUnavailable
from fraud.ports import Recorded

SOURCE = "fraud.decisions"
DETAIL_TYPES = {
    Action.APPROVE: "Transaction Approved",
    Action.REVIEW: "Transaction Sent To Review",
    Action.BLOCK: "Transaction Blocked",
}
TOLD = frozenset(
    {
        "transaction_id",
        "card_token",
        "terminal_id",
        "amount_minor",
        "currency",
        "occurred_at",
        "decided_at",
        "action",
        "propensity",
        "score",
        "reasons",
        "degraded",
        "model_package",
        "served_by",
    }
)
"""What subscribers are told; features stay inside."""
MOST_ENTRIES = 10
"""EventBridge's limit for PutEvents."""
MOST_TRIES = 4
"""How often entries that were refused are sent again."""

Entry = dict[str, str]


@dataclass(frozen=True)
class EventBridgeBus:
    """Publishes; only entries refused are sent again.

    Args:
        client: EventBridge.
        bus: its name.
        executor: runs the calls.
        pause: waits before entries are sent again.
    """

    client: Any
    bus: str
    executor: Executor
    pause: Callable[[int], None]

    def publish(self, decisions: Sequence[Recorded]) -> None:
        """Publish one event for each.

        Raises:
            StoreUnavailable: some may not be told; telling all of them again is safe.
        """
        entries = [self._entry(each) for each in decisions]
        chunks = [entries[start : start + MOST_ENTRIES] for start in range(0, len(entries), MOST_ENTRIES)]
        for _ in self.executor.map(self._put, chunks):
            pass

    def _entry(self, decision: Recorded) -> Entry:
        detail = {name: value for name, value in decision.document.items() if name in TOLD}
        return {
            "EventBusName": self.bus,
            "Source": SOURCE,
            "DetailType": DETAIL_TYPES[decision.action],
            "Detail": msgspec.json.encode(detail).decode(),
        }

    def _put(self, entries: list[Entry]) -> None:
        for attempt in range(MOST_TRIES):
            if attempt:
                self.pause(attempt)
            with unavailable("PutEvents"):
                answer = self.client.put_events(Entries=entries)
            if not answer["FailedEntryCount"]:
                return
            entries = [each for each, result in zip(entries, answer["Entries"], strict=True) if "ErrorCode" in result]
        raise StoreUnavailable("PutEvents: entries stayed refused")
