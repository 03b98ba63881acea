"""The feature table: every feature as one row of data, defined once for training and for serving.

A feature is computed from the transaction at hand and from the state of its card and its terminal as they were before
it. Terminal state is written after the decision, by a stream consumer, so its windows read closed days only.
`None` means "not known" (no history) and reaches the model as a missing value.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fraud import windows
from fraud.entities import CARD, DAY, DAYS, HOUR, HOURS, MINUTES, TERMINAL, TERMINAL_DAYS
from fraud.windows import EntityState, Tile, Window


class Event(Protocol):
    """What features read of a transaction: event time in whole seconds since 1970, amount in minor units."""

    @property
    def at(self) -> int: ...
    @property
    def amount_minor(self) -> int: ...


@dataclass(frozen=True, slots=True)
class View:
    """Everything one feature may look at."""

    event: Event
    card: EntityState
    terminal: EntityState


Measure = Callable[[View, Tile], float | None]


@dataclass(frozen=True, slots=True)
class Feature:
    """One row of the table.

    Args:
        entity: transaction, card or terminal.
        measure: what is measured; names the function in `MEASURES`.
        window: name in the entity's windows, or None for what needs no window.
        unit: unit of the value, for people and for the model card.
        phrase: the reason in words; `{value}` is filled in.
    """

    entity: str
    measure: str
    window: str | None
    unit: str
    phrase: str

    @property
    def name(self) -> str:
        """`entity_measure_window`: the column name everywhere."""
        return "_".join(part for part in (self.entity, self.measure, self.window) if part)


WINDOWS: Mapping[str, Mapping[str, Window]] = {
    "card": {
        "15m": Window(MINUTES, 3),
        "1h": Window(MINUTES, 12),
        "6h": Window(HOURS, 6),
        "24h": Window(HOURS, 24),
        "7d": Window(DAYS, 7),
        "30d": Window(DAYS, 30),
    },
    "terminal": {
        "1d": Window(TERMINAL_DAYS, 1, lag=1),
        "7d": Window(TERMINAL_DAYS, 7, lag=1),
        "30d": Window(TERMINAL_DAYS, 30, lag=1),
    },
}
SHAPES = {"card": CARD, "terminal": TERMINAL}


def _rounded(value: float) -> float:
    """Four decimals: more than the model resolves, and short in the log, which holds exactly what the model saw.

    By arithmetic rather than by printing, so that a vectorised implementation rounds alike in every last bit.
    """
    return math.floor(value * 10_000 + 0.5) / 10_000


def _mean(sums: Tile) -> float | None:
    return sums[1] // sums[0] if sums[0] else None


def _amount_over_mean(view: View, sums: Tile) -> float | None:
    return _rounded(float(view.event.amount_minor) * sums[0] / sums[1]) if sums[1] else None


def _amount_zscore(view: View, sums: Tile) -> float | None:
    """Standard score of the amount, in whole major units, against the window; None below three transactions."""
    count, total, squares = sums
    if count < 3:
        return None
    mean = float(total) / count / 100
    deviation = math.sqrt(max(float(squares) / count - mean * mean, 1.0))
    return _rounded((view.event.amount_minor / 100 - mean) / deviation)


def _fraud_share(sums: Tile) -> float | None:
    count, frauds = sums
    return _rounded(min(frauds / count, 1.0)) if count else None


def _seconds_since(earlier: int | None, at: int) -> float | None:
    return None if earlier is None else max(at - earlier, 0)


MEASURES: Mapping[str, Measure] = {
    "amount": lambda view, _: view.event.amount_minor,
    "hour": lambda view, _: view.event.at % DAY // HOUR,
    "weekday": lambda view, _: (view.event.at // DAY + 3) % 7,
    "count": lambda _, sums: sums[0],
    "spend": lambda _, sums: sums[1],
    "mean": lambda _, sums: _mean(sums),
    "amount_over_mean": _amount_over_mean,
    "amount_zscore": _amount_zscore,
    "seconds_since_last": lambda view, _: _seconds_since(view.card.watermark, view.event.at),
    "seconds_since_first": lambda view, _: _seconds_since(view.card.first_at, view.event.at),
    "frauds": lambda _, sums: sums[1],
    "fraud_share": lambda _, sums: _fraud_share(sums),
}

MINOR = "minor units of the currency"
TABLE: tuple[Feature, ...] = (
    Feature("transaction", "amount", None, MINOR, "the amount is unusual"),
    Feature("transaction", "hour", None, "hour of the day, UTC", "the hour of the day ({value} h UTC) is unusual"),
    Feature("transaction", "weekday", None, "day of the week, Monday = 0", "the day of the week is unusual"),
    Feature("card", "count", "15m", "transactions", "{value} earlier transactions on this card within 15 minutes"),
    Feature("card", "count", "1h", "transactions", "{value} earlier transactions on this card within an hour"),
    Feature("card", "count", "6h", "transactions", "{value} earlier transactions on this card within 6 hours"),
    Feature("card", "count", "24h", "transactions", "{value} earlier transactions on this card within a day"),
    Feature("card", "count", "7d", "transactions", "{value} earlier transactions on this card within a week"),
    Feature("card", "count", "30d", "transactions", "{value} earlier transactions on this card within 30 days"),
    Feature("card", "spend", "24h", MINOR, "spending on this card within a day is unusual"),
    Feature("card", "mean", "24h", MINOR, "the card's mean amount within a day is unusual"),
    Feature("card", "mean", "7d", MINOR, "the card's mean amount within a week is unusual"),
    Feature("card", "mean", "30d", MINOR, "the card's mean amount within 30 days is unusual"),
    Feature("card", "amount_over_mean", "7d", "ratio", "the amount is {value} times the card's mean of a week"),
    Feature("card", "amount_over_mean", "30d", "ratio", "the amount is {value} times the card's mean of 30 days"),
    Feature(
        "card", "amount_zscore", "30d", "standard deviations", "the amount is {value} deviations above the card's mean"
    ),
    Feature("card", "seconds_since_last", None, "seconds", "{value} seconds since the card's last transaction"),
    Feature("card", "seconds_since_first", None, "seconds", "the card was first seen {value} seconds ago"),
    Feature("terminal", "count", "1d", "transactions", "{value} transactions at this terminal on the day before"),
    Feature("terminal", "count", "7d", "transactions", "{value} transactions at this terminal in the week before"),
    Feature("terminal", "count", "30d", "transactions", "{value} transactions at this terminal in the 30 days before"),
    Feature("terminal", "frauds", "7d", "frauds", "{value} frauds at this terminal became known in a week"),
    Feature("terminal", "frauds", "30d", "frauds", "{value} frauds at this terminal became known in 30 days"),
    Feature("terminal", "fraud_share", "30d", "ratio", "known frauds per transaction at this terminal: {value}"),
)
NAMES: tuple[str, ...] = tuple(feature.name for feature in TABLE)
BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in TABLE}

DEFINITION_VERSION = 2
"""Raise it when a measure changes its meaning without changing its name: old packages are then refused, not misled."""

_WINDOWS_READ = tuple((entity, name, window) for entity, named in WINDOWS.items() for name, window in named.items())
_PLAN = tuple((MEASURES[feature.measure], (feature.entity, feature.window)) for feature in TABLE)


def values(event: Event, card: EntityState, terminal: EntityState) -> list[float | None]:
    """Every feature of one transaction, in the order of `TABLE`; None where it is not known."""
    view = View(event, card, terminal)
    states = {"card": card, "terminal": terminal}
    sums: dict[tuple[str, str | None], Tile] = {
        (entity, name): windows.read(states[entity], SHAPES[entity], event.at, window)
        for entity, name, window in _WINDOWS_READ
    }
    return [measure(view, sums.get(key, ())) for measure, key in _PLAN]


def contract_hash(names: Iterable[str]) -> str:
    """Sixteen hex digits that bind a model to the names, the order and the meaning of its inputs."""
    text = "\n".join([str(DEFINITION_VERSION), *names])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def select(row: Sequence[float | None], names: Sequence[str]) -> list[float | None]:
    """The values a contract names, in its order.

    Raises:
        KeyError: the contract names a feature this code does not compute.
    """
    return [row[_POSITION[name]] for name in names]


_POSITION: Mapping[str, int] = {name: position for position, name in enumerate(NAMES)}


def in_words(name: str, value: float | None) -> str:
    """The reason a person reads, for one feature and its value."""
    feature = BY_NAME.get(name)
    if feature is None:
        return name
    return feature.phrase.format(value=_readable(value))


def _readable(value: float | None) -> str:
    if value is None:
        return "unknown"
    return f"{value:,.4g}" if abs(value) < 1000 else f"{value:,.0f}"
