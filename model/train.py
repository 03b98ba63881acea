"""Training script of the SageMaker XGBoost container (script mode, tag 3.2-0).

Reads a table of features from the channel `train` and leaves a whole model package in SM_MODEL_DIR, so that the
artefact of the training job is what endpoints serve. Every number in `params.json` is a hyperparameter; those of the
job take precedence. Runs as `python -m train` in the directory of the source archive, which holds what it imports.
Where the job has a directory for checkpoints, a training that was interrupted goes on from the newest.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import xgboost as xgb

from fraud import features
from model import boosting, checkpoints, inference, metrics, model_card, package_json, thresholds
from model.boosting import Scores
from model.checkpoints import Checkpoints

VALIDATION = "validation.parquet"
"""In the job's output: score and outcome of every row that the model was measured on."""


class UnusableRows(ValueError):
    """Nothing can be learned from the training table; says why in a sentence."""


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
    """Train, measure and write the package.

    Raises:
        UnusableRows: nothing can be learned from the training table.
    """
    parameters = _hyperparameters(arguments)
    rows = read(Path(environ["SM_CHANNEL_TRAIN"]))
    learning, validation = cut(rows, parameters["validation_share"])
    saved = _checkpoints(environ, rows, parameters)
    booster = fit(learning, validation, parameters, int(environ.get("SM_NUM_CPUS", "1")), saved)
    scores = boosting.score(booster, validation.features)
    chosen = thresholds.choose(scores, validation.is_fraud, parameters["review_share"], parameters["block_precision"])
    measured = measure(scores, validation.is_fraud, chosen)
    for name, value in measured.items():
        print(f"validation:{name}={value:.6f}")
    evidence = {"metrics": measured, "parameters": parameters}
    document = package_json.describe(booster, rows, validation, scores, chosen, evidence)
    _write_package(Path(environ["SM_MODEL_DIR"]), booster, document)
    _write_evidence(Path(environ["SM_OUTPUT_DATA_DIR"]), measured, validation, scores)


def read(channel: Path) -> Rows:
    """The table in the channel, Parquet or CSV with a header, in the order of time.

    Raises:
        UnusableRows: no file, or a needed column is missing.
    """
    paths = sorted(channel.rglob("*.*"))
    if not paths:
        raise UnusableRows(f"{channel} holds no Parquet or CSV file")
    table = pa.concat_tables([_read_file(path) for path in paths])
    missing = {"is_fraud", "occurred_at"} - set(table.column_names)
    names = tuple(name for name in features.NAMES if name in table.column_names)
    if missing or not names:
        raise UnusableRows(f"the training table lacks {sorted(missing) or 'every known feature'}")
    # The identifier decides within a second, so that the order of files and rows never changes a model.
    keys = [name for name in ("occurred_at", "transaction_id") if name in table.column_names]
    table = table.sort_by([(name, "ascending") for name in keys])
    columns = [table[name].to_numpy().astype(np.float32) for name in names]
    return Rows(names, np.column_stack(columns), table["is_fraud"].to_numpy() > 0, table["occurred_at"].to_numpy())


def cut(rows: Rows, validation_share: float) -> tuple[Rows, Rows]:
    """The older rows to learn from and the newest to validate on; never at random, which would show the future.

    Raises:
        UnusableRows: one of the two has no fraud or nothing but fraud.
    """
    boundary = rows.occurred_at[min(round(len(rows) * (1 - validation_share)), len(rows) - 1)]
    first = int(np.searchsorted(rows.occurred_at, boundary))
    older, newer = rows.slice(0, first), rows.slice(first, None)
    _require_both_kinds("older", older)
    _require_both_kinds("newest", newer)
    return older, newer


def _require_both_kinds(which: str, part: Rows) -> None:
    for kind, count in (("fraud", int(part.is_fraud.sum())), ("genuine transaction", int((~part.is_fraud).sum()))):
        if not count:
            raise UnusableRows(
                f"the {which} {len(part):,} rows hold no {kind}, and both the older, which are learned from, and the "
                "newest, which say when to stop, need some: ask for more training_days, wait for more verdicts, or "
                "choose another validation_share"
            )


