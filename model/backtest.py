"""What a model would have been worth on past days: folds over time, each learned from the days before it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import xgboost as xgb

from model import boosting, folds, metrics
from model.boosting import Matrix, Scores
from model.folds import Flags, Fold, Integers, Protocol
from model.history import History

CARDS_A_DAY = (25, 50, 100)
FALSE_POSITIVE_RATES = {"001": 0.001, "005": 0.005, "01": 0.01}
"""Suffix of the metric's name → share of genuine rows that may be alerted on: .1, .5 and 1 %."""
METRICS_IN_WORDS = {
    "average_precision": "average precision",
    "auc": "ROC AUC",
    "card_precision_25": "card precision @25",
    "card_precision_50": "card precision @50",
    "card_precision_100": "card precision @100",
    "recall_at_fpr_001": "recall at .1 % FPR",
    "recall_at_fpr_005": "recall at .5 % FPR",
    "recall_at_fpr_01": "recall at 1 % FPR",
    "cost": "fraud value lost",
    "ece": "calibration error",
}


class NothingToMeasure(ValueError):
    """A fold has no row, no fraud or nothing but fraud to learn from or to measure on."""


@dataclass(frozen=True, slots=True)
class Table:
    """What is known of every transaction.

    Args:
        history: rows in the order of time.
        names: of the columns of `features`.
        features: one row per row of `history`.
    """

    history: History
    names: Sequence[str]
    features: Matrix

    def without(self, dropped: Sequence[str]) -> Table:
        """The same rows with fewer features."""
        kept = [i for i, name in enumerate(self.names) if name not in dropped]
        return Table(self.history, [self.names[i] for i in kept], self.features[:, kept])


@dataclass(frozen=True, slots=True)
class FoldResult:
    """One fold, measured.

    Args:
        rows: positions in the history.
        scores, is_fraud: of those rows.
        importance: share of every feature in the gain of the fold's model.
    """

    fold: Fold
    rows: Integers
    scores: Scores
    is_fraud: Flags
    metrics: dict[str, float]
    importance: dict[str, float]

    def as_json(self) -> dict[str, object]:
        """For programs."""
        start = datetime.fromtimestamp(self.fold.week_from, UTC)
        return {"train_start": start.date().isoformat(), "rows": len(self.rows), **self.metrics}


def run(table: Table, protocol: Protocol, parameters: Mapping[str, Any], threads: int) -> Iterator[FoldResult]:
    """Measure fold by fold. Raises: NothingToMeasure."""
    for fold in folds.schedule(protocol):
        yield run_fold(table, fold, parameters, threads)


def run_fold(table: Table, fold: Fold, parameters: Mapping[str, Any], threads: int) -> FoldResult:
    """Learn and measure once. Raises: NothingToMeasure."""
    began = time.perf_counter()
    booster = learn(table, fold, parameters, threads)
    rows = folds.tested_rows(table.history, fold)
    is_fraud = table.history.is_fraud[rows]
    _require_both_kinds(is_fraud, "to measure on", fold.test_from, fold.test_to)
    scores = boosting.score(booster, table.features[rows])
    measured = measure(table.history, fold, rows, scores, parameters["review_share"])
    measured["seconds"] = time.perf_counter() - began
    return FoldResult(fold, rows, scores, is_fraud, measured, boosting.importance(booster))


def learn(table: Table, fold: Fold, parameters: Mapping[str, Any], threads: int) -> xgb.Booster:
    """The model as it stood when the fold's test began. Raises: NothingToMeasure."""
    rows = folds.learning_rows(table.history, fold)
    target = folds.learning_target(table.history, fold)
    _require_both_kinds(target, "to learn from", fold.learn_from, fold.learn_to)
    return boosting.fit(table.names, table.features[rows], target, parameters, threads)


def measure(history: History, fold: Fold, rows: Integers, scores: Scores, review_share: float) -> dict[str, float]:
    """Every metric of scores given to rows of a fold's test days."""
    is_fraud, cards, days = history.is_fraud[rows], history.card[rows], folds.days_since(history, rows, fold)
    ranking = metrics.rank(is_fraud, scores)
    return {
        "auc": metrics.roc_auc(ranking),
        "average_precision": metrics.average_precision(ranking),
        **{f"card_precision_{k}": metrics.card_precision(is_fraud, scores, cards, days, k) for k in CARDS_A_DAY},
        **{f"recall_at_fpr_{name}": metrics.recall_at_fpr(ranking, fpr) for name, fpr in FALSE_POSITIVE_RATES.items()},
        "cost": metrics.cost(is_fraud, scores, history.amount_minor[rows], review_share),
        "ece": metrics.calibration_error(metrics.calibration(is_fraud, scores)),
    }


def mean(results: Sequence[FoldResult]) -> dict[str, float]:
    """Each metric, mean over folds."""
    return {name: float(np.mean([each.metrics[name] for each in results])) for name in results[0].metrics}


def mean_importance(results: Sequence[FoldResult]) -> dict[str, float]:
    """Share of gain of every feature, mean over folds, largest first."""
    names = {name for each in results for name in each.importance}
    shares = {name: float(np.mean([each.importance.get(name, 0.0) for each in results])) for name in names}
    return dict(sorted(shares.items(), key=lambda each: (-each[1], each[0])))


def _require_both_kinds(is_fraud: Flags, purpose: str, first: int, end: int) -> None:
    if len(np.unique(is_fraud)) < 2:
        dates = " to ".join(datetime.fromtimestamp(at, UTC).date().isoformat() for at in (first, end - 1))
        raise NothingToMeasure(
            f"{dates}: {len(is_fraud):,} rows and {int(is_fraud.sum()):,} frauds {purpose}; both kinds are needed"
        )
