"""What the job that monitors is asked, as arguments; every number of the plan has one."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fraud.entities import DAY
from model.limits import Limits
from model.monitoring_context import seconds

NONE = "none"
EXAMPLE = """\
BASE/input/rows/*                     what arrived, as the query wrote it
BASE/input/champion/*.tar.gz          the package that serves
BASE/input/challenger/*.tar.gz        the one on trial; not looked at with --challenger none
BASE/input/baseline/baseline.json     what the job baseline made

example:
  python3 -m monitor /opt/ml/processing --since 2026-02-28T00:00:00.000Z --until 2026-03-01T00:00:00.000Z \\
    --champion arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/7 --challenger none \\
    --fewest-rows 200 --fewest-frauds 20 --alpha 0.001 --least-psi 0.1 --least-ks 0.1 --least-share 0.05 \\
    --least-ratio 1.5 --least-volume 0.5 --quality-loss 0.1 --bias-gap 0.1 --fairness country,channel \\
    --most-parity-mismatches 0.01 --parity-entities 2000 --most-rows 2000000 --maturity-days 7 --quality-days 7 \\
    --stale-days 90 --freshest-label-days 14
"""
_COUNTS = {
    "fewest-rows": "rows of a variant below which its distributions are not judged",
    "fewest-frauds": "mature frauds of a variant below which its quality is not judged",
    "parity-entities": "cards, and terminals, whose features are computed again",
    "most-rows": "rows of the window that are looked at; beyond, some cards are",
    "maturity-days": "age at which a transaction without a verdict counts as genuine",
    "quality-days": "days of mature transactions that quality is measured on",
    "stale-days": "age of what the champion learned from beyond which it is stale",
    "freshest-label-days": "age of the newest verdict beyond which their feed is broken",
}
_NUMBERS = {
    "alpha": "probability that a look at unchanged traffic says anything",
    "least-psi": "stability index below which a change is not told of",
    "least-ks": "distance of cumulative distributions below which a change is not told of",
    "least-share": "change of a share of values below which it is not told of",
    "least-ratio": "ratio of shares of decisions below which it is not told of",
    "least-volume": "share of the quietest day's transactions that have to come",
    "quality-loss": "how much of a promised metric may be lost",
    "bias-gap": "how far shares of two groups may differ",
    "most-parity-mismatches": "share of features computed again that may differ",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked.

    Args:
        base: directory that holds `input`, and gets `output`.
        since: begin of the window, seconds since 1970; what arrived at that very moment is not part of it.
        until: its end, which is.
        champion: ARN of the package that serves.
        challenger: ARN of the package on trial; empty without.
        most_rows: of the window that are looked at.
        limits: what is called a change.
    """

    base: Path
    since: float
    until: float
    champion: str
    challenger: str
    most_rows: int
    limits: Limits


def parse(arguments: Sequence[str]) -> Asked:
    """What is asked; leaves with a sentence when it cannot be read."""
    parser = _parser()
    given = parser.parse_args(arguments)
    if given.since >= given.until:
        parser.error("--since must lie before --until")
    return Asked(
        base=given.base,
        since=given.since,
        until=given.until,
        champion=given.champion,
        challenger="" if given.challenger == NONE else given.challenger,
        most_rows=max(given.most_rows, 1),
        limits=_limits(given),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="monitor",
        description="Looks whether what arrived in a window is what the champion was made for.",
        epilog=EXAMPLE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("base", type=Path, metavar="BASE", help="directory that holds input/, and gets output/")
    parser.add_argument("--since", type=seconds, required=True, help="begin of the window, not part of it; RFC 3339")
    parser.add_argument("--until", type=seconds, required=True, help="end of the window, part of it; RFC 3339")
    parser.add_argument("--champion", required=True, help="ARN of the model package that serves")
    parser.add_argument("--challenger", required=True, help="ARN of the model package on trial, or none")
    told = "fields of the transaction whose groups are compared, separated by commas, or none"
    parser.add_argument("--fairness", type=_fields, required=True, help=told)
    for name, told in _COUNTS.items():
        parser.add_argument(f"--{name}", type=_count, required=True, help=told)
    for name, told in _NUMBERS.items():
        parser.add_argument(f"--{name}", type=_number, required=True, help=told)
    return parser


def _limits(given: argparse.Namespace) -> Limits:
    return Limits(
        fewest_rows=given.fewest_rows,
        fewest_frauds=given.fewest_frauds,
        alpha=given.alpha,
        least_psi=given.least_psi,
        least_ks=given.least_ks,
        least_share=given.least_share,
        least_ratio=given.least_ratio,
        least_volume=given.least_volume,
        quality_loss=given.quality_loss,
        bias_gap=given.bias_gap,
        fairness=given.fairness,
        most_parity_mismatches=given.most_parity_mismatches,
        parity_entities=given.parity_entities,
        maturity=given.maturity_days * DAY,
        quality=given.quality_days * DAY,
        stale=given.stale_days * DAY,
        freshest_label=given.freshest_label_days * DAY,
    )


def _fields(text: str) -> tuple[str, ...]:
    return () if text == NONE else tuple(name for name in text.split(",") if name)


def _count(text: str) -> int:
    count = int(text)
    if count < 0:
        raise argparse.ArgumentTypeError(f"{text} is less than none")
    return count


def _number(text: str) -> float:
    number = float(text)
    # A comparison with what is no number is false, too.
    if not 0 <= number < float("inf"):
        raise argparse.ArgumentTypeError(f"{text} is no number from 0")
    return number
