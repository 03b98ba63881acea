"""Rejected records as JSON lines in S3, card numbers masked."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fraud import card_numbers
from fraud.aws.calls import unavailable
from fraud.ports import Rejected
from fraud.transaction import LARGEST_PAYLOAD, rfc3339

PREFIX = "poison"


@dataclass(frozen=True)
class S3Quarantine:
    """One object for all that a batch rejects, under a key that the records determine.

    Args:
        client: S3.
        bucket: the quarantine bucket.
    """

    client: Any
    bucket: str

    def put(self, rejected: Sequence[Rejected]) -> None:
        """Store durably; storing the same records again writes the same object again.

        Raises:
            StoreUnavailable: not stored.
        """
        body = b"\n".join(msgspec.json.encode(as_line(each)) for each in rejected) + b"\n"
        with unavailable("PutObject"):
            self.client.put_object(
                Bucket=self.bucket, Key=_key(rejected), Body=body, ContentType="application/x-ndjson"
            )


def _key(rejected: Sequence[Rejected]) -> str:
    first = rejected[0]
    ids = "\n".join(each.record_id for each in rejected)
    digest = hashlib.blake2b(f"{first.reason}\n{ids}".encode(), digest_size=8).hexdigest()
    return f"{PREFIX}/{first.source}/dt={rfc3339(first.arrived_at)[:10]}/{first.record_id[-24:]}-{digest}.jsonl"


def as_line(rejected: Rejected) -> dict[str, Any]:
    """One record as a person and `fraud replay-quarantine` read it.

    The payload is kept as text. `replayable` tells whether it is all there: a card number is masked, bytes that are not
    UTF-8 are escaped, and what is longer than any transaction is cut; such a record its producer must send again.
    """
    text = card_numbers.mask(rejected.payload[:LARGEST_PAYLOAD].decode(errors="backslashreplace"))
    return {
        "source": rejected.source,
        "reason": rejected.reason,
        "detail": rejected.detail,
        "record_id": rejected.record_id,
        "arrived_at": rfc3339(rejected.arrived_at),
        "replayable": text.encode() == rejected.payload,
        "payload": text,
    }
