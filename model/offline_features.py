"""Features of a whole history at once, equal to what folding it event by event gives.

Rows are sorted by entity, cumulative sums run over them, and a window is the difference of two of those: the rows of
its entity from the first one in its oldest tile up to the row itself. Sums are 64-bit integers, so they are exact;
ratios are computed and rounded by the same arithmetic as in `fraud.features`. `model.dataset` folds the same history
through the functions that serve online, and is what this is tested against.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from fraud import entities, features
from fraud.entities import DAY, HOUR
from fraud.features import Feature
from fraud.windows import Window
from model.history import History

Progress = Callable[[int, int], None]
"""Called with features done and features in all."""
Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float32]


class Sums(Protocol):
    """The sums of one window by their position in a tile, a value for every row."""

    def __getitem__(self, position: int, /) -> Integers: ...


Measure = Callable[[Any, Sums], npt.NDArray[np.number]]

LONGEST_WINDOW = 180 * DAY
"""More seconds than any window spans."""


def compute(history: History, progress: Progress | None = None) -> Matrix:
    """Every feature of every row, in the order of the rows and of `fraud.features.NAMES`; NaN where not known."""
    matrix = np.empty((len(history), len(features.NAMES)), dtype=np.float32)
    if not len(history):
        return matrix
    done = 0
    for entity, view in _views(history, matrix):
        for window, columns in _by_window(entity).items():
            sums = view.read(features.WINDOWS[entity][window]) if window else ()
            for column, feature in columns:
                matrix[view.order, column] = MEASURES[feature.measure](view, sums)
            done += len(columns)
            if progress is not None:
                progress(done, len(features.NAMES))
    return matrix


def unusual(matrix: Matrix) -> Flags:
    """`features.is_unusual` of every row."""
    flags: Flags = matrix[:, features.NAMES.index("card_amount_over_mean_120d")] > features.UNUSUAL
    return flags


def ordinary(matrix: Matrix) -> Flags:
    """`features.is_ordinary` of every row."""
    over_usual = matrix[:, features.NAMES.index("card_amount_over_usual_120d")]
    flags: Flags = ~(over_usual > features.ORDINARY) & (matrix[:, features.NAMES.index("card_unusual_14d")] == 0)
    return flags


def _views(history: History, matrix: Matrix) -> Iterator[tuple[str, View]]:
    """One after the other: each holds columns as long as the history, and terminals read what cards filled in."""
    yield "transaction", TransactionView(history)
    yield "card", CardView(history)
    yield "terminal", TerminalView(history, ordinary(matrix))


def _by_window(entity: str) -> dict[str | None, list[tuple[int, Feature]]]:
    """The features of an entity with their columns, by the window they read."""
    columns: dict[str | None, list[tuple[int, Feature]]] = {}
    for column, feature in enumerate(features.TABLE):
        if feature.entity == entity:
            columns.setdefault(feature.window, []).append((column, feature))
    return columns


@dataclass(frozen=True)
class Timeline:
    """What happened to each entity, sorted by entity and then by time, with cumulative sums.

    Args:
        origin: no moment asked for lies before it.
        stride: length of the stretch of keys that each entity has to itself, seconds.
        keys: of the entries, ascending.
        totals: of each sum, what all entries before this one add up to; one longer than `keys`.
    """

    origin: int
    stride: int
    keys: Integers
    totals: tuple[Integers, ...]

    def before(self, codes: Integers, moments: Integers) -> Integers:
        """How many entries lie before each moment of its entity, those of lower entities included."""
        return np.searchsorted(self.keys, codes * self.stride + (moments - self.origin))

    def with_sums(self, *amounts: Integers) -> Timeline:
        """The same entries with more sums, given in the order of the keys."""
        return replace(self, totals=(*self.totals, *map(_cumulative, amounts)))


class Differences:
    """Sums over the entries from `first` on and before `end`, each computed when a measure asks for it."""

    def __init__(self, timeline: Timeline, first: Integers, end: Integers | slice) -> None:
        self._timeline, self._first, self._end = timeline, first, end

    def __getitem__(self, position: int, /) -> Integers:
        total = self._timeline.totals[position]
        difference: Integers = total[self._end] - total[self._first]
        return difference


def _timeline(history: History, codes: Integers, moments: Integers, *amounts: Integers) -> Timeline:
    """Entries in any order; the first sum counts them, each of the amounts adds one more."""
    origin = int(history.at[0]) - LONGEST_WINDOW
    stride = int(history.at[-1]) - origin + LONGEST_WINDOW
    keys = codes * stride + (moments - origin)
    order = np.argsort(keys, kind="stable")
    totals = (np.arange(len(keys) + 1), *(_cumulative(amount[order]) for amount in amounts))
    return Timeline(origin, stride, keys[order], totals)


def _cumulative(values: Integers) -> Integers:
    # Sums may pass 2⁶³ over all entities; the difference of two of them is exact nevertheless.
    return np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(values)])


class View:
    """The rows of a history in an order that suits the sums, as measures see them."""

    def __init__(self, history: History, order: npt.NDArray[np.integer]) -> None:
        self.order = order
        self.at = history.at[order]
        self.amount_minor = history.amount_minor[order]

    def read(self, window: Window) -> Sums:
        """The window's sums as every row saw them, before it was folded in itself."""
        raise NotImplementedError


