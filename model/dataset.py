"""Training sets from history: every row as the model would have seen it at that moment, and what became known since.

History goes through the very functions that serve online, in the order (occurred_at, transaction_id); a label counts
from the moment it was known. `fold` is therefore the reference that any faster implementation must equal, and
`assemble` takes the faster one wherever every verdict stood from the day it was given.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraud import entities, features, windows
from fraud.label import Label, Source
from fraud.windows import EntityState
from model import offline_features
from model.history import History, Seconds, seconds

MATURITY = timedelta(days=7)
"""Age at which a transaction without a label counts as genuine: by then a chargeback would have come."""
_ROWS_AT_A_TIME = 4096

Progress = Callable[[int, int], None]
"""Called with rows done and rows in all."""


class PastEvent(NamedTuple):
    """What features read of a transaction."""

    at: int
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Dataset:
    """Features and outcomes, one row per transaction, in the order they were folded.

    Args:
        names: of the features, in the order of the columns.
        features: NaN where a value is not known.
        target: whether the newest label known at `as_of` says fraud.
        mature: old enough at `as_of` for the target to be trusted. Younger rows stay out even when they have a label:
            a recent week would otherwise show its frauds without its genuine rows.
        transaction_ids: of the rows.
        occurred_at: event time, whole seconds since 1970.
        cards, terminals: state after all of history, by card token and by terminal.
    """

    names: tuple[str, ...]
    features: npt.NDArray[np.float32]
    target: npt.NDArray[np.bool_]
    mature: npt.NDArray[np.bool_]
    transaction_ids: list[str]
    occurred_at: Seconds
    cards: dict[str, EntityState] = field(repr=False)
    terminals: dict[str, EntityState] = field(repr=False)

    def training_table(self) -> pa.Table:
        """The mature rows as the training job reads them: features, `is_fraud`, and the columns that say which row."""
        columns: dict[str, object] = {name: self.features[self.mature, i] for i, name in enumerate(self.names)}
        columns["is_fraud"] = self.target[self.mature]
        columns["occurred_at"] = self.occurred_at[self.mature]
        columns["transaction_id"] = pa.array(self.transaction_ids).filter(pa.array(self.mature))
        return pa.table(columns)


def assemble(
    transactions: pa.Table,
    labels: pa.Table,
    as_of: datetime,
    maturity: timedelta = MATURITY,
    progress: Progress | None = None,
) -> Dataset:
    """Fold history and labels in the order they happened and became known.

    Args:
        transactions: columns of the transaction event; `occurred_at` as a timestamp.
        labels: columns of the label event; labels of unknown transactions are left out.
        as_of: labels that became known later are not looked at.
        maturity: age at which the outcome of a transaction is settled.
        progress: called now and then.
    """
    ordered, known = _in_order(transactions, labels, as_of)
    standing = known.standing(seconds(ordered["occurred_at"]))
    if standing is None:
        return _folded(ordered, known, as_of - maturity, progress)
    matrix = offline_features.compute(_outcomes(ordered, standing))
    history = _History(ordered)
    facts = zip(offline_features.unusual(matrix).tolist(), offline_features.ordinary(matrix).tolist(), strict=True)
    for start, events in _chunks(ordered, progress):
        for row, event in enumerate(events, start):
            history.remember(row, event, *next(facts))
    return _dataset(ordered, matrix, history, known, as_of - maturity)


def fold(
    transactions: pa.Table,
    labels: pa.Table,
    as_of: datetime,
    maturity: timedelta = MATURITY,
    progress: Progress | None = None,
) -> Dataset:
    """`assemble`, event by event through the code that serves; some 100 µs a row."""
    ordered, known = _in_order(transactions, labels, as_of)
    return _folded(ordered, known, as_of - maturity, progress)


def _folded(ordered: pa.Table, known: _Labels, settled_before: datetime, progress: Progress | None) -> Dataset:
    history = _History(ordered)
    matrix = np.empty((ordered.num_rows, len(features.NAMES)), dtype=np.float32)
    for start, events in _chunks(ordered, progress):
        # numpy reads None as NaN
        rows = np.array(list(history.fold(start, events, known)), dtype=np.float32)
        matrix[start : start + len(rows)] = rows
    return _dataset(ordered, matrix, history, known, settled_before)


def _dataset(
    ordered: pa.Table, matrix: offline_features.Matrix, history: _History, known: _Labels, settled_before: datetime
) -> Dataset:
    history.learn_until(None, known)
    at = seconds(ordered["occurred_at"])
    return Dataset(
        names=features.NAMES,
        features=matrix,
        target=history.outcomes(),
        mature=at <= int(settled_before.timestamp()),
        transaction_ids=ordered["transaction_id"].to_pylist(),
        occurred_at=at,
        cards=history.cards,
        terminals=history.terminals,
    )


def _in_order(transactions: pa.Table, labels: pa.Table, as_of: datetime) -> tuple[pa.Table, _Labels]:
    ordered = transactions.sort_by([("occurred_at", "ascending"), ("transaction_id", "ascending")])
    return ordered, _known_labels(ordered, labels, as_of)


def _chunks(ordered: pa.Table, progress: Progress | None) -> Iterator[tuple[int, Iterator[PastEvent]]]:
    """The first row of each chunk and its events."""
    at, amounts = seconds(ordered["occurred_at"]), ordered["amount_minor"].to_pylist()
    for start in range(0, ordered.num_rows, _ROWS_AT_A_TIME):
        end = min(start + _ROWS_AT_A_TIME, ordered.num_rows)
        yield start, map(PastEvent, at[start:end].tolist(), amounts[start:end])
        if progress is not None:
            progress(end, ordered.num_rows)


def _outcomes(ordered: pa.Table, standing: Mapping[int, Label]) -> History:
    """The history with the verdicts that stand, each known since it was given."""
    known_at: list[int | None] = [None] * ordered.num_rows
    for row, label in standing.items():
        known_at[row] = label.known_at if label.is_fraud else None
    columns = ["transaction_id", "occurred_at", "card_token", "terminal_id", "amount_minor"]
    moments = pa.array(known_at, pa.int64())
    table = ordered.select(columns).append_column("is_fraud", moments.is_valid())
    return History.from_table(table.append_column("labelled_at", moments.cast(pa.timestamp("s", "UTC"))), MATURITY)


class _Known(NamedTuple):
    """A verdict, its row, and the moment it takes effect, whole seconds since 1970."""

    effective_at: int
    row: int
    label: Label


class _Labels:
    """Labels in the order they take effect, taken up to a moment at a time."""

    def __init__(self, labels: list[_Known]) -> None:
        self._labels = labels
        self._next = 0

    def until(self, at: int | None) -> Iterator[_Known]:
        """Those not yet taken that were in effect at `at`; all of them for None."""
        while self._next < len(self._labels) and (at is None or self._labels[self._next].effective_at <= at):
            self._next += 1
            yield self._labels[self._next - 1]

    def standing(self, at: Seconds) -> dict[int, Label] | None:
        """The verdict on each row; None when a fraud was withdrawn or moved, or known before its transaction."""
        standing: dict[int, Label] = {}
        for _, row, label in self._labels:
            before = standing.get(row)
            if label.supersedes(before):
                if (before is not None and before.is_fraud) or (label.is_fraud and label.known_at < at[row]):
                    return None
                standing[row] = label
        return standing


def _known_labels(ordered: pa.Table, labels: pa.Table, as_of: datetime) -> _Labels:
    known = labels.filter(pc.less_equal(labels["labelled_at"], pa.scalar(as_of, labels["labelled_at"].type)))
    rows = pc.index_in(known["transaction_id"], value_set=ordered["transaction_id"])
    known, rows = known.filter(pc.is_valid(rows)), rows.drop_null().to_numpy()
    millis = known["labelled_at"].cast(pa.timestamp("ms", tz="UTC"), safe=False).cast(pa.int64()).to_numpy()
    verdicts = map(
        Label,
        known["is_fraud"].to_pylist(),
        map(Source, known["source"].to_pylist()),
        millis.tolist(),
        (millis // 1000).tolist(),
    )
    # A label that comes before its transaction waits until that is decided, and never speaks in its own case.
    effective_at = np.maximum(millis // 1000, seconds(ordered["occurred_at"])[rows] + 1)
    return _Labels(sorted(map(_Known, effective_at.tolist(), rows.tolist(), verdicts), key=lambda each: each[:2]))


class _History:
    """The state of every entity as history goes by."""

    def __init__(self, ordered: pa.Table) -> None:
        self.cards: dict[str, EntityState] = {}
        self.terminals: dict[str, EntityState] = {}
        self._card_of: list[str] = ordered["card_token"].to_pylist()
        self._terminal_of: list[str] = ordered["terminal_id"].to_pylist()
        self._label_of: dict[int, Label] = {}
        self._ordinary: list[bool] = []

    def fold(self, first_row: int, events: Iterator[PastEvent], known: _Labels) -> Iterator[list[float | None]]:
        """The features of each event as they were just before it."""
        for row, event in enumerate(events, first_row):
            self.learn_until(event.at, known)
            card = self.cards.get(self._card_of[row], _NEW_CARD)
            terminal = self.terminals.get(self._terminal_of[row], _NEW_TERMINAL)
            values = features.values(event, card, terminal)
            self.remember(row, event, features.is_unusual(values), features.is_ordinary(values))
            yield values

    def remember(self, row: int, event: PastEvent, unusual: bool, ordinary: bool) -> None:
        """Fold the next row into its card and its terminal."""
        card_token, terminal_id = self._card_of[row], self._terminal_of[row]
        card, terminal = self.cards.get(card_token, _NEW_CARD), self.terminals.get(terminal_id, _NEW_TERMINAL)
        self.cards[card_token] = entities.spend(card, event.at, event.amount_minor, unusual=unusual)
        self.terminals[terminal_id] = entities.visit(terminal, event.at)
        self._ordinary.append(ordinary)

    def learn_until(self, at: int | None, known: _Labels) -> None:
        """Tell terminals of the verdicts in effect at `at`: each transaction counts once, the latest verdict stands."""
        for _, row, label in known.until(at):
            before = self._label_of.get(row)
            if label.supersedes(before):
                self._label_of[row] = label
                terminal_id = self._terminal_of[row]
                self.terminals[terminal_id] = entities.change_verdict(
                    self.terminals.get(terminal_id, _NEW_TERMINAL), before, label, ordinary=self._ordinary[row]
                )

    def outcomes(self) -> npt.NDArray[np.bool_]:
        """Whether each row is known to be fraud."""
        target = np.zeros(len(self._card_of), dtype=np.bool_)
        for row, label in self._label_of.items():
            target[row] = label.is_fraud
        return target


_NEW_CARD = windows.empty(entities.CARD)
_NEW_TERMINAL = windows.empty(entities.TERMINAL)
