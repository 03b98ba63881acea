"""Training script of the SageMaker XGBoost container (script mode, tag 3.2-0).

Reads a table of features from the channel `train` and leaves a whole model package in SM_MODEL_DIR, so that the
artefact of the training job is what endpoints serve. Every number in `params.json` is a hyperparameter; those of the
job take precedence. Runs as `python -m train` in the directory of the source archive, which holds what it imports.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import xgboost as xgb
from sklearn.metrics import average_precision_score, roc_auc_score

from fraud import features
from model import distributions, inference, thresholds

SOURCE = Path(inference.__file__).parent
SCHEMA_VERSION = 1
SMOKE_VECTORS = 8
ROWS_PER_THREAD = 50_000

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Rows:
    """Part of the training table.

    Args:
        names: feature contract, the order of the columns.
        features: NaN where a value is not known.
        is_fraud: the target.
        occurred_at: seconds since 1970, ascending.
    """

    names: tuple[str, ...]
    features: npt.NDArray[np.float32]
    is_fraud: npt.NDArray[np.bool_]
    occurred_at: npt.NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.is_fraud)

    def slice(self, first: int, end: int | None) -> Rows:
        """Rows from `first` up to `end`."""
        part = slice(first, end)
        return Rows(self.names, self.features[part], self.is_fraud[part], self.occurred_at[part])


def main(arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    """Train, measure and write the package."""
    parameters = _hyperparameters(arguments)
    rows = read(Path(environ["SM_CHANNEL_TRAIN"]))
    learning, validation = cut(rows, parameters["validation_share"])
    booster = fit(learning, validation, parameters, _threads(len(rows), int(environ.get("SM_NUM_CPUS", "1"))))
    scores = score(booster, validation)
    chosen = thresholds.choose(scores, validation.is_fraud, parameters["review_share"], parameters["block_precision"])
    metrics = measure(scores, validation.is_fraud, chosen)
    for name, value in metrics.items():
        print(f"validation:{name}={value:.6f}")
    package = describe(booster, rows, validation, scores, chosen, {"metrics": metrics, "parameters": parameters})
    _write(Path(environ["SM_MODEL_DIR"]), booster, package)
    _write_json(Path(environ["SM_OUTPUT_DATA_DIR"], "metrics.json"), metrics)


def read(channel: Path) -> Rows:
    """The table in the channel, Parquet or CSV with a header, in the order of time.

    Raises:
        ValueError: no file, or a needed column is missing.
    """
    table = pa.concat_tables([_read_file(path) for path in sorted(channel.rglob("*.*"))])
    missing = {"is_fraud", "occurred_at"} - set(table.column_names)
    names = tuple(name for name in features.NAMES if name in table.column_names)
    if missing or not names:
        raise ValueError(f"the training table lacks {sorted(missing) or 'every known feature'}")
    # The identifier decides within a second, so that the order of files and rows never changes a model.
    keys = [name for name in ("occurred_at", "transaction_id") if name in table.column_names]
    table = table.sort_by([(name, "ascending") for name in keys])
    columns = [table[name].to_numpy().astype(np.float32) for name in names]
    return Rows(names, np.column_stack(columns), table["is_fraud"].to_numpy() > 0, table["occurred_at"].to_numpy())


def cut(rows: Rows, validation_share: float) -> tuple[Rows, Rows]:
    """The older rows to learn from and the newest to validate on; never at random, which would show the future.

    Raises:
        ValueError: one of the two has no fraud or nothing but fraud.
    """
    boundary = rows.occurred_at[min(round(len(rows) * (1 - validation_share)), len(rows) - 1)]
    first = int(np.searchsorted(rows.occurred_at, boundary))
    parts = rows.slice(0, first), rows.slice(first, None)
    if any(len(np.unique(part.is_fraud)) < 2 for part in parts):
        raise ValueError("both the older and the newer rows need frauds and genuine transactions")
    return parts


def fit(learning: Rows, validation: Rows, parameters: Mapping[str, Any], threads: int) -> xgb.Booster:
    """Boost until the newest rows no longer gain; only the trees up to the best round are kept."""
    booster_parameters = {name: parameters[name] for name in _defaults()["booster"]}
    learn = xgb.QuantileDMatrix(
        learning.features,
        learning.is_fraud,
        feature_names=list(learning.names),
        max_bin=parameters["max_bin"],
        nthread=threads,
    )
    booster = xgb.train(
        {**booster_parameters, "nthread": threads},
        learn,
        num_boost_round=parameters["num_boost_round"],
        evals=[(_matrix(validation), "validation")],
        early_stopping_rounds=parameters["early_stopping_rounds"],
        verbose_eval=100,
    )
    return booster[: booster.best_iteration + 1]


def score(booster: xgb.Booster, rows: Rows) -> Scores:
    """Scores as they are served."""
    raw = booster.inplace_predict(rows.features, validate_features=False)
    scores: Scores = np.round(raw.astype(np.float64), inference.DECIMALS)
    return scores


def measure(scores: Scores, is_fraud: npt.NDArray[np.bool_], chosen: thresholds.Thresholds) -> dict[str, float]:
    """What the package promises, on rows it did not learn from."""
    blocked, alerted = scores >= chosen.block, scores >= chosen.review
    return {
        "average_precision": float(average_precision_score(is_fraud, scores)),
        "auc": float(roc_auc_score(is_fraud, scores)),
        "block_precision": _share(is_fraud, blocked),
        "block_recall": _share(blocked, is_fraud),
        "alert_precision": _share(is_fraud, alerted),
        "alert_recall": _share(alerted, is_fraud),
        "review_share": float(np.mean(alerted & ~blocked)),
        "fraud_share": float(np.mean(is_fraud)),
    }


def describe(
    booster: xgb.Booster,
    rows: Rows,
    validation: Rows,
    scores: Scores,
    chosen: thresholds.Thresholds,
    evidence: Mapping[str, object],
) -> dict[str, object]:
    """`package.json`: all that serving and monitoring must know of the model."""
    return {
        "schema_version": SCHEMA_VERSION,
        "contract": {"names": list(rows.names), "hash": features.contract_hash(rows.names)},
        "thresholds": chosen._asdict(),
        "score_quantiles": distributions.score_quantiles(scores),
        "baseline": distributions.baseline(rows.names, rows.features),
        "smoke_vectors": _smoke_vectors(validation, scores),
        "training": {
            **evidence,
            "rows": len(rows),
            "frauds": int(rows.is_fraud.sum()),
            "validation_rows": len(validation),
            "first_at": _date(rows.occurred_at[0]),
            "last_at": _date(rows.occurred_at[-1]),
            "trees": booster.num_boosted_rounds(),
            "importance": booster.get_score(importance_type="total_gain"),
            "xgboost": xgb.__version__,
        },
    }


def _smoke_vectors(rows: Rows, scores: Scores) -> list[dict[str, object]]:
    """Real rows from the least to the most suspicious, with the scores any server of this package must give."""
    order = np.argsort(scores, kind="stable")
    picked = order[np.linspace(0, len(order) - 1, SMOKE_VECTORS).astype(np.int64)]
    return [
        {"features": [None if np.isnan(value) else float(value) for value in rows.features[i]], "score": scores[i]}
        for i in picked.tolist()
    ]


def _defaults() -> dict[str, dict[str, Any]]:
    """`params.json`: what XGBoost takes, and what this script takes."""
    defaults: dict[str, dict[str, Any]] = json.loads((SOURCE / "params.json").read_text(encoding="utf-8"))
    return defaults


def _hyperparameters(arguments: Sequence[str]) -> dict[str, Any]:
    """Defaults overridden by arguments; SageMaker hands all over as text, and one that is unknown is an error."""
    parser = argparse.ArgumentParser(prog="train", allow_abbrev=False)
    for group in _defaults().values():
        for name, value in group.items():
            flags = dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}"))
            parser.add_argument(*flags, dest=name, type=type(value), default=value)
    return vars(parser.parse_args(arguments))


def _threads(rows: int, processors: int) -> int:
    """Threads for so many rows: OpenMP's wait for each other by spinning, which costs more than a small share gains."""
    return max(1, min(processors, rows // ROWS_PER_THREAD))


def _read_file(path: Path) -> pa.Table:
    return pq.read_table(path) if path.suffix == ".parquet" else pa.csv.read_csv(path)


def _matrix(rows: Rows) -> xgb.DMatrix:
    return xgb.DMatrix(rows.features, rows.is_fraud, feature_names=list(rows.names))


def _share(part: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_]) -> float:
    return float(np.mean(part[of])) if of.any() else 0.0


def _date(seconds: np.int64) -> str:
    return datetime.fromtimestamp(int(seconds), UTC).isoformat().replace("+00:00", "Z")


def _write(model_dir: Path, booster: xgb.Booster, package: Mapping[str, object]) -> None:
    code = model_dir / "code"
    code.mkdir(parents=True, exist_ok=True)
    model = model_dir / "model.ubj"
    booster.save_model(model)
    shutil.copyfile(SOURCE / "inference.py", code / "inference.py")
    digest = hashlib.sha256(model.read_bytes()).hexdigest()
    _write_json(model_dir / "package.json", {**package, "model_sha256": digest})


def _write_json(path: Path, document: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, allow_nan=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:], os.environ)
