"""Features computed again from the events at hand, beside what was served, and how far honest values may differ."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraud import features
from fraud.features import Feature
from fraud.windows import Window
from model.examples import Flags
from model.history import NEVER, History, Seconds
from model.monitored_rows import Rows
from model.served import CLOCK_TOLERANCE

CARD, TERMINAL, VERDICT = "card", "terminal", "verdict"
"""Kinds of features: of the transaction and its card, counts at its terminal, and what is known of frauds there."""

Integers = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Column:
    """One feature on the rows on which it can be computed again.

    Args:
        feature: its name.
        kind: `CARD`, `TERMINAL` or `VERDICT`.
        entity: code of each row's card or terminal.
        served: what the model saw; NaN where it saw nothing.
        low, high: between which it must lie; NaN where it must be missing.
        may_miss: where it may be missing.
    """

    feature: str
    kind: str
    entity: Integers
    served: Floats
    low: Floats
    high: Floats
    may_miss: Flags

    @property
    def mismatched(self) -> Flags:
        """Which rows differ beyond that."""
        within = (self.low <= self.served) & (self.served <= self.high)
        differs: Flags = ~np.where(np.isnan(self.served), self.may_miss, within)
        return differs


class Recomputed(NamedTuple):
    """What came of the entities of one kind.

    Args:
        entities: that were looked at.
        left_out: rows of them of which nothing could be computed again.
        columns: one per feature.
    """

    entities: int
    left_out: int
    columns: list[Column]


@dataclass(frozen=True, slots=True)
class Sample:
    """All that is at hand of some cards, or terminals.

    Args:
        rows: positions in the archive's rows.
        history: of these rows, without verdicts.
        entity: code of each row's card or terminal.
        served: features of these rows.
        looked_at: which of them arrived in the window, with features that can be read.
        arrived_at: when they came in.
        covered_from: no transaction from here on is missing.
    """

    rows: Integers
    history: History
    entity: Integers
    served: npt.NDArray[np.float32]
    looked_at: Flags
    arrived_at: Seconds
    covered_from: int

    def window_start(self, feature: Feature) -> Seconds:
        """Where the oldest tile of a feature's window begins, for every row."""
        width, window = _width(feature), window_of(feature)
        start: Seconds = (self.history.at // width - window.lag - window.tiles + 1) * width
        return start

    def column(self, feature: Feature) -> Floats:
        """What was served of a feature."""
        return self.served[:, features.NAMES.index(feature.name)].astype(np.float64)


def window_of(feature: Feature) -> Window:
    """The window that a feature reads."""
    assert feature.window is not None
    return features.WINDOWS[feature.entity][feature.window]


def _width(feature: Feature) -> int:
    return features.SHAPES[feature.entity].levels[window_of(feature).level].width


def sample(rows: Rows, key: str, most: int) -> Sample | None:
    """The cards or terminals of the window whose key has the smallest hash: the same in every look.

    Args:
        rows: of the archive.
        key: `card_token` or `terminal_id`.
        most: of them; None is returned where the window has none.
    """
    looked_at = rows.in_window & rows.readable
    keys = pc.fill_null(rows.events[key], "").combine_chunks().dictionary_encode()
    codes, names = keys.indices.to_numpy().astype(np.int64), keys.dictionary.to_pylist()
    seen = [code for code in np.unique(codes[looked_at]).tolist() if names[code]]
    if not seen:
        return None
    chosen = np.zeros(len(names), dtype=np.bool_)
    chosen[sorted(seen, key=lambda code: (zlib.crc32(names[code].encode()), names[code]))[:most]] = True
    mine = np.flatnonzero(chosen[codes])
    return Sample(
        rows=mine,
        history=_history(rows, mine),
        entity=codes[mine],
        served=rows.features[mine],
        looked_at=looked_at[mine],
        arrived_at=rows.arrived_at[mine],
        # An event may lie a little ahead of its arrival, so one that happened just after the first arrived before it.
        covered_from=int(rows.arrived_at.min()) + CLOCK_TOLERANCE,
    )


def _history(rows: Rows, mine: Integers) -> History:
    """Some of the rows, which stand in the order of a history."""
    events = rows.events.take(pa.array(mine))
    cards, terminals = (
        pc.fill_null(events[name], "").combine_chunks().dictionary_encode() for name in ("card_token", "terminal_id")
    )
    return History(
        transaction_ids=events["transaction_id"].combine_chunks(),
        at=rows.at[mine],
        card=cards.indices.to_numpy(),
        terminal=terminals.indices.to_numpy(),
        amount_minor=pc.fill_null(events["amount_minor"], 0).to_numpy(),
        is_fraud=np.zeros(len(mine), dtype=np.bool_),
        known_at=np.full(len(mine), NEVER),
        card_tokens=cards.dictionary,
        terminal_ids=terminals.dictionary,
    )
