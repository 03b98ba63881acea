"""The transaction event, and `parse`, the only way in."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from typing import Annotated

import msgspec
from msgspec import Meta

from fraud import card_numbers
from fraud.errors import InvalidTransaction

SCHEMA_VERSION = 1
LARGEST_AMOUNT_MINOR = 10**12
LARGEST_PAYLOAD = 16 * 1024
FUTURE_TOLERANCE = 300
"""Seconds an event may lie ahead of its arrival before its clock is not believed."""
FROM_THE_FUTURE = "from_the_future"
LATEST = 253_370_764_800
"""The first second of the year 9999: what lies beyond cannot be written as a date in every time zone."""

Identifier = Annotated[str, Meta(pattern=r"^[A-Za-z0-9._:-]{1,64}\Z")]


class Transaction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One payment as the producer sent it; unknown extra fields are ignored.

    Args:
        schema_version: 1.
        transaction_id: the producer's key; one decision is made for each.
        occurred_at: event time, with offset; microseconds are kept.
        card_token: keyed hash of the card, never its number.
        terminal_id: where it was paid: terminal, shop or merchant account.
        amount_minor: minor units of the currency, 1 to 10¹².
        currency: ISO 4217 code.
        channel: how it was paid, such as `pos`, `ecommerce`, `atm`.
        merchant_category: ISO 18245 code.
        country: ISO 3166-1 alpha-2 code of the terminal.
    """

    schema_version: int
    transaction_id: Identifier
    occurred_at: datetime
    card_token: Identifier
    terminal_id: Identifier
    amount_minor: Annotated[int, Meta(ge=1, le=LARGEST_AMOUNT_MINOR)]
    currency: Annotated[str, Meta(pattern=r"^[A-Z]{3}\Z")]
    channel: Annotated[str, Meta(pattern=r"^[a-z0-9_]{1,24}\Z")] | None = None
    merchant_category: Annotated[str, Meta(pattern=r"^[0-9]{4}\Z")] | None = None
    country: Annotated[str, Meta(pattern=r"^[A-Z]{2}\Z")] | None = None


class Accepted(msgspec.Struct, frozen=True):
    """A transaction together with how it arrived.

    Args:
        transaction: as sent.
        sequence_number: of its stream record.
        arrived_at: seconds since 1970.
        at: event time that features use, whole seconds since 1970; clamped to the arrival when it lies in the future.
        payload_hash: of the fields above, so that a reused id with another content is noticed.
        flags: `from_the_future`, or none.
    """

    transaction: Transaction
    sequence_number: str
    arrived_at: float
    at: int
    payload_hash: str
    flags: tuple[str, ...] = ()

    @property
    def amount_minor(self) -> int:
        """Amount in minor units; with `at` all that features read of an event."""
        return self.transaction.amount_minor


_decode = msgspec.json.Decoder(Transaction).decode
_encode = msgspec.json.Encoder().encode
_FIELD = re.compile(r"at `\$\.([a-z_]+)`")


class _Version(msgspec.Struct):
    schema_version: int


def parse(payload: bytes, *, sequence_number: str, arrived_at: float) -> Accepted:
    """Validate one record.

    Raises:
        InvalidTransaction: with a reason; neither it nor its text holds a value of the payload.
    """
    if len(payload) > LARGEST_PAYLOAD:
        raise InvalidTransaction("too_large", f"the record is larger than {LARGEST_PAYLOAD} bytes")
    transaction = _typed(payload)
    _refuse_card_numbers(transaction)
    at, flags = _event_time(transaction.occurred_at, arrived_at)
    digest = hashlib.blake2b(_encode(transaction), digest_size=12).hexdigest()
    return Accepted(transaction, sequence_number, arrived_at, at, digest, flags)


def _typed(payload: bytes) -> Transaction:
    """Decoded and checked; the version is looked at first, because a newer one may mean other fields."""
    try:
        transaction = _decode(payload)
    except msgspec.ValidationError as error:
        raise InvalidTransaction(*_explain(payload, error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidTransaction("not_json", "the record is not a JSON document in UTF-8") from None
    except RecursionError:
        raise InvalidTransaction("too_deep", "the record is nested too deeply") from None
    if transaction.schema_version != SCHEMA_VERSION:
        raise InvalidTransaction("unknown_schema_version", f"only schema_version {SCHEMA_VERSION} is understood")
    if transaction.occurred_at.tzinfo is None:
        raise InvalidTransaction("invalid_occurred_at", "`occurred_at` carries no UTC offset")
    return transaction


def _explain(payload: bytes, error: msgspec.ValidationError) -> tuple[str, str]:
    """Reason and sentence; msgspec's message names the field and the expectation, never the value."""
    try:
        if msgspec.json.decode(payload, type=_Version).schema_version != SCHEMA_VERSION:
            return "unknown_schema_version", f"only schema_version {SCHEMA_VERSION} is understood"
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        pass
    missing = re.search(r"missing required field `([a-z_]+)`", str(error))
    if missing:
        return f"missing_{missing[1]}", f"the field `{missing[1]}` is missing"
    field = _FIELD.search(str(error))
    return (f"invalid_{field[1]}" if field else "invalid_document"), card_numbers.mask(str(error))


def _refuse_card_numbers(transaction: Transaction) -> None:
    for field in ("transaction_id", "card_token", "terminal_id", "channel"):
        if card_numbers.contains(getattr(transaction, field) or ""):
            raise InvalidTransaction("card_number", f"`{field}` looks like a card number; send a keyed hash")


def _event_time(occurred_at: datetime, arrived_at: float) -> tuple[int, tuple[str, ...]]:
    """Event time is believed, however old, unless it lies in the future or is no date that can be written in UTC."""
    event_time = occurred_at.timestamp()
    if not 0 <= event_time < LATEST:
        raise InvalidTransaction("invalid_occurred_at", "`occurred_at` lies outside the years 1970 to 9998")
    if event_time > arrived_at + FUTURE_TOLERANCE:
        return int(arrived_at), (FROM_THE_FUTURE,)
    return int(event_time), ()


def rfc3339(seconds: float) -> str:
    """Seconds since 1970 as RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
