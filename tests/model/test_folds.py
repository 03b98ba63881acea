"""Folds by hand: which days are learned from, which cards leave the test, and when."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pyarrow as pa
import pytest

from model import folds
from model.folds import DAY, Protocol
from model.history import History

START = datetime(2018, 6, 20, tzinfo=UTC)
DELAY = timedelta(days=7)

Row = tuple[float, str, bool]
"""Days since START, card, fraud."""


def history_of(rows: list[Row], delay: timedelta = DELAY) -> History:
    columns = {
        "transaction_id": [f"{i:04d}" for i in range(len(rows))],
        "occurred_at": pa.array([START + timedelta(days=day) for day, _, _ in rows], pa.timestamp("ms", "UTC")),
        "card_token": [card for _, card, _ in rows],
        "terminal_id": ["T"] * len(rows),
        "amount_minor": [100] * len(rows),
        "is_fraud": [fraud for _, _, fraud in rows],
    }
    return History.from_table(pa.table(columns), delay)


def days_of(history: History, rows: folds.Integers | slice) -> list[float]:
    return ((history.at[rows] - START.timestamp()) / DAY).tolist()


def rows_left(history: History) -> list[tuple[float, str]]:
    (fold,) = folds.schedule(Protocol(START, folds=1))
    rows = folds.tested_rows(history, fold)
    cards = history.card_tokens.take(pa.array(history.card[rows])).to_pylist()
    return list(zip(days_of(history, rows), cards, strict=True))


def test_schedule_is_a_week_of_training_a_week_of_delay_and_a_week_of_test() -> None:
    first, second = folds.schedule(Protocol(START, folds=2))
    day = [int(START.timestamp()) + n * DAY for n in range(29)]

    assert (first.learn_from, first.learn_to, first.test_from, first.test_to) == (day[0], day[7], day[14], day[21])
    assert (second.learn_from, second.learn_to, second.test_from, second.test_to) == (day[7], day[14], day[21], day[28])


def test_schedule_longer_training_reaches_back_and_changes_neither_cutoff_nor_test() -> None:
    (short,), (long,) = (folds.schedule(Protocol(START, folds=1, train_days=days)) for days in (7, 28))

    assert long.learn_from == short.learn_from - 21 * DAY
    assert (long.week_from, long.learn_to) == (short.week_from, short.learn_to)
    assert (long.test_from, long.test_to) == (short.test_from, short.test_to)


def test_learning_rows_include_the_first_moment_and_exclude_the_last() -> None:
    history = history_of([(-0.01, "a", False), (0.0, "a", False), (6.99, "a", True), (7.0, "a", False)])
    (fold,) = folds.schedule(Protocol(START, folds=1))

    assert days_of(history, folds.learning_rows(history, fold)) == pytest.approx([0.0, 6.99], abs=1e-4)
    assert folds.learning_target(history, fold).tolist() == [False, True]


def test_learning_target_knows_only_the_labels_that_had_come_when_the_test_began() -> None:
    history = history_of([(1.0, "a", True), (6.5, "b", True)], delay=timedelta(days=10))
    (fold,) = folds.schedule(Protocol(START, folds=1))

    assert folds.learning_target(history, fold).tolist() == [True, False]


def test_tested_rows_leave_out_cards_defrauded_in_the_train_week_and_only_those_of_before() -> None:
    history = history_of(
        [(-0.5, "earlier", True), (3.0, "in it", True), (14.5, "earlier", False), (14.5, "in it", False)]
    )

    assert rows_left(history) == [(14.5, "earlier")]


def test_tested_rows_lose_a_card_eight_days_after_its_fraud() -> None:
    # A fraud on day 9 is known on day 16; from the beginning of day 17 the card is known as defrauded.
    history = history_of([(9.4, "a", True), *((day + 0.5, "a", False) for day in range(14, 21))])

    assert [day for day, _ in rows_left(history)] == [14.5, 15.5, 16.5]


def test_tested_rows_keep_a_card_defrauded_in_the_test_until_it_is_known() -> None:
    history = history_of([(14.2, "a", True), *((day + 0.5, "a", False) for day in range(14, 21))])

    assert len(rows_left(history)) == 8


def test_tested_rows_begin_and_end_with_the_test_days() -> None:
    history = history_of([(13.99, "a", False), (14.0, "b", False), (20.99, "c", False), (21.0, "d", False)])

    assert [card for _, card in rows_left(history)] == ["b", "c"]


def the_handbooks(history: History, days: int = 7) -> list[int]:
    """`get_train_test_set` of the Handbook's shared functions, day by day with sets."""
    day = (history.at - int(START.timestamp())) // DAY
    known = {
        card for card, when, fraud in zip(history.card, day, history.is_fraud, strict=True) if fraud and 0 <= when < 7
    }
    rows: list[int] = []
    for test_day in range(14, 14 + days):
        known |= {history.card[row] for row in np.flatnonzero((day == test_day - 8) & history.is_fraud)}
        rows += [row for row in np.flatnonzero(day == test_day).tolist() if history.card[row] not in known]
    return rows


@pytest.mark.parametrize("seed", range(5))
def test_tested_rows_are_the_handbooks(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows = [
        (day, f"c{rng.integers(40)}", bool(rng.random() < 0.1)) for day in rng.uniform(-7, 25, 600).round(4).tolist()
    ]
    history = history_of(rows)
    (fold,) = folds.schedule(Protocol(START, folds=1))

    assert folds.tested_rows(history, fold).tolist() == the_handbooks(history)


def test_tested_rows_without_rows_are_none() -> None:
    assert rows_left(history_of([(1.0, "a", False)])) == []
