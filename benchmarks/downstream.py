"""What a decision costs after it stands: bytes logged, archived and told, and the projection's units and CPU.

The functions as they ship, on the fake AWS and the simulated traffic of `benchmarks.scoring_path`; in the place of
Firehose and the bus stands what accepts everything. Prints JSON.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import io
import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from statistics import mean
from typing import Any

import boto3

from benchmarks import capacity, fake_aws, scoring_path, sides, stack, traffic
from benchmarks.capacity import Consumed
from benchmarks.sides import Side
from benchmarks.stack import Blueprint
from benchmarks.traffic import Traffic
from fraud import bootstrap
from fraud.aws import decision_items
from fraud.aws.event_bus import EventBridgeBus
from fraud.aws.firehose import FirehoseArchive
from fraud.deadline import Deadline
from fraud.ports import Recorded
from fraud.services.projection import Projection

_SECONDS = 60.0
_INDEX_OF_CARDS = ("transaction_id", "card_token", "occurred_at")
_TRANSACTIONAL = 2


@dataclass(slots=True)
class Sink:
    """Firehose and EventBridge, which take all that they are given."""

    archived: list[bytes] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    def put_record_batch(self, **request: Any) -> dict[str, int]:
        self.archived += [each["Data"] for each in request["Records"]]
        return {"FailedPutCount": 0}

    def put_events(self, **request: Any) -> dict[str, int]:
        self.told += [each["Detail"] for each in request["Entries"]]
        return {"FailedEntryCount": 0}


class Units:
    """Counts DynamoDB's units of a session: of writes 2 an action, since no item here is over 1 KB."""

    def __init__(self, session: boto3.Session) -> None:
        self.writes, self.reads = 0, Consumed()
        session.events.register("before-parameter-build.dynamodb.TransactWriteItems", self._on_write)
        session.events.register("before-parameter-build.dynamodb.BatchGetItem", self._on_request)
        session.events.register("after-call.dynamodb.BatchGetItem", self._on_answer)

    def _on_write(self, params: Any, **_: Any) -> None:
        self.writes += _TRANSACTIONAL * len(params["TransactItems"])

    def _on_request(self, params: Any, context: Any, **_: Any) -> None:
        context["downstream_request"] = params

    def _on_answer(self, parsed: Any, context: Any, **_: Any) -> None:
        capacity.charge(self.reads, "BatchGetItem", context["downstream_request"], parsed, lambda _: ())


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.downstream", description=__doc__)
    parser.add_argument("--transactions", type=int, default=1000)
    parser.add_argument("--batch", type=int, default=100, help="records in an invocation")
    parser.add_argument("--seed", type=int, default=7, help="of the simulated market")
    arguments = parser.parse_args()
    print(json.dumps(run(arguments.transactions, arguments.batch, arguments.seed), indent=2))


def run(transactions: int, batch: int, seed: int) -> dict[str, float]:
    """Score and project so many, in batches."""
    with fake_aws.running() as url:
        records = traffic.simulated(transactions, seed)
        os.environ.pop("AWS_PROFILE", None)
        os.environ.update(scoring_path._environment(url()))  # noqa: SLF001 - the same fake AWS, asked the same way
        boto3.setup_default_session()
        dynamodb = boto3.Session().client("dynamodb")
        side = _prepared(dynamodb, records)
        logged = _scored(side, records.batches(batch))
        items = _stored(dynamodb, side)
        decisions = [decision_items.decode(item, str(number)) for number, item in enumerate(items)]
        return {
            "decisions": len(items),
            "log_bytes_an_invocation": logged,
            "decision_bytes": mean(map(capacity.item_size, items)),
            "index_bytes": mean(capacity.item_size({name: item[name] for name in _INDEX_OF_CARDS}) for item in items),
            **_projected(side, decisions, batch),
        }


def _prepared(dynamodb: Any, records: Traffic) -> Side:
    blueprint, session = Blueprint.of_template(), boto3.Session()
    model = stack.serve_model(session.client("s3"), session.client("sagemaker"), fake_aws.REGION)
    tables = blueprint.create(dynamodb, "side-0")
    stack.route(dynamodb, tables, model)
    for _ in stack.store(dynamodb, tables, records.states):
        pass
    return sides.ours(tables)


def _scored(side: Side, batches: Sequence[Mapping[str, Any]]) -> float:
    """Bytes that an invocation logs; those of a cold start, the first, are left out where there are more."""
    import score_transactions

    handler: Any = score_transactions.logger.registered_handler
    lines: io.StringIO = handler.stream
    logged = []
    for batch in batches:
        before = len(lines.getvalue())
        with contextlib.redirect_stdout(io.StringIO()) as metrics:
            side.handler(dict(batch), sides.Context())
        logged.append(len(lines.getvalue()) - before + len(metrics.getvalue()))
    return mean(logged[1:] or logged)


def _stored(dynamodb: Any, side: Side) -> list[dict[str, Any]]:
    pages = dynamodb.get_paginator("scan").paginate(TableName=side.tables.decision)
    return [item for page in pages for item in page["Items"]]


def _projected(side: Side, decisions: Sequence[Recorded], batch: int) -> dict[str, float]:
    """Per decision."""
    sink = Sink()
    assert boto3.DEFAULT_SESSION is not None
    units = Units(boto3.DEFAULT_SESSION)
    use_case = _projection(side, sink)
    started = time.process_time()
    for first in range(0, len(decisions), batch):
        assert not use_case.project(decisions[first : first + batch], Deadline(lambda: _SECONDS))
    count = len(decisions)
    return {
        "projection_cpu_ms": (time.process_time() - started) * 1_000 / count,
        "projection_write_units": units.writes / count,
        "projection_read_units": units.reads.reads / count,
        "document_bytes": mean(map(len, sink.archived)),
        "archived_bytes": len(gzip.compress(b"".join(sink.archived))) / count,
        "event_bytes": mean(map(len, sink.told)),
    }


def _projection(side: Side, sink: Sink) -> Projection:
    names = {"DECISION_ARCHIVE_STREAM": "d", "LABEL_ARCHIVE_STREAM": "l", "EVENT_BUS": "b"}
    use_case, _ = bootstrap.projection(os.environ | names)
    archive = FirehoseArchive(sink, "d", bootstrap.pause)
    bus = EventBridgeBus(sink, "b", ThreadPoolExecutor(bootstrap.CALLERS), bootstrap.pause)
    return replace(use_case, archive=archive, bus=bus)


if __name__ == "__main__":
    main()
