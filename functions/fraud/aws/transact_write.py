"""TransactWriteItems: all or nothing, with the reasons of a cancellation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fraud.aws.calls import unavailable
from fraud.aws.dynamodb import Item

CONDITION_FAILED = "ConditionalCheckFailed"


def write(client: Any, actions: Sequence[Item]) -> list[Item] | None:
    """Write; None when written, else one reason per action, in their order.

    botocore sends a request token with every call, so its own second attempt cannot write twice.

    Raises:
        StoreUnavailable: not known to be written.
    """
    with unavailable("TransactWriteItems"):
        try:
            client.transact_write_items(TransactItems=actions)
        except client.exceptions.TransactionCanceledException as error:
            reasons: list[Item] = error.response.get("CancellationReasons", [])
            return reasons
    return None


def condition_failed(reason: Item) -> bool:
    """Whether the action's own condition did not hold, as opposed to contention or throttling."""
    return bool(reason.get("Code") == CONDITION_FAILED)
