"""Thresholds keep their two promises: no more reviews than people can do, and blocks that are sure."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import thresholds
from model.thresholds import NEVER

scored = st.lists(st.tuples(st.integers(0, 40).map(lambda n: n / 41), st.booleans()), min_size=1, max_size=200)
shares = st.floats(0, 1)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(rows=scored, review_share=shares, precision=st.floats(0.01, 1))
def test_choose_keeps_capacity_and_precision(
    rows: list[tuple[float, bool]], review_share: float, precision: float
) -> None:
    scores, fraud = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])

    review, block = thresholds.choose(scores, fraud, review_share, precision)
    blocked = scores >= block
    assert review <= block <= 1
    assert np.mean((scores >= review) & ~blocked) <= review_share + 1e-12
    assert not blocked.any() or np.mean(fraud[blocked]) >= precision - 1e-12


def test_choose_uses_the_capacity_it_is_given() -> None:
    scores = np.arange(1000) / 1000
    chosen = thresholds.choose(scores, scores >= 0.99, review_share=0.05, block_precision=0.9)

    assert chosen.block == pytest.approx(0.989)
    assert np.count_nonzero((scores >= chosen.review) & (scores < chosen.block)) == 50


def test_choose_scores_that_are_never_sure_block_nothing() -> None:
    scores = np.arange(1000) / 1000

    assert thresholds.choose(scores, np.arange(1000) % 2 == 0, 0.01, 0.9).block == NEVER


def test_choose_few_sure_rows_are_luck() -> None:
    scores = np.arange(1000) / 1000
    fraud = scores >= 1 - (thresholds.FEWEST_BLOCKED - 1) / 1000

    assert thresholds.choose(scores, fraud, 0.01, 1.0).block == NEVER


def test_choose_tied_scores_beyond_capacity_are_all_left_out() -> None:
    scores = np.array([0.2] * 90 + [0.6] * 10)

    assert thresholds.choose(scores, np.zeros(100, dtype=bool), 0.05, 0.9).review == NEVER
