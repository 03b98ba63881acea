"""Reads the record of a rollout, the records of those before it, and what was counted meanwhile."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from http import HTTPStatus
from itertools import accumulate, islice
from typing import TYPE_CHECKING, Any, TypeVar

from cli import console, tables
from cli.errors import CommandError, NotFound
from cli.status import served, tally
from cli.target import Target

if TYPE_CHECKING:
    from fraud.rollout import Rollout

TABLE = "RolloutTableName"
MOST_COUNTERS = 1_000
"""Items read of an epoch's counters; there are three slots of 128 buckets at most."""
MOST_SEARCHED = 50
"""Records of the history among which a rollout is looked for: it was under way a moment ago."""
TRIES = 5
MOST_LOOKS = 14 * 86_400
THROTTLED = frozenset({"ProvisionedThroughputExceededException", "RequestLimitExceeded", "ThrottlingException"})
NONE_YET = "There was no rollout yet. Start one: fraud rollout start VERSION"
Read = TypeVar("Read")


@dataclass(frozen=True)
class Observed:
    """A rollout and what was counted of it.

    Args:
        rollout: its record.
        routing: what the routing item says, as `fraud status` shows it.
        arms: counters of the rollout's epoch by the slot that cards were routed to.
        shadow: sums of what the shadow saw in that epoch; empty without one.
    """

    rollout: "Rollout"
    routing: Mapping[str, Any]
    arms: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    shadow: Mapping[str, Any] = field(default_factory=dict)


def current(target: Target) -> "Rollout | None":
    """The record of the rollout under way, or of the last one. Raises: CommandError."""
    item = tables.get(target, TABLE, {"pk": "rollout", "sk": "current"})
    return None if item is None else decoded(item["document"])


def under_way(target: Target) -> "Rollout":
    """The record of the rollout under way. Raises: CommandError when there is none."""
    rollout = current(target)
    if rollout is None:
        raise NotFound(NONE_YET)
    if rollout.released:
        raise CommandError(f"No rollout is under way: {rollout.rollout_id} is {words(rollout.stage)}.")
    return rollout


def history(target: Target, most: int) -> "list[Rollout]":
    """Records of rollouts that are over, newest first."""
    return [decoded(document) for document in newest(target, "rollouts", most)]


def newest(target: Target, partition: str, most: int) -> list[str]:
    """Documents of a partition's items, the last by their sort key first."""
    pages = (
        target.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=target.output(TABLE),
            KeyConditionExpression="pk = :pk",
            ExpressionAttributeValues={":pk": {"S": partition}},
            ScanIndexForward=False,
            ConsistentRead=True,
            PaginationConfig={"MaxItems": most},
        )
    )
    return [item["document"]["S"] for page in pages for item in page["Items"]]


def decoded(document: str) -> "Rollout":
    """A record from its JSON. Raises: CommandError when other code wrote it."""
    import msgspec

    from fraud.rollout import Rollout

    try:
        return msgspec.json.decode(document, type=Rollout)
    except msgspec.DecodeError as error:
        raise CommandError(
            f"Another release of this project wrote the rollout's record ({error}): use the command of that release."
        ) from error


def observe(target: Target, rollout: "Rollout") -> Observed:
    """The rollout with what was counted in its epoch."""
    routing = served(tables.get(target, TABLE, {"pk": "routing", "sk": "routing"}))
    if not rollout.epoch:
        return Observed(rollout, routing)
    arms = tally(_items(target, f"counters#{rollout.epoch}"))["by_slot"]
    return Observed(rollout, routing, arms, shadow_sums(_items(target, f"shadow#{rollout.epoch}")))


def _items(target: Target, partition: str) -> Iterator[tables.Item]:
    return islice(tables.query(target, TABLE, {"pk": partition}), MOST_COUNTERS)


