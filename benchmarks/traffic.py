"""The records that all sides score, and the history their cards and terminals had before."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from fraud import entities, windows
from fraud.windows import EntityState

DAYS = 33
"""A month, which fills every window, and what is needed to draw the transactions from after it."""
LEAST_CARDS = 3000
_DELIVERY_SECONDS = 0.2

Event = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Traffic:
    """Consecutive transactions of many cards.

    Args:
        events: transactions, oldest first.
        states: entity key → state before the first of them.
    """

    events: Sequence[Event]
    states: Mapping[str, EntityState]

    def batches(self, size: int) -> list[dict[str, Any]]:
        """Kinesis events as Lambda delivers them."""
        records = [_record(number, event) for number, event in enumerate(self.events)]
        return [{"Records": records[start : start + size]} for start in range(0, len(records), size)]

    def distinct_share(self, size: int) -> float:
        """Distinct cards over transactions, in batches of a size."""
        cards = [event["card_token"] for event in self.events]
        return sum(len(set(cards[start : start + size])) for start in range(0, len(cards), size)) / len(cards)


def simulated(count: int, seed: int) -> Traffic:
    """The last transactions of a simulated month, so that their cards have a history."""
    from model.simulator import SimulationConfig, simulate, transaction_events

    # A batch spans a shorter time the more cards there are: so its cards are mostly distinct, as in a busy shard.
    cards = max(LEAST_CARDS, count)
    transactions = simulate(SimulationConfig(seed=seed, cards=cards, terminals=cards, days=DAYS)).transactions
    history, recent = transactions.slice(0, len(transactions) - count), transactions.slice(len(transactions) - count)
    events = list(transaction_events(recent))
    return Traffic(events, _states(events, transaction_events(_of(history, events))))


def from_file(path: Path, count: int) -> Traffic:
    """The last transactions of a file in the Handbook's or our own columns."""
    from cli import transactions_file
    from cli.transaction_events import Conversion

    rows = list(transactions_file.rows(path, transactions_file.columns_of(path, None)))
    convert = Conversion().transactions
    events = list(convert(rows[-count:]))
    return Traffic(events, _states(events, convert(islice(rows, len(rows) - count))))


def _of(history: Any, events: Iterable[Event]) -> Any:
    """The rows of a history that share a card or a terminal with the events."""
    import pyarrow as pa
    import pyarrow.compute as pc

    kept = [
        pc.is_in(history[name], value_set=pa.array(sorted({event[name] for event in events})))
        for name in ("card_token", "terminal_id")
    ]
    return history.filter(pc.or_(*kept))


def _states(events: Iterable[Event], history: Iterable[Event]) -> dict[str, EntityState]:
    """Fold the history of every card and terminal that the events meet."""
    cards = {entities.card_key(event["card_token"]) for event in events}
    terminals = {entities.terminal_key(event["terminal_id"]) for event in events}
    states: dict[str, EntityState] = {}
    for event in history:
        at = int(_seconds(event))
        amount = event["amount_minor"]
        card, terminal = entities.card_key(event["card_token"]), entities.terminal_key(event["terminal_id"])
        if card in cards:
            states[card] = entities.spend(states.get(card, _NEW_CARD), at, amount)
        if terminal in terminals:
            states[terminal] = entities.visit(states.get(terminal, _NEW_TERMINAL), at)
    return states


_NEW_CARD, _NEW_TERMINAL = windows.empty(entities.CARD), windows.empty(entities.TERMINAL)


def _seconds(event: Event) -> float:
    return datetime.fromisoformat(event["occurred_at"]).timestamp()


def _record(number: int, event: Event) -> dict[str, Any]:
    sequence_number = f"4959033827149025660855969253836157109592157598913658{number:06d}"
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": event["card_token"],
            "sequenceNumber": sequence_number,
            "data": base64.b64encode(json.dumps(event).encode()).decode(),
            "approximateArrivalTimestamp": round(_seconds(event) + _DELIVERY_SECONDS, 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{sequence_number}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::000000000000:role/benchmark",
        "awsRegion": "eu-central-1",
        "eventSourceARN": "arn:aws:kinesis:eu-central-1:000000000000:stream/transactions",
    }
