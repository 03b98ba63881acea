"""Sample values: transactions, stream records, models and routing, each with sensible defaults."""

from __future__ import annotations

import json
from typing import Any

from fraud import entities, features, label, transaction, windows
from fraud.decision import RULES, Action, Decision
from fraud.entities import DAY
from fraud.intake import StreamRecord
from fraud.label import Label
from fraud.ports import CardCommit
from fraud.routing import Routing, ServedModel
from fraud.services.labelling import LabelMessage
from fraud.transaction import Accepted, rfc3339
from fraud.windows import EntityState

NOW = 1_750_000_000
"""A Sunday in June 2025, 15:06:40 UTC."""
PAN = "4111111111111111"
"""The test number that every payment service accepts as a Visa card."""


def event(transaction_id: str = "t1", card: str = "c1", at: float = NOW, **fields: Any) -> dict[str, Any]:
    """A transaction event as a producer sends it."""
    return {
        "schema_version": 1,
        "transaction_id": transaction_id,
        "occurred_at": rfc3339(at),
        "card_token": card,
        "terminal_id": "m1",
        "amount_minor": 1000,
        "currency": "EUR",
    } | fields


def payload(transaction_id: str = "t1", card: str = "c1", at: float = NOW, **fields: Any) -> bytes:
    return json.dumps(event(transaction_id, card, at, **fields)).encode()


def accepted(
    transaction_id: str = "t1", card: str = "c1", at: float = NOW, arrived_at: float | None = None, **fields: Any
) -> Accepted:
    return transaction.parse(
        payload(transaction_id, card, at, **fields),
        sequence_number=f"seq-{transaction_id}",
        arrived_at=at if arrived_at is None else arrived_at,
    )


def record(number: int, data: bytes, arrived_at: float = NOW) -> StreamRecord:
    return StreamRecord(f"{number:05d}", arrived_at, data)


def model(slot: str = "a", contract: tuple[str, ...] = features.NAMES[:3], **fields: Any) -> ServedModel:
    return ServedModel(
        **{
            "endpoint": f"fraud-{slot}",
            "model_package": f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/{slot}",
            "contract": contract,
            "contract_hash": features.contract_hash(contract),
            "review_threshold": 0.5,
            "block_threshold": 0.9,
        }
        | fields
    )


def routing(share_bps: int = 0, challenger: str | None = None, **fields: Any) -> Routing:
    return Routing(
        **{
            "epoch": 7,
            "status": "rolling_out" if challenger else "steady",
            "champion": "a",
            "challenger": challenger,
            "share_bps": share_bps,
            "salt": "salt",
            "slots": {slot: model(slot) for slot in ("a", challenger) if slot},
        }
        | fields
    )


def decision(each: Accepted | None = None, **fields: Any) -> Decision:
    """A decision by rules."""
    return Decision(
        **{
            "accepted": each or accepted(),
            "action": Action.APPROVE,
            "reasons": (),
            "score": None,
            "features": [None] * len(features.NAMES),
            "slot": None,
            "served_by": RULES,
            "model_package": None,
            "epoch": 0,
            "policy_version": "1",
            "degraded": True,
            "decided_at": NOW,
        }
        | fields
    )


def commit(*decisions: Decision, expected_version: int = 0, state: EntityState | None = None) -> CardCommit:
    """Decisions on one card, folded onto a state."""
    card = state or windows.empty(entities.CARD)
    for each in decisions:
        card = entities.spend(card, each.accepted.at, each.accepted.amount_minor)
    key = entities.card_key(decisions[0].accepted.transaction.card_token)
    return CardCommit(key, expected_version, card, decisions)


def label_message(number: int, transaction_id: str = "t1", at: float = NOW, **fields: Any) -> LabelMessage:
    body = {
        "schema_version": 1,
        "transaction_id": transaction_id,
        "is_fraud": True,
        "source": "chargeback",
        "labelled_at": rfc3339(at),
    }
    return LabelMessage(f"message-{number}", NOW + DAY, json.dumps(body | fields).encode())


def parse_label(message: LabelMessage) -> tuple[str, Label]:
    return label.parse(message.payload, arrived_at=message.arrived_at)
