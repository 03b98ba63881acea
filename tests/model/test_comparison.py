"""Paired comparison: the difference is that of the metric, and its doubt comes from the cards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from model import bootstrap, comparison, metrics
from model.bootstrap import Interval
from model.segments import Part
from model.thresholds import Thresholds
from model.weighted_metrics import Outcomes

SHARE, DRAWS = 0.02, 100


def sample(cards: int, seed: int = 2) -> tuple[Outcomes, metrics.Floats, metrics.Floats]:
    """Outcomes, scores that know nothing, and scores that know something."""
    rng = np.random.default_rng(seed)
    card = np.repeat(np.arange(cards), 6)
    truth = rng.random(len(card)) < 0.1
    good = np.clip(rng.normal(0.2 + 0.4 * truth, 0.15), 0, 1)
    day = np.tile(np.arange(6), cards)
    outcomes = Outcomes(truth, card, cards, day, rng.integers(100, 10_000, len(card)))
    return outcomes, rng.random(len(card)), good


def test_difference_is_that_of_the_average_precisions() -> None:
    outcomes, poor, good = sample(200)
    found = comparison.gain(outcomes, poor, good, DRAWS)
    assert found is not None
    truth = outcomes.is_fraud
    assert found.difference == pytest.approx(
        average_precision_score(truth, good) - average_precision_score(truth, poor)
    )
    assert 0 < found.low < found.difference < found.high


def test_scores_compared_with_themselves_differ_in_nothing() -> None:
    outcomes, _, good = sample(50)
    found = comparison.compare(outcomes, good, good, SHARE, [], DRAWS)
    assert set(found.gains.values()) == {Interval(0.0, 0.0, 0.0)}
    assert found.first == found.second


def test_order_of_the_two_turns_every_sign_around() -> None:
    outcomes, poor, good = sample(100)
    there = comparison.compare(outcomes, poor, good, SHARE, [], DRAWS).gains
    back = comparison.compare(outcomes, good, poor, SHARE, [], DRAWS).gains
    for name, gain in there.items():
        assert back[name].difference == pytest.approx(-gain.difference)
        assert (back[name].low, back[name].high) == pytest.approx((-gain.high, -gain.low))


def test_interval_narrows_with_the_number_of_cards() -> None:
    few, many = (comparison.gain(*sample(cards), DRAWS) for cards in (60, 1500))
    assert few is not None and many is not None
    assert (few.high - few.low) > 2 * (many.high - many.low)


def test_interval_is_wider_where_frauds_of_a_card_are_alike() -> None:
    outcomes, poor, good = sample(150)
    lone = replace(outcomes, card=np.arange(len(outcomes)), cards=len(outcomes))
    # One card's rows share their outcome and their scores.
    first = np.repeat(np.arange(0, len(outcomes), 6), 6)
    alike = replace(outcomes, is_fraud=outcomes.is_fraud[first])
    together = comparison.gain(alike, poor[first], good[first], DRAWS)
    apart = comparison.gain(replace(lone, is_fraud=alike.is_fraud), poor[first], good[first], DRAWS)
    assert together is not None and apart is not None
    assert together.high - together.low > 1.5 * (apart.high - apart.low)


def test_intervals_of_equally_good_models_hold_zero_as_often_as_they_say() -> None:
    held = 0
    for seed in range(80):
        rng = np.random.default_rng(seed)
        outcomes, _, good = sample(150, seed)
        other = np.clip(rng.normal(0.2 + 0.4 * outcomes.is_fraud, 0.15), 0, 1)
        found = comparison.gain(outcomes, good, other, 120)
        assert found is not None
        held += found.low <= 0 <= found.high
    assert 71 <= held <= 80  # 95 % of 80 is 76; fewer than 71 would happen once in a hundred times


def test_same_seed_gives_the_same_intervals() -> None:
    assert comparison.gain(*sample(40), DRAWS) == comparison.gain(*sample(40), DRAWS)


def test_parts_have_intervals_of_their_own_where_there_are_frauds() -> None:
    outcomes, poor, good = sample(200)
    half = np.arange(len(outcomes)) < len(outcomes) // 2
    quiet = Part("channel", "quiet", ~outcomes.is_fraud)
    found = comparison.compare(outcomes, poor, good, SHARE, [Part("channel", "pos", half), quiet], DRAWS)
    assert found.parts.keys() == {"channel pos"}
    alone = average_precision_score(outcomes.is_fraud[half], good[half])
    assert found.parts["channel pos"].difference == pytest.approx(
        alone - average_precision_score(outcomes.is_fraud[half], poor[half])
    )


def test_interval_of_a_single_defrauded_card_cannot_be_told() -> None:
    outcomes, poor, good = sample(30)
    alone = replace(outcomes, is_fraud=outcomes.card == 3)
    assert comparison.gain(alone, poor, good, DRAWS) is None
    gains = comparison.compare(alone, poor, good, SHARE, [], DRAWS).gains
    assert (gains["average_precision"].low, gains["average_precision"].high) == (-1.0, 1.0)


@pytest.mark.parametrize(
    ("name", "gained", "better"),
    [
        ("auc", Interval(0.1, 0.05, 0.2), True),
        ("auc", Interval(-0.1, -0.2, -0.05), False),
        ("auc", Interval(0.1, -0.05, 0.2), None),
        ("cost", Interval(0.1, 0.05, 0.2), False),
        ("ece", Interval(-0.1, -0.2, -0.05), True),
    ],
)
def test_better_is_lower_for_what_is_lost(name: str, gained: Interval, better: bool | None) -> None:
    assert comparison.is_better(name, gained) is better


def test_thresholds_map_to_scores_above_which_lie_as_many() -> None:
    first = np.arange(100) / 100
    [review, block] = comparison.equal_share(first, first**2, Thresholds(0.8, 0.95))
    assert (review.share, review.equal) == (0.2, pytest.approx(0.64))
    assert (block.share, block.equal) == (0.05, pytest.approx(0.9025))


def test_cards_are_drawn_as_often_as_there_are_cards() -> None:
    draws = list(bootstrap.draw_cards(50, 20, 1))
    assert {int(each.sum()) for each in draws} == {50}
    assert len({each.tobytes() for each in draws}) == 20
