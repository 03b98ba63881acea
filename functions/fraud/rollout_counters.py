"""What the rollout counts of decisions, by card bucket, so that arms can be compared by clusters of cards.

A decision counts for the slot its card was routed to, whoever answered in the end (intention to treat): a challenger
that falls silent must not look better than one that answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from fraud import routing
from fraud.ports import Recorded


def additions(decisions: Iterable[Recorded]) -> Mapping[tuple[int, str, int], Mapping[str, int]]:
    """What a set of decisions adds: (epoch, slot, card bucket) → name → amount."""
    total: dict[tuple[int, str, int], dict[str, int]] = {}
    for each in decisions:
        counter = total.setdefault((each.epoch, each.slot, routing.bucket(each.card_token)), {})
        added = {
            "transactions": 1,
            each.action.value: 1,
            "degraded": int(each.degraded),
            "amount_minor": each.amount_minor,
        }
        for name, amount in added.items():
            counter[name] = counter.get(name, 0) + amount
    return total
