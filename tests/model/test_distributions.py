"""Histograms and quantiles say what was there, no more and no less."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from model import distributions

columns = st.lists(st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6, width=32)), max_size=100)


@settings(max_examples=50, deadline=None, derandomize=True)
@given(columns)
def test_histogram_counts_every_row_once(column: list[float]) -> None:
    values = np.array(column, dtype=np.float32)

    found = distributions.histogram(values)
    assert sum(found["counts"]) + found["missing"] == len(values)
    assert len(found["counts"]) == len(found["edges"]) + 1
    assert found["edges"] == sorted(set(found["edges"]))


def test_histogram_value_on_an_edge_belongs_below() -> None:
    found = distributions.histogram(np.array([0, 0, 0, 1], dtype=np.float32))

    assert found["edges"][0] == 0
    assert found["counts"][0] == 3


def test_score_quantiles_run_from_least_to_most() -> None:
    quantiles = distributions.score_quantiles(np.linspace(0, 1, 1001))

    assert len(quantiles) == 101
    assert (quantiles[0], quantiles[50], quantiles[100]) == (0, 0.5, 1)
