"""Intervals: between percentiles of the draws, further out the fewer cards were defrauded."""

from __future__ import annotations

from collections.abc import Mapping
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from model import bootstrap
from model.metrics import Floats

EVEN = np.linspace(0, 1, 10_001)


def tail(cards: int) -> float:
    found = bootstrap.interval(0.5, EVEN, cards)
    assert found is not None
    assert found.low == pytest.approx(1 - found.high)
    return found.low


def test_interval_of_many_cards_leaves_out_five_in_a_hundred_draws() -> None:
    assert tail(1_000_000) == pytest.approx(0.025, abs=1e-5)


@pytest.mark.parametrize("cards", [5, 12, 40, 200])
def test_interval_of_few_cards_is_as_wide_as_students_t_asks_for(cards: int) -> None:
    """Hesterberg's rule, with the quantile computed exactly."""
    wide = float(stats.t.ppf(0.025, cards - 1)) * np.sqrt(cards / (cards - 1))

    assert tail(cards) == pytest.approx(NormalDist().cdf(wide), abs=2e-4)


def test_interval_of_two_cards_holds_every_draw() -> None:
    assert tail(2) == pytest.approx(0, abs=1e-4)


@pytest.mark.parametrize("cards", [0, 1])
def test_interval_without_two_cards_cannot_be_told(cards: int) -> None:
    assert bootstrap.interval(0.5, EVEN, cards) is None


def test_every_draw_counts_as_many_cards_as_there_are() -> None:
    counts = np.array(list(bootstrap.draw_cards(30, 400, 5)))

    assert set(counts.sum(axis=1)) == {30}
    np.testing.assert_allclose(counts.mean(axis=0), 1, atol=0.2)
    # Multinomial: neither a card's count nor who is left out is the same each time.
    assert counts.var() == pytest.approx(1 - 1 / 30, rel=0.05)


def test_draws_in_which_a_value_cannot_be_measured_are_left_out_of_it() -> None:
    def measure(counts: Floats) -> Mapping[str, float]:
        return {"all": 1.0, **({"first": float(counts[0])} if counts[0] else {})}

    found = bootstrap.measure_again(measure, iter([np.array([2.0, 0.0]), np.array([0.0, 2.0])]))

    assert {name: values.tolist() for name, values in found.items()} == {"all": [1.0, 1.0], "first": [2.0]}
