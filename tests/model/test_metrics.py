"""Metrics: equal to scikit-learn's, to naive oracles, and to numbers worked out by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from model import metrics

many = settings(max_examples=100, deadline=None, derandomize=True)
# Few distinct scores, so that ties are common.
row = st.tuples(st.booleans(), st.integers(0, 8).map(lambda n: n / 8))
both_kinds = st.lists(row, min_size=2, max_size=60).filter(lambda rows: len({fraud for fraud, _ in rows}) == 2)


def columns(rows: list[tuple[bool, float]]) -> tuple[metrics.Flags, metrics.Floats]:
    return np.array([fraud for fraud, _ in rows]), np.array([score for _, score in rows])


@many
@given(rows=both_kinds)
def test_average_precision_is_scikit_learns(rows: list[tuple[bool, float]]) -> None:
    truth, scores = columns(rows)

    assert metrics.average_precision(metrics.rank(truth, scores)) == pytest.approx(
        average_precision_score(truth, scores)
    )


@many
@given(rows=both_kinds)
def test_roc_auc_is_scikit_learns(rows: list[tuple[bool, float]]) -> None:
    truth, scores = columns(rows)

    assert metrics.roc_auc(metrics.rank(truth, scores)) == pytest.approx(roc_auc_score(truth, scores))


@many
@given(rows=both_kinds, limit=st.sampled_from([0.0, 0.001, 0.005, 0.01, 0.2, 1.0]))
def test_recall_at_fpr_is_the_highest_point_of_the_curve_within_the_limit(
    rows: list[tuple[bool, float]], limit: float
) -> None:
    truth, scores = columns(rows)
    fpr, tpr, _ = roc_curve(truth, scores, drop_intermediate=False)

    assert metrics.recall_at_fpr(metrics.rank(truth, scores), limit) == pytest.approx(tpr[fpr <= limit].max())


def test_random_scores_of_a_large_sample_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(5)
    truth = rng.random(20_000) < 0.01
    scores = np.clip(rng.normal(0.2 + 0.3 * truth, 0.1), 0, 1)
    ranking = metrics.rank(truth, scores)

    assert metrics.average_precision(ranking) == pytest.approx(average_precision_score(truth, scores), abs=1e-12)
    assert metrics.roc_auc(ranking) == pytest.approx(roc_auc_score(truth, scores), abs=1e-12)


def test_card_precision_by_hand() -> None:
    #       day 0: cards by score 1 (fraud), 2, 3 (fraud)      day 1: 1 has left; 3 (fraud), 2, 4
    days = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    cards = np.array([1, 1, 2, 3, 1, 3, 2, 4])
    scores = np.array([0.1, 0.9, 0.8, 0.2, 0.9, 0.7, 0.6, 0.1])
    fraud = np.array([True, False, False, True, True, True, False, False])

    assert metrics.card_precision(fraud, scores, cards, days, 1) == pytest.approx((1 + 1) / 2)
    assert metrics.card_precision(fraud, scores, cards, days, 2) == pytest.approx((1 / 2 + 1 / 2) / 2)
    # Detected on day 0, both fraudulent cards are gone on day 1.
    assert metrics.card_precision(fraud, scores, cards, days, 3) == pytest.approx((2 / 3 + 0) / 2)


def test_card_precision_with_fewer_cards_than_k_still_divides_by_k() -> None:
    one = np.zeros(1, dtype=np.int64)

    assert metrics.card_precision(np.array([True]), np.array([0.5]), one, one, 100) == pytest.approx(0.01)


def naive_card_precision(rows: list[tuple[int, int, float, bool]], k: int) -> float:
    """The Handbook's procedure with plain containers."""
    detected: set[int] = set()
    precisions = []
    for day in sorted({row[0] for row in rows}):
        best: dict[int, tuple[float, bool]] = {}
        for _, card, score, fraud in (row for row in rows if row[0] == day and row[1] not in detected):
            before = best.get(card, (-1.0, False))
            best[card] = (max(before[0], score), before[1] or fraud)
        top = sorted(best, key=lambda card: (-best[card][0], card))[:k]
        found = {card for card in top if best[card][1]}
        detected |= found
        precisions.append(len(found) / k)
    return sum(precisions) / len(precisions)


card_rows = st.tuples(st.integers(3, 6), st.integers(0, 9), st.integers(0, 8).map(lambda n: n / 8), st.booleans())


@many
@given(rows=st.lists(card_rows, min_size=1, max_size=60), k=st.integers(1, 12))
def test_card_precision_is_the_naive_procedures(rows: list[tuple[int, int, float, bool]], k: int) -> None:
    days, cards, scores, fraud = map(np.array, zip(*rows, strict=True))

    assert metrics.card_precision(fraud, scores, cards, days, k) == pytest.approx(naive_card_precision(rows, k))


def test_cost_weighs_the_frauds_that_were_not_reviewed_by_their_value() -> None:
    fraud = np.array([True, True, False, True] + [False] * 6)
    scores = np.array([0.9, 0.1, 0.8, 0.2] + [0.0] * 6)
    amounts = np.array([10, 70, 1000, 20] + [5] * 6)

    assert metrics.cost(fraud, scores, amounts, 0.0) == 1.0
    assert metrics.cost(fraud, scores, amounts, 0.2) == pytest.approx(0.9)
    assert metrics.cost(fraud, scores, amounts, 0.3) == pytest.approx(0.7)
    assert metrics.cost(fraud, scores, amounts, 1.0) == 0.0


def test_calibration_error_by_hand() -> None:
    scores = np.array([0.1, 0.1, 0.9, 0.9])
    fraud = np.array([False, True, True, True])
    found = metrics.calibration(fraud, scores, bins=2)

    assert found.score.tolist() == pytest.approx([0.1, 0.9])
    assert found.fraud_share.tolist() == [0.5, 1.0]
    assert metrics.calibration_error(found) == pytest.approx((0.4 + 0.1) / 2)


def test_calibration_takes_scores_of_nought_and_one() -> None:
    found = metrics.calibration(np.array([False, True]), np.array([0.0, 1.0]))

    assert metrics.calibration_error(found) == 0.0
    assert found.rows.tolist() == [1.0, 1.0]


def test_ranking_does_not_depend_on_the_order_of_rows() -> None:
    rng = np.random.default_rng(8)
    truth, scores, order = rng.random(500) < 0.1, rng.random(500).round(2), rng.permutation(500)

    assert metrics.rank(truth, scores).frauds.tolist() == metrics.rank(truth[order], scores[order]).frauds.tolist()
