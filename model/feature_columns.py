"""The features that a model read in a window, counted once between the edges of its baseline."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraud import features
from model.baseline_document import Distribution
from model.examples import Flags, Matrix
from model.monitored_rows import Floats, Rows
from model.monitoring_context import Context, of_package

POSITION = {name: position for position, name in enumerate(features.NAMES)}
MEASURED = frozenset({"ratio", "standard deviations"})
"""Units whose values are fractions; all others are whole numbers."""
SIGNED = frozenset({"standard deviations"})
"""Units whose values may lie below 0."""
CLOCK = frozenset({"hour", "weekday"})
"""Measures of the time alone."""


class Column(NamedTuple):
    """A feature in the window.

    Args:
        counts: rows between the edges of the baseline.
        missing: rows without a value.
        zeros: rows whose value is 0.
        impossible: rows whose value no such feature can have.
    """

    counts: list[int]
    missing: int
    zeros: int
    impossible: int

    @property
    def present(self) -> int:
        """Rows with a value."""
        return sum(self.counts)


@dataclass(frozen=True, slots=True)
class Seen:
    """A model's rows of the window.

    Args:
        role: of the model.
        rows: in which it can be told what the model read.
        absent: rows without any feature.
        foreign: rows whose features mean something else than this code means.
        columns: features by name.
        draws: see `draws_of_cards`.
    """

    role: str
    rows: Flags
    absent: int
    foreign: int
    columns: Mapping[str, Column]
    draws: float = math.inf

    @property
    def count(self) -> int:
        """Rows that can be told of."""
        return int(self.rows.sum())

    @property
    def unreadable(self) -> int:
        """Rows that it cannot be told of."""
        return self.absent + self.foreign


def see(rows: Rows, role: str, context: Context) -> Seen:
    """Count once what all checks of a model read."""
    scored = rows.in_window & of_package(rows, context.roles[role])
    readable = scored & rows.readable
    matrix = rows.features[readable]
    columns = {
        name: _column(matrix[:, POSITION[name]], name, context.baseline.features[name])
        for name in context.contract(role)
    }
    unreadable = rows.features[scored & ~rows.readable]
    absent = int(np.isnan(unreadable).all(axis=1).sum())
    draws = draws_of_cards(rows, readable, context)
    return Seen(role, readable, absent, len(unreadable) - absent, columns, draws)


def draws_of_cards(rows: Rows, chosen: Flags, context: Context) -> float:
    """Independent draws of cards that some rows of the window are worth; infinite if all cards are among them.

    Whom a model serves is drawn by card, and rows of a card are alike: a hundredth of the cards may differ from all the
    others for as long as it is that hundredth, which no day-to-day variance of all cards shows. Cards that pay often
    weigh more (Kish, 1965), and whoever serves most of the cards there are hardly differs from all of them (the finite
    population correction of Cochran, "Sampling Techniques", 1977, chapter 2).
    """
    cards = pc.fill_null(rows.events["card_token"].filter(pa.array(rows.in_window)), "").combine_chunks()
    codes = cards.dictionary_encode().indices.to_numpy()
    sizes = np.bincount(codes[chosen[rows.in_window]], minlength=1).astype(np.float64)
    of_all = float((sizes > 0).sum()) / max(len(np.unique(codes)), 1) * context.kept
    if not sizes.any() or of_all >= 1:
        return math.inf
    return float(sizes.sum()) ** 2 / float(sizes @ sizes) / (1 - of_all)


def measure(name: str) -> str:
    """What a feature measures."""
    return features.BY_NAME[name].measure


def is_integral(name: str) -> bool:
    """Whether a feature counts, rather than measures."""
    return features.BY_NAME[name].unit not in MEASURED


def is_non_negative(name: str) -> bool:
    """Whether a feature has no values below 0."""
    return features.BY_NAME[name].unit not in SIGNED


def _column(values: Matrix, name: str, baseline: Distribution) -> Column:
    present = values[~np.isnan(values)]
    impossible = ~np.isfinite(present)
    if is_non_negative(name):
        impossible |= present < 0
    if is_integral(name):
        impossible |= present != np.floor(present)
    return Column(
        counts=binned(present, np.asarray(baseline.edges, dtype=np.float64)),
        missing=len(values) - len(present),
        zeros=int((present == 0).sum()),
        impossible=int(impossible.sum()),
    )


def binned(values: Matrix | Floats, edges: Matrix | Floats) -> list[int]:
    counts: list[int] = np.bincount(np.searchsorted(edges, values, side="left"), minlength=len(edges) + 1).tolist()
    return counts
