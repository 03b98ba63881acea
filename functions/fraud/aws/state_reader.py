"""Everything a batch needs, read in one round: cards, terminals and the routing item."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

from fraud.aws import entity_items, routing_items
from fraud.aws.batch_get import BatchGet
from fraud.ports import Snapshot, StoredState


@dataclass(frozen=True)
class DynamoStateReader:
    """Reads entities and the routing item.

    Args:
        batch_get: makes the calls.
        entity_table: cards and terminals.
        rollout_table: the routing item.
        clock: seconds since 1970, for time to live.
    """

    batch_get: BatchGet
    entity_table: str
    rollout_table: str
    clock: Callable[[], float]

    def read(self, entity_keys: Collection[str]) -> Snapshot:
        """Read entities and the routing item.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        keys = {self.rollout_table: [routing_items.KEY], self.entity_table: entity_items.keys(entity_keys)}
        found = self.batch_get.items(keys)
        routing = found[self.rollout_table]
        return Snapshot(
            entity_items.decode_all(found[self.entity_table], self.clock()),
            routing_items.decode(routing[0]) if routing else None,
        )


@dataclass(frozen=True)
class DynamoTerminalReader:
    """Reads terminals.

    Args:
        batch_get: makes the calls.
        entity_table: where they are.
        clock: seconds since 1970, for time to live.
    """

    batch_get: BatchGet
    entity_table: str
    clock: Callable[[], float]

    def read_terminals(self, keys: Collection[str]) -> Mapping[str, StoredState]:
        """Read consistently; absent keys are left out.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        found = self.batch_get.items({self.entity_table: entity_items.keys(keys)})
        return entity_items.decode_all(found[self.entity_table], self.clock())
