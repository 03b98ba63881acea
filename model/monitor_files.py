"""Files in the schemas of SageMaker Model Monitor, so that what reads its reports reads ours as well.

Data quality: `statistics.json`, `constraints.json` and `constraint_violations.json`; the other kinds of monitoring have
files of the same names and other content. Columns are named as Spark takes them: lower case, digits and `_`.
https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-byoc-contract-outputs.html
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraud import drift
from fraud.drift import Floors
from model import data_quality, feature_columns
from model.baseline_document import Baseline, Distribution
from model.examples import Matrix
from model.findings import Finding
from model.monitored_rows import Floats

STATISTICS, CONSTRAINTS, VIOLATIONS = "statistics.json", "constraints.json", "constraint_violations.json"
VERSION = 0.0
BUCKETS = 10
MOST_VALUES = 100
"""Values of a text that are listed; a column with more has no domain."""
SKETCH = {"c": 0.64, "k": 2048.0}
MOST_SKETCHED = 512
"""Values that stand for a column: a five-hundredth is far below the distance that is told of."""
THRESHOLD = 0.1
"""Distance beyond which Model Monitor tells of a change."""
TOLERANCE = 0.05
"""Share of values that may be missing more than in the baseline."""
ALPHA = 0.001
SMALLEST_WINDOW = 200
"""Rows of a window that completeness is to hold in: Model Monitor knows no chance."""
OF_DATA = frozenset(
    {
        "data_type_check",
        "completeness_check",
        "baseline_drift_check",
        "missing_column_check",
        "categorical_values_check",
    }
)
"""Checks that Model Monitor has."""
_UNSAFE = re.compile(r"[^a-z0-9_]+")

Document = dict[str, Any]


def write(folder: Path, name: str, document: Mapping[str, Any]) -> None:
    """Leave a file in a folder, which is made."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(json.dumps(document, allow_nan=False, indent=1), encoding="utf-8")


def column_name(name: str) -> str:
    """A name as Spark takes it."""
    return _UNSAFE.sub("_", name.lower())


# --- Statistics of data ----------------------------------------------------------------------------------------------


def statistics(numbers: Mapping[str, Matrix | Floats], texts: Mapping[str, pa.ChunkedArray], rows: int) -> Document:
    """`statistics.json` of data.

    Args:
        numbers: columns by name, NaN where there is no value.
        texts: columns by name, null likewise.
        rows: of all columns.
    """
    described = [_numeric(name, values) for name, values in numbers.items()]
    described += [_textual(name, values) for name, values in texts.items()]
    return {"version": VERSION, "dataset": {"item_count": rows}, "features": described}


def _numeric(name: str, values: Matrix | Floats) -> Document:
    # What is no number has no mean; it counts as missing here, and is told of as a wrong type.
    finite = np.sort(values[np.isfinite(values)].astype(np.float64))
    common = {"num_present": len(finite), "num_missing": len(values) - len(finite)}
    found: Document = {"name": column_name(name), "inferred_type": inferred_type(name) if len(finite) else "Unknown"}
    if not len(finite):
        return found | {"numerical_statistics": {"common": common}}
    summary = {
        "mean": float(finite.mean()),
        "sum": float(finite.sum()),
        "std_dev": float(finite.std()),
        "min": float(finite[0]),
        "max": float(finite[-1]),
    }
    sketched = {"buckets": _buckets(finite), "sketch": {"parameters": SKETCH, "data": sketch(finite)}}
    return found | {"numerical_statistics": {"common": common, **summary, "distribution": {"kll": sketched}}}


def inferred_type(name: str) -> str:
    """`Integral` or `Fractional`; what is no feature is a score."""
    return "Integral" if name in feature_columns.POSITION and feature_columns.is_integral(name) else "Fractional"


def _buckets(ordered: Floats) -> list[Document]:
    """Ten of equal width."""
    counts, edges = np.histogram(ordered, bins=BUCKETS, range=(ordered[0], ordered[-1]))
    low = float(ordered[0])
    if ordered[0] == ordered[-1]:  # A range without width, which numpy would widen.
        counts, edges = np.array([0] * (BUCKETS - 1) + [len(ordered)]), np.full(BUCKETS + 1, low)
    return [
        {"lower_bound": float(edges[i]), "upper_bound": float(edges[i + 1]), "count": float(counts[i])}
        for i in range(BUCKETS)
    ]


