"""Features of terminals computed again, between what was surely there in time and all that can have been."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from fraud import features
from fraud.entities import DAY, HOUR, MINUTE
from fraud.features import FRAUD_HORIZON, Feature
from model import offline_features
from model.examples import Flags
from model.history import NEVER, Seconds
from model.monitored_rows import Rows
from model.offline_features import TerminalView
from model.recomputed import TERMINAL, VERDICT, Column, Floats, Recomputed, Sample, sample, window_of

WRITTEN_WITHIN = 15 * MINUTE
"""What arrives so long before a day ends is part of the terminal's day: the stream lags seconds, and is tried again."""
IN_ITS_TIME = HOUR
"""Age at arrival beyond which a transaction is replayed or delayed; verdicts then come in no order that is known."""
_ROUNDING = 1e-4

COUNTS = frozenset({"count"})
VERDICTS = frozenset({"frauds", "ordinary_frauds", "fraud_share", "days_since_first_fraud", "days_since_last_fraud"})
"""Measures that are computed again. How long ordinary frauds are known cannot be bounded."""


class Bounds(NamedTuple):
    """Between which values a feature must lie, where it may be missing, and which rows tell anything at all."""

    low: Floats
    high: Floats
    may_miss: Flags
    telling: Flags


@dataclass(frozen=True, slots=True)
class _Views:
    """The rows of the sample, terminal by terminal, with different things in the place of frauds.

    Args:
        late: transactions that may have been missing on the next day.
        known: frauds whose verdict never changed, and came in its time.
        known_late: the same, each known a day later.
        told: all frauds that were ever told of.
        is_settled: terminals of which no verdict changed, so that `told` is all that can have been told.
        served: features of the rows.
        looked_at: see `Sample`.
        has_all: whether the rows hold all cards.
        maturity: seconds until the last verdict.
    """

    seen: Sample
    late: TerminalView
    known: TerminalView
    known_late: TerminalView
    told: TerminalView
    is_settled: Flags
    has_all: bool
    maturity: int

    def covers(self, feature: Feature, before: int = 0) -> Flags:
        """Rows whose window lies within what is at hand, and so long after its begin."""
        start = self.seen.window_start(feature)[self.late.order]
        covers: Flags = (start >= self.seen.covered_from + before) & self.has_all
        return covers


def recompute(rows: Rows, most: int, kept: float, maturity: int) -> Recomputed:
    """The features of as many terminals at most.

    Args:
        rows: of the archive.
        most: terminals.
        kept: share of cards that the rows hold.
        maturity: age at which every verdict has come, seconds.
    """
    seen = sample(rows, "terminal_id", most)
    if seen is None:
        return Recomputed(0, 0, [])
    views = _views(seen, rows, kept, maturity)
    columns = [column for feature in features.TABLE if (column := _column(feature, views)) is not None]
    return Recomputed(len(np.unique(seen.entity)), 0, columns)


