"""BatchGetItem: 100 keys a call, the calls at once, what is left unprocessed asked for again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import islice
from typing import Any

from fraud.aws.calls import unavailable
from fraud.aws.dynamodb import Item
from fraud.errors import StoreUnavailable

MOST_KEYS = 100
"""DynamoDB's limit for BatchGetItem."""
MOST_TRIES = 4
"""How often keys that were left unprocessed are asked for."""

Request = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class BatchGet:
    """Consistent reads of many keys.

    Args:
        client: DynamoDB.
        executor: runs the calls.
        pause: waits before unprocessed keys are asked for again.
    """

    client: Any
    executor: Executor
    pause: Callable[[int], None]

    def items(self, keys: Mapping[str, Iterable[Item]]) -> dict[str, list[Item]]:
        """Items found by table; a key without an item is not among them.

        Args:
            keys: table → keys, each at most once.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        found: dict[str, list[Item]] = {table: [] for table in keys}
        for answer in self.executor.map(self._get, list(_requests(keys))):
            for table, items in answer:
                found[table] += items
        return found

    def _get(self, request: Request) -> list[tuple[str, list[Item]]]:
        found: list[tuple[str, list[Item]]] = []
        for attempt in range(MOST_TRIES):
            if attempt:
                self.pause(attempt)
            with unavailable("BatchGetItem"):
                answer = self.client.batch_get_item(RequestItems=request)
            found += answer["Responses"].items()
            request = answer.get("UnprocessedKeys") or {}
            if not request:
                return found
        raise StoreUnavailable("BatchGetItem: keys stayed unprocessed")


def _requests(keys: Mapping[str, Iterable[Item]]) -> Iterator[Request]:
    """Requests of 100 keys, tables mixed."""
    pairs = ((table, key) for table, wanted in keys.items() for key in wanted)
    while chunk := list(islice(pairs, MOST_KEYS)):
        tables = dict.fromkeys(table for table, _ in chunk)
        yield {table: _read([key for each, key in chunk if each == table]) for table in tables}


def _read(keys: Sequence[Item]) -> dict[str, Any]:
    return {"Keys": list(keys), "ConsistentRead": True}
