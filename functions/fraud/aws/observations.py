"""What was counted of decisions and in the shadow, read from the rollout table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fraud.analysis import LATENCY_EDGES_MS, Arm, Latency, Pairs, Shadow, Tally
from fraud.aws.calls import unavailable
from fraud.aws.dynamodb import Item, text
from fraud.errors import StoreUnavailable
from fraud.routing import BUCKETS

MOST_COUNTERS = 3 * BUCKETS
"""Two slots, and what was decided without a model."""
MOST_SHADOW = BUCKETS + 2
"""Pairs by card bucket, and the latencies of two models."""
MOST_PAGES = 10
"""All of it has a tenth of the megabyte that a page holds."""


@dataclass(frozen=True)
class DynamoObservations:
    """Counters in DynamoDB.

    Args:
        client: DynamoDB.
        table: the rollout table.
    """

    client: Any
    table: str

    def arms(self, epoch: int) -> Mapping[str, Arm]:
        """Decisions of an epoch, by the slot they were routed to.

        Raises:
            StoreUnavailable: not read.
        """
        arms: dict[str, dict[int, Tally]] = {}
        for item in self._items(f"counters#{epoch}", MOST_COUNTERS):
            slot, _, bucket = item["sk"]["S"].partition("#")
            arms.setdefault(slot, {})[int(bucket)] = Tally(**_counts(item, Tally.__struct_fields__))
        return arms

    def shadow(self, epoch: int) -> Shadow:
        """What the shadow saw in an epoch.

        Raises:
            StoreUnavailable: not read.
        """
        items = {item["sk"]["S"]: item for item in self._items(f"shadow#{epoch}", MOST_SHADOW)}
        pairs = {
            int(key.removeprefix("pairs#")): Pairs(**_counts(item, Pairs.__struct_fields__))
            for key, item in items.items()
            if key.startswith("pairs#")
        }
        champion, challenger = (_latency(items.get(f"latency#{model}", {})) for model in ("champion", "challenger"))
        return Shadow(pairs=pairs, champion=champion, challenger=challenger)

    def _items(self, partition: str, most: int) -> Iterator[Item]:
        request: Item = {
            "TableName": self.table,
            "KeyConditionExpression": "pk = :pk",
            "ExpressionAttributeValues": {":pk": text(partition)},
            "ConsistentRead": True,
            "Limit": most,
        }
        for _ in range(MOST_PAGES):
            with unavailable("Query"):
                answer = self.client.query(**request)
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer or len(answer["Items"]) == most:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]
        raise StoreUnavailable(f"Query: {partition} does not end within {MOST_PAGES} pages")


def _latency(item: Item) -> Latency:
    counts = tuple(_count(item, f"c{place}") for place in range(len(LATENCY_EDGES_MS) + 1))
    return Latency(counts=counts, total_ms=_count(item, "total_us") / 1000)


def _counts(item: Item, names: tuple[str, ...]) -> dict[str, int]:
    return {name: _count(item, name) for name in names}


def _count(item: Item, name: str) -> int:
    """A counter; one that nobody added to is not there."""
    return int(item[name]["N"]) if name in item else 0
