"""From stream records to accepted transactions and rejected records."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass

from fraud import transaction
from fraud.errors import InvalidTransaction
from fraud.ports import Rejected
from fraud.transaction import Accepted


@dataclass(frozen=True, slots=True)
class StreamRecord:
    """One record of the transaction stream.

    Args:
        sequence_number: position in its shard; names the record in a partial failure.
        arrived_at: seconds since 1970.
        payload: as it came.
    """

    sequence_number: str
    arrived_at: float
    payload: bytes


@dataclass(frozen=True, slots=True)
class Admission:
    """A batch, sorted out.

    Args:
        accepted: the first of each transaction_id, in arrival order.
        again: further records of these ids; what they are shows when it is known which content stands.
        rejected: what cannot be accepted.
    """

    accepted: list[Accepted]
    again: list[Accepted]
    rejected: list[Rejected]


def admit(records: Sequence[StreamRecord]) -> Admission:
    """Parse every record; nothing that one of them holds can stop the others."""
    first: dict[str, Accepted] = {}
    again: list[Accepted] = []
    rejected: list[Rejected] = []
    for record in records:
        try:
            accepted = transaction.parse(
                record.payload, sequence_number=record.sequence_number, arrived_at=record.arrived_at
            )
        except InvalidTransaction as error:
            rejected.append(reject(record, error.reason, error.detail))
            continue
        if first.setdefault(accepted.transaction.transaction_id, accepted) is not accepted:
            again.append(accepted)
    return Admission(list(first.values()), again, rejected)


def conflict(record: StreamRecord) -> Rejected:
    """A record whose transaction_id was already used for another content."""
    return reject(record, "id_reused", "the transaction_id was used before, with another content; the first stands")


def reject(record: StreamRecord, reason: str, detail: str) -> Rejected:
    """The record as it goes into quarantine."""
    return Rejected("transactions", reason, detail, record.sequence_number, record.arrived_at, record.payload)


def payload(data: str) -> bytes:
    """The bytes that were put; what is not base64 goes on as it is, to be rejected like any other bad record."""
    try:
        return base64.b64decode(data, validate=True)
    except ValueError:
        return data.encode()
