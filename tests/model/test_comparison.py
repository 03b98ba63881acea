"""Paired comparison: the difference is that of the metric, and its doubt shrinks with the number of cards."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from model import comparison


def sample(
    cards: int, seed: int = 2
) -> tuple[comparison.Flags, comparison.Floats, comparison.Floats, comparison.Codes]:
    rng = np.random.default_rng(seed)
    card = np.repeat(np.arange(cards), 6)
    truth = rng.random(len(card)) < 0.1
    good = np.clip(rng.normal(0.2 + 0.4 * truth, 0.15), 0, 1)
    return truth, rng.random(len(card)), good, card


def test_difference_is_that_of_the_average_precisions() -> None:
    truth, poor, good, cards = sample(200)
    found = comparison.compare(truth, poor, good, cards, 50, 1)

    assert found.average_precision == pytest.approx(
        average_precision_score(truth, good) - average_precision_score(truth, poor)
    )
    assert found.average_precision > 4 * found.standard_error > 0


def test_scores_compared_with_themselves_differ_in_nothing() -> None:
    truth, _, good, cards = sample(50)

    assert comparison.compare(truth, good, good, cards, 20, 1) == (0.0, 0.0)


def test_standard_error_shrinks_with_the_number_of_cards() -> None:
    few, many = (comparison.compare(*sample(cards), 60, 1).standard_error for cards in (60, 1500))

    assert many < few / 2


def test_comparison_with_the_same_seed_is_the_same() -> None:
    assert comparison.compare(*sample(40), 20, 9) == comparison.compare(*sample(40), 20, 9)


def test_card_that_is_drawn_twice_counts_twice() -> None:
    order, bounds = np.array([0, 2, 1, 3, 4]), np.array([0, 2, 5])

    assert comparison._rows_of(np.array([1, 0, 1]), order, bounds).tolist() == [1, 3, 4, 0, 2, 1, 3, 4]
