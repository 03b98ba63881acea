"""One side's measurements: what each batch took, and what follows from all of them."""

from __future__ import annotations

import contextlib
import io
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import mean, quantiles
from typing import Any

from benchmarks.capacity import Consumed
from benchmarks.meter import Meter
from benchmarks.sides import Context, Side
from fraud.aws.dynamodb import Item

MOST_DELIVERIES = 5
Summary = dict[str, Any]


class NotDecided(Exception):
    """A side did not decide all that it was given."""


@dataclass(slots=True)
class Measurement:
    """Sums over batches, and the times of each, in seconds."""

    transactions: int = 0
    redelivered: int = 0
    calls: list[Counter[str]] = field(default_factory=list)
    consumed: list[Consumed] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    wall: list[float] = field(default_factory=list)

    def add(self, side: Side, batch: Mapping[str, Any], meter: Meter) -> None:
        """Have a side handle a batch, what it reports as failed once more, until nothing is left.

        Raises:
            NotDecided: something always failed.
        """
        cpu, wall = time.process_time(), time.perf_counter()
        self.redelivered += deliver(side, batch)
        self.cpu.append(time.process_time() - cpu)
        self.wall.append(time.perf_counter() - wall)
        calls, consumed = meter.read()
        self.transactions += len(batch["Records"])
        self.calls.append(calls)
        self.consumed.append(consumed)

    def summary(self, side: Side) -> Summary:
        """All that is reported, per 1,000 transactions where it says so."""
        thousands = self.transactions / 1000
        calls = sum(self.calls, Counter())
        centiles = quantiles(self.wall, n=100, method="inclusive") if len(self.wall) > 1 else self.wall * 99
        return {
            "transactions": self.transactions,
            "redelivered": self.redelivered,
            "calls_per_1000": {name: count / thousands for name, count in sorted(calls.items())},
            "all_calls_per_1000": calls.total() / thousands,
            "most_calls_in_a_batch": max(each.total() for each in self.calls),
            "write_units_per_1000": sum(each.writes for each in self.consumed) / thousands,
            "index_write_units_per_1000": sum(each.index_writes for each in self.consumed) / thousands,
            "read_units_per_1000": sum(each.reads for each in self.consumed) / thousands,
            "cpu_ms_per_transaction": sum(self.cpu) / thousands,
            "batch_wall_ms_p50": centiles[49] * 1000,
            "batch_wall_ms_p99": centiles[98] * 1000,
            "decision_bytes": self._mean_size(side.tables.decision),
            "decisions_over_1_kb": self._share_over_1_kb(side.tables.decision),
            "card_bytes": self._mean_size(side.tables.entity),
        }

    def _mean_size(self, table: str) -> float:
        return mean(self._sizes(table))

    def _share_over_1_kb(self, table: str) -> float:
        return mean(size > 1024 for size in self._sizes(table))

    def _sizes(self, table: str) -> list[int]:
        return [size for each in self.consumed for size in each.sizes.get(table, ())]


def deliver(side: Side, batch: Mapping[str, Any]) -> int:
    """Invoke a handler until every record is done; gives how many records were delivered again.

    Raises:
        NotDecided: something always failed.
    """
    records, again = batch["Records"], 0
    for _ in range(MOST_DELIVERIES):
        failed = _failed(side, records)
        if not failed:
            return again
        records = [each for each in records if each["kinesis"]["sequenceNumber"] in failed]
        again += len(records)
    raise NotDecided(f"{side.name}: {len(records)} records failed {MOST_DELIVERIES} times")


def _failed(side: Side, records: list[Any]) -> set[str]:
    with contextlib.redirect_stdout(io.StringIO()):
        report = side.handler({"Records": records}, Context())
    return {each["itemIdentifier"] for each in report["batchItemFailures"]}


def decided(dynamodb: Any, side: Side) -> dict[str, tuple[str, str]]:
    """Action and features of every decision a side has stored, by transaction."""
    pages = dynamodb.get_paginator("scan").paginate(TableName=side.tables.decision, ConsistentRead=True)
    items: list[Item] = [item for page in pages for item in page["Items"]]
    return {item["transaction_id"]["S"]: (item["action"]["S"], item["features"]["S"]) for item in items}
