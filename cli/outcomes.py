"""Reads back from the stack what became of transactions that were sent."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cli import console, tables
from cli.errors import CommandError
from cli.quarantine import Quarantine
from cli.quarantine_objects import FAILED, POISON, read
from cli.status import queue_depth, tally
from cli.summary import Outcome
from cli.target import Target

Truth = Mapping[str, bool]
"""Transaction id → whether it truly is fraud."""
PATIENCE = 90.0
"""Seconds without any progress before waiting ends."""
LOOK_EVERY = 0.5


def decided(target: Target) -> int:
    """Transactions counted in every epoch; it costs a query, not a scan."""
    routing = tables.get(target, "RolloutTableName", {"pk": "routing", "sk": "routing"})
    epochs = range(int(routing["epoch"]) + 1 if routing else 1)
    counters = (tally(tables.query(target, "RolloutTableName", {"pk": f"counters#{epoch}"})) for epoch in epochs)
    return sum(int(sums["transactions"]) for sums in counters)


def quarantined(target: Target) -> int:
    """Transactions in quarantine, of either kind."""
    store = Quarantine(target)
    contents = (read(key, store.read(key)) for key in store.keys([POISON, FAILED]))
    return sum(len(each.records) + len(each.kept) for each in contents if each.destination == "stream")


def wait_until_settled(target: Target, expected: int) -> None:
    """Wait until so many transactions are decided or quarantined. Raises: CommandError when nothing moves any more."""
    seen, moved_at = -1, time.monotonic()
    with console.progress("Deciding", expected) as meter:
        while seen < expected:
            now_seen = decided(target) + quarantined(target)
            if now_seen != seen:
                seen, moved_at = now_seen, time.monotonic()
            meter.reach(seen)
            _refuse_to_wait_longer(moved_at, f"{seen:,} of {expected:,} transactions are decided")
            time.sleep(LOOK_EVERY)


def wait_until_labelled(target: Target) -> None:
    """Wait until the label queue is empty. Raises: CommandError when nothing moves any more."""
    depth, moved_at = -1, time.monotonic()
    while depth != 0:
        now_depth = queue_depth(target, "LabelQueueUrl")
        if now_depth != depth:
            depth, moved_at = now_depth, time.monotonic()
        _refuse_to_wait_longer(moved_at, f"{depth:,} labels still wait in the queue")
        time.sleep(LOOK_EVERY)


def _refuse_to_wait_longer(moved_at: float, what: str) -> None:
    if time.monotonic() - moved_at > PATIENCE:
        raise CommandError(
            f"{what}, and nothing moved for {PATIENCE:.0f} s. See `fraud status` and the functions' logs."
        )


def outcomes(target: Target, truth: Truth) -> dict[str, Outcome]:
    """The decisions on these transactions, by id; reads the whole table once."""
    found = (item for item in scan(target) if item["transaction_id"] in truth)
    return {item["transaction_id"]: outcome(item, truth[item["transaction_id"]]) for item in found}


def outcome(item: Mapping[str, Any], is_fraud: bool) -> Outcome:
    """A decision item beside the truth."""
    return Outcome(
        action=item["action"],
        score=item.get("score"),
        amount_minor=item["amount_minor"],
        is_fraud=is_fraud,
        arrived_at=datetime.fromisoformat(item["arrived_at"]).timestamp(),
        decided_at=datetime.fromisoformat(item["decided_at"]).timestamp(),
        degraded=item["degraded"],
    )


def scan(target: Target) -> Iterator[tables.Item]:
    """What a summary needs of every decision."""
    names = ("transaction_id", "action", "score", "amount_minor", "arrived_at", "decided_at", "degraded")
    pages = (
        target.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=target.output("DecisionTableName"),
            ProjectionExpression=", ".join(f"#{name}" for name in names),
            ExpressionAttributeNames={f"#{name}": name for name in names},
            ConsistentRead=True,
        )
    )
    return (tables.plain(item) for page in pages for item in page["Items"])


def scoring_metric(target: Target, name: str, since: float) -> list[float]:
    """Every value of a metric that scoring embedded in its log since then (seconds since 1970)."""
    group = target.resource("ScoreTransactionsLogGroup")
    pages = target.client("logs").get_paginator("filter_log_events")
    events = (
        event
        for page in pages.paginate(logGroupName=group, startTime=int(since * 1000), filterPattern=f'"{name}"')
        for event in page["events"]
    )
    return [value for event in events for value in values_in(event["message"], name)]


def values_in(message: str, name: str) -> list[float]:
    """The values of a metric in a log line, if that is what it is."""
    if f'"{name}"' not in message:
        return []
    try:
        value = json.loads(message)[name]
    except (ValueError, KeyError, TypeError):
        return []
    return [float(each) for each in (value if isinstance(value, list) else [value])]
