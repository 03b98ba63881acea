"""The end of a simulated market as checks of labels, groups and parity read it: an honest champion, its verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from fraud import features
from fraud.entities import DAY
from model.baseline_document import Baseline
from model.examples import Matrix
from model.history import NEVER
from model.limits import Limits
from model.monitored_rows import NO_VERDICT, Rows
from model.monitoring_context import Context
from tests.model.served_market import Market

CHAMPION, CHALLENGER = (f"arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/{n}" for n in (1, 2))
PROMISE = {
    "average_precision": 0.8, "auc": 0.97, "alert_recall": 0.8, "alert_precision": 0.6, "block_recall": 0.5,
    "block_precision": 0.9, "fraud_share": 0.02,
}  # fmt: skip
LIMITS = Limits(
    fewest_rows=200,
    fewest_frauds=20,
    alpha=0.001,
    least_psi=0.1,
    least_ks=0.1,
    least_share=0.05,
    least_ratio=1.5,
    least_volume=0.5,
    quality_loss=0.1,
    bias_gap=0.1,
    fairness=("country",),
    most_parity_mismatches=0.01,
    parity_entities=2_000,
    maturity=7 * DAY,
    quality=7 * DAY,
    stale=90 * DAY,
    freshest_label=14 * DAY,
)
BASELINE = Baseline(
    champion=CHAMPION,
    as_of="2026-02-01T00:00:00.000Z",
    rows=10_000,
    days=28,
    trained_rows_per_day=2_000.0,
    trained_to="2026-01-31T00:00:00Z",
    features={},
    scores=None,
    promise=PROMISE,
    thresholds={"review": 0.5, "block": 0.9},
)


def context(until: float, challenger: str = "", promise: dict[str, float] = PROMISE, **limits: Any) -> Context:
    """A look at the day before a moment."""
    return Context(
        since=until - DAY,
        until=until,
        champion=CHAMPION,
        challenger=challenger,
        baseline=replace(BASELINE, promise=promise),
        limits=replace(LIMITS, **limits),
    )


def rows(market: Market, served: Matrix) -> Rows:
    """What the archive holds at the market's end, `served` being the features of its rows."""
    archived = np.flatnonzero(market.archived)
    ids = market.history.transaction_ids.take(pa.array(archived)).to_numpy(zero_copy_only=False)
    order = np.lexsort((ids.astype(str), market.history.at[archived]))
    mine = archived[order]
    at, is_fraud, judged = market.history.at[mine], market.history.is_fraud[mine], market.judged[mine]
    known_at = np.where(judged, market.verdict_at[mine], NEVER)
    in_window = at > market.as_of - DAY
    given = plain(market.events.take(pa.array(mine)), at)
    return replace(
        given,
        in_window=in_window,
        features=np.where(in_window[:, None], served[order], np.nan).astype(np.float32),
        judged=judged,
        is_fraud=is_fraud,
        known_at=known_at,
        first_fraud_at=np.where(is_fraud, known_at, NEVER),
    )


def plain(events: pa.Table, at: np.ndarray) -> Rows:
    """Transactions that the champion scored 0 and approved, which came at once and of which nobody knows more."""
    count = len(at)
    yes, no = np.ones(count, dtype=np.bool_), np.zeros(count, dtype=np.bool_)
    never, unsaid = np.full(count, NEVER), np.full(count, NO_VERDICT, dtype=np.int8)
    return Rows(
        events=events,
        at=at,
        arrived_at=at,
        in_window=no,
        features=np.full((count, len(features.NAMES)), np.nan, dtype=np.float32),
        readable=yes,
        action=np.zeros(count, dtype=np.int8),
        score=np.zeros(count),
        propensity=np.ones(count),
        package=np.zeros(count, dtype=np.int32),
        packages=(CHAMPION, CHALLENGER),
        degraded=no,
        judged=no,
        is_fraud=no,
        known_at=never,
        first_fraud_at=never,
        review=unsaid,
        chargeback=unsaid,
    )


def column(name: str) -> int:
    """Where a feature stands."""
    return features.NAMES.index(name)
