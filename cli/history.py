"""History to learn from: transactions and labels as tables, from a file or the simulator."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cli import transactions_file
from cli.errors import CommandError
from cli.transaction_events import Conversion, moment, truth

if TYPE_CHECKING:
    import pyarrow

NEEDED = ("transaction_id", "occurred_at", "card_token", "terminal_id", "amount_minor")


@dataclass(frozen=True)
class History:
    """What happened and what became known of it until `as_of`."""

    transactions: "pyarrow.Table"
    labels: "pyarrow.Table"
    as_of: datetime


def from_file(path: Path, mapping: str | None, conversion: Conversion, limit: int | None, delay: timedelta) -> History:
    """A file that says what was fraud, each fraud known `delay` after it happened. Raises: CommandError."""
    columns = transactions_file.columns_of(path, mapping)
    if "is_fraud" not in columns:
        raise CommandError(f"{path} does not say what was fraud: name the column with --columns is_fraud=COLUMN.")
    rows = list(transactions_file.limited(transactions_file.rows(path, columns), limit))
    if not rows:
        raise CommandError(f"{path} holds no transactions.")
    frauds = [row for row in rows if truth(row.get("is_fraud"))]
    last = max(moment(row["occurred_at"]) for row in rows)
    return History(
        table(conversion.transactions(rows), NEEDED, "occurred_at"),
        table(conversion.labels(frauds, delay), ("transaction_id", "is_fraud", "source", "labelled_at"), "labelled_at"),
        # The file itself tells what was fraud to its last row: all of it counts as known.
        last + max(delay, timedelta(days=7)),
    )


def table(events: Iterable[Mapping[str, Any]], names: tuple[str, ...], time_column: str) -> "pyarrow.Table":
    """Events as a table of some of their fields, the time as a timestamp."""
    import pyarrow

    columns: dict[str, list[Any]] = {name: [] for name in names}
    for event in events:
        for name in names:
            columns[name].append(event[name])
    columns[time_column] = [datetime.fromisoformat(text) for text in columns[time_column]]
    types = {time_column: pyarrow.timestamp("ms", "UTC"), "amount_minor": pyarrow.int64(), "is_fraud": pyarrow.bool_()}
    return pyarrow.table({name: pyarrow.array(columns[name], types.get(name, pyarrow.string())) for name in names})


def simulated(transactions: int, seed: int, days: int) -> History:
    """A simulated market until now."""
    from cli import simulation

    market = simulation.market(transactions, seed, days=days)
    return History(market.transactions, market.labels, datetime.now(UTC))
