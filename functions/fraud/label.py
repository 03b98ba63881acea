"""Labels: what became known about a transaction after it was decided."""

from __future__ import annotations

import re
from datetime import datetime
from enum import StrEnum

import msgspec

from fraud import card_numbers
from fraud.errors import InvalidLabel
from fraud.transaction import FUTURE_TOLERANCE, LARGEST_PAYLOAD, SCHEMA_VERSION, Identifier


class Source(StrEnum):
    """Who says so."""

    REVIEW = "review"
    CHARGEBACK = "chargeback"


class _Document(msgspec.Struct, frozen=True):
    schema_version: int
    transaction_id: Identifier
    is_fraud: bool
    source: Source
    labelled_at: datetime


class Label(msgspec.Struct, frozen=True):
    """A verdict on one transaction.

    Args:
        is_fraud: the verdict.
        source: chargeback or review.
        labelled_at: when the verdict was given, milliseconds since 1970; the later verdict stands.
        known_at: when features may know of it, seconds since 1970; never later than its arrival.
    """

    is_fraud: bool
    source: Source
    labelled_at: int
    known_at: int

    def supersedes(self, other: Label | None) -> bool:
        """Whether this verdict replaces the other. Of two at one instant a chargeback, then a fraud, stands."""
        return other is None or _rank(self) > _rank(other)


def _rank(label: Label) -> tuple[int, bool, bool]:
    return label.labelled_at, label.source is Source.CHARGEBACK, label.is_fraud


_decode = msgspec.json.Decoder(_Document).decode
_FIELD = re.compile(r"`\$\.([a-z_]+)`|field `([a-z_]+)`")


def parse(payload: bytes, *, arrived_at: float) -> tuple[str, Label]:
    """Validate one label; returns its transaction_id and the verdict.

    Raises:
        InvalidLabel: with a reason; neither it nor its text holds a value of the payload.
    """
    if len(payload) > LARGEST_PAYLOAD:
        raise InvalidLabel("too_large", f"the label is larger than {LARGEST_PAYLOAD} bytes")
    try:
        document = _decode(payload)
    except msgspec.ValidationError as error:
        raise InvalidLabel("invalid_document", _explain(error)) from None
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise InvalidLabel("not_json", "the label is not a JSON document in UTF-8") from None
    except RecursionError:
        raise InvalidLabel("too_deep", "the label is nested too deeply") from None
    _check(document, arrived_at)
    seconds = document.labelled_at.timestamp()
    known_at = int(min(seconds, arrived_at))
    return document.transaction_id, Label(document.is_fraud, document.source, int(seconds * 1000), known_at)


def _explain(error: msgspec.ValidationError) -> str:
    """Names the field; msgspec's own message would repeat the value of `source`."""
    field = _FIELD.search(str(error))
    return f"the field `{field[1] or field[2]}` is missing or malformed" if field else "the label is no JSON object"


def _check(document: _Document, arrived_at: float) -> None:
    if document.schema_version != SCHEMA_VERSION:
        raise InvalidLabel("unknown_schema_version", f"only schema_version {SCHEMA_VERSION} is understood")
    if card_numbers.contains(document.transaction_id):
        raise InvalidLabel("card_number", "`transaction_id` looks like a card number")
    if document.labelled_at.tzinfo is None:
        raise InvalidLabel("invalid_labelled_at", "`labelled_at` carries no UTC offset")
    if document.labelled_at.timestamp() < 0:
        raise InvalidLabel("invalid_labelled_at", "`labelled_at` lies before 1970")
    if document.labelled_at.timestamp() > arrived_at + FUTURE_TOLERANCE:
        raise InvalidLabel("from_the_future", "`labelled_at` lies in the future; it would outrank every later verdict")
