"""Rows are parted by time, with a gap, and each row that is left out has one reason."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from model.examples import EVENT, Examples
from model.history import NEVER
from model.split import Lengths, Windows, as_days, split, windows

DAY = 86_400
PLAN = Lengths(training=90 * DAY, maturity=7 * DAY, evaluation=7 * DAY, gap=7 * DAY)
FIRST = 1_700_000_000


def examples(at: list[int]) -> Examples:
    """Genuine rows at these moments that nobody has judged."""
    moments, yes = np.array(at, dtype=np.int64), np.ones(len(at), dtype=np.bool_)
    never = np.full(len(at), NEVER)
    events = {name: pa.nulls(len(at), kind) for name, kind in EVENT.items()}
    events["transaction_id"] = pa.array([str(number) for number in range(len(at))])
    features = np.zeros((len(at), 43), dtype=np.float32)
    return Examples(pa.table(events), moments, moments, features, features == 0, yes, ~yes, ~yes, ~yes, never, never)


def test_windows_of_a_long_time_have_the_lengths_that_were_asked_for() -> None:
    last = FIRST + 60 * DAY

    assert windows(FIRST, last, PLAN) == Windows(FIRST, last + 1 - 14 * DAY, last + 1 - 7 * DAY, last + 1)


def test_windows_of_a_short_time_measure_and_leave_out_a_quarter_each() -> None:
    last = FIRST + 8 * DAY

    assert windows(FIRST, last, PLAN) == Windows(FIRST, last + 1 - 4 * DAY, last + 1 - 2 * DAY, last + 1)


def test_windows_of_a_time_longer_than_asked_for_begin_later() -> None:
    assert windows(FIRST, FIRST + 100 * DAY, PLAN).learn_from == FIRST + 10 * DAY + 1


def test_windows_without_a_gap_touch() -> None:
    found = windows(FIRST, FIRST + 60 * DAY, PLAN._replace(gap=0))

    assert found.learn_to == found.evaluate_from


@given(st.integers(0, 400 * DAY), st.integers(0, 400), st.integers(0, 120), st.integers(0, 120), st.integers(0, 2**31))
def test_windows_follow_each_other_and_learning_has_half_of_the_time(
    span: int, training: int, evaluation: int, gap: int, first: int
) -> None:
    found = windows(first, first + span, Lengths(training * DAY + 1, 0, evaluation * DAY, gap * DAY))

    assert first <= found.learn_from <= found.learn_to <= found.evaluate_from <= found.evaluate_to == first + span + 1
    whole = found.evaluate_to - found.learn_from
    assert found.evaluate_to - found.evaluate_from <= min(evaluation * DAY, whole // 4)
    assert found.evaluate_from - found.learn_to <= min(gap * DAY, whole // 4)
    assert 2 * (found.learn_to - found.learn_from) >= whole


def test_split_parts_by_time_and_leaves_the_gap_out() -> None:
    rows = examples([FIRST + day * DAY for day in range(61)])
    found = split(rows, FIRST + 67 * DAY, PLAN)

    assert np.flatnonzero(found.learning).tolist() == list(range(47))
    assert np.flatnonzero(found.evaluation).tolist() == list(range(54, 61))
    assert found.left_out["gap"] == 7 and as_days(found.gap) == 7.0


def test_split_row_is_mature_at_exactly_that_age() -> None:
    rows = examples([FIRST, FIRST + 1])
    found = split(rows, FIRST + PLAN.maturity, PLAN)

    assert found.left_out["immature"] == 1 and found.evaluation.sum() + found.learning.sum() == 1


def test_split_immature_row_stays_out_even_with_a_verdict() -> None:
    rows = examples([FIRST, FIRST + 20 * DAY])
    judged = np.array([False, True])
    found = split(replace(rows, judged=judged, is_fraud=judged), FIRST + 21 * DAY, PLAN)

    assert found.left_out["immature"] == 1 and not (found.learning | found.evaluation)[1]


@pytest.mark.parametrize("judged", [False, True])
def test_split_blocked_row_needs_a_verdict(judged: bool) -> None:
    rows = examples([FIRST, FIRST + DAY])
    blocked = np.array([False, True])
    found = split(replace(rows, blocked=blocked, judged=blocked & judged), FIRST + 30 * DAY, PLAN)

    assert (found.learning | found.evaluation)[1] == judged
    assert found.left_out["blocked_without_verdict"] == (0 if judged else 1)


def test_split_counts_each_row_by_the_first_reason_that_holds() -> None:
    rows = examples([FIRST, FIRST + 1, FIRST + DAY, FIRST + 30 * DAY])
    unreadable = replace(rows, readable=np.array([False, True, True, False]), blocked=np.ones(4, dtype=np.bool_))
    found = split(unreadable, FIRST + 30 * DAY, PLAN)

    assert found.left_out == {"unreadable": 2, "immature": 0, "blocked_without_verdict": 2}
    assert not (found.learning | found.evaluation).any() and found.gap == 0


def test_split_older_rows_than_asked_for_are_left_out() -> None:
    rows = examples([FIRST + day * DAY for day in range(61)])
    found = split(rows, FIRST + 70 * DAY, PLAN._replace(training=30 * DAY))

    assert found.left_out["older"] == 31 and found.left_out["immature"] == 0


@given(st.lists(st.tuples(st.integers(0, 60 * DAY), st.booleans(), st.booleans(), st.booleans()), max_size=60))
def test_split_row_is_in_one_part_or_left_out_once(drawn: list[tuple[int, bool, bool, bool]]) -> None:
    at, *flags = (list(column) for column in zip(*sorted(drawn), strict=True)) if drawn else ([], [], [], [])
    readable, blocked, judged = (np.array(each, dtype=np.bool_) for each in flags)
    rows = replace(examples(at), readable=readable, blocked=blocked, judged=judged)
    found = split(rows, 50 * DAY, PLAN._replace(training=20 * DAY))

    assert not (found.learning & found.evaluation).any()
    assert found.learning.sum() + found.evaluation.sum() + sum(found.left_out.values()) == len(rows)
    if found.learning.any() and found.evaluation.any():
        assert rows.at[found.learning].max() + found.gap < rows.at[found.evaluation].min()
