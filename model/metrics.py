"""How well scores tell fraud from genuine: pure functions of arrays, as the literature defines them.

Unless said otherwise a function takes one value per transaction and needs at least one fraud and one genuine row.
Card precision follows the Fraud Detection Handbook (fraud-detection-handbook.github.io, chapter 4), the calibration
error Guo et al. 2017 (arxiv.org/abs/1706.04599).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.signedinteger]
Flags = npt.NDArray[np.bool_]

CALIBRATION_BINS = 15


class Ranking(NamedTuple):
    """The distinct scores from the highest down, and how many rows and frauds lie at or above each."""

    levels: Floats
    rows: Floats
    frauds: Floats

    @property
    def recall(self) -> Floats:
        """Share of all frauds at or above each level."""
        recall: Floats = self.frauds / self.frauds[-1]
        return recall

    @property
    def precision(self) -> Floats:
        """Share of frauds among the rows at or above each level."""
        return self.frauds / self.rows

    @property
    def false_positive_rate(self) -> Floats:
        """Share of all genuine rows at or above each level."""
        genuine = self.rows - self.frauds
        rate: Floats = genuine / genuine[-1]
        return rate


def rank(is_fraud: Flags, scores: Floats) -> Ranking:
    """Count once what every threshold metric reads."""
    levels, position = np.unique(scores, return_inverse=True)
    rows = np.bincount(position, minlength=len(levels)).astype(np.float64)
    frauds = np.bincount(position, weights=is_fraud, minlength=len(levels))
    return Ranking(levels[::-1], rows[::-1].cumsum(), frauds[::-1].cumsum())


def average_precision(ranking: Ranking) -> float:
    """Precision at every step of recall, weighted by the step; equal scores are one step."""
    return float(np.sum(np.diff(ranking.recall, prepend=0.0) * ranking.precision))


def roc_auc(ranking: Ranking) -> float:
    """Probability that a fraud scores above a genuine row; a tie counts half."""
    recall, steps = ranking.recall, np.diff(ranking.false_positive_rate, prepend=0.0)
    return float(np.sum(steps * (recall + np.concatenate([[0.0], recall[:-1]])) / 2))


def recall_at_fpr(ranking: Ranking, limit: float) -> float:
    """Largest share of frauds that a threshold catches while it alerts on at most `limit` of the genuine rows."""
    within = ranking.recall[ranking.false_positive_rate <= limit]
    return float(within[-1]) if len(within) else 0.0


def card_precision(is_fraud: Flags, scores: Floats, cards: Codes, days: Integers, k: int) -> float:
    """Share of defrauded cards among the `k` most suspicious of a day, mean over days.

    A card is as suspicious as its highest score of the day, and defrauded when any of its rows that day is fraud. One
    that was found defrauded among the first `k` leaves on the following days. Days count from any origin.
    """
    detected = np.zeros(int(cards.max()) + 1, dtype=np.bool_)
    precisions = []
    for day in np.unique(days):
        rows = np.flatnonzero(days == day)
        rows = rows[~detected[cards[rows]]]
        found = _defrauded_among_top(is_fraud[rows], scores[rows], cards[rows], k)
        detected[found] = True
        precisions.append(len(found) / k)
    return float(np.mean(precisions))


def _defrauded_among_top(is_fraud: Flags, scores: Floats, cards: Codes, k: int) -> Codes:
    which, position = np.unique(cards, return_inverse=True)
    highest = np.full(len(which), -np.inf)
    np.maximum.at(highest, position, scores)
    defrauded = np.bincount(position, weights=is_fraud, minlength=len(which)) > 0
    top = np.argsort(-highest, kind="stable")[:k]
    found: Codes = which[top[defrauded[top]]]
    return found


def cost(is_fraud: Flags, scores: Floats, amounts: Integers, review_share: float) -> float:
    """Share of the fraudulent value that passes when people review the highest scores.

    Every row weighs its amount, in any unit. At most `review_share` of the rows can be reviewed; of equal scores the
    earlier rows come first.
    """
    reviewed = np.argsort(-scores, kind="stable")[: int(review_share * len(scores))]
    lost = np.where(is_fraud, amounts, 0).astype(np.float64)
    return 1.0 - float(lost[reviewed].sum() / lost.sum())


class Calibration(NamedTuple):
    """Bins of equal width over the scores: mean score, share of frauds and rows of those that are not empty."""

    score: Floats
    fraud_share: Floats
    rows: Floats


def calibration(is_fraud: Flags, scores: Floats, bins: int = CALIBRATION_BINS) -> Calibration:
    """What scores of a size promised, and what came of them."""
    position = np.minimum((scores * bins).astype(np.int64), bins - 1)
    rows = np.bincount(position, minlength=bins).astype(np.float64)
    filled = rows > 0
    mean = np.bincount(position, weights=scores, minlength=bins)[filled] / rows[filled]
    share = np.bincount(position, weights=is_fraud, minlength=bins)[filled] / rows[filled]
    return Calibration(mean, share, rows[filled])


def calibration_error(found: Calibration) -> float:
    """Expected calibration error: mean distance of promise and outcome over rows."""
    return float(np.average(np.abs(found.score - found.fraud_share), weights=found.rows))
