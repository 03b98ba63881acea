"""TransactWriteItems: all or nothing, with the reasons of a cancellation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from fraud.aws.calls import logger, unavailable
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
            _log_causes(reasons)
            return reasons
    return None


def _log_causes(reasons: Sequence[Item]) -> None:
    """Conditions that did not hold are the normal course; anything else a person may have to know."""
    causes = Counter(reason.get("Code", "unknown") for reason in reasons)
    unexpected = {code: count for code, count in causes.items() if code not in ("None", CONDITION_FAILED)}
    if unexpected:
        logger.warning("transaction cancelled", extra={"operation": "TransactWriteItems", "causes": unexpected})


def condition_failed(reason: Item) -> bool:
    """Whether the action's own condition did not hold, as opposed to contention or throttling."""
    return bool(reason.get("Code") == CONDITION_FAILED)
