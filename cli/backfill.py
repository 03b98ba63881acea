"""Gives a new stack the card and terminal states that history led to, so that it does not begin with strangers."""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

from cli import console
from cli.target import Target

if TYPE_CHECKING:
    from fraud.windows import EntityState
    from model.dataset import Dataset

KEPT_DAYS = 90


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
