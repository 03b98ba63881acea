"""Reads the stack's tables as plain values."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from cli.target import Target

Item = dict[str, Any]


def get(target: Target, table: str, key: Mapping[str, str]) -> Item | None:
    """One item, read consistently, or None; `table` is the name of an output."""
    names = {name: {"S": value} for name, value in key.items()}
    answer = target.client("dynamodb").get_item(TableName=target.output(table), Key=names, ConsistentRead=True)
    return plain(answer["Item"]) if "Item" in answer else None


def query(target: Target, table: str, partition: Mapping[str, str]) -> Iterator[Item]:
    """Every item of a partition."""
    ((name, value),) = partition.items()
    pages = (
        target.client("dynamodb")
        .get_paginator("query")
        .paginate(
            TableName=target.output(table),
            KeyConditionExpression="#key = :value",
            ExpressionAttributeNames={"#key": name},
            ExpressionAttributeValues={":value": {"S": value}},
            ConsistentRead=True,
        )
    )
    for page in pages:
        yield from map(plain, page["Items"])


def plain(item: Mapping[str, Any]) -> Item:
    """An item without DynamoDB's type marks."""
    from boto3.dynamodb.types import TypeDeserializer

    read = TypeDeserializer().deserialize
    return {name: _plain(read(value)) for name, value in item.items()}


def _plain(value: Any) -> Any:
    match value:
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
        case dict():
            return {name: _plain(each) for name, each in value.items()}
        case list():
            return [_plain(each) for each in value]
    return value
