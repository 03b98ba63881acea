"""Parts of the rows that are looked at on their own: segments, and groups for fairness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from model.metrics import Flags, Integers

MOST_SEGMENTS = 30
"""Of one kind: the largest."""
UNKNOWN = "unknown"
MINOR_UNITS = 100
"""In a major unit; bands are in that of each transaction's own currency."""
BANDS = (10, 50, 100, 250)
FIELDS = ("channel", "country")
AGE = "card_seconds_since_first"
NEW_CARD_SECONDS = 7 * 86_400

Texts = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Part:
    """Rows that have something in common.

    Args:
        by: what: `channel`, `country`, `amount`, `card`, or another field of the transaction.
        value: of it.
        rows: which they are.
    """

    by: str
    value: str
    rows: Flags

    @property
    def name(self) -> str:
        """Unlike that of any other part."""
        return f"{self.by} {self.value}"


@dataclass(frozen=True, slots=True)
class Group:
    """How a model treats the genuine transactions of one group.

    Args:
        by, value: field of the transaction, and the group's value of it.
        genuine: genuine rows of the group.
        false_alerts: share of them that are reviewed or blocked.
        ratio: that share over the share of all; None where that is none.
    """

    by: str
    value: str
    genuine: int
    false_alerts: float
    ratio: float | None


def segments(rows: pa.Table) -> list[Part]:
    """Channels, countries, bands of the amount, and cards known for a week or new."""
    parts = [part for field in FIELDS for part in by_field(rows, field)]
    parts += _by_band(rows["amount_minor"].to_numpy())
    return parts + (_by_age(rows[AGE]) if AGE in rows.column_names else [])


def by_field(rows: pa.Table, field: str) -> list[Part]:
    """One part for each value of a field, the largest first; null is a value of its own."""
    filled = pc.fill_null(rows[field].cast(pa.string()), UNKNOWN)
    coded = filled.combine_chunks().dictionary_encode()
    codes, values = coded.indices.to_numpy(), coded.dictionary.to_pylist()
    largest = np.argsort(-np.bincount(codes, minlength=len(values)), kind="stable")[:MOST_SEGMENTS]
    return [Part(field, values[code], codes == code) for code in largest.tolist()]


def fairness(rows: pa.Table, fields: Sequence[str], is_fraud: Flags, alerted: Flags) -> list[Group]:
    """Every group of every field, as far as it has genuine transactions."""
    overall = float(np.mean(alerted[~is_fraud]))
    return [
        group
        for field in fields
        for part in by_field(rows, field)
        for group in _group(part, is_fraud, alerted, overall)
    ]


def _group(part: Part, is_fraud: Flags, alerted: Flags, overall: float) -> Iterator[Group]:
    genuine = part.rows & ~is_fraud
    count = int(genuine.sum())
    if count:
        share = float(np.mean(alerted[genuine]))
        yield Group(part.by, part.value, count, share, share / overall if overall else None)


def _by_band(amounts: Integers) -> list[Part]:
    edges = [edge * MINOR_UNITS for edge in BANDS]
    band = np.searchsorted(edges, amounts, side="right")
    return [Part("amount", value, band == i) for i, value in enumerate(_band_names()) if (band == i).any()]


def _band_names() -> list[str]:
    between = [f"{low} to {high}" for low, high in pairwise(BANDS)]
    return [f"under {BANDS[0]}", *between, f"{BANDS[-1]} or more"]


def _by_age(seconds: pa.ChunkedArray) -> list[Part]:
    known = seconds.to_numpy().astype(np.float64) >= NEW_CARD_SECONDS
    return [Part("card", value, rows) for value, rows in (("new", ~known), ("known", known)) if rows.any()]
