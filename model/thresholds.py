"""Where scores turn into reviews and blocks: chosen from what people can review and how sure a block must be."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

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
    levels, at_or_above, frauds = _cumulated(scores, is_fraud)
    block = _block(levels, at_or_above, frauds, block_precision)
    blocked = int(np.count_nonzero(scores >= block))
    reviewable = levels[(levels < block) & (at_or_above - blocked <= review_share * len(scores))]
    return Thresholds(float(reviewable.min()) if len(reviewable) else block, block)


def _cumulated(scores: Floats, is_fraud: npt.NDArray[np.bool_]) -> tuple[Floats, Floats, Floats]:
    """Distinct scores, and how many rows and how many frauds lie at or above each."""
    levels, position = np.unique(scores, return_inverse=True)
    rows = np.bincount(position, minlength=len(levels)).astype(np.float64)
    frauds = np.bincount(position, weights=is_fraud, minlength=len(levels))
    return levels, rows[::-1].cumsum()[::-1], frauds[::-1].cumsum()[::-1]


def _block(levels: Floats, at_or_above: Floats, frauds: Floats, precision: float) -> float:
    sure = levels[(frauds >= precision * at_or_above) & (at_or_above >= FEWEST_BLOCKED)]
    return float(sure.min()) if len(sure) else NEVER
