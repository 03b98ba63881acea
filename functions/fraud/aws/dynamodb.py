"""The attribute values that every DynamoDB item is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Item = dict[str, Any]
"""An item in DynamoDB's own notation: {"name": {"S": "text"}}."""


def text(value: str) -> Item:
    """A string attribute."""
    return {"S": value}


def number(value: float) -> Item:
    """A number attribute."""
    return {"N": str(value)}


def strings(values: tuple[str, ...]) -> Item:
    """A list of strings."""
    return {"L": [{"S": value} for value in values]}


def texts_of(attribute: Item) -> tuple[str, ...]:
    """The strings of a list attribute."""
    return tuple(each["S"] for each in attribute.get("L", []))


def is_expired(item: Item, now: float) -> bool:
    """Whether time to live has passed; DynamoDB deletes such items days later."""
    return "expires_at" in item and float(item["expires_at"]["N"]) <= now


def plain(attribute: Item) -> Any:
    """The plain value of an attribute: text, number, boolean, list or mapping."""
    [(kind, value)] = attribute.items()
    if kind == "N":
        return float(value) if any(mark in value for mark in ".eE") else int(value)
    if kind == "M":
        return {name: plain(each) for name, each in value.items()}
    if kind == "L":
        return [plain(each) for each in value]
    return None if kind == "NULL" else value


def added(table: str, key: Item, amounts: Mapping[str, int]) -> Item:
    """The write action that adds amounts to an item's numbers; names by placeholder, since some are reserved words."""
    names = {f"#{position}": name for position, name in enumerate(amounts)}
    values = {f":{position}": number(amount) for position, amount in enumerate(amounts.values())}
    terms = ", ".join(f"{name} {value}" for name, value in zip(names, values, strict=True))
    return {
        "Update": {
            "TableName": table,
            "Key": key,
            "UpdateExpression": f"ADD {terms}",
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": values,
        }
    }
