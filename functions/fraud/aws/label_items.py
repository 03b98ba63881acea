"""A verdict in DynamoDB's notation."""

from __future__ import annotations

from datetime import datetime

from fraud.aws.dynamodb import Item, number, text
from fraud.label import Label, Source
from fraud.transaction import rfc3339


def encode(label: Label) -> Item:
    """The map attribute `label`."""
    return {
        "M": {
            "is_fraud": {"BOOL": label.is_fraud},
            "source": text(label.source.value),
            "labelled_at": text(rfc3339(label.labelled_at / 1000)),
            "known_at": number(label.known_at),
        }
    }


def decode(item: Item) -> Label | None:
    """The verdict in an item, or None."""
    if "label" not in item:
        return None
    attribute = item["label"]["M"]
    labelled_at = datetime.fromisoformat(attribute["labelled_at"]["S"])
    return Label(
        is_fraud=attribute["is_fraud"]["BOOL"],
        source=Source(attribute["source"]["S"]),
        labelled_at=round(labelled_at.timestamp() * 1000),
        known_at=int(attribute["known_at"]["N"]),
    )


def unchanged(before: Label | None) -> tuple[str, Item]:
    """The condition that the verdict is still the one read, and its values."""
    if before is None:
        return "attribute_not_exists(label)", {}
    return "label = :before", {":before": encode(before)}
