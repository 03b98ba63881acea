"""Histograms and quantiles say what was there, how it varied from day to day, and whether it moved by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fraud import drift
from model import distributions
from model.distributions import DAY, Histogram

columns = st.lists(st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6, width=32)), max_size=100)
ROWS, DAYS = 500, 20


def at_once(values: Sequence[float]) -> Histogram:
    """All on one day."""
    return distributions.histogram(np.array(values, dtype=np.float32), np.zeros(len(values), dtype=np.int64))


def daily(values: npt.NDArray[np.float64]) -> Histogram:
    """Rows of days."""
    at = np.repeat(np.arange(len(values)) * DAY, values.shape[1]) + 12_345
    return distributions.histogram(values.astype(np.float32).ravel(), at)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(columns)
def test_histogram_counts_every_row_once(column: list[float]) -> None:
    found = at_once(column)

    assert sum(found["counts"]) + found["missing"] == len(column)
    assert len(found["counts"]) == len(found["edges"]) + 1
    assert found["edges"] == sorted(set(found["edges"]))
    assert found["zeros"] == column.count(0)


def test_histogram_value_on_an_edge_belongs_below() -> None:
    found = at_once([0, 0, 0, 1])

    assert found["edges"][0] == 0
    assert found["counts"][0] == 3


def test_histogram_of_few_days_has_the_default_design_effect_and_is_steady() -> None:
    found = at_once([1, 2, 3])

    assert (found["design_effect"], found["is_steady"]) == (drift.DEFAULT_DESIGN_EFFECT, True)


def test_histogram_of_nothing_is_steady() -> None:
    assert at_once([float("nan")] * 3) == Histogram(
        edges=[], counts=[0], missing=3, zeros=0, design_effect=drift.DEFAULT_DESIGN_EFFECT, is_steady=True
    )


def test_histogram_of_independent_rows_is_steady_and_worth_nearly_all_of_them() -> None:
    found = daily(np.random.default_rng(1).normal(size=(DAYS, ROWS)))

    assert found["is_steady"]
    assert 1 <= found["design_effect"] < 2.5


def test_histogram_of_days_that_differ_is_worth_fewer_rows() -> None:
    rng = np.random.default_rng(2)
    found = daily(rng.normal(size=(DAYS, ROWS)) + rng.normal(0, 0.3, size=(DAYS, 1)))

    assert found["design_effect"] > 10


def test_histogram_design_effect_is_of_days_and_not_of_rows_in_their_order() -> None:
    rng = np.random.default_rng(3)
    values = np.sort(rng.normal(size=(DAYS, ROWS)), axis=1)

    assert daily(values)["design_effect"] < 2.5


@pytest.mark.parametrize(("drift_a_day", "is_steady"), [(0.0, True), (0.05, False), (-0.05, False)])
def test_histogram_of_what_moves_by_itself_is_not_steady(drift_a_day: float, is_steady: bool) -> None:
    values = np.random.default_rng(4).normal(size=(DAYS, ROWS))

    assert daily(values + drift_a_day * np.arange(DAYS)[:, None])["is_steady"] is is_steady


def test_histogram_of_what_differs_from_one_week_to_the_next_day_alone_is_steady() -> None:
    weekday = np.where(np.arange(28) % 7 >= 5, 1.0, 0.0)[:, None]
    values = np.random.default_rng(5).normal(size=(28, ROWS)) + weekday

    assert daily(values)["is_steady"]


def test_baseline_has_a_histogram_of_every_feature() -> None:
    matrix = np.array([[1, 0], [2, np.nan], [3, 0]], dtype=np.float32)
    found = distributions.baseline(("first", "second"), matrix, np.arange(3))

    assert {name: (sum(each["counts"]), each["missing"], each["zeros"]) for name, each in found.items()} == {
        "first": (3, 0, 0),
        "second": (2, 1, 2),
    }


def test_score_quantiles_run_from_least_to_most() -> None:
    quantiles = distributions.score_quantiles(np.linspace(0, 1, 1001))

    assert len(quantiles) == 101
    assert (quantiles[0], quantiles[50], quantiles[100]) == (0, 0.5, 1)
