"""Which features move the champion's scores, and whether they still do: feature attribution drift.

As SageMaker Clarify measures it: features are ranked by their mean absolute SHAP value, and the ranking of the window
is held against that of the baseline by its normalised discounted cumulative gain; below 0.90 the model decides by
other things than it did.
https://docs.aws.amazon.com/sagemaker/latest/dg/clarify-model-monitor-feature-attribution-drift.html
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xgboost as xgb

from fraud import features
from model import monitoring_context
from model.examples import Flags, Matrix
from model.findings import CHAMPION, Finding
from model.monitored_rows import Rows
from model.monitoring_context import Context

CHECK = "feature_attribution_drift_check"
NAME = "attributions"
LEAST = 0.9
"""Clarify's own limit."""
MOST_ROWS = 2_000
"""TreeSHAP takes about a millisecond for each."""
HALVES = 2
"""Of the cards, by a hash of theirs: chance that reorders one of them does not reorder the other."""

Attribute = Callable[[Matrix], Mapping[str, float]]
"""Mean absolute SHAP value of each feature over rows in the contract's order."""


def attribute(booster: xgb.Booster, names: Sequence[str], rows: Matrix) -> dict[str, float]:
    """Mean absolute SHAP value of each feature, in log odds, over some of the rows, spread evenly; none of no row."""
    if not len(rows):
        return {}
    chosen = rows[np.unique(np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64))]
    shap = booster.predict(xgb.DMatrix(chosen, feature_names=list(names)), pred_contribs=True)[:, :-1]
    means: list[float] = np.abs(shap).mean(axis=0).astype(np.float64).tolist()
    return dict(zip(names, means, strict=True))


def matrix(rows: Rows, chosen: Flags, names: Sequence[str]) -> Matrix:
    """Features of some rows in a contract's order."""
    found: Matrix = rows.features[chosen][:, [features.NAMES.index(name) for name in names]]
    return found


def gain(expected: Mapping[str, float], found: Mapping[str, float]) -> float:
    """Normalised discounted cumulative gain of a ranking, 0 to 1; 1 where it is the expected one.

    Args:
        expected: attribution of each feature in the baseline.
        found: of the same features in the window.
    """
    ideal, ranked = (sorted(each, key=lambda name: (-each[name], name)) for each in (expected, found))
    best = _discounted(expected, ideal)
    return _discounted(expected, ranked) / best if best else 1.0


def check(rows: Rows, context: Context) -> list[Finding]:
    """Whether the champion still decides by what it decided by; at most one finding."""
    expected, means = context.baseline.attributions, context.attribute
    own = rows.in_window & rows.readable & monitoring_context.of_package(rows, context.champion)
    if means is None or not expected:
        return [
            _skipped(int(own.sum()), "The baseline knows no attributions: no features were archived when it was made.")
        ]
    if int(own.sum()) < context.limits.fewest_rows:
        return [_skipped(int(own.sum()), f"Only {int(own.sum()):,} rows; {context.limits.fewest_rows:,} are needed.")]
    half = np.array([zlib.crc32((each or "").encode()) % HALVES for each in rows.events["card_token"].to_pylist()])
    parts = [own & (half == number) for number in range(HALVES)]
    gains = [gain(expected, means(matrix(rows, part, tuple(expected)))) for part in parts if part.any()]
    # Only what both halves of the cards say.
    found = max(gains)
    ranked = "otherwise than" if found < LEAST else "as"
    said = f"What moves the champion's scores is ranked {ranked} in the baseline: gain {found:.3f} (limit {LEAST:.2f})."
    return [
        monitoring_context.judged(
            CHECK,
            "drift",
            NAME,
            CHAMPION,
            is_violated=found < LEAST,
            observed=found,
            limit=LEAST,
            count=int(own.sum()),
            sentence=said,
        )
    ]


def _discounted(value: Mapping[str, float], ranked: Sequence[str]) -> float:
    return sum(value.get(name, 0.0) / math.log2(place + 1) for place, name in enumerate(ranked, 1))


def _skipped(count: int, reason: str) -> Finding:
    return monitoring_context.skipped(CHECK, "drift", NAME, CHAMPION, count, reason)
