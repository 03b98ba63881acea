"""`fraud labels send`: what became known of transactions, into the label queue; see `label_status` for the rest."""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import label_status, options, sinks, transactions_file
from cli.errors import CommandError
from cli.producer import Pace
from cli.send import Source, deliver, history_shift, report
from cli.target import Target, addressed
from cli.transaction_events import Conversion, moment, rfc3339, truth

EPILOG = """[bold]Examples[/bold]

  fraud labels send labels.csv

  fraud labels send --from-transactions handbook.parquet --limit 5000 --delay 7d

A label file has the columns transaction_id, is_fraud, source (chargeback or review) and labelled_at. From
transactions, frauds become chargebacks; --all also reports the others as cleared by a review."""

FIELDS = ("transaction_id", "is_fraud", "source", "labelled_at")
SCHEMA_VERSION = 1

FromTransactions = Annotated[Path | None, typer.Option(help="Take the labels from this file of transactions.")]
Delay = Annotated[str, typer.Option(help="How long after its transaction a label became known: 90s, 12h, 7d.")]
All = Annotated[bool, typer.Option("--all", help="Also label what is not fraud.")]

rooms = typer.Typer(help="Chargebacks and reviews: sent, and what is known of them.", no_args_is_help=True)


@rooms.command(epilog=EPILOG)
@addressed
def send(
    target: Target,
    file: options.SourceFile = None,
    from_transactions: FromTransactions = None,
    delay: Delay = "7d",
    limit: options.Limit = None,
    rebase: options.Rebase = False,
    every: All = False,
    columns: options.Columns = None,
    as_json: options.AsJson = False,
) -> None:
    """Send labels from a file, or derived from a file of transactions, to the queue."""
    if (file is None) == (from_transactions is None):
        raise typer.BadParameter("give either a FILE or --from-transactions FILE")
    put = sinks.queue_sink(target)
    if file is not None:
        source = Source(transactions_file.limited(read_labels(file), limit), None)
    else:
        assert from_transactions is not None
        source = derived(from_transactions, columns, options.duration(delay), limit, rebase, every)
    summary = deliver(source, put, sinks.label_record, sinks.QUEUE_LIMITS, Pace(), "Sending labels")
    report(summary, "labels", as_json)


def read_labels(file: Path) -> Iterator[dict[str, Any]]:
    """The label events of a file. Raises: CommandError naming the row."""
    for number, row in enumerate(transactions_file.rows(file, {name: name for name in FIELDS}), 1):
        missing = [name for name in FIELDS if name not in row]
        if missing:
            raise CommandError(f"{file} row {number} has no {', '.join(missing)}.")
        yield label(row)


def label(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a label file as an event."""
    return {
        "schema_version": SCHEMA_VERSION,
        "transaction_id": str(row["transaction_id"]),
        "is_fraud": truth(row["is_fraud"]),
        "source": str(row["source"]),
        "labelled_at": rfc3339(moment(row["labelled_at"])),
    }


def derived(file: Path, mapping: str | None, delay: timedelta, limit: int | None, rebase: bool, every: bool) -> Source:
    """Labels as they would have become known of a file's transactions."""
    columns = transactions_file.columns_of(file, mapping)
    if "is_fraud" not in columns:
        raise CommandError(f"{file} does not say what was fraud: name the column with --columns is_fraud=COLUMN.")
    shift = history_shift(file, columns, limit) if rebase else timedelta(0)
    rows = transactions_file.limited(transactions_file.rows(file, columns), limit)
    chosen = (row for row in rows if every or truth(row["is_fraud"]))
    return Source(Conversion(shift=shift).labels(chosen, delay), None)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    label_status.register(rooms)
    app.add_typer(rooms, name="labels")
