"""Options that several commands share."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated

import typer

from cli.errors import CommandError
from cli.transaction_events import DEMO_CARD_KEY, Conversion

AsJson = Annotated[bool, typer.Option("--json", help="Write one JSON document to stdout, and nothing else.")]
Columns = Annotated[
    str | None,
    typer.Option(
        help="The file's columns, as FIELD=COLUMN,…; needed only for names that are not recognised. FIELD is "
        "transaction_id, occurred_at, terminal_id, card (an id, hashed here) or card_token, amount (decimal) or "
        "amount_minor, currency, channel, merchant_category, country, is_fraud.",
    ),
]
Currency = Annotated[str, typer.Option(help="ISO 4217 code for rows without one.")]
CardKey = Annotated[
    str,
    typer.Option(
        envvar="FRAUD_CARD_KEY", show_default=False, help="Key of the hash that hides card ids. Set your own."
    ),
]
Limit = Annotated[int | None, typer.Option(min=1, help="Only the first so many rows.")]
Rebase = Annotated[bool, typer.Option("--rebase", help="Shift the history so that its last transaction is now.")]
SourceFile = Annotated[Path | None, typer.Argument(metavar="FILE", help="Parquet, CSV or JSONL.")]
DEFAULT = Conversion()
DEFAULT_CARD_KEY = DEMO_CARD_KEY
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def duration(text: str) -> timedelta:
    """`90s`, `15m`, `12h`, `7d`, `2w`. Raises: CommandError."""
    number, unit = text[:-1], text[-1:]
    if unit not in UNITS or not number.isdigit():
        raise CommandError(f"{text!r} is no duration: write a number and s, m, h, d or w, such as 7d.")
    return timedelta(**{UNITS[unit]: int(number)})
