"""Features of transactions and their cards computed again: exactly, or not at all."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from fraud import features
from fraud.features import Feature
from model import offline_features
from model.examples import Flags
from model.history import Seconds
from model.monitored_rows import Rows
from model.recomputed import CARD, Column, Integers, Recomputed, Sample, sample
from model.served import CLOCK_TOLERANCE

FEATURES = tuple(feature for feature in features.TABLE if feature.entity in ("transaction", "card"))
SINCE_FIRST = "card_seconds_since_first"
SIMULTANEOUS = CLOCK_TOLERANCE
"""Seconds between two events of a card that arrived in the same second, below which their order is not believed."""
_OF_ALL_HISTORY = frozenset({"usual_mean", "amount_over_usual", "unusual"})
"""Measures that rest on what was unusual when it came, and so on everything before it."""


class _Cards(NamedTuple):
    """Of every row of the sample.

    Args:
        orderly: whether it was folded where it stands in the order of events.
        known_from: from here on nothing of its card's history is missing.
        is_whole: whether nothing ever was, nor came in disorder.
        previous_at: the card's event before it; before everything for the first.
    """

    orderly: Flags
    known_from: Seconds
    is_whole: Flags
    previous_at: Seconds


def recompute(rows: Rows, most: int) -> Recomputed:
    """The features of as many cards at most."""
    seen = sample(rows, "card_token", most)
    if seen is None:
        return Recomputed(0, 0, [])
    matrix, cards = offline_features.compute(seen.history), _cards(seen)
    compared = [(feature, seen.looked_at & _is_known(feature, seen, cards)) for feature in FEATURES]
    columns = [_column(feature, seen, matrix, which) for feature, which in compared]
    with_history = np.any([which for feature, which in compared if feature.entity == "card"], axis=0)
    left_out = int((seen.looked_at & ~with_history).sum())
    return Recomputed(len(np.unique(seen.entity)), left_out, columns)


def _column(feature: Feature, seen: Sample, matrix: offline_features.Matrix, which: Flags) -> Column:
    values = matrix[which, features.NAMES.index(feature.name)].astype(np.float64)
    # An older event may have been the first: it makes the value larger.
    high = np.full_like(values, np.inf) if feature.name == SINCE_FIRST else values
    return Column(feature.name, CARD, seen.entity[which], seen.column(feature)[which], values, high, np.isnan(values))


def _is_known(feature: Feature, seen: Sample, cards: _Cards) -> Flags:
    """Rows on which a feature can be computed again."""
    if feature.entity == "transaction":
        return np.ones(len(seen.rows), dtype=np.bool_)
    if feature.measure in _OF_ALL_HISTORY:
        return cards.is_whole
    if feature.window is not None:
        return cards.orderly & (seen.window_start(feature) >= cards.known_from)
    if feature.name == SINCE_FIRST:
        return cards.orderly & (cards.previous_at >= 0)
    return cards.orderly & (cards.previous_at >= cards.known_from)


def _cards(seen: Sample) -> _Cards:
    order = np.argsort(seen.entity, kind="stable")
    card, at, arrived = seen.entity[order], seen.history.at[order], seen.arrived_at[order]
    is_first = np.diff(card, prepend=-1) != 0
    number = np.cumsum(is_first) - 1
    first_at = at[is_first][number]
    orderly = _orderly(number, is_first, at, arrived)
    claims = ~seen.looked_at[order] | (_first_seen(seen)[order] == first_at)
    complete, in_order = (_all(number, each) for each in (claims, orderly))
    known_from = np.where(complete, np.iinfo(np.int64).min, seen.covered_from)
    previous_at = np.where(is_first, -1, np.roll(at, 1))
    place = np.argsort(order, kind="stable")
    return _Cards(orderly[place], known_from[place], (complete & in_order)[place], previous_at[place])


def _orderly(number: Integers, is_first: Flags, at: Seconds, arrived: Seconds) -> Flags:
    """Whether all of a card's events before one arrived before it, and all after it after it.

    Rows are card by card, in the order of events.
    """
    stride = int(arrived.max() - arrived.min()) + 1
    key = number * stride + (arrived - arrived.min())
    latest_before = np.maximum.accumulate(key)
    earliest_after = np.minimum.accumulate(key[::-1])[::-1]
    inverted = (latest_before > key) | (earliest_after < key)
    with_previous = ~is_first & (np.diff(arrived, prepend=0) == 0) & (np.diff(at, prepend=0) < SIMULTANEOUS)
    with_next = np.append(with_previous[1:], False)
    orderly: Flags = ~(inverted | with_previous | with_next)
    return orderly


def _first_seen(seen: Sample) -> Seconds:
    """When each row's card was first seen, by what was served; the row itself where that was nothing."""
    since = np.nan_to_num(seen.served[:, features.NAMES.index(SINCE_FIRST)], posinf=-1.0)
    first: Seconds = seen.history.at - since.astype(np.int64)
    return first


def _all(number: Integers, flags: Flags) -> Flags:
    """Whether something holds for every row of a card, for each of its rows."""
    broken = np.bincount(number, ~flags)
    holds: Flags = broken[number] == 0
    return holds
