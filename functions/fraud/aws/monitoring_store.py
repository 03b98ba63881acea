"""The records of monitoring: a refresh moves by compare-and-set, and no look takes the place of a later one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError
from msgspec.structs import replace

from fraud.aws import compare_and_set, monitoring_items
from fraud.aws.calls import unavailable
from fraud.aws.compare_and_set import ABSENT, put, stands
from fraud.aws.control_plane import code
from fraud.aws.dynamodb import Item, number, text
from fraud.errors import MonitoringMoved
from fraud.monitoring import Refresh, Watch

NOT_OLDER: Item = {
    # By placeholder, because `until` is a reserved word.
    "ConditionExpression": "attribute_not_exists(pk) OR #until <= :until",
    "ExpressionAttributeNames": {"#until": "until"},
}


@dataclass(frozen=True)
class DynamoRefreshStore:
    """The record of the refresh in DynamoDB.

    Args:
        client: DynamoDB.
        table: the rollout table.
    """

    client: Any
    table: str

    def read(self) -> Refresh | None:
        """The record, read consistently; None before the first refresh.

        Raises:
            StoreUnavailable: not read.
        """
        item = _item(self.client, self.table, monitoring_items.REFRESH)
        return monitoring_items.decode_refresh(item) if item else None

    def begin(self, refresh: Refresh, previous: Refresh | None) -> Refresh:
        """Put a new record in the place of the previous one, exactly as it was read; returns it as stored.

        Raises:
            MonitoringMoved: another record stands there by now.
            StoreUnavailable: not known to be written.
        """
        if previous is None:
            return self._written(replace(refresh, revision=1), ABSENT)
        before = stands(revision=number(previous.revision), owner=text(previous.owner))
        return self._written(replace(refresh, revision=previous.revision + 1), before)

    def save(self, refresh: Refresh) -> Refresh:
        """Write the record over the revision that it was read as; returns it as stored.

        Raises:
            MonitoringMoved: another revision stands there.
            StoreUnavailable: not known to be written.
        """
        before = stands(revision=number(refresh.revision))
        return self._written(replace(refresh, revision=refresh.revision + 1), before)

    def _written(self, stored: Refresh, condition: Item) -> Refresh:
        moved = MonitoringMoved("somebody else changed the monitoring's record meanwhile: read it again, then decide")
        compare_and_set.write(self.client, moved, put(self.table, monitoring_items.encode_refresh(stored), condition))
        return stored


@dataclass(frozen=True)
class DynamoWatchStore:
    """What the last look came to, in DynamoDB.

    Args:
        client: DynamoDB.
        table: the rollout table.
    """

    client: Any
    table: str

    def read(self) -> Watch | None:
        """It, read consistently; None before the first look.

        Raises:
            StoreUnavailable: not read.
        """
        item = _item(self.client, self.table, monitoring_items.WATCH)
        return monitoring_items.decode_watch(item) if item else None

    def put(self, watch: Watch) -> bool:
        """Keep it, unless one of a window that ended later stands there; whether it was kept.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        values = {":until": number(watch.until)}
        with unavailable("PutItem"):
            try:
                self.client.put_item(
                    TableName=self.table,
                    Item=monitoring_items.encode_watch(watch),
                    ExpressionAttributeValues=values,
                    **NOT_OLDER,
                )
            except ClientError as error:
                if code(error) != "ConditionalCheckFailedException":
                    raise
                return False
        return True


def _item(client: Any, table: str, key: Item) -> Item:
    """An item, read consistently; empty where none stands."""
    with unavailable("GetItem"):
        answer = client.get_item(TableName=table, Key=key, ConsistentRead=True)
    item: Item = answer.get("Item", {})
    return item
