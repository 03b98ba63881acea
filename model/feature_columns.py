"""The features that a model read in a window, counted once between the edges of its baseline."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

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
        unreadable: rows whose features mean something else than this code means.
        columns: features by name.
    """

    role: str
    rows: Flags
    unreadable: int
    columns: Mapping[str, Column]

    @property
    def count(self) -> int:
        """Rows that can be told of."""
        return int(self.rows.sum())


def see(rows: Rows, role: str, context: Context) -> Seen:
    """Count once what all checks of a model read."""
    scored = rows.in_window & of_package(rows, context.roles[role])
    readable = scored & rows.readable
    matrix = rows.features[readable]
    columns = {
        name: _column(matrix[:, POSITION[name]], name, context.baseline.features[name])
        for name in context.contract(role)
    }
    return Seen(role, readable, int(scored.sum()) - len(matrix), columns)


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
