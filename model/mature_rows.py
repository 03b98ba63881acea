"""Which rows are old enough for their outcome to be told, and how often each counts."""

from __future__ import annotations

import numpy as np

from model.examples import Flags
from model.metrics import Floats
from model.monitored_rows import ACTIONS, Rows
from model.monitoring_context import Context

LARGEST_WEIGHT = 100.0
"""Times that a released transaction counts at most: one more fraud among few releases would else decide everything."""
_BLOCK = ACTIONS.index("block")


def cohort(rows: Rows, context: Context) -> Flags:
    """Transactions that are mature, but not older than quality is measured on."""
    oldest = context.mature_until - context.limits.quality
    chosen: Flags = (rows.at > oldest) & (rows.at <= context.mature_until)
    return chosen


def released(rows: Rows) -> Flags:
    """Transactions that policy would have blocked, and let pass by chance."""
    passed: Flags = (rows.propensity < 1) & (rows.action != _BLOCK)
    return passed


def weights(rows: Rows) -> Floats:
    """How often each row counts.

    One that was released stands for all that would have been blocked: the inverse of the probability that it was let
    pass (Horvitz and Thompson, 1952).
    """
    inverse = 1 / np.maximum(rows.propensity, 1 / LARGEST_WEIGHT)
    return np.where(released(rows), inverse, 1.0)


def has_outcome(rows: Rows) -> Flags:
    """Mature rows whose outcome can be told, and that no release stands for."""
    blocked = rows.action == _BLOCK
    known: Flags = ~blocked | (rows.judged & (rows.propensity >= 1))
    return known
