"""The record of a retraining and its DynamoDB notation."""

from __future__ import annotations

import msgspec

from fraud.aws.dynamodb import Item, number, text
from fraud.retraining import Retraining
from fraud.transaction import rfc3339

KEY: Item = {"pk": text("retraining"), "sk": text("current")}
HISTORY = "retrainings"
"""Partition of the runs that are over; their sort key begins with the start, so that they are in order."""
UNDER_WAY = "under way"


def encode(retraining: Retraining) -> Item:
    """The item of the current record; all but `revision`, `owner` and `document` is for people in the console."""
    return {
        **KEY,
        "revision": number(retraining.revision),
        "owner": text(retraining.owner),
        "outcome": text(retraining.outcome.value if retraining.outcome else UNDER_WAY),
        "ended": {"BOOL": retraining.is_over},
        "document": text(msgspec.json.encode(retraining).decode()),
    }


def encode_past(retraining: Retraining) -> Item:
    """The same, as an item of the history."""
    started = f"{rfc3339(retraining.started_at)}#{retraining.run_id}"
    return {**encode(retraining), "pk": text(HISTORY), "sk": text(started)}


def decode(item: Item) -> Retraining:
    """The record of an item."""
    return msgspec.json.decode(item["document"]["S"], type=Retraining)
