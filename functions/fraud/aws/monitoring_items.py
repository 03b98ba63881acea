"""The records of monitoring and their DynamoDB notation."""

from __future__ import annotations

import msgspec

from fraud.aws.dynamodb import Item, number, text
from fraud.monitoring import Refresh, Watch

PARTITION = "monitoring"
REFRESH: Item = {"pk": text(PARTITION), "sk": text("refresh")}
WATCH: Item = {"pk": text(PARTITION), "sk": text("watch")}
UNDER_WAY = "under way"


def encode_refresh(refresh: Refresh) -> Item:
    """The item of a refresh; all but `revision`, `owner` and `document` is for people in the console."""
    return {
        **REFRESH,
        "revision": number(refresh.revision),
        "owner": text(refresh.owner),
        "outcome": text(refresh.outcome.value if refresh.outcome else UNDER_WAY),
        "ended": {"BOOL": refresh.is_over},
        "document": text(msgspec.json.encode(refresh).decode()),
    }


def decode_refresh(item: Item) -> Refresh:
    """The refresh of an item."""
    return msgspec.json.decode(item["document"]["S"], type=Refresh)


def encode_watch(watch: Watch) -> Item:
    """The item of a look; `until` is what a later look is told by."""
    return {**WATCH, "until": number(watch.until), "document": text(msgspec.json.encode(watch).decode())}


def decode_watch(item: Item) -> Watch:
    """The look of an item."""
    return msgspec.json.decode(item["document"]["S"], type=Watch)
