"""The record of a rollout, moved by compare-and-set, and the routing item with it in one transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from fraud.aws import rollout_items, routing_items, transact_write
from fraud.aws.calls import unavailable
from fraud.aws.dynamodb import Item, number, text
from fraud.errors import RolloutMoved, StoreUnavailable
from fraud.rollout import Rollout
from fraud.routing import Routing

MOVED = frozenset({transact_write.CONDITION_FAILED, "TransactionConflict"})
"""Codes of a cancellation that say: somebody else was, or is, writing."""
ABSENT: Item = {"ConditionExpression": "attribute_not_exists(pk)"}


@dataclass(frozen=True)
class DynamoRolloutStore:
    """The record in DynamoDB.

    Every write is a transaction, also of a single item: the request token that botocore sends with it keeps an attempt
    of its own, made because an answer was lost, from meeting what the first one wrote.

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
            condition = _stands(revision=number(previous.revision), owner=text(previous.owner))
        return self._written(stored, self._put(rollout_items.encode(stored), condition))

    def save(self, rollout: Rollout) -> Rollout:
        """Write the record over the revision that it was read as; returns it as stored.

        A released record is also kept in the history.

        Raises:
            RolloutMoved: another revision stands there.
            StoreUnavailable: not known to be written.
        """
        stored = replace(rollout, revision=rollout.revision + 1)
        past = [self._put(rollout_items.encode_past(stored), {})] if stored.released else []
        return self._written(stored, self._over(stored), *past)

    def commit(self, rollout: Rollout, routing: Routing) -> Rollout:
        """Write record and routing item, both or none; returns the record as stored.

        Raises:
            RolloutMoved: another revision or epoch stands there.
            StoreUnavailable: not known to be written.
        """
        stored = replace(rollout, revision=rollout.revision + 1)
        before = ABSENT if routing.epoch == 1 else _stands(epoch=number(routing.epoch - 1))
        return self._written(stored, self._over(stored), self._put(routing_items.encode(routing), before))

    def _over(self, stored: Rollout) -> Item:
        """Put a record in the place of the revision before its own."""
        return self._put(rollout_items.encode(stored), _stands(revision=number(stored.revision - 1)))

    def _put(self, item: Item, condition: Item) -> Item:
        return {"Put": {"TableName": self.table, "Item": item, **condition}}

    def _written(self, stored: Rollout, *actions: Item) -> Rollout:
        reasons = transact_write.write(self.client, actions)
        if reasons is None:
            return stored
        if any(reason.get("Code") in MOVED for reason in reasons):
            raise RolloutMoved("somebody else changed the rollout meanwhile: read it again, then decide")
        raise StoreUnavailable("TransactWriteItems: cancelled, though no condition failed")


def _stands(**attributes: Item) -> Item:
    """The condition that an item with these attributes stands there."""
    return {
        "ConditionExpression": " AND ".join(f"#{name} = :{name}" for name in attributes),
        # By placeholder, because `owner` is a reserved word.
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
        "ExpressionAttributeValues": {f":{name}": value for name, value in attributes.items()},
    }
