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

from fraud.entities import CARD, DAY, DAYS, HOUR, HOURS, MINUTES, MONTHS, TERMINAL, TERMINAL_DAYS
from fraud.windows import EntityState, Reading, Shape, Tile, Window


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
        "3d": Window(DAYS, 3),
        "7d": Window(DAYS, 7),
        "14d": Window(DAYS, 14),
        "30d": Window(DAYS, 30),
        "120d": Window(MONTHS, 4),
    },
    "terminal": {
        "1d": Window(TERMINAL_DAYS, 1, lag=1),
        "7d": Window(TERMINAL_DAYS, 7, lag=1),
        "14d": Window(TERMINAL_DAYS, 14, lag=1),
        "21d": Window(TERMINAL_DAYS, 21, lag=1),
        "30d": Window(TERMINAL_DAYS, 30, lag=1),
        # A week older: the days whose frauds have had the time to become known, to hold against those that did.
        "1d_matured": Window(TERMINAL_DAYS, 1, lag=8),
        "7d_matured": Window(TERMINAL_DAYS, 7, lag=8),
        "28d_matured": Window(TERMINAL_DAYS, 28, lag=8),
    },
}

UNUSUAL = 3.0
"""Times the card's mean above which an amount counts as unusual from then on."""
FRAUD_HORIZON = 30
"""Days in which the first and the last known fraud are looked for."""
ORDINARY = 2.0
"""Times the card's usual mean up to which the amount of a fraud is ordinary for the card."""


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
    count, total, squares, *_ = sums
    if count < 3:
        return None
    mean = float(total) / count / 100
    deviation = math.sqrt(max(float(squares) / count - mean * mean, 1.0))
    return _rounded((view.event.amount_minor / 100 - mean) / deviation)


def _usual_mean(sums: Tile) -> float | None:
    """Mean without the amounts that were unusual when they came: a fraud does not move what is usual."""
    count, total, _, unusual, unusual_amount, *_ = sums
    return (total - unusual_amount) // (count - unusual) if count > unusual else None


def _amount_over_usual(view: View, sums: Tile) -> float | None:
    count, total, _, unusual, unusual_amount, *_ = sums
    if total == unusual_amount:
        return None
    return _rounded(float(view.event.amount_minor) * (count - unusual) / (total - unusual_amount))


def _days_since(pick: Callable[[Iterable[int]], int], frauds: int) -> Measure:
    """Whole days since the first or the last day on which a fraud became known.

    Args:
        pick: min for the first day, max for the last.
        frauds: position of the sum that counts them.
    """

    def measure(view: View, sums: Tile) -> float | None:
        if not sums[frauds]:
            return None
        today = view.event.at // DAY
        tiles = view.terminal.series[TERMINAL_DAYS].items()
        return today - pick(day for day, tile in tiles if tile[frauds] and 0 < today - day <= FRAUD_HORIZON)

    return measure


