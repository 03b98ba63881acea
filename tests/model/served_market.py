"""The end of a simulated market as the archive holds it: what was served then, and the verdicts that came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraud import features
from model import offline_features
from model.examples import EVENT, Examples, Matrix
from model.history import NEVER, History, Seconds, seconds
from model.simulator import SimulationConfig, simulate

DAY = 86_400
CONTRACT = features.contract_hash(features.NAMES)
START = datetime(2026, 1, 5, tzinfo=UTC)
WARM_UP_DAYS = 40
"""Days before the archive begins: what was served knew of them, the data set does not."""


@dataclass(frozen=True, slots=True)
class Market:
    """A market, older days included.

    Args:
        events: transactions in the order of the history.
        history: with the verdicts known at `as_of`.
        judged: whether there is a verdict at all.
        verdict_at: when it was given.
        archived: which rows the archive holds.
        as_of: its end, seconds since 1970.
    """

    events: pa.Table
    history: History
    judged: np.ndarray
    verdict_at: Seconds
    archived: np.ndarray
    as_of: int

    def compute(self, known_at: Seconds) -> Matrix:
        """Features of the archive's rows as they are when frauds become known at these moments."""
        known = np.where(self.history.is_fraud, known_at, NEVER)
        return offline_features.compute(replace(self.history, known_at=known))[self.archived]

    def served(self) -> Matrix:
        """As an honest system serves them."""
        return self.compute(self.history.known_at)

    def leaking(self) -> Matrix:
        """As if every verdict had been there at once."""
        return self.compute(self.history.at)

    def examples(self, matrix: Matrix) -> Examples:
        rows, known = self.archived, np.where(self.judged, self.verdict_at, NEVER)
        at, none = self.history.at[rows], np.zeros(int(rows.sum()), dtype=np.bool_)
        return Examples(
            events=self.events.filter(pa.array(rows)),
            at=at,
            arrived_at=at,
            features=matrix,
            named=np.ones(matrix.shape, dtype=np.bool_),
            readable=~np.isnan(matrix[:, 0]),
            blocked=none,
            judged=self.judged[rows],
            is_fraud=self.history.is_fraud[rows],
            known_at=known[rows],
            first_fraud_at=self.history.known_at[rows],
        ).ordered()

    def table(self, matrix: Matrix) -> pa.Table:
        """What the query of the archive gives."""
        rows = pa.array(self.archived)
        count = int(self.archived.sum())
        columns = {name: self.events[name].filter(rows) for name in EVENT}
        times = {"occurred_at": self.history.at, "arrived_at": self.history.at}
        verdicts = {
            "known_at": np.where(self.judged, self.verdict_at, NEVER),
            "first_fraud_at": self.history.known_at,
        }
        texts = {name: as_text(at[self.archived]) for name, at in (times | verdicts).items()}
        is_fraud = pa.array(self.history.is_fraud[self.archived], mask=~self.judged[self.archived])
        action = pa.repeat("approve", count)
        served = {"contract": pa.repeat(CONTRACT, count), "features": as_maps(matrix)}
        return pa.table(columns | texts | {"action": action, "is_fraud": is_fraud} | served)


@cache
def market(days: int, seed: int, cards: int = 1500) -> Market:
    """A market whose last days are archived."""
    config = SimulationConfig(seed=seed, start=START, days=days + WARM_UP_DAYS, cards=cards)
    end = START + timedelta(days=config.days)
    simulation, _ = simulate(config).cut(end)
    order = [("occurred_at", "ascending"), ("transaction_id", "ascending")]
    ordered, labels = simulation.transactions.sort_by(order), simulation.labels
    verdict = pc.index_in(ordered["transaction_id"], value_set=labels["transaction_id"])
    judged = pc.is_valid(verdict).to_numpy()
    verdict_at = np.where(judged, seconds(labels["labelled_at"])[pc.fill_null(verdict, 0).to_numpy()], NEVER)
    is_fraud = pc.fill_null(labels["is_fraud"].take(verdict), False)
    place = ordered.column_names.index("is_fraud")
    history = History.from_table(ordered.set_column(place, "is_fraud", is_fraud), timedelta())
    history = replace(history, known_at=np.where(history.is_fraud, verdict_at, NEVER))
    archived = history.at >= int(START.timestamp()) + WARM_UP_DAYS * DAY
    return Market(ordered.select(list(EVENT)), history, judged, verdict_at, archived, int(end.timestamp()))


def as_text(at: Seconds) -> pa.Array:
    """RFC 3339, null for never."""
    times = np.datetime_as_string(np.where(at == NEVER, 0, at).astype("datetime64[s]"), unit="ms")
    return pa.array([f"{time}Z" for time in times.tolist()], mask=at == NEVER)


def as_maps(matrix: Matrix, names: Sequence[str] = features.NAMES) -> pa.MapArray:
    """Features by name, the first of them where there are fewer names than columns; null where not known."""
    rows, width = len(matrix), len(names)
    keys = pa.array(names).take(pa.array(np.tile(np.arange(width), rows)))
    flat = matrix[:, :width].astype(np.float64).ravel()
    offsets = pa.array(np.arange(rows + 1, dtype=np.int32) * width)
    return pa.MapArray.from_arrays(offsets, keys, pa.array(flat, mask=np.isnan(flat)))
