"""The job that says what a champion's traffic is held against.

Runs as `python -m baseline BASE` in the directory of the source archive. Of features and scores it takes what the
champion's package says; of fields, decisions and volume what the archive holds. Leaves `baseline.json` for the looks,
and for Model Monitor `statistics.json` and `constraints.json` of the columns that an endpoint sees, and the
preprocessor that gives captured rows the same names, in BASE/output.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from fraud import drift, features
from fraud.entities import DAY
from model import (
    attributions,
    capture_preprocessor,
    job_message,
    monitor_files,
    monitored_packages,
    monitored_rows,
    traffic_quality,
)
from model.baseline_document import Baseline, Distribution, Field, Share
from model.examples import Flags, rfc3339
from model.findings import CHAMPION
from model.history import Seconds
from model.metrics import Integers
from model.monitored_rows import ACTIONS, Rows
from model.monitoring_context import of_package, seconds
from model.packaged import UnusablePackage

ARCHIVE, NONE = "archive", "none"
PREPROCESSOR = "capture_preprocessor.py"
MOST_ROWS = 2_000_000
"""Rows that a baseline is made of; beyond, some cards are."""
FEWEST_DAYS = 7
"""Whole days before one of them is called the quietest, or decisions are known: weekdays differ."""
EXAMPLE = """\
BASE/input/rows/*                     what arrived, as the query wrote it; not looked at with --reference none
BASE/input/champion/*.tar.gz          the package that serves

example:
  python3 -m baseline /opt/ml/processing --reference archive --as-of 2026-03-01T00:00:00.000Z \\
    --champion arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/7
"""


def main(arguments: Sequence[str]) -> None:
    """Read, count and write.

    Raises:
        UnusablePackage: the champion's package cannot be loaded, or does not say what it learned from.
        ValueError: the rows cannot be read.
    """
    asked = _parse(arguments)
    package = monitored_packages.load(asked.base / "input" / CHAMPION, CHAMPION)
    rows, arrived = _read(asked)
    _tell(f"{arrived:,} decisions of the archive as of {rfc3339(asked.as_of)}.")
    baseline = describe(package.document, rows, arrived, asked.champion, asked.as_of)
    known = attributions.matrix(rows, rows.readable, package.model.names)
    found = attributions.attribute(package.model.booster, package.model.names, known)
    baseline = replace(baseline, attributions=found)
    _tell(f"{len(baseline.features)} features, {len(baseline.fields)} fields, {baseline.days} days of arrival.")
    output = asked.base / "output"
    _write(output, baseline, rows)
    _tell(f"The baseline of {asked.champion} is made.")


def describe(document: Mapping[str, Any], rows: Rows, arrived: int, champion: str, as_of: float) -> Baseline:
    """The document.

    Args:
        document: `package.json` of the champion.
        rows: what arrived, or some cards' part of it.
        arrived: rows of all cards.
        champion: ARN of the package.
        as_of: up to when rows were read, seconds since 1970.

    Raises:
        UnusablePackage: the package does not say what it learned from.
    """
    try:
        training = document["training"]
        learned = max(seconds(training["last_at"]) - seconds(training["first_at"]), DAY)
        return Baseline(
            champion=champion,
            as_of=rfc3339(as_of),
            rows=arrived,
            days=len(np.unique(rows.arrived_at // DAY)),
            trained_rows_per_day=training["rows"] / learned * DAY,
            trained_to=training["last_at"],
            features={name: _distribution(each) for name, each in document["baseline"].items()},
            scores=_distribution(document["scores"]) if document.get("scores") else None,
            fields=_fields(rows),
            decisions=dict(_decisions(rows, champion)),
            quietest_day=_quietest(rows, arrived),
            promise={name: float(value) for name, value in training.get("metrics", {}).items()},
            thresholds=document["thresholds"],
            is_complete=_is_complete(rows, champion),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise UnusablePackage(f"the champion's package does not say what it learned from: {error!r}") from error


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="baseline",
        description="Says what a champion's traffic is held against.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("base", type=Path, metavar="BASE", help="directory that holds input/, and gets output/")
    parser.add_argument("--champion", required=True, help="ARN of the model package that serves")
    parser.add_argument("--reference", choices=(ARCHIVE, NONE), required=True, help="whether the rows are looked at")
    parser.add_argument("--as-of", type=seconds, required=True, help="what came later is not looked at; RFC 3339")
    return parser.parse_args(arguments)


def _read(asked: argparse.Namespace) -> tuple[Rows, int]:
    if asked.reference == NONE:
        return monitored_rows.nothing(), 0
    return monitored_rows.read(asked.base / "input" / "rows", 0.0, asked.as_of, MOST_ROWS)


# --- What the package says -------------------------------------------------------------------------------------------


def _distribution(given: Mapping[str, Any]) -> Distribution:
    """What older packages do not say is not known, and taken with care."""
    return Distribution(
        edges=given["edges"],
        counts=given["counts"],
        missing=given["missing"],
        zeros=given.get("zeros"),
        design_effect=given.get("design_effect", drift.DEFAULT_DESIGN_EFFECT),
        is_steady=given.get("is_steady", True),
    )


# --- What the archive says -------------------------------------------------------------------------------------------


def _fields(rows: Rows) -> dict[str, Field]:
    return {name: _field(rows, name) for name in traffic_quality.FIELDS} if len(rows) else {}


def _field(rows: Rows, name: str) -> Field:
    values = rows.events[name]
    present: Flags = values.is_valid().to_numpy()
    counts = monitor_files.counted(values)
    kept = dict(list(counts.items())[: monitor_files.MOST_VALUES])
    return Field(
        present=int(present.sum()),
        missing=int((~present).sum()),
        values=kept,
        others=sum(counts.values()) - sum(kept.values()),
        design_effect=_design_effect(rows.arrived_at, present),
    )


def _decisions(rows: Rows, champion: str) -> Iterator[tuple[str, Share]]:
    """The champion's own, because another model decides otherwise; degraded ones of all."""
    own = of_package(rows, champion)
    if own.any():
        for word, action in enumerate(ACTIONS):
            yield action, _share(rows.arrived_at[own], rows.action[own] == word)
    if len(rows) > 0:
        yield traffic_quality.DEGRADED, _share(rows.arrived_at, rows.degraded)


def _is_complete(rows: Rows, champion: str) -> bool:
    """Whether the champion decided for a week, of which the quietest day is known then as well.

    After weeks of rules alone, or of another champion's, fields and volume are known long before.
    """
    return len(_whole_days(rows.arrived_at[of_package(rows, champion)])) >= FEWEST_DAYS


def _share(arrived_at: Seconds, happened: Flags) -> Share:
    return Share(int(happened.sum()), len(happened), _design_effect(arrived_at, happened))


def _design_effect(arrived_at: Seconds, happened: Flags) -> float:
    """How much a share varies from day to day."""
    days, day = np.unique(arrived_at // DAY, return_inverse=True)
    counts = np.bincount(day * 2 + happened, minlength=2 * len(days)).reshape(len(days), 2)
    return drift.design_effect(counts.tolist())


def _quietest(rows: Rows, arrived: int) -> int | None:
    """Transactions of all cards."""
    whole = _whole_days(rows.arrived_at)
    return round(int(whole.min()) * arrived / len(rows)) if len(whole) >= FEWEST_DAYS else None


def _whole_days(arrived_at: Seconds) -> Integers:
    """Rows by day: the first and the last may not be whole, and one without any was an outage."""
    counts: Integers = np.unique(arrived_at // DAY, return_counts=True)[1][1:-1]
    return counts


# --- What is written -------------------------------------------------------------------------------------------------


def _write(output: Path, baseline: Baseline, rows: Rows) -> None:
    output.mkdir(parents=True, exist_ok=True)
    names = tuple(baseline.features)
    known = rows.features[rows.readable]
    # The query hands on features of the newest day. Without any, nothing is told of how values are spread: what the
    # package has cannot be turned into it.
    columns = {name: known[:, features.NAMES.index(name)] for name in names if len(known)}
    statistics = monitor_files.statistics(columns, {}, len(known))
    monitor_files.write(output, monitor_files.STATISTICS, statistics)
    constraints = monitor_files.constraints(baseline, names, with_fields=False)
    monitor_files.write(output, monitor_files.CONSTRAINTS, constraints)
    (output / PREPROCESSOR).write_text(_preprocessor(names), encoding="utf-8")
    # Whoever follows it up reads this one: it comes last.
    baseline.write(output)


def _preprocessor(names: tuple[str, ...]) -> str:
    """The script with the names of this contract."""
    blank = "NAMES: tuple[str, ...] = ()"
    text = Path(capture_preprocessor.__file__).read_text(encoding="utf-8")
    if text.count(blank) != 1:
        raise ValueError(f"{PREPROCESSOR} has no place for the names of features")
    return text.replace(blank, f"NAMES: tuple[str, ...] = {tuple(map(monitor_files.column_name, names))!r}")


def _tell(sentence: str) -> None:
    # The log is followed while the job runs.
    print(sentence, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (ValueError, OSError) as error:
        job_message.leave(Path(sys.argv[1]), f"baseline: {error}")
        sys.exit(f"baseline: {error}")
