"""Transactions as a model learns from them: what it saw of each, what became of it, and when that was known."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraud import features
from model.history import Seconds

Matrix = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]

EVENT = {
    "transaction_id": pa.string(),
    "card_token": pa.string(),
    "terminal_id": pa.string(),
    "amount_minor": pa.int64(),
    "currency": pa.string(),
    "channel": pa.string(),
    "country": pa.string(),
    "merchant_category": pa.string(),
}
"""What is kept of a transaction beside its time and its features."""
LEARNED_FROM = ("transaction_id",)
MEASURED_ON = tuple(EVENT)


class UnreadableRows(ValueError):
    """Files that hold no rows as they are agreed upon; says in a sentence what is missing."""


@dataclass(frozen=True, slots=True)
class Examples:
    """One row per transaction, ordered by event time and then by identifier; times are whole seconds since 1970.

    Args:
        events: the columns of `EVENT`.
        at: event time.
        arrived_at: when it came in; the event time where that was not recorded.
        features: in the order of `fraud.features.NAMES`, NaN where not known.
        named: which features each row names, whether or not it knows their values.
        readable: whether features were recorded that mean what this code means by them.
        blocked: whether it was refused, so that its outcome could not show.
        judged: whether a verdict stands.
        is_fraud: that verdict; False without.
        known_at: when that verdict became known, NEVER without.
        first_fraud_at: when a verdict first said fraud, also one that was replaced since; NEVER without.
    """

    events: pa.Table
    at: Seconds
    arrived_at: Seconds
    features: Matrix
    named: Flags
    readable: Flags
    blocked: Flags
    judged: Flags
    is_fraud: Flags
    known_at: Seconds
    first_fraud_at: Seconds

    def __len__(self) -> int:
        return len(self.at)

    def ordered(self) -> Examples:
        """The same rows, in their order."""
        keys = pa.table({"at": self.at, "transaction_id": self.events["transaction_id"]})
        order = keys.add_column(0, "row", pa.array(np.arange(len(self)))).sort_by(
            [("at", "ascending"), ("transaction_id", "ascending")]
        )["row"]
        rows = order.to_numpy()
        return replace(
            self, events=self.events.take(order), **{name: getattr(self, name)[rows] for name in _COLUMNS_OF_NUMBERS}
        )

    def training_table(self, rows: Flags, names: tuple[str, ...] = LEARNED_FROM) -> pa.Table:
        """Some rows as the training job reads them, with these columns of the event beside."""
        chosen = self.features[rows]
        columns: dict[str, object] = {name: chosen[:, i] for i, name in enumerate(features.NAMES)}
        columns |= {"is_fraud": self.is_fraud[rows], "occurred_at": self.at[rows]}
        events = self.events.filter(pa.array(rows))
        return pa.table(columns | {name: events[name] for name in names})


_COLUMNS_OF_NUMBERS = (
    "at", "arrived_at", "features", "named", "readable", "blocked", "judged", "is_fraud", "known_at", "first_fraud_at",
)  # fmt: skip


def rfc3339(seconds: float) -> str:
    """Seconds since 1970 in the one form that times have everywhere."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
