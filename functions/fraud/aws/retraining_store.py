"""The record of a retraining, moved by compare-and-set: whoever writes it has read what stands there."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from msgspec.structs import replace

from fraud.aws import compare_and_set, retraining_items
from fraud.aws.calls import unavailable
from fraud.aws.compare_and_set import ABSENT, put, stands
from fraud.aws.dynamodb import Item, number, text
from fraud.errors import RetrainingMoved
from fraud.retraining import Retraining


@dataclass(frozen=True)
class DynamoRetrainingStore:
    """The record in DynamoDB.

    Args:
        client: DynamoDB.
        table: the rollout table.
    """

    client: Any
    table: str

    def read(self) -> Retraining | None:
        """The record, read consistently; None before the first run.

        Raises:
            StoreUnavailable: not read.
        """
        with unavailable("GetItem"):
            answer = self.client.get_item(TableName=self.table, Key=retraining_items.KEY, ConsistentRead=True)
        return retraining_items.decode(answer["Item"]) if "Item" in answer else None

    def begin(self, retraining: Retraining, previous: Retraining | None) -> Retraining:
        """Put a new record in the place of the previous one, exactly as it was read; returns it as stored.

        Raises:
            RetrainingMoved: another record stands there by now.
            StoreUnavailable: not known to be written.
        """
        if previous is None:
            stored, condition = replace(retraining, revision=1), ABSENT
        else:
            stored = replace(retraining, revision=previous.revision + 1)
            condition = stands(revision=number(previous.revision), owner=text(previous.owner))
        return self._written(stored, put(self.table, retraining_items.encode(stored), condition))

    def save(self, retraining: Retraining) -> Retraining:
        """Write the record over the revision that it was read as; returns it as stored.

        The record of a run that is over is also kept in the history.

        Raises:
            RetrainingMoved: another revision stands there.
            StoreUnavailable: not known to be written.
        """
        stored = replace(retraining, revision=retraining.revision + 1)
        before = stands(revision=number(retraining.revision))
        past = [put(self.table, retraining_items.encode_past(stored), {})] if stored.is_over else []
        return self._written(stored, put(self.table, retraining_items.encode(stored), before), *past)

    def _written(self, stored: Retraining, *actions: Item) -> Retraining:
        moved = RetrainingMoved("somebody else changed the retraining's record meanwhile: read it again, then decide")
        compare_and_set.write(self.client, moved, *actions)
        return stored