def shadow_sums(items: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """Pairs of all card buckets summed, and how long both models took; empty without any."""
    from fraud.analysis import Pairs

    sums: Counter[str] = Counter()
    latencies: dict[str, dict[str, Any]] = {}
    for item in items:
        kind, _, which = str(item["sk"]).partition("#")
        if kind == "latency":
            latencies[which] = latency(item)
        else:
            sums.update({name: int(item.get(name, 0)) for name in Pairs.__struct_fields__})
    return {**sums, "latency": latencies} if sums or latencies else {}


def latency(item: Mapping[str, Any]) -> dict[str, Any]:
    """Calls, mean and 99th percentile of a histogram; the percentile is None above its last edge."""
    from fraud.analysis import LATENCY_EDGES_MS

    counts = [int(item.get(f"c{place}", 0)) for place in range(len(LATENCY_EDGES_MS) + 1)]
    calls = sum(counts)
    if not calls:
        return {"calls": 0, "mean_ms": None, "p99_ms": None}
    rank = -(-99 * calls // 100)
    below = sum(passed < rank for passed in accumulate(counts))
    p99 = LATENCY_EDGES_MS[below] if below < len(LATENCY_EDGES_MS) else None
    return {"calls": calls, "mean_ms": round(int(item.get("total_us", 0)) / calls / 1000, 3), "p99_ms": p99}


def look(target: Target, rollout_id: str) -> Observed:
    """One rollout, also when another took its place by now. Raises: NotFound."""
    rollout = current(target)
    if rollout is not None and rollout.rollout_id == rollout_id:
        return observe(target, rollout)
    for each in history(target, MOST_SEARCHED):
        if each.rollout_id == rollout_id:
            return observe(target, each)
    raise NotFound(f"The record of rollout {rollout_id} is gone: see `fraud rollout history`.")


def looks(target: Target, rollout_id: str, every: float) -> Iterator[Observed]:
    """One look after the other, until nothing more happens to the rollout. Raises: CommandError."""
    for _ in range(MOST_LOOKS):
        seen = patiently(partial(look, target, rollout_id), every)
        yield seen
        if is_over(seen.rollout, time.time()):
            return
        time.sleep(every)
    raise CommandError(f"Rollout {rollout_id} is still not over; watch it again with `fraud rollout watch`.")


def is_over(rollout: "Rollout", now: float) -> bool:
    """Whether its lock is free, or its traffic decided and nobody left to free the lock."""
    return rollout.released or (is_decided(rollout) and now > rollout.lease_until)


def is_decided(rollout: "Rollout") -> bool:
    """Whether it is known who has the traffic in the end; what is left is bookkeeping."""
    return rollout.stage in ("promoted", "rolled_back")


def patiently(read: Callable[[], Read], every: float) -> Read:
    """What a read gives; what may pass is read again a few times. Raises: what it raised the last time."""
    from botocore import exceptions

    for attempt in range(1, TRIES):
        try:
            return read()
        except (exceptions.ClientError, exceptions.ConnectionError, exceptions.HTTPClientError) as error:
            if not passes(error):
                raise
            console.say(f"[yellow]No answer[/], trying again ({attempt} of {TRIES - 1}).")
            time.sleep(every * attempt)
    return read()


def passes(error: Any) -> bool:
    """Whether the same read may succeed later; a lost connection, a throttle and an error of AWS's own may."""
    response = getattr(error, "response", None)
    if response is None:
        return True
    status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return status >= HTTPStatus.INTERNAL_SERVER_ERROR or response.get("Error", {}).get("Code") in THROTTLED


def words(name: str) -> str:
    """A stage's name for people."""
    return name.replace("_", " ")


def document(observed: Observed) -> dict[str, Any]:
    """For programs; without the token, which would let its reader answer in an approver's place."""
    import msgspec

    record = msgspec.to_builtins(observed.rollout)
    if record["approval"] is not None:
        del record["approval"]["token"]
    return {
        "rollout": {**record, "share_bps": observed.rollout.share_bps},
        "routing": observed.routing,
        "arms": observed.arms,
        "shadow": observed.shadow or None,
    }


def summary(rollout: "Rollout") -> dict[str, Any]:
    """A rollout that is over in a row; the time to its last event in seconds."""
    last = rollout.events[-1].at if rollout.events else rollout.since
    return {
        "rollout_id": rollout.rollout_id,
        "started_at": rollout.started_at,
        "started_by": rollout.started_by,
        "model_package": rollout.candidate.model_package,
        "version": rollout.candidate.version,
        "outcome": str(rollout.stage),
        "reason": rollout.reason,
        "verified": rollout.verified,
        "share_reached_bps": share_reached(rollout),
        "seconds": max(0.0, last - rollout.started_at),
    }


def share_reached(rollout: "Rollout") -> int:
    """The largest share of cards that the challenger ever had, basis points."""
    if rollout.stage == "promoted":
        return 10_000
    return 0 if rollout.step is None else rollout.plan.shares[rollout.step]
