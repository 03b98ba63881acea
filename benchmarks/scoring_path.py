"""Calls, request units and CPU of the scoring path, beside the alternative, on one fake AWS in one run."""

from __future__ import annotations

import argparse
import json
import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import boto3
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from benchmarks import fake_aws, report, sides, stack, traffic
from benchmarks.measurement import Measurement, NotDecided, decided, deliver
from benchmarks.meter import Meter
from benchmarks.sides import Side
from benchmarks.stack import Blueprint
from benchmarks.traffic import Traffic

Result = dict[str, Any]


def main() -> None:
    arguments = _parser().parse_args()
    result = run(arguments)
    if arguments.json:
        print(json.dumps(result, indent=2))
    else:
        report.show(result)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scoring_path", description=__doc__)
    parser.add_argument("--transactions", type=int, default=5000, help="measured; one batch more warms each side up")
    parser.add_argument("--batch", type=int, default=100, help="records in an invocation")
    parser.add_argument("--threads", type=int, default=10, help="records that the alternative treats at once")
    parser.add_argument("--seed", type=int, default=7, help="of the simulated market")
    parser.add_argument("--file", type=Path, help="transactions in the Handbook's columns instead of simulated ones")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    return parser


def run(arguments: argparse.Namespace) -> Result:
    """Start the fake AWS, measure every side on it, verify that all did the same work."""
    with _progress() as progress, fake_aws.running() as url:
        records = _traffic(arguments)
        os.environ.pop("AWS_PROFILE", None)
        os.environ.update(_environment(url()))
        # The application's clients are made from the default session.
        boto3.setup_default_session()
        assert boto3.DEFAULT_SESSION is not None
        blueprint, unmetered = Blueprint.of_template(), boto3.Session()
        meter = Meter(boto3.DEFAULT_SESSION, blueprint.index_keys)
        compared = _prepared(unmetered, blueprint, records, arguments.threads, progress)
        measurements = _measured(compared, records.batches(arguments.batch), meter, progress)
        verified = _verified(unmetered.client("dynamodb"), compared, records)
    summaries = {
        side.name: each.summary(side) | verified[side.name] for side, each in zip(compared, measurements, strict=True)
    }
    return {"run": _description(arguments, records), "sides": summaries}


def _environment(url: str) -> dict[str, str]:
    return {
        "AWS_ENDPOINT_URL": url,
        "AWS_DEFAULT_REGION": fake_aws.REGION,
        "AWS_REGION": fake_aws.REGION,
        "AWS_ACCESS_KEY_ID": "benchmark",
        "AWS_SECRET_ACCESS_KEY": "benchmark",
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "127.0.0.1",
    }


def _traffic(arguments: argparse.Namespace) -> Traffic:
    """The measured transactions and a batch to warm up with."""
    count = arguments.transactions + arguments.batch
    return traffic.from_file(arguments.file, count) if arguments.file else traffic.simulated(count, arguments.seed)


def _prepared(
    session: boto3.Session, blueprint: Blueprint, records: Traffic, threads: int, progress: Progress
) -> list[Side]:
    """Every side with tables of its own, filled alike."""
    dynamodb = session.client("dynamodb")
    model = stack.serve_model(session.client("s3"), session.client("sagemaker"), fake_aws.REGION)
    names = (sides.OURS, *sides.ALTERNATIVES)
    tables = [blueprint.create(dynamodb, f"side-{number}") for number in range(len(names))]
    task = progress.add_task("state of cards and terminals", total=len(records.states) * len(names))
    for each in tables:
        stack.route(dynamodb, each, model)
        for written in stack.store(dynamodb, each, records.states):
            progress.advance(task, written)
    others = zip(sides.ALTERNATIVES, tables[1:], strict=True)
    return [sides.ours(tables[0]), *(sides.alternative(name, each, model, threads) for name, each in others)]


def _measured(
    compared: Sequence[Side], batches: Sequence[Mapping[str, Any]], meter: Meter, progress: Progress
) -> list[Measurement]:
    """Every batch by every side before the next one, the order rotating, so that a busy machine is busy for all."""
    measurements = [Measurement() for _ in compared]
    for side in compared:
        deliver(side, batches[0])
    meter.read()
    for number, batch in enumerate(progress.track(batches[1:], description="batches")):
        for position in range(len(compared)):
            turn = (number + position) % len(compared)
            measurements[turn].add(compared[turn], batch, meter)
    return measurements


def _verified(dynamodb: Any, compared: Sequence[Side], records: Traffic) -> dict[str, Result]:
    """What every side decided.

    Raises:
        NotDecided: not each transaction once.
    """
    sent = {event["transaction_id"] for event in records.events}
    stored = {side.name: decided(dynamodb, side) for side in compared}
    for name, decisions in stored.items():
        if decisions.keys() != sent:
            raise NotDecided(f"{name}: {len(decisions)} decisions of {len(sent)} transactions")
    ours = stored[sides.OURS]
    return {
        name: {
            "decisions": len(decisions),
            "same_as_ours": sum(decisions[each] == ours[each] for each in sent) / len(sent),
            "actions": dict(Counter(action for action, _ in decisions.values())),
        }
        for name, decisions in stored.items()
    }


def _description(arguments: argparse.Namespace, records: Traffic) -> Result:
    return {
        "transactions": arguments.transactions,
        "batch": arguments.batch,
        "threads": arguments.threads,
        "seed": arguments.seed,
        "file": arguments.file.name if arguments.file else None,
        "distinct_cards": records.distinct_share(arguments.batch),
    }


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )


if __name__ == "__main__":
    main()