def _views(seen: Sample, rows: Rows, kept: float, maturity: int) -> _Views:
    history, nowhere = seen.history, np.zeros(len(seen.rows), dtype=np.bool_)
    at, known_at, first = history.at, rows.known_at[seen.rows], rows.first_fraud_at[seen.rows]
    is_fraud, in_time = rows.is_fraud[seen.rows], seen.arrived_at - at <= IN_ITS_TIME
    changed = (np.where(is_fraud, known_at, NEVER) != first) | (is_fraud & (known_at < at))
    sure = is_fraud & ~changed & in_time
    unsettled = np.bincount(history.terminal, changed) > 0

    def view(of: Flags, moments: Seconds) -> TerminalView:
        return TerminalView(replace(history, is_fraud=of, known_at=moments), nowhere)

    late = view(seen.arrived_at + WRITTEN_WITHIN > (at // DAY + 1) * DAY, at)
    return _Views(
        seen=seen,
        late=late,
        known=view(sure, known_at),
        known_late=view(sure, np.where(sure, known_at + DAY, NEVER)),
        told=view(is_fraud, np.where(is_fraud, np.maximum(known_at, at), NEVER)),
        is_settled=~unsettled[history.terminal][late.order],
        has_all=kept >= 1,
        maturity=maturity,
    )


def _column(feature: Feature, views: _Views) -> Column | None:
    if feature.entity != "terminal" or feature.measure not in COUNTS | VERDICTS:
        return None
    seen, order = views.seen, views.late.order
    bounds = _BOUNDS[feature.measure](feature, views)
    served = seen.column(feature)[order]
    which = seen.looked_at[order] & (bounds.telling | ((served > 0) & np.isfinite(bounds.high)))
    kind = TERMINAL if feature.measure in COUNTS else VERDICT
    each = (seen.entity[order], served, bounds.low, bounds.high, bounds.may_miss)
    return Column(feature.name, kind, *(values[which] for values in each))


def _count(feature: Feature, views: _Views) -> Bounds:
    sums = views.late.read(window_of(feature))
    low = (sums[0] - sums[1]).astype(np.float64)
    high = np.where(views.covers(feature), sums[0], np.inf)
    return Bounds(low, high, _never(low), (low > 0) | np.isfinite(high))


def _frauds(feature: Feature, views: _Views) -> Bounds:
    window = window_of(feature)
    # What was given on the newest closed day may not have come yet.
    older = replace(window, tiles=window.tiles - 1, lag=window.lag + 1)
    known = views.known.read(older)[1] if older.tiles else np.zeros(len(views.is_settled))
    low = np.asarray(known, dtype=np.float64)
    bounded = views.covers(feature, views.maturity) & views.is_settled
    high = np.where(bounded, views.told.read(window)[1], np.inf)
    return Bounds(low, high, _never(low), low > 0)


def _ordinary_frauds(feature: Feature, views: _Views) -> Bounds:
    _, high, never, _ = _frauds(feature, views)
    return Bounds(np.zeros(len(high)), high, never, never)


def _fraud_share(feature: Feature, views: _Views) -> Bounds:
    frauds, visits = _frauds(feature, views), _count(feature, views)
    bounded = np.isfinite(frauds.high) & np.isfinite(visits.high)
    low, high = (_at_most_one(*pair) for pair in ((frauds.low, visits.high), (frauds.high, visits.low)))
    high = np.where(visits.low > 0, high, 1.0)
    unbounded = np.where(bounded, 0.0, np.inf)
    empty = bounded & (visits.high == 0)
    return Bounds(
        np.where(empty, np.nan, low - _ROUNDING - unbounded),
        np.where(empty, np.nan, high + _ROUNDING + unbounded),
        ~bounded | (visits.low == 0),
        bounded & (frauds.low > 0),
    )


def _at_most_one(dividend: Floats, divisor: Floats) -> Floats:
    divides = np.isfinite(dividend) & np.isfinite(divisor) & (divisor > 0)
    quotient = np.divide(dividend, divisor, out=np.zeros(len(dividend)), where=divides)
    return np.minimum(quotient, 1.0)


def _days_since_last(feature: Feature, views: _Views) -> Bounds:
    surely, all_told, bounded = _days(feature, views)
    low = np.where(bounded, all_told, 1.0)
    return Bounds(low, np.where(np.isnan(surely), np.inf, surely), np.isnan(surely), ~np.isnan(surely))


def _days_since_first(feature: Feature, views: _Views) -> Bounds:
    surely, all_told, bounded = _days(feature, views)
    low = np.where(np.isnan(surely), 1.0, surely)
    return Bounds(low, np.where(bounded, all_told, np.inf), np.isnan(surely), ~np.isnan(surely))


def _days(feature: Feature, views: _Views) -> tuple[Floats, Floats, Flags]:
    """Days by what was surely known, by all that was told, and where the latter is all there can be."""
    measure = offline_features.MEASURES[feature.measure]
    a_day_late = np.asarray(measure(views.known_late, ()), dtype=np.float64) + 1
    surely = np.where(a_day_late <= FRAUD_HORIZON, a_day_late, np.nan)
    told = np.asarray(measure(views.told, ()), dtype=np.float64)
    return surely, told, views.covers(feature, views.maturity) & views.is_settled


def _never(values: Floats) -> Flags:
    return np.zeros(len(values), dtype=np.bool_)


_BOUNDS = {
    "count": _count,
    "frauds": _frauds,
    "ordinary_frauds": _ordinary_frauds,
    "fraud_share": _fraud_share,
    "days_since_first_fraud": _days_since_first,
    "days_since_last_fraud": _days_since_last,
}
