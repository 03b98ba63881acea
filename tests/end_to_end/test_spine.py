"""From put to subscriber, on the real template: every transaction decided once, whatever comes between them."""

import itertools
import os
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cli import transactions_file
from cli.transaction_events import Conversion
from model.simulator import Simulation, SimulationConfig, simulate, transaction_events
from tests.end_to_end import poison
from tests.end_to_end.poison import PAN, Event
from tests.end_to_end.spine import Spine
from tests.local.conftest import eventually

TRANSACTIONS = 300
PATIENCE = 30.0
"""Seconds for what takes three when nothing else runs."""
HANDBOOK_PATIENCE = 180.0
"""Seconds for 10,000 records and their projections."""
HANDBOOK = os.environ.get("HANDBOOK_TRANSACTIONS")


def payments() -> list[Event]:
    """The first of a simulated market in 2018."""
    start = datetime(2018, 4, 1, tzinfo=UTC)
    market: Simulation = simulate(SimulationConfig(seed=11, start=start, days=6, cards=60, terminals=40))
    events = list(itertools.islice(transaction_events(market.transactions), TRANSACTIONS))
    assert len(events) == TRANSACTIONS
    return events


def chargeback(event: Event, known_after: timedelta = timedelta(days=2)) -> Event:
    known_at = datetime.fromisoformat(event["occurred_at"]) + known_after
    return {
        "schema_version": 1,
        "transaction_id": event["transaction_id"],
        "is_fraud": True,
        "source": "chargeback",
        "labelled_at": known_at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    }


def put_with_poison(spine: Spine, events: list[Event], refused: list[tuple[bytes, str]]) -> None:
    """All of them, what must be refused, and all of them again; the last record shows that the shard moved on."""
    *between, last = [(f"any-{number}", data) for number, (data, _) in enumerate(refused)]
    spine.put_events(events)
    spine.put(between)
    spine.put_events(events)
    spine.put([last])


def assert_each_decided_once(
    spine: Spine, events: list[Event], refused: list[tuple[bytes, str]], patience: float = PATIENCE
) -> None:
    eventually(lambda: len(spine.quarantined()) >= len(refused), patience)
    eventually(lambda: spine.projected() >= len(events), patience)
    assert set(spine.decisions()) == {event["transaction_id"] for event in events}
    counted = spine.counted()
    assert counted["transactions"] == len(events)
    assert counted["amount_minor"] == sum(event["amount_minor"] for event in events)
    assert counted["approve"] + counted["review"] + counted["block"] == len(events)
    lines = spine.quarantined()
    assert Counter(line["reason"] for line in lines) == Counter(reason for _, reason in refused)
    assert all(line["detail"] for line in lines)
    assert PAN.encode() not in spine.quarantine_text()


def test_every_transaction_is_decided_once_and_told_everywhere(spine: Spine) -> None:
    events = payments()
    early, labelled = chargeback(events[3]), [chargeback(event) for event in (events[50], events[120])]
    spine.subscribe()
    spine.send_label(early)
    eventually(lambda: spine.early_labels() == {early["transaction_id"]}, PATIENCE)
    # Every alarm was looked at each second since it was made, and no transaction has come.
    assert spine.alarming() == []
    refused = poison.records(events[0])

    put_with_poison(spine, events, refused)

    assert_each_decided_once(spine, events, refused)
    for label in [*labelled, *labelled]:
        spine.send_label(label)
    assert_labelled_once(spine, events, [early, *labelled])
    assert_told(spine, events, [early, *labelled])
    assert (spine.waiting(), spine.early_labels(), spine.given_up()) == (0, set(), [])
    assert_given_back(spine, events, refused)


def assert_labelled_once(spine: Spine, events: list[Event], labels: list[Event]) -> None:
    """Each label stands on its decision and is one fraud at its terminal, which also counts every visit once."""
    terminals = {event["transaction_id"]: event["terminal_id"] for event in events}
    frauds = Counter(terminals[label["transaction_id"]] for label in labels)
    visits = Counter(terminals.values())
    eventually(lambda: spine.waiting() == 0 and not spine.early_labels(), PATIENCE)
    decisions = spine.decisions()
    assert {key for key, item in decisions.items() if "label" in item} == {label["transaction_id"] for label in labels}
    for label in labels:
        stored = decisions[label["transaction_id"]]["label"]["M"]
        assert (stored["is_fraud"], stored["source"]) == ({"BOOL": True}, {"S": "chargeback"})
    assert spine.terminals() == {terminal: (count, frauds[terminal]) for terminal, count in visits.items()}


def assert_told(spine: Spine, events: list[Event], labels: list[Event]) -> None:
    """Every decision was announced and archived, every label archived."""
    ids = {event["transaction_id"] for event in events}
    announced: dict[str, Any] = {}

    def all_announced() -> bool:
        announced.update({event["detail"]["transaction_id"]: event for event in spine.announced()})
        return len(announced) >= len(ids)

    eventually(all_announced, PATIENCE)
    assert set(announced) == ids
    kinds = {"approve": "Transaction Approved", "review": "Transaction Sent To Review", "block": "Transaction Blocked"}
    assert all(event["detail-type"] == kinds[event["detail"]["action"]] for event in announced.values())
    eventually(lambda: spine.archived("decisions/") == ids, PATIENCE)
    eventually(lambda: spine.archived("labels/") == {label["transaction_id"] for label in labels}, PATIENCE)


def assert_given_back(spine: Spine, events: list[Event], refused: list[tuple[bytes, str]]) -> None:
    """What is whole is refused again, what is not stays, a dead label is recorded, and no counter moves."""
    late = chargeback(events[200])
    spine.bury_label(late)
    totals = spine.command("replay-quarantine")
    assert (totals["transactions"], totals["kept"], totals["dead_labels"]) == (6, 4, 1)
    eventually(lambda: len(spine.quarantined()) == len(refused), PATIENCE)
    eventually(lambda: "label" in spine.decisions()[late["transaction_id"]], PATIENCE)
    assert spine.counted()["transactions"] == len(events)
    assert spine.command("status")["decisions"]["transactions"] == len(events)


def handbook(path: Path, count: int) -> Iterator[Event]:
    """Transactions of the Fraud Detection Handbook with their dates of 2018."""
    columns = transactions_file.columns_of(path, None)
    return Conversion().transactions(itertools.islice(transactions_file.rows(path, columns), count))


@pytest.mark.skipif(HANDBOOK is None, reason="HANDBOOK_TRANSACTIONS names no file of the Handbook's transactions")
def test_handbook_transactions_are_decided_once_each_with_poison_among_them(spine: Spine) -> None:
    assert HANDBOOK is not None
    events = list(handbook(Path(HANDBOOK), 5_000))
    refused = [each for number in range(5) for each in poison.records(events[number])]

    put_with_poison(spine, events, refused)

    assert_each_decided_once(spine, events, refused, HANDBOOK_PATIENCE)
    assert spine.given_up() == []