def _fraud_share(sums: Tile) -> float | None:
    count, frauds, _ = sums
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
    "usual_mean": lambda _, sums: _usual_mean(sums),
    "amount_over_usual": _amount_over_usual,
    "unusual": lambda _, sums: sums[3],
    "frauds": lambda _, sums: sums[1],
    "ordinary_frauds": lambda _, sums: sums[2],
    "days_since_first_fraud": _days_since(min, 1),
    "days_since_last_fraud": _days_since(max, 1),
    "days_since_first_ordinary_fraud": _days_since(min, 2),
    "days_since_last_ordinary_fraud": _days_since(max, 2),
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
    Feature("card", "amount_over_mean", "120d", "ratio", "the amount is {value} times the card's mean of four months"),
    Feature("card", "usual_mean", "120d", MINOR, "the card's usual amount is unusual"),
    Feature("card", "amount_over_usual", "120d", "ratio", "the amount is {value} times the card's usual amount"),
    Feature("card", "unusual", "3d", "transactions", "{value} unusually large amounts on this card within 3 days"),
    Feature("card", "unusual", "7d", "transactions", "{value} unusually large amounts on this card within a week"),
    Feature("card", "unusual", "14d", "transactions", "{value} unusually large amounts on this card within 14 days"),
    Feature("card", "seconds_since_last", None, "seconds", "{value} seconds since the card's last transaction"),
    Feature("card", "seconds_since_first", None, "seconds", "the card was first seen {value} seconds ago"),
    Feature("terminal", "count", "7d", "transactions", "{value} transactions at this terminal in the week before"),
    Feature("terminal", "count", "30d", "transactions", "{value} transactions at this terminal in the 30 days before"),
    Feature("terminal", "count", "1d_matured", "transactions", "{value} transactions at this terminal 8 days ago"),
    Feature("terminal", "count", "7d_matured", "transactions", "{value} transactions here 8 to 14 days ago"),
    Feature("terminal", "count", "28d_matured", "transactions", "{value} transactions here 8 to 35 days ago"),
    Feature("terminal", "frauds", "1d", "frauds", "{value} frauds at this terminal became known on the day before"),
    Feature("terminal", "frauds", "7d", "frauds", "{value} frauds at this terminal became known in a week"),
    Feature("terminal", "frauds", "14d", "frauds", "{value} frauds at this terminal became known in 14 days"),
    Feature("terminal", "frauds", "21d", "frauds", "{value} frauds at this terminal became known in 21 days"),
    Feature("terminal", "frauds", "30d", "frauds", "{value} frauds at this terminal became known in 30 days"),
    Feature("terminal", "ordinary_frauds", "7d", "frauds", "{value} frauds of ordinary amounts became known in a week"),
    Feature("terminal", "ordinary_frauds", "14d", "frauds", "{value} frauds of ordinary amounts here in 14 days"),
    Feature("terminal", "ordinary_frauds", "21d", "frauds", "{value} frauds of ordinary amounts here in 21 days"),
    Feature("terminal", "ordinary_frauds", "30d", "frauds", "{value} frauds of ordinary amounts here in 30 days"),
    Feature("terminal", "fraud_share", "30d", "ratio", "known frauds per transaction at this terminal: {value}"),
    Feature("terminal", "days_since_first_fraud", "30d", "days", "frauds at this terminal known for {value} days"),
    Feature("terminal", "days_since_last_fraud", "30d", "days", "a fraud at this terminal known since {value} days"),
    Feature(
        "terminal", "days_since_first_ordinary_fraud", "30d", "days", "ordinary frauds here known for {value} days"
    ),
    Feature(
        "terminal", "days_since_last_ordinary_fraud", "30d", "days", "an ordinary fraud here known since {value} days"
    ),
)
NAMES: tuple[str, ...] = tuple(feature.name for feature in TABLE)
BY_NAME: Mapping[str, Feature] = {feature.name: feature for feature in TABLE}

DEFINITION_VERSION = 2
"""Raise it when a measure changes its meaning without changing its name: old packages are then refused, not misled."""

SHAPES: Mapping[str, Shape] = {"card": CARD, "terminal": TERMINAL}
_READINGS = {entity: Reading(SHAPES[entity], tuple(named.values())) for entity, named in WINDOWS.items()}
_KEYS: list[tuple[str, str | None]] = [(entity, name) for entity, named in WINDOWS.items() for name in named]
_SLOTS = {key: slot for slot, key in enumerate(_KEYS)}
_NO_WINDOW = len(_SLOTS)
_PLAN = tuple((MEASURES[each.measure], _SLOTS.get((each.entity, each.window), _NO_WINDOW)) for each in TABLE)


def values(event: Event, card: EntityState, terminal: EntityState) -> list[float | None]:
    """Every feature of one transaction, in the order of `TABLE`; None where it is not known."""
    view = View(event, card, terminal)
    sums = [*_READINGS["card"].sums(card, event.at), *_READINGS["terminal"].sums(terminal, event.at), ()]
    return [measure(view, sums[slot]) for measure, slot in _PLAN]


def is_unusual(row: Sequence[float | None]) -> bool:
    """Whether the card remembers the amount as unusual; takes the row that `values` gave just before."""
    over_mean = row[_POSITION["card_amount_over_mean_120d"]]
    return over_mean is not None and over_mean > UNUSUAL


def is_ordinary(row: Sequence[float | None]) -> bool:
    """Whether the amount was ordinary for the card, and the card quiet: if it was fraud, the terminal is suspect."""
    over_usual = row[_POSITION["card_amount_over_usual_120d"]]
    return (over_usual is None or over_usual <= ORDINARY) and not row[_POSITION["card_unusual_14d"]]


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
