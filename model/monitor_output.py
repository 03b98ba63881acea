"""What a look leaves: files for machines, in Model Monitor's schemas, a report for people, and the findings."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa

from model import feature_columns, label_quality, monitor_files, monitor_report, quality_files, traffic_quality
from model.examples import Matrix
from model.findings import ALL, CHAMPION, Findings
from model.monitor_files import CONSTRAINTS, STATISTICS, VIOLATIONS
from model.monitored_rows import Floats, Rows
from model.monitoring_context import Context, of_package

REPORT = "report.html"


def write(output: Path, found: Findings, context: Context, rows: Rows) -> None:
    """Write everything below a directory; `monitoring.json`, which others wait for, last."""
    output.mkdir(parents=True, exist_ok=True)
    for role in context.roles:
        _data_quality(output / role, role, found, context, rows)
    _model_quality(output / CHAMPION / "model_quality", found, context, rows)
    own = [each for each in found.findings if each.variant == CHAMPION]
    monitor_files.write(output / CHAMPION / "bias", VIOLATIONS, quality_files.bias_violations(own))
    monitor_files.write(output / CHAMPION / "explainability", VIOLATIONS, quality_files.attribution_violations(own))
    (output / REPORT).write_text(monitor_report.page(found, context, rows), encoding="utf-8")
    found.write(output)


def _data_quality(folder: Path, role: str, found: Findings, context: Context, rows: Rows) -> None:
    """What a model's rows hold; fields of the transaction among them."""
    chosen = rows.in_window & of_package(rows, context.roles[role])
    names = context.contract(role)
    # Of a row that cannot be read no feature is known; its fields are.
    matrix = rows.features[chosen]
    matrix[~rows.readable[chosen]] = float("nan")
    numbers: dict[str, Matrix | Floats] = {name: matrix[:, feature_columns.POSITION[name]] for name in names}
    numbers["score"] = rows.score[chosen]
    events = rows.events.filter(pa.array(chosen))
    texts = {name: events[name] for name in traffic_quality.FIELDS}
    monitor_files.write(folder, STATISTICS, monitor_files.statistics(numbers, texts, int(chosen.sum())))
    monitor_files.write(folder, CONSTRAINTS, monitor_files.constraints(context.baseline, names, with_fields=True))
    own = [each for each in found.findings if each.variant in (role, ALL)]
    monitor_files.write(folder, VIOLATIONS, monitor_files.violations(own))


def _model_quality(folder: Path, found: Findings, context: Context, rows: Rows) -> None:
    known = label_quality.outcomes(rows, CHAMPION, context)
    own = [each for each in found.findings if each.variant == CHAMPION]
    monitor_files.write(folder, STATISTICS, quality_files.statistics(known, context))
    monitor_files.write(folder, CONSTRAINTS, quality_files.constraints(context))
    monitor_files.write(folder, VIOLATIONS, quality_files.violations(own))
