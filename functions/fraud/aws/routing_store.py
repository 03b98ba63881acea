"""The routing item as a rollout reads it; scoring reads it with everything else of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fraud.aws import routing_items
from fraud.aws.calls import unavailable
from fraud.routing import Routing


@dataclass(frozen=True)
class DynamoRoutingStore:
    """The routing item in DynamoDB; it is written together with a rollout's record, see `rollout_store`.

    Args:
        client: DynamoDB.
        table: the rollout table.
    """

    client: Any
    table: str

    def read(self) -> Routing | None:
        """The item, read consistently; None while no model serves.

        Raises:
            StoreUnavailable: not read.
        """
        with unavailable("GetItem"):
            answer = self.client.get_item(TableName=self.table, Key=routing_items.KEY, ConsistentRead=True)
        return routing_items.decode(answer["Item"]) if "Item" in answer else None
