"""Records that cannot be accepted, each beside the reason it is refused for."""

import json
from collections.abc import Mapping
from typing import Any

PAN = "4111111111111111"
Event = Mapping[str, Any]


def records(good: Event) -> list[tuple[bytes, str]]:
    """Ten of them, made from a transaction that was sent; the last one reuses its id."""
    return [
        (b"not JSON", "not_json"),
        (b"\xff\xfe", "not_json"),
        (f"the card {PAN} was declined".encode(), "not_json"),
        (b"[]", "invalid_document"),
        (_encoded(good | {"transaction_id": "other", "card_token": PAN}), "card_number"),
        (_encoded({name: value for name, value in good.items() if name != "card_token"}), "missing_card_token"),
        (_encoded(good | {"transaction_id": "other", "amount_minor": -5}), "invalid_amount_minor"),
        (_encoded(good | {"transaction_id": "other", "schema_version": 2}), "unknown_schema_version"),
        (_encoded(good | {"transaction_id": "other", "channel": "x" * 17_000}), "too_large"),
        (_encoded(good | {"amount_minor": good["amount_minor"] + 1}), "id_reused"),
    ]


def _encoded(event: Event) -> bytes:
    return json.dumps(event).encode()
