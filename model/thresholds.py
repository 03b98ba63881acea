"""Where scores turn into reviews and blocks: chosen from what people can review and how sure a block must be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from model import metrics

Floats = npt.NDArray[np.float64]

NEVER = 1.0
"""A threshold that only a score of exactly one reaches."""
FEWEST_BLOCKED = 10
"""Rows a block threshold must rest on; a precision measured on fewer is luck."""


class Thresholds(NamedTuple):
    """Scores at or above `review` go to people, at or above `block` are refused."""

    review: float
    block: float


def choose(scores: Floats, is_fraud: npt.NDArray[np.bool_], review_share: float, block_precision: float) -> Thresholds:
    """Thresholds for scores on rows that the model did not learn from.

    Args:
        scores: 0 to 1.
        is_fraud: what the rows turned out to be.
        review_share: share of all transactions that people can review; never exceeded on these rows.
        block_precision: share of blocked transactions that must be fraud.
    """
    ranking = metrics.rank(is_fraud, scores)
    block = _block(ranking, block_precision)
    blocked = int(np.count_nonzero(scores >= block))
    within = ranking.rows - blocked <= review_share * len(scores)
    reviewable = ranking.levels[(ranking.levels < block) & within]
    return Thresholds(float(reviewable.min()) if len(reviewable) else block, block)


def _block(ranking: metrics.Ranking, precision: float) -> float:
    sure = ranking.levels[(ranking.frauds >= precision * ranking.rows) & (ranking.rows >= FEWEST_BLOCKED)]
    return float(sure.min()) if len(sure) else NEVER
