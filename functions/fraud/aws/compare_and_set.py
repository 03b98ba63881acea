"""Items that are written over exactly what was read, or not at all.

Every write is a transaction, also of a single item: the request token that botocore sends with it keeps an attempt of
its own, made because an answer was lost, from meeting what the first one wrote.
"""

from __future__ import annotations

from typing import Any

from fraud.aws import transact_write
from fraud.aws.dynamodb import Item
from fraud.errors import Retryable, StoreUnavailable

MOVED = frozenset({transact_write.CONDITION_FAILED, "TransactionConflict"})
"""Codes of a cancellation that say: somebody else was, or is, writing."""
ABSENT: Item = {"ConditionExpression": "attribute_not_exists(pk)"}
"""The condition that nothing stands there."""


def stands(**attributes: Item) -> Item:
    """The condition that an item with these attributes stands there."""
    return {
        "ConditionExpression": " AND ".join(f"#{name} = :{name}" for name in attributes),
        # By placeholder, because `owner` is a reserved word.
        "ExpressionAttributeNames": {f"#{name}": name for name in attributes},
        "ExpressionAttributeValues": {f":{name}": value for name, value in attributes.items()},
    }


def put(table: str, item: Item, condition: Item) -> Item:
    """The write action for a whole item; without a condition, whatever stands there."""
    return {"Put": {"TableName": table, "Item": item, **condition}}


def write(client: Any, moved: Retryable, *actions: Item) -> None:
    """Write all of it, or nothing.

    Args:
        client: DynamoDB.
        moved: raised where something else stands than what was read.
        actions: at most 100.

    Raises:
        StoreUnavailable: not known to be written.
    """
    reasons = transact_write.write(client, actions)
    if reasons is None:
        return
    if any(reason.get("Code") in MOVED for reason in reasons):
        raise moved
    raise StoreUnavailable("TransactWriteItems: cancelled, though no condition failed")
