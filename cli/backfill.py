"""Writes the card and terminal states that history led to."""

import time
from collections.abc import Callable, Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from cli import console
from cli.errors import CommandError
from cli.target import Target

if TYPE_CHECKING:
    from fraud.windows import EntityState
    from model.dataset import Dataset

KEPT_DAYS = 90
WRITERS = 16
"""Writes that are on their way at once."""
STRANGER = {"version": {"N": "0"}}
"""Stands for an entity that is not stored."""


def backfill(target: Target, dataset: "Dataset") -> None:
    """Write every state; only for a stack that has decided nothing yet, whose states it would overwrite."""
    from boto3.dynamodb.types import TypeDeserializer

    from fraud.aws import entity_items

    read, expires_at = TypeDeserializer().deserialize, entity_items.expiry(time.time(), KEPT_DAYS)
    table = target.session.resource("dynamodb", endpoint_url=target.endpoint_url).Table(
        target.output("EntityTableName")
    )
    total = len(dataset.cards) + len(dataset.terminals)
    with console.progress("Filling in history", total) as meter, table.batch_writer() as writer:
        for key, state in states(dataset):
            item = entity_items.encode(key, state, 1, expires_at)
            writer.put_item(Item={name: read(value) for name, value in item.items()})
            meter.advance(1)


def states(dataset: "Dataset") -> Iterator[tuple[str, "EntityState"]]:
    """States by key."""
    from fraud import entities

    for token, state in dataset.cards.items():
        yield entities.card_key(token), state
    for terminal_id, state in dataset.terminals.items():
        yield entities.terminal_key(terminal_id), state


def stored(target: Target) -> dict[str, Any]:
    """Items of all stored states by key, whatever code wrote them."""
    pages = (
        target.client("dynamodb")
        .get_paginator("scan")
        .paginate(
            TableName=target.output("EntityTableName"),
            ConsistentRead=True,
            FilterExpression="attribute_exists(#s)",
            ExpressionAttributeNames={"#s": "state"},
        )
    )
    return {item["entity"]["S"]: item for page in pages for item in page["Items"]}


def is_stored(item: Mapping[str, Any] | None, key: str, state: "EntityState") -> bool:
    """Whether an item holds exactly this state, by the code that runs here."""
    from fraud.aws import entity_items

    return item is not None and bool(item["state"]["B"] == entity_items.pack_state(state, entity_items.shape_of(key)))


def is_readable(item: Mapping[str, Any], key: str) -> bool:
    """Whether the code that runs here can read a stored state."""
    import msgspec

    from fraud.aws import entity_items
    from fraud.errors import UnknownStateVersion

    try:
        entity_items.unpack_state(item["state"]["B"], entity_items.shape_of(key))
    except (UnknownStateVersion, msgspec.DecodeError):
        return False
    return True


def live(before: Mapping[str, Any]) -> set[str]:
    """Keys of the stored states that count; serving takes the others for never seen."""
    from fraud.aws import dynamodb

    now = time.time()
    return {key for key, item in before.items() if not dynamodb.is_expired(item, now)}


def replace(target: Target, changed: Mapping[str, "EntityState"], before: Mapping[str, Any], kept_days: int) -> None:
    """Write states over those that were read. Raises: CommandError if somebody else wrote one since."""
    from fraud.aws import entity_items

    table, expires_at = target.output("EntityTableName"), entity_items.expiry(time.time(), kept_days)

    def put(dynamodb: Any, key: str) -> None:
        version = int(before.get(key, STRANGER)["version"]["N"])
        dynamodb.put_item(**entity_items.put(table, key, changed[key], version, expires_at)["Put"])

    _write(target, "Writing states", changed, put)


def remove(target: Target, keys: Collection[str], before: Mapping[str, Any]) -> None:
    """Delete states that were read. Raises: CommandError if somebody else wrote one since."""
    from fraud.aws import entity_items

    table = target.output("EntityTableName")

    def delete(dynamodb: Any, key: str) -> None:
        unmoved = entity_items.unmoved(int(before[key]["version"]["N"]))
        dynamodb.delete_item(TableName=table, Key={"entity": {"S": key}}, **unmoved)

    _write(target, "Removing states", keys, delete)


def _write(target: Target, description: str, keys: Collection[str], action: Callable[[Any, str], None]) -> None:
    dynamodb = target.client("dynamodb", max_pool_connections=WRITERS)

    def conflict(key: str) -> bool:
        try:
            action(dynamodb, key)
        except dynamodb.exceptions.ConditionalCheckFailedException:
            return True
        return False

    with console.progress(description, len(keys)) as meter, ThreadPoolExecutor(WRITERS) as pool:
        conflicts = 0
        for found in pool.map(conflict, keys):
            conflicts += found
            meter.advance(1)
    if conflicts:
        raise CommandError(
            f"{conflicts:,} states were written by somebody else meanwhile: hold synchronous requests, then repeat it."
        )
