"""Turns rows of a file into transaction and label events."""

import hashlib
import hmac
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from cli.errors import CommandError

Event = dict[str, Any]
Row = Mapping[str, Any]

SCHEMA_VERSION = 1
DEMO_CARD_KEY = "only-for-trying-out"
OPTIONAL = ("channel", "merchant_category", "country")
# ISO 4217: how many decimals a minor unit has, where it is not two.
DECIMALS = dict.fromkeys(("CLP", "ISK", "JPY", "KRW", "PYG", "UGX", "VND", "XAF", "XOF", "XPF"), 0) | dict.fromkeys(
    ("BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"), 3
)
LARGEST_EPOCH_SECONDS = 10**11


@dataclass(frozen=True)
class Conversion:
    """How rows become events.

    Args:
        card_key: key of the hash that hides card and customer ids.
        currency: ISO 4217 code for rows that carry none.
        shift: added to every event time.

    """

    card_key: str = DEMO_CARD_KEY
    currency: str = "EUR"
    shift: timedelta = timedelta(0)

    def transactions(self, rows: Iterable[Row]) -> Iterator[Event]:
        """A transaction event per row. Raises: CommandError naming the row."""
        return _each(self.transaction, rows)

    def labels(self, rows: Iterable[Row], delay: timedelta) -> Iterator[Event]:
        """A label event per row, as if it became known `delay` after the transaction."""
        return _each(lambda row: self.label(row, delay), rows)

    def transaction(self, row: Row) -> Event:
        """One row as an event."""
        currency = str(row.get("currency", self.currency))
        event = {
            "schema_version": SCHEMA_VERSION,
            "transaction_id": str(row["transaction_id"]),
            "occurred_at": rfc3339(moment(row["occurred_at"]) + self.shift),
            "card_token": self._card_token(row),
            "terminal_id": str(row["terminal_id"]),
            "amount_minor": _amount_minor(row, currency),
            "currency": currency,
        }
        return event | {name: str(row[name]) for name in OPTIONAL if name in row}

    def label(self, row: Row, delay: timedelta) -> Event:
        """What became known of one row: a chargeback, or a review that found nothing."""
        is_fraud = truth(row["is_fraud"])
        return {
            "schema_version": SCHEMA_VERSION,
            "transaction_id": str(row["transaction_id"]),
            "is_fraud": is_fraud,
            "source": "chargeback" if is_fraud else "review",
            "labelled_at": rfc3339(moment(row["occurred_at"]) + self.shift + delay),
        }

    def _card_token(self, row: Row) -> str:
        if "card_token" in row:
            return str(row["card_token"])
        return card_token(str(row["card"]), self.card_key)


def card_token(card: str, key: str) -> str:
    """Keyed hash of a card or customer id, 64 hex digits; the id itself never leaves this machine."""
    return hmac.new(key.encode(), card.encode(), hashlib.sha256).hexdigest()


def moment(value: object) -> datetime:
    """A point in time in UTC, from a datetime, ISO 8601 text, or seconds or milliseconds since 1970."""
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value / 1000 if value > LARGEST_EPOCH_SECONDS else value, UTC)
    parsed = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    return parsed.replace(tzinfo=UTC) if parsed.tzinfo is None else parsed.astimezone(UTC)


def rfc3339(at: datetime) -> str:
    """RFC 3339 in UTC, milliseconds."""
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def truth(value: object) -> bool:
    """Whether a column's value says yes: true, 1, yes."""
    return str(value).strip().lower() in ("true", "1", "1.0", "yes")


def minor_units(amount: object, currency: str) -> int:
    """A decimal amount in minor units of the currency, half rounded up."""
    scaled = Decimal(str(amount)).scaleb(DECIMALS.get(currency, 2))
    return int(scaled.quantize(Decimal(1), ROUND_HALF_UP))


def shift_to(now: datetime, rows: Iterable[Row]) -> timedelta:
    """What to add so that the last transaction happens now and the spacing stays. Raises: CommandError if empty."""
    last = max((moment(row["occurred_at"]) for row in rows), default=None)
    if last is None:
        raise CommandError("--rebase: there are no transactions in it.")
    return now - last


def _amount_minor(row: Row, currency: str) -> int:
    if "amount_minor" in row:
        return int(row["amount_minor"])
    return minor_units(row["amount"], currency)


def _each(convert: Any, rows: Iterable[Row]) -> Iterator[Event]:
    for number, row in enumerate(rows, 1):
        try:
            yield convert(row)
        except KeyError as error:
            raise CommandError(f"Row {number} has no {error.args[0]}.") from error
        except (ValueError, InvalidOperation) as error:
            raise CommandError(f"Row {number} cannot be read: {error}") from error
