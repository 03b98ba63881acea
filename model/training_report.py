"""What the report of a trained package shows: the rows it was measured on, which it did not learn from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from model import package_json, report
from model.plots import Scored
from model.report import ReportData, Table
from model.train import VALIDATION

_HIGHLIGHTS = ("average_precision", "auc", "alert_recall", "block_precision", "review_share", "ece")


def write(model_dir: Path, output_dir: Path, path: Path) -> None:
    """Write the report of what a training job left in its two directories."""
    document = json.loads((model_dir / package_json.NAME).read_text(encoding="utf-8"))
    path.write_text(report.render(report_data(document, output_dir / VALIDATION)), encoding="utf-8")


def report_data(document: dict[str, Any], validation: Path) -> ReportData:
    """From `package.json` and the validation rows' scores."""
    training, rows = document["training"], pq.read_table(validation)
    measured = training["metrics"]
    return ReportData(
        title="Trained model",
        summary=_summary(training),
        highlights={_in_words(name): measured[name] for name in _HIGHLIGHTS},
        parts=[Scored("validation", rows["is_fraud"].to_numpy(), rows["score"].to_numpy())],
        tables=[
            Table("Metrics", ("metric", "value"), [(_in_words(name), value) for name, value in measured.items()]),
            Table("Parameters", ("parameter", "value"), [(name, str(x)) for name, x in training["parameters"].items()]),
        ],
        importance=training["importance"],
        lines=document["thresholds"],
    )


def _summary(training: dict[str, Any]) -> str:
    return (
        f"{training['trees']} trees learned from {training['rows'] - training['validation_rows']:,} transactions since "
        f"{training['first_at']}. Measured on the {training['validation_rows']:,} that followed from "
        f"{training['validation_from']} to {training['last_at']}, {training['validation_frauds']:,} of them fraud."
    )


def _in_words(name: str) -> str:
    return {"auc": "ROC AUC", "ece": "calibration error"}.get(name, name.replace("_", " "))
