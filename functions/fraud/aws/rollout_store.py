"""The record of a rollout, moved by compare-and-set, and the routing item with it in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from fraud.aws import compare_and_set, rollout_items, routing_items
from fraud.aws.calls import unavailable
from fraud.aws.compare_and_set import ABSENT, put, stands
from fraud.aws.dynamodb import Item, number, text
from fraud.errors import RolloutMoved
from fraud.rollout import Rollout
from fraud.routing import Routing


@dataclass(frozen=True)
class DynamoRolloutStore:
    """The record in DynamoDB.

    Args:
        client: DynamoDB.
        table: the rollout table.
    """

    client: Any
    table: str

    def read(self) -> Rollout | None:
        """The record, read consistently; None before the first rollout.

        Raises:
            StoreUnavailable: not read.
        """
        with unavailable("GetItem"):
            answer = self.client.get_item(TableName=self.table, Key=rollout_items.KEY, ConsistentRead=True)
        return rollout_items.decode(answer["Item"]) if "Item" in answer else None

    def begin(self, rollout: Rollout, previous: Rollout | None) -> Rollout:
        """Put a new record in the place of the previous one, exactly as it was read; returns it as stored.

        Raises:
            RolloutMoved: another record stands there by now.
            StoreUnavailable: not known to be written.
        """
        if previous is None:
            stored, condition = replace(rollout, revision=1), ABSENT
        else:
            stored = replace(rollout, revision=previous.revision + 1)
            condition = stands(revision=number(previous.revision), owner=text(previous.owner))
        return self._written(stored, put(self.table, rollout_items.encode(stored), condition))

    def save(self, rollout: Rollout) -> Rollout:
        """Write the record over the revision that it was read as; returns it as stored.

        A released record is also kept in the history.

        Raises:
            RolloutMoved: another revision stands there.
            StoreUnavailable: not known to be written.
        """
        stored = replace(rollout, revision=rollout.revision + 1)
        past = [put(self.table, rollout_items.encode_past(stored), {})] if stored.released else []
        return self._written(stored, self._over(stored), *past)

    def commit(self, rollout: Rollout, routing: Routing) -> Rollout:
        """Write record and routing item, both or none; returns the record as stored.

        Raises:
            RolloutMoved: another revision or epoch stands there.
            StoreUnavailable: not known to be written.
        """
        stored = replace(rollout, revision=rollout.revision + 1)
        before = ABSENT if routing.epoch == 1 else stands(epoch=number(routing.epoch - 1))
        return self._written(stored, self._over(stored), put(self.table, routing_items.encode(routing), before))

    def _over(self, stored: Rollout) -> Item:
        """Put a record in the place of the revision before its own."""
        return put(self.table, rollout_items.encode(stored), stands(revision=number(stored.revision - 1)))

    def _written(self, stored: Rollout, *actions: Item) -> Rollout:
        moved = RolloutMoved("somebody else changed the rollout meanwhile: read it again, then decide")
        compare_and_set.write(self.client, moved, *actions)
        return stored
