"""How long a decision takes by the stream and by a request, beside a bare call of the model, on `fraud up` in one run.

    python -m benchmarks.latency --rate 20 --seconds 30

- put→decision: from PutRecord of one transaction until its decision can be read from the table;
- request→decision: from the signed request of one transaction until its answer;
- bare call: InvokeEndpoint with one row of the same features, which decides, stores and remembers nothing.

All of one machine, so the milliseconds predict nothing about AWS; the ratios compare what stands in the same process.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import chdir, contextmanager
from typing import Any

import numpy as np
from rich.console import Console
from rich.progress import track
from rich.table import Table

from cli import score
from cli.laptop_process import laptop
from cli.target import Target
from fraud.aws.endpoint import to_csv
from fraud.features import NAMES
from local.children import ROOT

Ask = Callable[[int], None]
"""Does the work of transaction number n, and returns when it is done."""

PERCENTILES = (50, 95, 99)
TRAINING = 20_000
LONGEST = 30.0
"""Seconds until a decision must be there."""
LOOK_EVERY = 0.002


class NotDecided(Exception):
    """A transaction has no decision, or not by the model."""


def main() -> None:
    arguments = _parser().parse_args()
    count = round(arguments.rate * arguments.seconds)
    with _stack(arguments.seed) as target:
        sides = {
            "put→decision": by_stream(target),
            "request→decision": by_request(target),
            "bare call of the model": by_model(target),
        }
        for ask in sides.values():
            ask(0)
        measured = {name: paced(ask, count, arguments.rate, name) for name, ask in sides.items()}
    if arguments.json:
        print(json.dumps({name: percentiles(each) for name, each in measured.items()}, indent=2))
    else:
        Console().print(_table(measured))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.latency", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("--rate", type=float, default=20.0, help="transactions a second, one after the other")
    parser.add_argument("--seconds", type=float, default=30.0, help="of each side; the sides take turns")
    parser.add_argument("--seed", type=int, default=7, help="of the market that the model is learned on")
    parser.add_argument("--json", action="store_true", help="print milliseconds as JSON instead of a table")
    return parser


@contextmanager
def _stack(seed: int) -> Iterator[Target]:
    """`fraud up` with a model in service, in a directory of its own."""
    with tempfile.TemporaryDirectory() as directory, chdir(directory), laptop(ROOT / "template.yaml") as target:
        _fraud("train", "--simulate", str(TRAINING), "--seed", str(seed), "--out", "model")
        _fraud("deploy-model", "model", "--approve")
        yield target


def _fraud(*words: str) -> None:
    subprocess.run((sys.executable, "-m", "cli.main", *words), check=True, stdout=sys.stderr)


def transaction(way: str, number: int) -> dict[str, Any]:
    """One of a hundred cards pays now."""
    return {
        "schema_version": 1,
        "transaction_id": f"{way}-{number}",
        "occurred_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "card_token": f"card-{number % 100}",
        "terminal_id": f"shop-{number % 40}",
        "amount_minor": 1_000 + number,
        "currency": "EUR",
        "channel": "ecommerce",
    }


def by_stream(target: Target) -> Ask:
    kinesis, dynamodb = target.client("kinesis"), target.client("dynamodb", max_pool_connections=100)
    stream, table = target.output("TransactionStreamName"), target.output("DecisionTableName")

    def ask(number: int) -> None:
        event = transaction("stream", number)
        kinesis.put_record(StreamName=stream, PartitionKey=event["card_token"], Data=json.dumps(event).encode())
        key = {"transaction_id": {"S": event["transaction_id"]}}
        deadline = time.monotonic() + LONGEST
        while "Item" not in (found := dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)):
            if time.monotonic() > deadline:
                raise NotDecided(event["transaction_id"])
            time.sleep(LOOK_EVERY)
        require_model(found["Item"]["served_by"]["S"], event)

    return ask


def by_request(target: Target) -> Ask:
    url = score.address(target)

    def ask(number: int) -> None:
        event = transaction("request", number)
        _, body = score.post(target, url, json.dumps([event]).encode())
        [answer] = json.loads(body)
        if answer["status"] != 200 or answer["degraded"]:
            raise NotDecided(f"{event['transaction_id']}: {answer}")

    return ask


def by_model(target: Target) -> Ask:
    runtime = target.client("sagemaker-runtime", max_pool_connections=100)
    endpoint, row = target.output("EndpointSlotA"), to_csv([[1.0] * len(NAMES)])

    def ask(_number: int) -> None:
        answer = runtime.invoke_endpoint(
            EndpointName=endpoint, ContentType="text/csv", Accept="application/json", Body=row
        )
        answer["Body"].read()

    return ask


def require_model(served_by: str, event: dict[str, Any]) -> None:
    if served_by not in {"a", "b"}:
        raise NotDecided(f"{event['transaction_id']} was decided by {served_by}")


def paced(ask: Ask, count: int, rate: float, name: str) -> list[float]:
    """Seconds of each of `count` transactions, begun `rate` a second whether or not those before are done."""
    begun = time.monotonic()

    def timed(number: int) -> float:
        time.sleep(max(0.0, begun + number / rate - time.monotonic()))
        started = time.perf_counter()
        ask(number)
        return time.perf_counter() - started

    with ThreadPoolExecutor(max_workers=32) as pool:
        pending = pool.map(timed, range(1, count + 1))
        return list(track(pending, name, total=count, console=Console(stderr=True)))


def percentiles(seconds: Sequence[float]) -> dict[str, float]:
    """Milliseconds, by name."""
    return {f"p{each}": round(1_000 * float(np.percentile(seconds, each)), 1) for each in PERCENTILES}


def _table(measured: dict[str, list[float]]) -> Table:
    *_, bare = measured.values()
    base = percentiles(bare)
    table = Table(title="milliseconds, and times the bare call")
    table.add_column("from → to")
    for name in base:
        table.add_column(name, justify="right")
    for side, seconds in measured.items():
        table.add_row(side, *(f"{value} (×{value / base[name]:.1f})" for name, value in percentiles(seconds).items()))
    return table


if __name__ == "__main__":
    main()
