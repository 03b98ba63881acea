"""Serving script of the SageMaker XGBoost container (script mode, tag 3.2-0): rows in, scores and reasons out.

The body is CSV without a header, one row per transaction in the order of the feature contract; an empty field is a
missing value. The answer is JSON with as many scores and reasons as there were rows: a row that cannot be read gets a
null, so that it never costs its neighbours their scores. A body that cannot be answered row by row is an error, which
this container turns into status 500 whatever is raised.

Runs alone in the container: imports nothing of this project.
"""

from __future__ import annotations

import hashlib
import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypedDict

import numpy as np
import numpy.typing as npt
import xgboost as xgb

LARGEST_BODY = 6 * 1024 * 1024
MOST_ROWS = 10_000
REASONS = 3
DECIMALS = 6
"""Of a score; thresholds were chosen on scores rounded alike."""
_ROWS_BETWEEN_LOOKS = 4
"""Rows explained before the clock is read again; TreeSHAP takes about a millisecond for each."""

Row = list[float] | None
Matrix = npt.NDArray[np.float32]
Reasons = list[tuple[str, float]]


class Answer(TypedDict):
    """One score and one list of reasons per row of the request."""

    scores: list[float | None]
    reasons: list[Reasons | None]


@dataclass(frozen=True)
class Model:
    """A loaded package.

    Args:
        names: feature contract, the order of a row.
        review_threshold: rows that score at or above it get reasons.
        reasons_budget: seconds in which reasons are exact; later ones of the same request are approximate.
        clock: monotonic seconds.
    """

    booster: xgb.Booster
    names: tuple[str, ...]
    review_threshold: float
    reasons_budget: float = 0.04
    clock: Callable[[], float] = time.perf_counter


def model_fn(model_dir: str) -> Model:
    """Load the package that was unpacked to `model_dir`.

    Raises:
        ValueError: the model file is damaged, or takes other features than the contract names.
    """
    package = json.loads(Path(model_dir, "package.json").read_text(encoding="utf-8"))
    names = tuple(package["contract"]["names"])
    model = Path(model_dir, "model.ubj").read_bytes()
    # XGBoost 3.2 ends the process when it reads a truncated file.
    if hashlib.sha256(model).hexdigest() != package["model_sha256"]:
        raise ValueError("model.ubj is not the file that package.json describes")
    booster = xgb.Booster(model_file=bytearray(model))
    if tuple(booster.feature_names or ()) != names:
        raise ValueError("model.ubj and package.json name different features")
    booster.set_param({"nthread": int(os.environ.get("OMP_NUM_THREADS", "1"))})
    budget = float(os.environ.get("FRAUD_REASONS_BUDGET_MS", "40")) / 1000
    return Model(booster, names, float(package["thresholds"]["review"]), budget)


def input_fn(data: str | bytes, content_type: str) -> list[Row]:
    """The rows of a request; None stands for one that cannot be read.

    The container hands over text when the content type is exactly `text/csv`, bytes with any parameter after it.

    Raises:
        ValueError: another content type, no row, or more than can be answered.
    """
    if content_type.partition(";")[0].strip().lower() != "text/csv":
        raise ValueError(f"content type {content_type!r} is not text/csv")
    if len(data) > LARGEST_BODY:
        raise ValueError(f"the body is larger than {LARGEST_BODY} bytes")
    text = data.decode("utf-8", errors="replace") if isinstance(data, bytes) else data
    lines = text.removesuffix("\n").removesuffix("\r").split("\n")
    if not text.strip():
        raise ValueError("the body holds no row")
    if len(lines) > MOST_ROWS:
        raise ValueError(f"the body holds more than {MOST_ROWS} rows")
    return [_row(line) for line in lines]


def predict_fn(data: list[Row], model: Model) -> Answer:
    """Score every row, and explain those that will be reviewed or blocked."""
    matrix, readable = _matrix(data, len(model.names))
    scores = np.round(model.booster.inplace_predict(matrix, validate_features=False).astype(np.float64), DECIMALS)
    flagged = np.flatnonzero(readable & (scores >= model.review_threshold))
    reasons: list[Reasons | None] = [None] * len(data)
    for row, contributions in zip(flagged.tolist(), _contributions(model, matrix[flagged]), strict=True):
        reasons[row] = _largest(model.names, contributions)
    return Answer(
        scores=[score if fine else None for score, fine in zip(scores.tolist(), readable.tolist(), strict=True)],
        reasons=reasons,
    )


def output_fn(prediction: Answer, accept: str) -> tuple[str, str]:
    """The answer as JSON, the only format there is, and its content type.

    Raises:
        ValueError: something else was asked for.
    """
    if accept.partition(";")[0].strip().lower() not in ("application/json", "*/*", ""):
        raise ValueError(f"cannot answer in {accept!r}, only in application/json")
    return json.dumps(prediction, allow_nan=False, separators=(",", ":")), "application/json"


def _row(line: str) -> Row:
    # float() would read "1_0" as ten.
    if "_" in line:
        return None
    try:
        return [float(value) if value and not value.isspace() else math.nan for value in line.split(",")]
    except ValueError:
        return None


def _matrix(rows: list[Row], width: int) -> tuple[Matrix, npt.NDArray[np.bool_]]:
    """All rows as XGBoost takes them, and which of them are to be believed; the others are blank."""
    blank = [math.nan] * width
    matrix = np.array([row if row is not None and len(row) == width else blank for row in rows], dtype=np.float64)
    right_size = np.array([row is not None and len(row) == width for row in rows])
    with np.errstate(over="ignore"):
        single = matrix.astype(np.float32)
    readable = right_size & ~np.isinf(single).any(axis=1)
    single[~readable] = math.nan
    return single, readable


def _contributions(model: Model, rows: Matrix) -> Matrix:
    """Contribution of every feature to the log-odds of each row: exact until the budget is used, then approximate."""
    parts: list[Matrix] = [np.empty((0, len(model.names)), dtype=np.float32)]
    deadline = model.clock() + model.reasons_budget
    done = 0
    while done < len(rows) and model.clock() < deadline:
        parts.append(_explain(model, rows[done : done + _ROWS_BETWEEN_LOOKS], approximate=False))
        done += _ROWS_BETWEEN_LOOKS
    if done < len(rows):
        parts.append(_explain(model, rows[done:], approximate=True))
    return np.concatenate(parts)


def _explain(model: Model, rows: Matrix, *, approximate: bool) -> Matrix:
    data = xgb.DMatrix(rows, feature_names=list(model.names))
    with_bias = model.booster.predict(data, pred_contribs=True, approx_contribs=approximate)
    contributions: Matrix = with_bias[:, :-1]
    return contributions


def _largest(names: tuple[str, ...], contributions: npt.NDArray[np.float32]) -> Reasons:
    """The features that raised the score most, largest first; fewer than three when fewer raised it."""
    order = np.argsort(-contributions, kind="stable")[:REASONS].tolist()
    return [(names[i], round(float(contributions[i]), 4)) for i in order if contributions[i] > 0]
