"""DynamoDB's request units by the documented rules, from what is sent and what comes back.

Sizes: "DynamoDB item sizes and formats"; units: "DynamoDB read and write operations", both in the developer guide.
A transactional write costs two units per started KB of each item, a standard write one; a consistent read costs one per
started 4 KB of each item, and one when there is no item. Every index that an item appears in costs one write unit per
started KB of its entry, whatever the write to the table was: indexes are written after it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

Item = Mapping[str, Any]
IndexKeys = Callable[[str], Sequence[frozenset[str]]]
"""Of a table, the key attributes of each of its index_keys, all of them KEYS_ONLY, the table's own key among them."""

WRITE_UNIT, READ_UNIT = 1024, 4096
_TRANSACTIONAL = 2


@dataclass(slots=True)
class Consumed:
    """Request units, and the sizes of what was written.

    Args:
        writes: write units of tables.
        index_writes: write units of their indexes.
        reads: read units.
        sizes: table → bytes of each item put.
    """

    writes: int = 0
    index_writes: int = 0
    reads: float = 0
    sizes: dict[str, list[int]] = field(default_factory=dict)


class UnknownOperation(Exception):
    """No rule is written down here for an operation."""


def charge(consumed: Consumed, operation: str, request: Item, answer: Item, index_keys: IndexKeys) -> None:
    """Add what a call consumes; a write whose condition fails consumes as much as one that succeeds.

    Raises:
        UnknownOperation: rather than counting nothing.
    """
    if operation == "TransactWriteItems":
        for action in request["TransactItems"]:
            _write(consumed, action["Put"], index_keys, _TRANSACTIONAL)
    elif operation == "PutItem":
        _write(consumed, request, index_keys, 1)
    elif operation == "BatchGetItem":
        consumed.reads += _batch_read(request["RequestItems"], answer)
    else:
        raise UnknownOperation(operation)


def _write(consumed: Consumed, put: Item, index_keys: IndexKeys, factor: int) -> None:
    table, item = put["TableName"], put["Item"]
    size = item_size(item)
    consumed.sizes.setdefault(table, []).append(size)
    consumed.writes += factor * units(size, WRITE_UNIT)
    consumed.index_writes += sum(
        units(item_size({name: item[name] for name in key}), WRITE_UNIT)
        for key in index_keys(table)
        if key <= item.keys()
    )


def _batch_read(request: Item, answer: Item) -> float:
    return sum(
        _read(len(asked["Keys"]), answer.get("Responses", {}).get(table, ()), asked.get("ConsistentRead", False))
        for table, asked in request.items()
    )


def _read(asked: int, items: Sequence[Item], consistent: bool) -> float:
    read = sum(units(item_size(item), READ_UNIT) for item in items) + asked - len(items)
    return read if consistent else read / 2


def units(size: int, unit: int) -> int:
    """Started units of a size in bytes."""
    return max(-(-size // unit), 1)


def item_size(item: Item) -> int:
    """Bytes of names and values."""
    return sum(len(name.encode()) + _size(attribute) for name, attribute in item.items())


def _size(attribute: Item) -> int:
    [(kind, value)] = attribute.items()
    match kind:
        case "S":
            return len(value.encode())
        case "B":
            return len(value)
        case "N":
            return _number_size(value)
        case "M":
            return 3 + item_size(value) + len(value)
        case "L":
            return 3 + _list_size(value)
        case _:
            return 1


def _list_size(elements: Iterable[Item]) -> int:
    return sum(_size(element) + 1 for element in elements)


def _number_size(text: str) -> int:
    """One byte, one more for two significant digits, and one for a sign."""
    digits = Decimal(text).normalize().as_tuple()
    return 1 + (len(digits.digits) + 1) // 2 + digits.sign