def sketch(ordered: Floats) -> list[list[float]]:
    """Compactors of a KLL sketch: a value of level l stands for 2^l rows, and together they stand for all.

    Made of the ordered values at once instead of as they come: the top level holds values at even ranks, the levels
    below what is left over. https://arxiv.org/abs/1603.05346
    """
    top = max(0, math.ceil(math.log2(len(ordered) / MOST_SKETCHED))) if len(ordered) else 0
    step = 1 << top
    many, left = divmod(len(ordered), step)
    levels: list[list[float]] = [[] for _ in range(top + 1)]
    levels[top] = ordered[np.arange(many) * step + step // 2].tolist()
    rest = ordered[many * step :]
    for level in range(top):
        if left >> level & 1:
            levels[level] = [float(rest[-1])]
    return levels


def _textual(name: str, values: pa.ChunkedArray) -> Document:
    counts = counted(values)
    common = {"num_present": len(values) - values.null_count, "num_missing": values.null_count}
    buckets = [{"value": value, "count": many} for value, many in list(counts.items())[:MOST_VALUES]]
    return {
        "name": column_name(name),
        "inferred_type": "String" if counts else "Unknown",
        "string_statistics": {
            "common": common,
            "distinct_count": float(len(counts)),
            "distribution": {"categorical": {"buckets": buckets}},
        },
    }


def counted(values: pa.ChunkedArray) -> dict[str, int]:
    """How often each value comes, the most frequent first."""
    found = pc.value_counts(values.drop_null().combine_chunks())
    pairs = zip(found.field("values").to_pylist(), found.field("counts").to_pylist(), strict=True)
    return dict(sorted(pairs, key=lambda pair: (-pair[1], pair[0])))


# --- Constraints of data ---------------------------------------------------------------------------------------------


def constraints(baseline: Baseline, names: Sequence[str], *, with_fields: bool) -> Document:
    """`constraints.json` of data.

    Args:
        baseline: what is known of the columns.
        names: of features, in the order of the columns.
        with_fields: whether fields of the transaction are columns, too. An endpoint does not see them.
    """
    features = [_feature(name, baseline.features[name], baseline, len(names)) for name in names]
    if with_fields and baseline.scores is not None:
        scored = {"name": "score", "inferred_type": "Fractional", "num_constraints": {"is_non_negative": True}}
        features.append(scored | {"completeness": 1 - TOLERANCE})
    if with_fields:
        features += [
            {
                "name": column_name(name),
                "inferred_type": "String",
                "completeness": _completeness(each.missing, each.present + each.missing, each.design_effect, 1),
                **({} if each.others else {"string_constraints": {"domains": sorted(each.values)}}),
            }
            for name, each in baseline.fields.items()
        ]
    return {"version": VERSION, "features": features, "monitoring_config": _configuration()}


def _feature(name: str, of: Distribution, baseline: Baseline, columns: int) -> Document:
    described: Document = {
        "name": column_name(name),
        "inferred_type": inferred_type(name),
        "completeness": _completeness(of.missing, sum(of.counts) + of.missing, of.design_effect, columns),
        "num_constraints": {"is_non_negative": feature_columns.is_non_negative(name)},
    }
    if not _is_comparable(name, of, baseline):
        described["monitoringConfigOverrides"] = {"evaluate_constraints": "Disabled"}
    return described


def _is_comparable(name: str, of: Distribution, baseline: Baseline) -> bool:
    """Whether a distance beyond the threshold could mean anything but chance, or the hour that is looked at."""
    if not of.is_steady or feature_columns.measure(name) in feature_columns.CLOCK or not sum(of.counts):
        return False
    chance = drift.shift(
        of.counts,
        of.counts,
        expected_size=drift.effective(sum(of.counts), math.inf, of.design_effect),
        observed_size=drift.effective(baseline.trained_rows_per_day, math.inf, of.design_effect),
        alpha=ALPHA,
        floors=Floors(0.0, 0.0),
    )
    return chance.ks_limit <= THRESHOLD


def _completeness(missing: int, rows: int, design_effect: float, columns: int) -> float:
    """Share of values that have to be there in the smallest window, all columns together."""
    effect = data_quality.effect_on_share(missing, rows, design_effect, TOLERANCE)
    most = drift.share_shift(
        missing,
        rows,
        missing,
        rows,
        expected_size=drift.effective(rows, math.inf, effect),
        observed_size=drift.effective(SMALLEST_WINDOW, math.inf, effect),
        alpha=ALPHA / columns,
        floor=TOLERANCE,
    ).high
    return round(1 - most, 6)


def _configuration() -> Document:
    return {
        "evaluate_constraints": "Enabled",
        "emit_metrics": "Enabled",
        "datatype_check_threshold": 1.0,
        "domain_content_threshold": 1.0,
        "distribution_constraints": {
            "perform_comparison": "Enabled",
            "comparison_threshold": THRESHOLD,
            "comparison_method": "Robust",
            "categorical_comparison_threshold": THRESHOLD,
            "categorical_drift_method": "LInfinity",
        },
    }


# --- Violations ------------------------------------------------------------------------------------------------------


def violations(findings: Iterable[Finding]) -> Document:
    """`constraint_violations.json` of data: what of the findings Model Monitor has a check for."""
    return {
        "violations": [
            {
                "feature_name": column_name(each.name),
                "constraint_check_type": each.check,
                "description": each.sentence,
            }
            for each in findings
            if each.outcome == "violated" and each.check in OF_DATA
        ]
    }
