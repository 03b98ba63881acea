"""The one way models are fitted and asked, so that what a backtest measures is what a training job ships."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xgboost as xgb

from model import checkpoints, inference
from model.checkpoints import Checkpoints, Progress, Saving

PARAMETERS = Path(__file__).with_name("params.json")
ROWS_PER_THREAD = 50_000
ROUNDS_PER_LINE = 100
WATCHED = "validation"
"""Name in the log of the rows that decide when to stop."""

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
    saved: Checkpoints | None = None,
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
        saved: where a training that watches rows keeps how far it came, and goes on from.
    """
    threads = max(1, min(threads, len(rows) // ROWS_PER_THREAD))
    learn = xgb.QuantileDMatrix(
        rows, is_fraud, feature_names=list(names), max_bin=parameters["max_bin"], nthread=threads
    )
    booster_parameters = {name: parameters[name] for name in defaults()["booster"]} | {"nthread": threads}
    if stop_on is None:
        return xgb.train(booster_parameters, learn, parameters["num_boost_round"])
    watched = xgb.DMatrix(stop_on[0], stop_on[1], feature_names=list(names))
    booster = _boost_until_no_gain(booster_parameters, parameters, learn, watched, saved)
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


def _boost_until_no_gain(
    booster_parameters: dict[str, Any],
    parameters: Mapping[str, Any],
    learn: xgb.DMatrix,
    watched: xgb.DMatrix,
    saved: Checkpoints | None,
) -> xgb.Booster:
    """Boost until `watched` gains no more, from the newest checkpoint if there is one.

    The whole curve decides when to stop, whether or not there was an interruption. What differs after one: the state of
    the random numbers is not part of a checkpoint, so rows and columns of the remaining trees are drawn with another
    seed; with the same they would be those of the first trees again. The model is about as good, but not the same.
    """
    stopping = xgb.callback.EarlyStopping(rounds=parameters["early_stopping_rounds"])
    before = saved.newest() if saved else None
    done, model = (before.rounds, _resumed(before, stopping)) if before else (0, None)
    return xgb.train(
        {**booster_parameters, "seed": booster_parameters["seed"] + done},
        learn,
        parameters["num_boost_round"] - done,
        evals=[(watched, WATCHED)],
        # The order counts: in the round in which `stopping` asks to stop, nothing after it is called, so that no
        # checkpoint is of a training that had ended.
        callbacks=[_Monitor(period=ROUNDS_PER_LINE), stopping, *([Saving(saved, before)] if saved else [])],
        verbose_eval=False,
        xgb_model=model,
    )


def _resumed(before: Progress, stopping: xgb.callback.EarlyStopping) -> xgb.Booster:
    """The booster to go on with; `stopping` then knows of the rounds before."""
    print(f"resumed at round {before.rounds}", flush=True)
    model = xgb.Booster(model_file=bytearray(before.model))
    for number, log in enumerate(checkpoints.replay(before.curve, WATCHED)):
        stopping.after_iteration(model, number, log)
    return model


class _Monitor(xgb.callback.EvaluationMonitor):
    """XGBoost's, which would count rounds anew after an interruption."""

    def before_training(self, model: Any) -> Any:
        self._first = model.num_boosted_rounds()
        return model

    def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
        return bool(super().after_iteration(model, self._first + epoch, evals_log))
