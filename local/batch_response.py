"""A function's report of which items of its batch failed, as AWS reads it."""

from collections.abc import Collection
from typing import Any


def failures(answer: Any, items: Collection[str]) -> set[str] | None:
    """Identifiers of the failed items, none if all went well; None if the report is invalid, which fails the batch."""
    if answer is None or answer == {}:
        return set()
    if not isinstance(answer, dict) or not isinstance(answer.get("batchItemFailures", ""), list | None):
        return None
    reported = {_identifier(item) for item in answer["batchItemFailures"] or ()}
    known = {identifier for identifier in reported if identifier is not None and identifier in items}
    return known if known == reported else None


def _identifier(item: Any) -> str | None:
    identifier = item.get("itemIdentifier") if isinstance(item, dict) else None
    return identifier if isinstance(identifier, str) else None
