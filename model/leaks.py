"""Does a feature know what nobody could have known? Recompute it without that, and compare.

A label that takes a week to come raises every offline metric when features read it at once, and is not there when the
model serves. So the rows just before a moment are computed again from what was known at that moment: no later
transaction, no label that came later. A value that changes has read the future.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fraud import features
from model.backtest import Table
from model.boosting import Matrix
from model.folds import DAY, Flags, Protocol, schedule
from model.history import NEVER, History

Compute = Callable[[History], Matrix]
"""The features of every row of a history, in the order of `fraud.features.NAMES`."""

TOLERANCE = 1e-4
"""Relative; sums over a shorter history may be rounded otherwise, a leak is larger by far."""
COMPARED_STRETCH = DAY
_PER_ROW = ("transaction_ids", "at", "card", "terminal", "amount_minor", "is_fraud", "known_at")


@dataclass(frozen=True, slots=True)
class Leak:
    """A feature that reads the future.

    Args:
        feature: its name.
        rows: compared rows on which it does.
        compared: rows that were compared.
        transaction_id: the first of them.
    """

    feature: str
    rows: int
    compared: int
    transaction_id: str

    def __str__(self) -> str:
        return (
            f"{self.feature} differs on {self.rows:,} of {self.compared:,} rows once what became known later is "
            f"removed, first on transaction {self.transaction_id}"
        )


class LeakFound(ValueError):
    """Features read what was not known when the transaction happened."""

    def __init__(self, leaks: Sequence[Leak]) -> None:
        super().__init__("the features read the future: " + "; ".join(map(str, leaks)))
        self.leaks = tuple(leaks)


def check(table: Table, protocol: Protocol, compute: Compute) -> int:
    """Look for leaks at the end of the first and of the last test; returns how many rows were compared.

    Raises:
        LeakFound: naming the features.
    """
    ends = sorted({fold.test_to - 1 for fold in (schedule(protocol)[0], schedule(protocol)[-1])})
    compared = 0
    for moment in ends:
        leaks, rows = find(table, moment, compute)
        if leaks:
            raise LeakFound(leaks)
        compared += rows
    return compared


def find(table: Table, moment: int, compute: Compute) -> tuple[list[Leak], int]:
    """Features of the day before `moment` that change when what came after it is removed, and the rows compared."""
    then = as_known_at(table.history, moment)
    rows = slice(int(np.searchsorted(then.at, moment - COMPARED_STRETCH, side="right")), len(then.at))
    again = compute(then)[rows][:, [features.NAMES.index(name) for name in table.names]]
    differs = ~np.isclose(table.features[rows], again, rtol=TOLERANCE, atol=0, equal_nan=True)
    ids = then.transaction_ids[rows]
    return [_leak(name, differs[:, i], ids) for i, name in enumerate(table.names) if differs[:, i].any()], len(ids)


def as_known_at(history: History, moment: int) -> History:
    """The history as it could be read at a moment: nothing later, and no label that became known later."""
    rows = slice(0, int(np.searchsorted(history.at, moment, side="right")))
    past = replace(history, **{name: getattr(history, name)[rows] for name in _PER_ROW})
    known = past.known_at <= moment
    return replace(past, is_fraud=past.is_fraud & known, known_at=np.where(known, past.known_at, NEVER))


def _leak(name: str, differs: Flags, transaction_ids: Sequence[object]) -> Leak:
    return Leak(name, int(differs.sum()), len(differs), str(transaction_ids[int(np.argmax(differs))]))
