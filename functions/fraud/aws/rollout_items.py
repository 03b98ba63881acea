"""The record of a rollout and its DynamoDB notation."""

from __future__ import annotations

import msgspec

from fraud.aws.dynamodb import Item, number, text
from fraud.rollout import Rollout
from fraud.transaction import rfc3339

KEY: Item = {"pk": text("rollout"), "sk": text("current")}
HISTORY = "rollouts"
"""Partition of the rollouts that are over; their sort key begins with the start, so that they are in order."""


def encode(rollout: Rollout) -> Item:
    """The item of the current record; all but `revision`, `owner` and `document` is for people in the console."""
    return {
        **KEY,
        "revision": number(rollout.revision),
        "owner": text(rollout.owner),
        "stage": text(rollout.stage.value),
        "released": {"BOOL": rollout.released},
        "document": text(msgspec.json.encode(rollout).decode()),
    }


def encode_past(rollout: Rollout) -> Item:
    """The same, as an item of the history."""
    started = f"{rfc3339(rollout.started_at)}#{rollout.rollout_id}"
    return {**encode(rollout), "pk": text(HISTORY), "sk": text(started)}


def decode(item: Item) -> Rollout:
    """The record of an item."""
    return msgspec.json.decode(item["document"]["S"], type=Rollout)