def fit(
    learning: Rows,
    validation: Rows,
    parameters: Mapping[str, Any],
    threads: int,
    saved: Checkpoints | None = None,
) -> xgb.Booster:
    """Boost until the newest rows no longer gain; only the trees up to the best round are kept."""
    watched = (validation.features, validation.is_fraud)
    return boosting.fit(learning.names, learning.features, learning.is_fraud, parameters, threads, watched, saved)


def measure(scores: Scores, is_fraud: npt.NDArray[np.bool_], chosen: thresholds.Thresholds) -> dict[str, float]:
    """What the package promises, on rows it did not learn from."""
    blocked, alerted = scores >= chosen.block, scores >= chosen.review
    ranking = metrics.rank(is_fraud, scores)
    return {
        "average_precision": metrics.average_precision(ranking),
        "auc": metrics.roc_auc(ranking),
        "ece": metrics.calibration_error(metrics.calibration(is_fraud, scores)),
        "block_precision": _share(is_fraud, blocked),
        "block_recall": _share(blocked, is_fraud),
        "alert_precision": _share(is_fraud, alerted),
        "alert_recall": _share(alerted, is_fraud),
        "review_share": float(np.mean(alerted & ~blocked)),
        "fraud_share": float(np.mean(is_fraud)),
    }


def _hyperparameters(arguments: Sequence[str]) -> dict[str, Any]:
    """Defaults overridden by arguments; SageMaker hands all over as text, and one that is unknown is an error."""
    parser = argparse.ArgumentParser(prog="train", allow_abbrev=False)
    for group in boosting.defaults().values():
        for name, value in group.items():
            flags = dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}"))
            parser.add_argument(*flags, dest=name, type=type(value), default=value)
    return vars(parser.parse_args(arguments))


def _checkpoints(environ: Mapping[str, str], rows: Rows, parameters: Mapping[str, Any]) -> Checkpoints | None:
    """Where an interrupted training goes on from; None where the platform keeps nothing."""
    directory = Path(environ.get("SAGEMAKER_BASE_DIR", "/opt/ml"), "checkpoints")
    if not directory.is_dir():
        return None
    columns = (rows.features, rows.is_fraud, rows.occurred_at)
    return Checkpoints(directory, checkpoints.fingerprint(parameters, rows.names, *columns))


def _read_file(path: Path) -> pa.Table:
    return pq.read_table(path) if path.suffix == ".parquet" else pa.csv.read_csv(path)


def _share(part: npt.NDArray[np.bool_], of: npt.NDArray[np.bool_]) -> float:
    return float(np.mean(part[of])) if of.any() else 0.0


def _write_package(model_dir: Path, booster: xgb.Booster, document: Mapping[str, object]) -> None:
    code = model_dir / "code"
    code.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(inference.__file__, code / "inference.py")
    model = model_dir / "model.ubj"
    booster.save_model(model)
    document = {**document, "model_sha256": package_json.digest(model.read_bytes())}
    _write_json(model_dir / package_json.NAME, document)
    (model_dir / model_card.NAME).write_text(model_card.render(document), encoding="utf-8")


def _write_evidence(output_dir: Path, measured: Mapping[str, float], validation: Rows, scores: Scores) -> None:
    _write_json(output_dir / "metrics.json", measured)
    columns = {"occurred_at": validation.occurred_at, "is_fraud": validation.is_fraud, "score": scores}
    pq.write_table(pa.table(columns), output_dir / VALIDATION)


def _write_json(path: Path, document: Mapping[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(document, allow_nan=False, indent=1), encoding="utf-8")


if __name__ == "__main__":
    try:
        main(sys.argv[1:], os.environ)
    except UnusableRows as error:
        # In the log alone: the container's toolkit writes output/failure itself, after the script has ended.
        sys.exit(f"train: {error}")
