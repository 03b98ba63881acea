"""Metrics of a draw of cards are those of rows repeated as often as their card was drawn."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from model import backtest, metrics
from model.weighted_metrics import CardDays, Measure, Outcomes

many = settings(max_examples=60, deadline=None, derandomize=True)
drawn = st.lists(st.integers(0, 3), min_size=12, max_size=12)
CARDS, ROWS = 12, 90
SHARE = 0.1


def sample(seed: int) -> tuple[Outcomes, metrics.Floats]:
    """Rows with ties among the scores; every card has its own amounts and days."""
    rng = np.random.default_rng(seed)
    is_fraud = rng.random(ROWS) < 0.2
    scores = np.clip(rng.normal(0.3 + 0.3 * is_fraud, 0.2), 0, 0.999).round(1)
    card, day = rng.integers(0, CARDS, ROWS), np.sort(rng.integers(0, 4, ROWS))
    return Outcomes(is_fraud, card, CARDS, day, rng.integers(100, 9_000, ROWS)), scores


def repeated(outcomes: Outcomes, scores: metrics.Floats, counts: list[int]) -> tuple[Outcomes, metrics.Floats]:
    """Every copy of a card being a card of its own; copies of a row lie beside it."""
    times = np.array(counts)[outcomes.card]
    rows = np.repeat(np.arange(ROWS), times)
    copy = np.concatenate([np.arange(each) for each in times]) if len(rows) else np.empty(0, dtype=np.int64)
    most = max(counts) + 1
    card = outcomes.card[rows] * most + copy
    again = Outcomes(outcomes.is_fraud[rows], card, CARDS * most, outcomes.day[rows], outcomes.amount[rows])
    return again, scores[rows]


def plain(outcomes: Outcomes, scores: metrics.Floats) -> dict[str, float]:
    """By the functions that count rows one by one."""
    ranking = metrics.rank(outcomes.is_fraud, scores)
    return {
        "average_precision": metrics.average_precision(ranking),
        "auc": metrics.roc_auc(ranking),
        **{
            f"recall_at_fpr_{name}": metrics.recall_at_fpr(ranking, at)
            for name, at in backtest.FALSE_POSITIVE_RATES.items()
        },
        "cost": metrics.cost(outcomes.is_fraud, scores, outcomes.amount, SHARE),
        "ece": metrics.calibration_error(metrics.calibration(outcomes.is_fraud, scores)),
    }


@pytest.mark.parametrize("seed", range(5))
def test_cards_that_count_once_give_the_plain_metrics(seed: int) -> None:
    outcomes, scores = sample(seed)
    found = Measure(outcomes, scores, SHARE)(np.ones(CARDS))
    expected = plain(outcomes, scores)
    expected |= {
        f"card_precision_{k}": metrics.card_precision(outcomes.is_fraud, scores, outcomes.card, outcomes.day, k)
        for k in backtest.CARDS_A_DAY
    }
    assert found.keys() == set(backtest.METRICS_IN_WORDS)
    assert found == pytest.approx(expected)


@many
@given(seed=st.integers(0, 20), counts=drawn)
def test_cards_that_count_more_often_give_the_metrics_of_repeated_rows(seed: int, counts: list[int]) -> None:
    outcomes, scores = sample(seed)
    found = Measure(outcomes, scores, SHARE)(np.array(counts, dtype=np.float64))
    again, same = repeated(outcomes, scores, counts)
    if len(np.unique(again.is_fraud)) < 2:
        assert found == {}
        return
    expected = plain(again, same)
    # Of tied scores the earlier rows are reviewed first, and copies lie side by side in both.
    assert {name: found[name] for name in expected} == pytest.approx(expected)


@many
@given(seed=st.integers(0, 20), counts=drawn.filter(any), k=st.integers(1, 8))
def test_card_that_counts_twice_is_two_cards_of_which_one_may_be_looked_at(
    seed: int, counts: list[int], k: int
) -> None:
    outcomes, scores = sample(seed)
    found = CardDays(outcomes, scores).precision(np.array(counts, dtype=np.float64), k)
    again, same = repeated(outcomes, scores, counts)
    if len(again):
        assert found == pytest.approx(metrics.card_precision(again.is_fraud, same, again.card, again.day, k))


def test_frauds_that_are_worth_nothing_have_no_cost() -> None:
    outcomes, scores = sample(1)
    free = replace(outcomes, amount=np.where(outcomes.is_fraud, 0, outcomes.amount))
    found = Measure(free, scores, SHARE)(np.ones(CARDS))
    assert found.keys() == set(backtest.METRICS_IN_WORDS) - {"cost"}


def test_day_without_a_card_that_counts_is_no_day() -> None:
    fraud, each = np.array([True, False, True]), np.arange(3)
    days = CardDays(Outcomes(fraud, each, 3, each, each), np.array([0.9, 0.8, 0.7]))
    assert days.precision(np.ones(3), 1) == pytest.approx(2 / 3)
    assert days.precision(np.array([1.0, 0.0, 1.0]), 1) == 1.0
