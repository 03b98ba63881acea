"""Whether features that were served knew verdicts before they came.

Terminal risk that ignores how long verdicts take looks like .905 of average precision offline and serves .621. What
was served cannot show that by itself, so the features that read verdicts are computed again from the data set's own
events: once with every verdict known when it became known, once with every verdict known at once. Where these differ,
the served value says which of the two it was made from.

Three things make honest values differ from the first, and are allowed for. Terminal state is written after the
decision, and may lag: a value counts as leaking only if it is also nearer to knowing at once than to knowing a day
late. The history before the first row is not there: rows count only once a window lies within the data set and half of
the verdicts on what came before have arrived, `patience` later; and since all rows of a terminal on one day read the
same, such a day counts once, for else one old fraud at a busy terminal is taken for a leak. And a verdict may be given
again, or withdrawn: what counts is when fraud was first said.

Measured on 36 simulated markets that had no say in the above, 30 of 14 days and 6 of 45, each the end of a longer one:
of the days of any feature (20 or more), the largest share that follows the leak. The limit is 20 %.

    honest, the days before missing                  0 to  10 %   (up to 50 % counting rows, on another market)
    verdicts that count up to a day late             0 to  10 %   (up to 16 % without allowing for it)
    verdicts that count up to three days late        0 to  14 %   (up to 25 % without)
    verdicts that count three days late at the end   0 to  10 %
    known at once                                         100 %
    known after a day; after two                    70 to  97 %; 47 to 90 %
    known after half the time that it took          53 to  90 %
    known at once in every second row; every third  42 to  64 %; 28 to 47 %
    known at once, mended for the newest 40 %       44 to  82 %

Verdicts given twice or withdrawn, on one market: 6 %, and 64 % going by the verdict that stands.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from fraud import features
from fraud.entities import DAY
from fraud.features import Feature
from fraud.windows import Window
from model import offline_features
from model.examples import Examples, Flags
from model.history import NEVER, History, Seconds
from model.offline_features import TerminalView

FEWEST_DAYS = 20
"""Days of terminals on which the two differ, below which nothing is said of a feature."""
LARGEST_SHARE = 0.2
"""Of these days, how many may follow what nobody could have known."""
LATE = DAY
"""How much later than it was known a verdict may count."""

Floats = npt.NDArray[np.float64]

_MORE = frozenset(
    {"frauds", "ordinary_frauds", "fraud_share", "days_since_first_fraud", "days_since_first_ordinary_fraud"}
)
"""Measures that grow with what is known."""
_LESS = frozenset({"days_since_last_fraud", "days_since_last_ordinary_fraud"})
"""Measures that shrink with it."""
_NOTHING_KNOWN = frozenset(measure for measure in _MORE | _LESS if measure.startswith("days_since"))
"""Measures that have no value while nothing is known."""
PROBED = tuple(feature for feature in features.TABLE if feature.measure in _MORE | _LESS)


class Finding(NamedTuple):
    """What became of one feature.

    Args:
        feature: its name.
        rows: on which knowing at once would have given another value.
        following: of them, where the served value is nearer to that.
        days: of a terminal each, that hold these rows.
        following_days: of them, a day counting by the share of its rows that follow.
        transaction_id: the first row that follows; empty without.
    """

    feature: str
    rows: int
    following: int
    days: int
    following_days: float
    transaction_id: str = ""

    @property
    def share(self) -> float:
        """Of the days, 0 to 1; 0 where there are too few to say anything."""
        return self.following_days / self.days if self.days >= FEWEST_DAYS else 0.0


def look(examples: Examples) -> list[Finding]:
    """Every feature that reads verdicts, in the order of the table."""
    if not (examples.first_fraud_at < NEVER).any():
        return [Finding(feature.name, 0, 0, 0, 0.0) for feature in PROBED]
    history = _history(examples)
    covered_from = _first_whole_day(examples) + patience(examples)
    day = history.terminal.astype(np.int64) * (int(examples.at[-1]) // DAY + 1) + examples.at // DAY
    return [_finding(examples, day, values, covered_from) for values in _recomputed(history, examples)]


def patience(examples: Examples) -> int:
    """Days after which half of all frauds had become known."""
    fraud = examples.first_fraud_at < NEVER
    delays = np.maximum(examples.first_fraud_at - examples.at, 0)[fraud]
    return math.ceil(float(np.median(delays)) / DAY)


def _history(examples: Examples) -> History:
    """Everything that happened, with every fraud that was ever said to be one, from when it was."""
    columns = {name: examples.events[name] for name in ("transaction_id", "card_token", "terminal_id", "amount_minor")}
    times = pa.array(examples.at, pa.timestamp("s", tz="UTC"))
    fraud = examples.first_fraud_at < NEVER
    history = History.from_table(pa.table(columns | {"occurred_at": times, "is_fraud": pa.array(fraud)}), timedelta())
    return replace(history, known_at=np.maximum(examples.first_fraud_at, examples.at))


class _Values(NamedTuple):
    """One feature on every row: with verdicts known when they were, a day late, and at once."""

    feature: Feature
    known: Floats
    late: Floats
    at_once: Floats


def _recomputed(history: History, examples: Examples) -> Iterator[_Values]:
    # Which frauds speak of the terminal was decided by the features that were served.
    ordinary = offline_features.ordinary(examples.features)
    late_at = np.where(history.known_at < NEVER, history.known_at + LATE, NEVER)
    views = [TerminalView(replace(history, known_at=at), ordinary) for at in (history.known_at, late_at, history.at)]
    for feature in PROBED:
        yield _Values(feature, *(_measured(feature, view) for view in views))


def _measured(feature: Feature, view: TerminalView) -> Floats:
    values = np.empty(len(view.order))
    values[view.order] = offline_features.MEASURES[feature.measure](view, view.read(_window(feature)))
    return values


def _window(feature: Feature) -> Window:
    assert feature.window is not None
    return features.WINDOWS[feature.entity][feature.window]


def _finding(examples: Examples, day: Seconds, values: _Values, covered_from: int) -> Finding:
    feature, known, late, at_once = values
    served = examples.features[:, features.NAMES.index(feature.name)].astype(np.float64)
    oldest_day = examples.at // DAY - _window(feature).lag - _window(feature).tiles + 1
    rows = examples.readable & (oldest_day >= covered_from)
    rows &= _knows_more(feature, at_once, known) & _knows_more(feature, at_once, late)
    if feature.measure not in _NOTHING_KNOWN:
        rows &= ~np.isnan(served)
    following = rows & _nearer(served, at_once, known) & _nearer(served, at_once, late)
    first = str(examples.events["transaction_id"][int(np.argmax(following))]) if following.any() else ""
    _, position, count = np.unique(day[rows], return_inverse=True, return_counts=True)
    share = np.bincount(position, weights=following[rows], minlength=len(count)) / count
    return Finding(feature.name, int(rows.sum()), int(following.sum()), len(count), float(share.sum()), first)


def _knows_more(feature: Feature, values: Floats, than: Floats) -> Flags:
    """Rows on which values show verdicts that others do not."""
    larger: Flags = values < than if feature.measure in _LESS else values > than
    return larger | (~np.isnan(values) & np.isnan(than))


def _nearer(served: Floats, to: Floats, than: Floats) -> Flags:
    """Where one value is nearer than another; not known is only near to not known."""
    nearer: Flags = np.where(np.isnan(than), ~np.isnan(served), np.abs(served - to) < np.abs(served - than))
    return nearer


def _first_whole_day(examples: Examples) -> int:
    return -(-int(examples.at[0]) // DAY)
