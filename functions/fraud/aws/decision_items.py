"""A decision as a DynamoDB item."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

import msgspec

from fraud import features, routing
from fraud.aws import dynamodb
from fraud.aws.dynamodb import Item, number, strings, text
from fraud.decision import NO_SLOT, Action, Decision
from fraud.entities import DAY
from fraud.ports import Recorded
from fraud.transaction import FROM_THE_FUTURE, SCHEMA_VERSION, Transaction, rfc3339

CONTRACT = features.contract_hash(features.NAMES)
"""Names and order of everything the code computes; the item holds all of it, not just what the model read."""
CERTAIN = 1.0
"""Propensity of an item that names none: what is almost always so costs nothing to store."""
OPEN = "open"
REVIEW_QUEUES = 8
"""Partitions of the index of open reviews: a burst of reviews must not throttle the table behind it."""
_KEPT_BACK = frozenset({"expires_at", "review_queue", "projected", "label"})
"""Attributes of the table's own, and what came later: neither archived nor told."""


def encode(decision: Decision, retention_days: int) -> Item:
    """The item; absent attributes mean none, so that sparse indexes stay sparse."""
    item = _transaction(decision) | {
        "decided_at": text(rfc3339(decision.decided_at)),
        "action": text(decision.action.value),
        "reasons": strings(decision.reasons),
        "features": text(features_text(decision)),
        "contract": text(CONTRACT),
        # Kept beside them, so that a label counts alike whatever table of features is in force when it comes.
        "ordinary_amount": {"BOOL": features.is_ordinary(decision.features)},
        "slot": text(decision.slot or NO_SLOT),
        "served_by": text(decision.served_by),
        "epoch": number(decision.epoch),
        "policy_version": text(decision.policy_version),
        "payload_hash": text(decision.accepted.payload_hash),
        "degraded": {"BOOL": decision.degraded},
        "expires_at": number(int(decision.decided_at) + retention_days * DAY),
    }
    return item | _optional(decision)


def _transaction(decision: Decision) -> Item:
    transaction = decision.accepted.transaction
    optional = {"channel": transaction.channel, "country": transaction.country}
    optional["merchant_category"] = transaction.merchant_category
    return {
        "transaction_id": text(transaction.transaction_id),
        "card_token": text(transaction.card_token),
        "terminal_id": text(transaction.terminal_id),
        "occurred_at": text(rfc3339(transaction.occurred_at.timestamp())),
        "arrived_at": text(rfc3339(decision.accepted.arrived_at)),
        "amount_minor": number(transaction.amount_minor),
        "currency": text(transaction.currency),
        **{name: text(value) for name, value in optional.items() if value is not None},
    }


def _optional(decision: Decision) -> Item:
    item: Item = {}
    if decision.score is not None:
        item["score"] = number(round(decision.score, 6))
    if decision.model_package is not None:
        item["model_package"] = text(decision.model_package)
    if decision.propensity != CERTAIN:
        item["propensity"] = number(decision.propensity)
    if decision.accepted.flags:
        item["flags"] = strings(decision.accepted.flags)
    if decision.action is Action.REVIEW:
        queue = routing.bucket(decision.accepted.transaction.card_token) % REVIEW_QUEUES
        item["review_queue"] = text(f"{OPEN}#{queue}")
    return item


def features_text(decision: Decision) -> str:
    """Features as a JSON array in the order of `contract`: with their names the item would cost twice the writes."""
    return msgspec.json.encode(decision.features).decode()


def named_features(text: str, contract: str) -> dict[str, float | None] | list[float | None]:
    """Features by name; as they stand when code with another table of features wrote them."""
    values: list[float | None] = msgspec.json.decode(text)
    return dict(zip(features.NAMES, values, strict=True)) if contract == CONTRACT else values


def decode(item: Item, sequence_number: str) -> Recorded:
    """A decision as the table's stream carries it."""
    document = {name: dynamodb.plain(attribute) for name, attribute in item.items() if name not in _KEPT_BACK}
    named = named_features(document["features"], document["contract"])
    # The archive's readers take them for a map by name; one list among them could fail every query of the table.
    document["features"] = named if isinstance(named, dict) else None
    document.setdefault("propensity", CERTAIN)
    at = document["arrived_at" if FROM_THE_FUTURE in document.get("flags", ()) else "occurred_at"]
    return Recorded(
        sequence_number=sequence_number,
        transaction_id=document["transaction_id"],
        card_token=document["card_token"],
        terminal_id=document["terminal_id"],
        at=int(datetime.fromisoformat(at).timestamp()),
        amount_minor=document["amount_minor"],
        action=Action(document["action"]),
        degraded=document["degraded"],
        slot=document["slot"],
        epoch=document["epoch"],
        document=document,
    )


def transaction_of(document: Mapping[str, Any]) -> Transaction:
    """The transaction in a decision's document; its event time to the millisecond that was stored."""
    stored = {name: document[name] for name in Transaction.__struct_fields__ if name in document}
    occurred_at = datetime.fromisoformat(document["occurred_at"])
    return Transaction(**stored | {"schema_version": SCHEMA_VERSION, "occurred_at": occurred_at})
