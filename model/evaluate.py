"""Evaluation script of a processing job: a candidate against the champion, on rows that the candidate never saw.

Runs as `python -m evaluate BASE` in the directory of the source archive. Reads the rows and both packages below
BASE/input, scores the rows as endpoints would, and leaves `evaluation.json` for the verdict, a report and the model
card for people in BASE/output.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from model import (
    comparison,
    evaluation_document,
    evaluation_report,
    evaluation_rows,
    job_message,
    model_card,
    packaged,
    segments,
)
from model.evaluation_document import Contender, Contest
from model.evaluation_report import Evidence
from model.evaluation_rows import UnusableRows
from model.packaged import Packaged, UnusablePackage
from model.plots import Scored
from model.report import render_page

REPORT, CARD = "report.html", "model_card.md"
SOURCES = ("archive", "history", "simulator")
NONE = "none"
DRAWS = 500
EXAMPLE = """\
BASE/input/rows/**.parquet            rows: features by name, is_fraud, occurred_at, transaction_id, card_token, ...
BASE/input/candidate/model.tar.gz     the package of the training job
BASE/input/champion/*.tar.gz          the package that serves; not looked at with --champion none

example:
  python3 -m evaluate /opt/ml/processing --source archive --draws 500 --fairness country,channel \\
    --champion arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/7
"""


def main(arguments: Sequence[str]) -> None:
    """Read, measure, compare and write.

    Raises:
        UnusablePackage: one of the packages cannot be loaded, or not score the rows.
        UnusableRows: there is nothing to measure on.
    """
    options = _options(arguments)
    contest = _hold(options)
    document = evaluation_document.describe(contest)
    for name, value in _numbers(document):
        print(f"evaluation:{name}={value:.6f}")
    _write(options.base / "output", document, contest, options.draws)
    print(evaluation_report.sentence(document))


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="evaluate",
        description="Measure a candidate against the champion.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("base", metavar="BASE", type=Path, help="directory that holds input/, and gets output/")
    parser.add_argument("--source", choices=SOURCES, default=SOURCES[0], help="where the rows come from")
    parser.add_argument("--champion", default=NONE, help="ARN of the model package that serves, or none")
    parser.add_argument("--draws", type=_positive, default=DRAWS, help="how often cards are drawn again (%(default)s)")
    parser.add_argument("--fairness", type=_fields, default=(), help="fields whose groups are compared, or none")
    return parser.parse_args(arguments)


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text} is less than 1")
    return value


def _fields(text: str) -> tuple[str, ...]:
    return () if text == NONE else tuple(name for name in text.split(",") if name)


def _hold(options: argparse.Namespace) -> Contest:
    base: Path = options.base / "input"
    package = packaged.load(base / "candidate" / "model.tar.gz", "candidate")
    rows = evaluation_rows.read(base / "rows", options.fairness)
    _require_unseen(package, rows)
    candidate = Contender("", package, package.score(rows))
    champion = None if options.champion == NONE else _champion(base / "champion", options.champion, rows)
    outcomes, parts = evaluation_rows.outcomes(rows), segments.segments(rows)
    print(
        f"{len(outcomes):,} transactions, {int(outcomes.is_fraud.sum()):,} frauds, {outcomes.cards:,} cards", flush=True
    )
    compared = None
    if champion:
        pair, share = (champion.scores, candidate.scores), package.review_share
        compared = comparison.compare(outcomes, *pair, share, parts, options.draws, _progress)
    return Contest(options.source, rows, outcomes, parts, options.fairness, candidate, champion, compared)


def _champion(directory: Path, model_package: str, rows: pa.Table) -> Contender:
    archives = sorted(directory.glob("*.tar.gz"))
    if len(archives) != 1:
        raise UnusablePackage(f"{directory} holds {len(archives)} archives, not the champion's alone")
    package = packaged.load(archives[0], "champion")
    return Contender(model_package, package, package.score(rows))


def _require_unseen(candidate: Packaged, rows: pa.Table) -> None:
    """Rows that a model learned from flatter it."""
    first = evaluation_rows.when(rows["occurred_at"][0].as_py())
    if candidate.last_at > first:
        raise UnusableRows(
            f"the candidate learned from rows until {candidate.last_at}, and is to be measured from {first}"
        )


def _progress(done: int, draws: int) -> None:
    print(f"{done:,} of {draws:,} draws", flush=True)


def _numbers(document: Mapping[str, Any]) -> Iterator[tuple[str, float]]:
    """The lines of the log: the candidate's metrics by their names, then the champion's and the gains."""
    yield from document["candidate"]["metrics"].items()
    for name, value in (document["champion"] or {"metrics": {}})["metrics"].items():
        yield f"champion_{name}", value
    for name, gain in document["gains"].items():
        yield f"gain_{name}", gain["difference"]
        yield f"gain_{name}_low", gain["low"]
        yield f"gain_{name}_high", gain["high"]


def _write(output: Path, document: dict[str, Any], contest: Contest, draws: int) -> None:
    output.mkdir(parents=True, exist_ok=True)
    described = contest.candidate.package.document
    page = render_page(evaluation_report.page(_evidence(document, contest, draws)))
    (output / REPORT).write_text(page, encoding="utf-8")
    (output / CARD).write_text(model_card.render(described, document), encoding="utf-8")
    # The verdict reads this one: it comes last, when everything else is there.
    text = json.dumps(document, allow_nan=False, indent=1)
    (output / evaluation_document.NAME).write_text(text, encoding="utf-8")


def _evidence(document: dict[str, Any], contest: Contest, draws: int) -> Evidence:
    is_fraud, candidate, champion = contest.outcomes.is_fraud, contest.candidate, contest.champion
    own = candidate.package.thresholds
    mapped = comparison.equal_share(champion.scores, candidate.scores, champion.package.thresholds) if champion else []
    return Evidence(
        document=document,
        candidate=Scored("candidate", is_fraud, candidate.scores),
        champion=Scored("champion", is_fraud, champion.scores) if champion else None,
        thresholds=own,
        quantiles=mapped,
        importance=candidate.package.document["training"]["importance"],
        review_share=contest.review_share,
        draws=draws,
        notes=_notes(champion, document),
    )


def _notes(champion: Contender | None, document: Mapping[str, Any]) -> list[str]:
    if champion is None or champion.package.last_at <= document["first_at"]:
        return []
    return [
        f"The champion learned from rows until {champion.package.last_at}, some of these among them: that flatters it."
    ]


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (UnusablePackage, UnusableRows) as error:
        job_message.leave(Path(sys.argv[1]), f"evaluate: {error}")
        sys.exit(f"evaluate: {error}")
