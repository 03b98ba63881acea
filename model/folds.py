"""Prequential folds: learn on past days, wait for labels, test on the days that follow; then move on by a week.

The protocol of the Fraud Detection Handbook (fraud-detection-handbook.github.io, chapter 5, "prequential validation"),
so that results can be held beside the published ones. Days are counted from the start of training, not by the clock.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import numpy.typing as npt

from model.history import History

DAY = 86400
TRAIN_WEEK_DAYS = 7
"""Length of the week that labels are waited for after; longer training reaches further back and ends with it too."""
STEP_DAYS = 7

Integers = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Protocol:
    """What is measured.

    Args:
        train_start: start of the first fold's train week.
        folds: how many, each a week after the one before.
        train_days: learned from, counted back from the end of the train week.
        delay_days: until the labels of a day are known.
        test_days: measured on.
    """

    train_start: datetime
    folds: int = 4
    train_days: int = TRAIN_WEEK_DAYS
    delay_days: int = 7
    test_days: int = 7


@dataclass(frozen=True, slots=True)
class Fold:
    """Moments in seconds since 1970; each range includes its first and excludes its last.

    Args:
        week_from: start of the train week: cards defrauded since then are known as such.
        learn_from, learn_to: rows to learn from.
        test_from, test_to: rows to measure on.
    """

    week_from: int
    learn_from: int
    learn_to: int
    test_from: int
    test_to: int


def schedule(protocol: Protocol) -> list[Fold]:
    """The folds in the order of time."""
    first = int(protocol.train_start.timestamp())
    return [_fold(protocol, first + number * STEP_DAYS * DAY) for number in range(protocol.folds)]


def _fold(protocol: Protocol, week_from: int) -> Fold:
    learn_to = week_from + TRAIN_WEEK_DAYS * DAY
    test_from = learn_to + protocol.delay_days * DAY
    return Fold(
        week_from=week_from,
        learn_from=learn_to - protocol.train_days * DAY,
        learn_to=learn_to,
        test_from=test_from,
        test_to=test_from + protocol.test_days * DAY,
    )


def learning_rows(history: History, fold: Fold) -> slice:
    """Rows to learn from."""
    return _between(history, fold.learn_from, fold.learn_to)


def learning_target(history: History, fold: Fold) -> Flags:
    """Which of the learning rows are known to be fraud when the test begins."""
    rows = learning_rows(history, fold)
    target: Flags = history.is_fraud[rows] & (history.known_at[rows] <= fold.test_from)
    return target


def tested_rows(history: History, fold: Fold) -> Integers:
    """Rows to measure on: those of cards of which no fraud since the train week was known when the day began."""
    return np.concatenate([*_tested_days(history, fold), np.empty(0, dtype=np.int64)])


def _tested_days(history: History, fold: Fold) -> Iterator[Integers]:
    week = _between(history, fold.week_from, fold.test_to)
    frauds = np.flatnonzero(history.is_fraud[week]) + week.start
    for start in range(fold.test_from, fold.test_to, DAY):
        known = np.unique(history.card[frauds[history.known_at[frauds] < start]])
        day = _between(history, start, start + DAY)
        kept = ~np.isin(history.card[day], known)
        yield np.flatnonzero(kept) + day.start


def days_since(history: History, rows: Integers, fold: Fold) -> Integers:
    """The test day of each row, from 0."""
    days: Integers = (history.at[rows] - fold.test_from) // DAY
    return days


def _between(history: History, first: int, end: int) -> slice:
    low, high = np.searchsorted(history.at, [first, end])
    return slice(int(low), int(high))
