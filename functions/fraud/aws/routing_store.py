"""The routing item as deployments read and write it; scoring reads it with everything else of a batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fraud.aws import routing_items
from fraud.aws.calls import unavailable
from fraud.errors import RoutingConflict
from fraud.routing import Routing


@dataclass(frozen=True)
class DynamoRoutingStore:
    """The routing item in DynamoDB; every write is conditional.

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

    def create(self, routing: Routing) -> None:
        """Write the first one.

        Raises:
            RoutingConflict: there is one already.
            StoreUnavailable: not known to be written.
        """
        with unavailable("PutItem"):
            try:
                self.client.put_item(
                    TableName=self.table,
                    Item=routing_items.encode(routing),
                    ConditionExpression="attribute_not_exists(pk)",
                )
            except self.client.exceptions.ConditionalCheckFailedException as error:
                raise RoutingConflict("there is a routing item already") from error
