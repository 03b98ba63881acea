"""The job that examines a data set: reads it, checks it, and parts it into what is learned from and measured on.

Reads `input/data` and writes `output` below the directory it is given: `checks.json` always, with what was found and
whether that is fit to learn from; `learn/` and `evaluate/` as far as there are rows. Whatever it finds, the job
succeeds: what follows is for the state machine to say.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq

from fraud import features
from fraud.entities import DAY, HOUR
from model import checks, job_message, past, probe, served
from model.checks import Check, Limits
from model.examples import LEARNED_FROM, MEASURED_ON, Examples, Flags, UnreadableRows, rfc3339
from model.history import NEVER
from model.split import Lengths, Split, as_days, split

SCHEMA_VERSION = 1
EXAMPLE = """\
example:
  python3 -m examine /opt/ml/processing --source archive --as-of 2026-03-01T00:00:00.000Z \\
    --training-days 90 --maturity-days 7 --evaluation-days 7 --gap-days 7 \\
    --fewest-frauds 50 --fewest-evaluation-frauds 20 \\
    --freshest-hours 72 --freshest-label-days 14 --most-fraud-share 0.2
"""
_WHOLE_NUMBERS = {
    "training-days": "days that are learned from and measured on, at most",
    "maturity-days": "age at which a transaction without a verdict counts as genuine",
    "evaluation-days": "newest mature days, which are measured on; a quarter of all at most",
    "gap-days": "days before these that are left out; a quarter of all at most",
    "fewest-frauds": "known frauds that are needed to learn from",
    "fewest-evaluation-frauds": "known frauds that are needed to measure on",
    "freshest-hours": "largest age of the newest decision",
    "freshest-label-days": "largest age of the newest verdict",
}


def main(arguments: Sequence[str]) -> None:
    """Examine and write.

    Raises:
        UnreadableRows: the rows are not as they are agreed upon.
    """
    asked = _parse(arguments)
    as_of, lengths, limits = int(asked.as_of), _lengths(asked), _limits(asked)
    _tell(f"Reading the {asked.source} as of {rfc3339(asked.as_of)}.")
    examples = _read(asked.source, asked.base / "input" / "data", as_of, lengths.maturity)
    _tell(f"{len(examples):,} transactions, {int(examples.is_fraud.sum()):,} of them known frauds.")
    parts = split(examples, as_of, lengths)
    _tell(", ".join(f"{reason}: {rows:,}" for reason, rows in parts.left_out.items()) + " rows left out.")
    found = []
    for check in _checks(examples, parts, as_of, limits, archived=asked.source == "archive"):
        found.append(check)
        _tell(f"{check.name}: {check.outcome}. {check.sentence}")
    output = asked.base / "output"
    _write(output / "learn", examples, parts.learning, LEARNED_FROM)
    _write(output / "evaluate", examples, parts.evaluation, MEASURED_ON)
    document = _document(asked.source, examples, parts, found)
    output.mkdir(parents=True, exist_ok=True)
    (output / "checks.json").write_text(json.dumps(document, allow_nan=False, indent=1), encoding="utf-8")


# --- What is asked ----------------------------------------------------------------------------------------------------


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="examine",
        description="Checks a data set and parts it into what is learned from and what is measured on.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("base", type=Path, metavar="BASE", help="reads BASE/input/data, writes BASE/output")
    parser.add_argument("--source", choices=("archive", "history", "simulator"), required=True)
    parser.add_argument("--as-of", type=_moment, required=True, help="what came later is not looked at; RFC 3339")
    for name, told in _WHOLE_NUMBERS.items():
        parser.add_argument(f"--{name}", type=_count, required=True, help=told)
    told = "highest share of frauds that is believed, 0 to 1"
    parser.add_argument("--most-fraud-share", type=float, required=True, help=told)
    return parser.parse_args(arguments)


def _moment(text: str) -> float:
    moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise argparse.ArgumentTypeError(f"{text} carries no UTC offset")
    return moment.timestamp()


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than none")
    return count


def _lengths(asked: argparse.Namespace) -> Lengths:
    days = (asked.training_days, asked.maturity_days, asked.evaluation_days, asked.gap_days)
    return Lengths(*(each * DAY for each in days))


def _limits(asked: argparse.Namespace) -> Limits:
    return Limits(
        fewest_frauds=asked.fewest_frauds,
        fewest_evaluation_frauds=asked.fewest_evaluation_frauds,
        freshest=asked.freshest_hours * HOUR,
        freshest_label=asked.freshest_label_days * DAY,
        most_fraud_share=asked.most_fraud_share,
        maturity=asked.maturity_days * DAY,
    )


def _read(source: str, folder: Path, as_of: int, maturity: int) -> Examples:
    if source == "archive":
        return served.read(folder)
    return past.read(folder, as_of, maturity) if source == "history" else past.simulated(as_of)


# --- What is found ----------------------------------------------------------------------------------------------------


def _checks(examples: Examples, parts: Split, as_of: int, limits: Limits, *, archived: bool) -> Iterator[Check]:
    """All checks, the cheap ones first."""
    enough = list(_enough(examples, parts, limits))
    yield from enough
    read, suffices = int(examples.readable.sum()), not any(check.outcome == "not_enough" for check in enough)
    yield checks.readable(len(examples), read, enough=suffices)
    yield from _sound(examples, parts.learning, as_of)
    if archived:
        yield checks.decisions_fresh(_age(examples.arrived_at, as_of), limits.freshest)
        yield checks.verdicts_fresh(_age(examples.known_at[examples.judged], as_of), limits.freshest_label)
    yield _label_delay(examples, as_of, limits.maturity)
    yield checks.leakage(probe.look(examples))
    yield checks.giveaway(checks.most_telling(examples, parts.learning | parts.evaluation))


def _enough(examples: Examples, parts: Split, limits: Limits) -> Iterator[Check]:
    learning, measured = _counts(examples, parts.learning), _counts(examples, parts.evaluation)
    yield from checks.kinds("learn_from", *learning, limits.fewest_frauds)
    yield from checks.kinds("measure_on", *measured, limits.fewest_evaluation_frauds)
    yield checks.fraud_share(learning[1] + measured[1], learning[0] + measured[0], limits.most_fraud_share)


def _sound(examples: Examples, learning: Flags, as_of: int) -> Iterator[Check]:
    yield _schema(examples, learning)
    infinite = np.isinf(examples.features).sum(axis=0)
    yield checks.finite(dict(zip(features.NAMES, infinite.tolist(), strict=True)))
    yield checks.duplicates(len(examples), pc.count_distinct(examples.events["transaction_id"], mode="all").as_py())
    known_later = (examples.known_at > as_of) & (examples.known_at < NEVER)
    yield checks.later(int(((examples.arrived_at > as_of) | known_later).sum()))


def _schema(examples: Examples, learning: Flags) -> Check:
    named: Flags = np.any(examples.named[learning], axis=0)
    known = (~np.isnan(examples.features[learning])).sum(axis=0).tolist()
    absent = [name for name, is_named in zip(features.NAMES, named, strict=True) if not is_named]
    return checks.schema(absent, dict(zip(features.NAMES, known, strict=True)), int(learning.sum()))


def _label_delay(examples: Examples, as_of: int, maturity: int) -> Check:
    """Of frauds that are old enough to have been late: younger ones became known early, or are not known yet."""
    frauds = examples.is_fraud & (examples.at <= as_of - maturity)
    late = frauds & (examples.first_fraud_at - examples.at > maturity)
    return checks.label_delay(int(late.sum()), int(frauds.sum()), maturity)


def _age(moments: np.ndarray[Any, np.dtype[np.int64]], as_of: int) -> int | None:
    return as_of - int(moments.max()) if len(moments) else None


def _counts(examples: Examples, rows: Flags) -> tuple[int, int]:
    """Rows and frauds."""
    return int(rows.sum()), int((rows & examples.is_fraud).sum())


# --- What is written --------------------------------------------------------------------------------------------------


def _document(source: str, examples: Examples, parts: Split, found: Sequence[Check]) -> dict[str, Any]:
    return {
        "schema_version": SCHEMA_VERSION,
        "source": source,
        "rows": len(examples),
        "learning": _part(examples, parts.learning),
        "evaluation": _part(examples, parts.evaluation),
        "gap_days": as_days(parts.gap),
        "left_out": parts.left_out,
        "checks": [asdict(check) for check in found],
    }


def _part(examples: Examples, rows: Flags) -> dict[str, object]:
    count, frauds = _counts(examples, rows)
    at = examples.at[rows]
    first_at, last_at = (rfc3339(int(at[0])), rfc3339(int(at[-1]))) if count else ("", "")
    return {"rows": count, "frauds": frauds, "first_at": first_at, "last_at": last_at}


def _write(folder: Path, examples: Examples, rows: Flags, names: tuple[str, ...]) -> None:
    if rows.any():
        folder.mkdir(parents=True, exist_ok=True)
        pq.write_table(examples.training_table(rows, names), folder / "part-0.parquet")
        _tell(f"{int(rows.sum()):,} rows in {folder.name}/.")


def _tell(sentence: str) -> None:
    # The log is followed while the job runs.
    print(sentence, flush=True)


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except UnreadableRows as error:
        job_message.leave(Path(sys.argv[1]), f"examine: {error}")
        sys.exit(f"examine: {error}")
