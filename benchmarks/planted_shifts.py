"""What may happen to a market on a day: changes that a look should find, and how each is planted."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from benchmarks.watched_markets import Market, Traffic, configured
from fraud import features
from model.examples import Flags
from model.findings import Concern
from model.simulator import Drift, simulate

Plant = Callable[[Market, int], Traffic]
"""Of a market and a day: its traffic, changed from that day on."""
SEED = 5


class Shift(NamedTuple):
    """A change.

    Args:
        plant: see `Plant`.
        concern: which violation it should raise.
        after: days of it, the one that is looked at included; verdicts need weeks.
    """

    plant: Plant
    concern: Concern
    after: int = 1

    @property
    def needs_verdicts(self) -> bool:
        """Whether only what became of transactions shows it."""
        return self.after > 1


def _amounts(factor: float) -> Plant:
    def plant(market: Market, day: int) -> Traffic:
        amounts, later = market.traffic.history.amount_minor, _later(market, day)
        return market.traffic.with_amounts(np.where(later, np.maximum(amounts * factor, 1), amounts).astype(np.int64))

    return plant


def _field_missing(name: str, share: float) -> Plant:
    def plant(market: Market, day: int) -> Traffic:
        return _with_field(market, name, _some(market, day, share), None)

    return plant


def _new_country(share: float) -> Plant:
    def plant(market: Market, day: int) -> Traffic:
        return _with_field(market, "country", _some(market, day, share), "ZZ")

    return plant


def _with_field(market: Market, name: str, rows: Flags, value: str | None) -> Traffic:
    values = market.traffic.events[name]
    return market.traffic.with_field(name, pc.if_else(pa.array(rows), pa.scalar(value, values.type), values))


def _features(prefix: str, value: float, share: float = 1.0) -> Plant:
    """Some features of some rows have one and the same value; NaN: none."""

    def plant(market: Market, day: int) -> Traffic:
        matrix = market.traffic.matrix.copy()
        for position, name in enumerate(features.NAMES):
            if name.startswith(prefix):
                matrix[_some(market, day, share), position] = value
        return market.traffic.with_features(matrix)

    return plant


def _off_by_one(name: str, share: float) -> Plant:
    """A count that includes the transaction itself on some rows."""

    def plant(market: Market, day: int) -> Traffic:
        matrix = market.traffic.matrix.copy()
        matrix[_some(market, day, share), features.NAMES.index(name)] += 1
        return market.traffic.with_features(matrix)

    return plant


def _lost(share: float) -> Plant:
    def plant(market: Market, day: int) -> Traffic:
        return market.traffic.where(~_some(market, day, share))

    return plant


def _new_pattern(market: Market, day: int) -> Traffic:
    return Traffic.of(simulate(configured(market.shape, Drift(from_day=day, new_pattern=True))))


def _frauds_as_usual(share: float) -> Plant:
    """Frauds that look as genuine transactions do: the model is blind for them."""

    def plant(market: Market, day: int) -> Traffic:
        traffic = market.traffic
        rng = np.random.default_rng((SEED, market.shape.seed))
        matrix, genuine = traffic.matrix.copy(), np.flatnonzero(~traffic.history.is_fraud & _later(market, day))
        blind = np.flatnonzero(traffic.history.is_fraud & _some(market, day, share))
        matrix[blind] = matrix[rng.choice(genuine, len(blind))]
        return replace(traffic, matrix=matrix)

    return plant


def _later(market: Market, day: int) -> Flags:
    later: Flags = market.traffic.history.at >= market.moment(day)
    return later


def _some(market: Market, day: int, share: float) -> Flags:
    """A share of the rows from a day on."""
    drawn = np.random.default_rng((SEED, market.shape.seed)).random(len(market.traffic.history))
    some: Flags = _later(market, day) & (drawn < share)
    return some


SHIFTS: Mapping[str, Shift] = {
    "amounts × 1.1": Shift(_amounts(1.1), "drift"),
    "amounts × 1.25": Shift(_amounts(1.25), "drift"),
    "amounts × 1.5": Shift(_amounts(1.5), "drift"),
    "amounts × 2": Shift(_amounts(2.0), "drift"),
    "amounts in major units": Shift(_amounts(0.01), "drift"),
    "hour always 0": Shift(_features("transaction_hour", 0.0), "data"),
    "country no longer sent": Shift(_field_missing("country", 1.0), "data"),
    "country missing in 5 %": Shift(_field_missing("country", 0.05), "data"),
    "country missing in 10 %": Shift(_field_missing("country", 0.1), "data"),
    "country missing in 20 %": Shift(_field_missing("country", 0.2), "data"),
    "card's history not read in 10 %": Shift(_features("card_", np.nan, 0.1), "data"),
    "card's history not read in 30 %": Shift(_features("card_", np.nan, 0.3), "data"),
    "new country in 10 %": Shift(_new_country(0.1), "data"),
    "new country in 20 %": Shift(_new_country(0.2), "data"),
    "half of the transactions lost": Shift(_lost(0.5), "data"),
    "three quarters lost": Shift(_lost(0.75), "data"),
    "count off by one in 5 %": Shift(_off_by_one("card_count_24h", 0.05), "data"),
    "a fifth of all fraud of a new kind": Shift(_new_pattern, "quality", after=14),
    "a third of all fraud invisible": Shift(_frauds_as_usual(1 / 3), "quality", after=14),
    "half of all fraud invisible": Shift(_frauds_as_usual(0.5), "quality", after=14),
}
