"""Writes `package.json`: all that serving and monitoring must know of a model. `fraud.model_package` reads it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Protocol

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from fraud import features
from model import boosting, distributions, thresholds
from model.boosting import Matrix, Scores

NAME = "package.json"
SCHEMA_VERSION = 1
SMOKE_VECTORS = 8


class Rows(Protocol):
    """What the document says of a table of features, its rows in the order of time."""

    @property
    def names(self) -> tuple[str, ...]: ...
    @property
    def features(self) -> Matrix: ...
    @property
    def is_fraud(self) -> npt.NDArray[np.bool_]: ...
    @property
    def occurred_at(self) -> npt.NDArray[np.int64]: ...


def describe(
    booster: xgb.Booster,
    rows: Rows,
    validation: Rows,
    scores: Scores,
    chosen: thresholds.Thresholds,
    evidence: Mapping[str, object],
) -> dict[str, object]:
    """The document but for the model file's hash.

    Of all `rows`, `validation` are those that the model did not learn from, and `scores` are theirs. `evidence` holds
    the metrics and the parameters.
    """
    return {
        "schema_version": SCHEMA_VERSION,
        "contract": {"names": list(rows.names), "hash": features.contract_hash(rows.names)},
        "thresholds": chosen._asdict(),
        "score_quantiles": distributions.score_quantiles(scores),
        "baseline": distributions.baseline(rows.names, rows.features, rows.occurred_at),
        "scores": distributions.histogram(scores, validation.occurred_at),
        "smoke_vectors": _smoke_vectors(validation, scores),
        "training": {
            **evidence,
            "rows": len(rows.is_fraud),
            "frauds": int(rows.is_fraud.sum()),
            "validation_rows": len(validation.is_fraud),
            "validation_frauds": int(validation.is_fraud.sum()),
            "first_at": _date(rows.occurred_at[0]),
            "validation_from": _date(validation.occurred_at[0]),
            "last_at": _date(rows.occurred_at[-1]),
            "trees": booster.num_boosted_rounds(),
            "importance": boosting.importance(booster),
            "xgboost": xgb.__version__,
        },
    }


def digest(model: bytes) -> str:
    """SHA-256 of the model file, hex digits."""
    return hashlib.sha256(model).hexdigest()


def _smoke_vectors(rows: Rows, scores: Scores) -> list[dict[str, object]]:
    """Real rows from the least to the most suspicious, with the scores any server of this package must give."""
    order = np.argsort(scores, kind="stable")
    picked = order[np.linspace(0, len(order) - 1, SMOKE_VECTORS).astype(np.int64)]
    return [
        {"features": [None if np.isnan(value) else float(value) for value in rows.features[i]], "score": scores[i]}
        for i in picked.tolist()
    ]


def _date(seconds: np.int64) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")
