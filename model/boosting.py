"""The one way models are fitted and asked, so that what a backtest measures is what a training job ships."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from model import inference

PARAMETERS = Path(__file__).with_name("params.json")
ROWS_PER_THREAD = 50_000

Matrix = npt.NDArray[np.float32]
Flags = npt.NDArray[np.bool_]
Scores = npt.NDArray[np.float64]


def defaults() -> dict[str, dict[str, Any]]:
    """`params.json`: under `booster` what XGBoost takes, under `training` what our scripts take."""
    groups: dict[str, dict[str, Any]] = json.loads(PARAMETERS.read_text(encoding="utf-8"))
    return groups


def chosen() -> dict[str, Any]:
    """Every parameter of `params.json` by its name."""
    return {name: value for group in defaults().values() for name, value in group.items()}


def fit(
    names: Sequence[str],
    rows: Matrix,
    is_fraud: Flags,
    parameters: Mapping[str, Any],
    threads: int,
    stop_on: tuple[Matrix, Flags] | None = None,
) -> xgb.Booster:
    """Boost for `num_boost_round` rounds.

    Args:
        names: of the columns.
        rows: NaN where a value is not known.
        is_fraud: the target.
        parameters: all that `params.json` names.
        threads: at most; small tables take one.
        stop_on: rows and outcomes on which to watch when there is no more to gain; only the trees up to the best round
            are then kept.
    """
    threads = max(1, min(threads, len(rows) // ROWS_PER_THREAD))
    learn = xgb.QuantileDMatrix(
        rows, is_fraud, feature_names=list(names), max_bin=parameters["max_bin"], nthread=threads
    )
    booster_parameters = {name: parameters[name] for name in defaults()["booster"]} | {"nthread": threads}
    if stop_on is None:
        return xgb.train(booster_parameters, learn, parameters["num_boost_round"])
    booster = xgb.train(
        booster_parameters,
        learn,
        num_boost_round=parameters["num_boost_round"],
        evals=[(xgb.DMatrix(stop_on[0], stop_on[1], feature_names=list(names)), "validation")],
        early_stopping_rounds=parameters["early_stopping_rounds"],
        verbose_eval=100,
    )
    return booster[: booster.best_iteration + 1]


def score(booster: xgb.Booster, rows: Matrix) -> Scores:
    """Scores as they are served."""
    raw = booster.inplace_predict(rows, validate_features=False)
    scores: Scores = np.round(raw.astype(np.float64), inference.DECIMALS)
    return scores


def importance(booster: xgb.Booster) -> dict[str, float]:
    """Share of each feature in what all splits gained, largest first; features that split nothing are left out."""
    gains: dict[str, Any] = booster.get_score(importance_type="total_gain")
    total = sum(gains.values()) or 1.0
    return {name: gain / total for name, gain in sorted(gains.items(), key=lambda each: -each[1])}