class TransactionView(View):
    """Rows as they are; nothing is remembered."""

    def __init__(self, history: History) -> None:
        super().__init__(history, np.arange(len(history)))


class CardView(View):
    """Rows card by card. A row's own position is where its windows end: what is before it in order is its past."""

    def __init__(self, history: History) -> None:
        super().__init__(history, np.argsort(history.card, kind="stable"))
        self.codes = history.card[self.order].astype(np.int64)
        major = np.minimum(self.amount_minor // 100, entities.LARGEST_SQUARED_AMOUNT)
        self.spent = _timeline(history, self.codes, self.at, self.amount_minor, major * major)
        over_mean = _amount_over_mean(self, self.read(features.WINDOWS["card"]["120d"]))
        unusual = (over_mean > features.UNUSUAL).astype(np.int64)
        self.spent = self.spent.with_sums(unusual, unusual * self.amount_minor)

    def read(self, window: Window) -> Sums:
        assert window.lag == 0
        width = entities.CARD.levels[window.level].width
        first = self.spent.before(self.codes, (self.at // width - window.tiles + 1) * width)
        return Differences(self.spent, first, slice(0, -1))

    @cached_property
    def first_at(self) -> Integers:
        """When the card was first seen; a card's first row sees itself."""
        starts = np.flatnonzero(np.diff(self.codes, prepend=-1))
        return np.repeat(self.at[starts], np.diff(starts, append=len(self.at)))

    @cached_property
    def is_new(self) -> Flags:
        """Whether this is the card's first row."""
        is_new: Flags = np.diff(self.codes, prepend=-1) != 0
        return is_new


class TerminalView(View):
    """Rows terminal by terminal, and what became known of frauds there.

    Args:
        history: all rows.
        ordinary: which of them, if they are fraud, speak of the terminal rather than of the card.
    """

    def __init__(self, history: History, ordinary: Flags) -> None:
        super().__init__(history, np.argsort(history.terminal, kind="stable"))
        self.codes = history.terminal[self.order].astype(np.int64)
        self.visits = _timeline(history, self.codes, self.at)
        known = np.flatnonzero(history.is_fraud & (history.known_at <= history.at[-1]))
        self.frauds = _reports(history, known)
        self.ordinary_frauds = _reports(history, known[ordinary[known]])

    def read(self, window: Window) -> Sums:
        assert window.lag > 0
        return TerminalSums(self, window)


class TerminalSums:
    """The sums of one window of closed days, each counted when a measure asks for it."""

    def __init__(self, view: TerminalView, window: Window) -> None:
        newest = view.at // DAY - window.lag
        self._codes, self._first, self._end = view.codes, (newest - window.tiles + 1) * DAY, (newest + 1) * DAY
        self._counted = (view.visits, view.frauds, view.ordinary_frauds)

    def __getitem__(self, position: int, /) -> Integers:
        entries = self._counted[position]
        return entries.before(self._codes, self._end) - entries.before(self._codes, self._first)


def _reports(history: History, rows: Integers) -> Timeline:
    return _timeline(history, history.terminal[rows].astype(np.int64), history.known_at[rows])


def _rounded(values: Floats) -> Floats:
    return np.floor(values * 10_000 + 0.5) / 10_000


def _ratio(dividend: npt.NDArray[np.number], divisor: Integers) -> Floats:
    """NaN where there is nothing to divide by."""
    quotient: Floats = np.divide(dividend, divisor, out=np.full(len(divisor), np.nan), where=divisor != 0)
    return quotient


def _mean(_: View, sums: Sums) -> Floats:
    return np.where(sums[0] > 0, (sums[1] // np.maximum(sums[0], 1)).astype(np.float64), np.nan)


def _amount_over_mean(view: View, sums: Sums) -> Floats:
    return _rounded(_ratio(view.amount_minor.astype(np.float64) * sums[0], sums[1]))


def _amount_zscore(view: View, sums: Sums) -> Floats:
    count = np.where(sums[0] < 3, np.nan, sums[0])
    mean = sums[1] / count / 100
    deviation = np.sqrt(np.maximum(sums[2] / count - mean * mean, 1.0))
    return _rounded((view.amount_minor / 100 - mean) / deviation)


def _usual_mean(_: View, sums: Sums) -> Floats:
    return _mean(_, (sums[0] - sums[3], sums[1] - sums[4]))


def _amount_over_usual(view: View, sums: Sums) -> Floats:
    return _amount_over_mean(view, (sums[0] - sums[3], sums[1] - sums[4]))


def _days_since_first(reports: str) -> Measure:
    def measure(view: TerminalView, _: Sums) -> Floats:
        known: Timeline = getattr(view, reports)
        today = view.at // DAY
        return _days_between(view, known, known.before(view.codes, (today - features.FRAUD_HORIZON) * DAY))

    return measure


def _days_since_last(reports: str) -> Measure:
    def measure(view: TerminalView, _: Sums) -> Floats:
        known: Timeline = getattr(view, reports)
        return _days_between(view, known, known.before(view.codes, view.at // DAY * DAY) - 1)

    return measure


def _days_between(view: TerminalView, known: Timeline, entry: Integers) -> Floats:
    """Days from an entry to each row; NaN where it is not one of the terminal's own within the horizon."""
    padded = np.append(known.keys, 0)
    days = view.at // DAY - (padded[entry] - view.codes * known.stride + known.origin) // DAY
    return np.where((days > 0) & (days <= features.FRAUD_HORIZON), days, np.nan)


def _fraud_share(_: View, sums: Sums) -> Floats:
    return _rounded(np.minimum(_ratio(sums[1], sums[0]), 1.0))


def _seconds_since_last(view: CardView, _: Sums) -> Floats:
    return np.where(view.is_new, np.nan, np.diff(view.at, prepend=view.at[0]))


def _seconds_since_first(view: CardView, _: Sums) -> Floats:
    return np.where(view.is_new, np.nan, view.at - view.first_at)


MEASURES: Mapping[str, Measure] = {
    "amount": lambda view, _: view.amount_minor,
    "hour": lambda view, _: view.at % DAY // HOUR,
    "weekday": lambda view, _: (view.at // DAY + 3) % 7,
    "count": lambda _, sums: sums[0],
    "spend": lambda _, sums: sums[1],
    "mean": _mean,
    "amount_over_mean": _amount_over_mean,
    "amount_zscore": _amount_zscore,
    "seconds_since_last": _seconds_since_last,
    "seconds_since_first": _seconds_since_first,
    "usual_mean": _usual_mean,
    "amount_over_usual": _amount_over_usual,
    "unusual": lambda _, sums: sums[3],
    "frauds": lambda _, sums: sums[1],
    "ordinary_frauds": lambda _, sums: sums[2],
    "days_since_first_fraud": _days_since_first("frauds"),
    "days_since_last_fraud": _days_since_last("frauds"),
    "days_since_first_ordinary_fraud": _days_since_first("ordinary_frauds"),
    "days_since_last_ordinary_fraud": _days_since_last("ordinary_frauds"),
    "fraud_share": _fraud_share,
}
