"""Consistent reads of entities and the routing item with BatchGetItem."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from fraud.aws import entity_items, routing_items
from fraud.aws.calls import unavailable
from fraud.aws.dynamodb import Item
from fraud.errors import StoreUnavailable
from fraud.ports import Snapshot, StoredState

MOST_KEYS = 100
"""DynamoDB's limit for BatchGetItem."""
MOST_TRIES = 4
"""How often keys that were left unprocessed are asked for."""

Request = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class DynamoStateReader:
    """Reads everything a batch needs: 100 keys a call, the calls at once.

    Args:
        client: DynamoDB.
        entity_table: cards and terminals.
        rollout_table: the routing item.
        executor: runs the calls.
        clock: seconds since 1970, for time to live.
        pause: waits before unprocessed keys are asked for again.
    """

    client: Any
    entity_table: str
    rollout_table: str
    executor: Executor
    clock: Callable[[], float]
    pause: Callable[[int], None]

    def read(self, entity_keys: Collection[str]) -> Snapshot:
        """Read entities and the routing item.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        items = [item for part in self.executor.map(self._get, list(self._requests(entity_keys))) for item in part]
        now = self.clock()
        stored: dict[str, StoredState] = {}
        routing = None
        for item in items:
            if "entity" in item:
                stored[item["entity"]["S"]] = entity_items.decode(item, now)
            else:
                routing = routing_items.decode(item)
        return Snapshot(stored, routing)

    def _requests(self, entity_keys: Collection[str]) -> Iterator[Request]:
        """The routing item takes one place of the first request."""
        keys = iter(sorted(entity_keys))
        first = list(islice(keys, MOST_KEYS - 1))
        routing = {self.rollout_table: {"Keys": [routing_items.KEY], "ConsistentRead": True}}
        yield routing | (self._entities(first) if first else {})
        while chunk := list(islice(keys, MOST_KEYS)):
            yield self._entities(chunk)

    def _entities(self, keys: Sequence[str]) -> Request:
        return {self.entity_table: {"Keys": [{"entity": {"S": key}} for key in keys], "ConsistentRead": True}}

    def _get(self, request: Request) -> list[Item]:
        items: list[Item] = []
        for attempt in range(MOST_TRIES):
            if attempt:
                self.pause(attempt)
            with unavailable("BatchGetItem"):
                answer = self.client.batch_get_item(RequestItems=request)
            for found in answer["Responses"].values():
                items += found
            request = answer.get("UnprocessedKeys") or {}
            if not request:
                return items
        raise StoreUnavailable("BatchGetItem: keys stayed unprocessed")
