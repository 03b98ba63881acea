"""`fraud send`: transactions from a file or the simulator into the stream."""

import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from cli import console, options, simulation, sinks, transactions_file
from cli.errors import CommandError
from cli.producer import Limits, Pace, Producer, Put, Record, Summary
from cli.target import Target, addressed
from cli.transaction_events import Conversion, shift_to

EPILOG = """[bold]Examples[/bold]

  fraud send --simulate 20000

  fraud send transactions.parquet --rate 500

  fraud send handbook.parquet --limit 5000 --rebase

  fraud send ours.csv --columns transaction_id=ID,occurred_at=AT,card=PAN_REF,terminal_id=SHOP,amount=EUR

The Fraud Detection Handbook's columns are recognised. Card and customer ids are hashed with --card-key before they
are sent. Sending the same file again changes nothing: every transaction is decided once."""

Simulate = Annotated[int | None, typer.Option(min=1, help="Send so many simulated transactions instead of a file.")]
Rate = Annotated[float | None, typer.Option(min=0.1, help="Transactions a second; as fast as accepted by default.")]
Seed = Annotated[int | None, typer.Option(help="Seed of the simulation; a new one each time by default.")]
Save = Annotated[Path | None, typer.Option(help="Also write the simulated transactions to this Parquet file.")]


@dataclass(frozen=True)
class Source:
    """Events to send, and how many there are where that is known."""

    events: Iterable[Mapping[str, Any]]
    total: int | None


@addressed
def send(
    target: Target,
    file: options.SourceFile = None,
    simulate: Simulate = None,
    rate: Rate = None,
    limit: options.Limit = None,
    rebase: options.Rebase = False,
    columns: options.Columns = None,
    currency: options.Currency = options.DEFAULT.currency,
    card_key: options.CardKey = options.DEFAULT_CARD_KEY,
    seed: Seed = None,
    save: Save = None,
    as_json: options.AsJson = False,
) -> None:
    """Send transactions from a file, or simulated ones, to the stream."""
    if (file is None) == (simulate is None):
        raise typer.BadParameter("give either a FILE or --simulate N")
    put = sinks.stream_sink(target)
    if simulate is not None:
        source = simulated(simulate, seed, save)
    else:
        assert file is not None
        source = from_file(file, columns, Conversion(card_key, currency), limit, rebase)
    summary = deliver(source, put, sinks.transaction_record, sinks.STREAM_LIMITS, Pace(rate), "Sending transactions")
    report(summary, "transactions", as_json)


def simulated(count: int, seed: int | None, save: Path | None) -> Source:
    """Simulated transactions up to now."""
    from model.simulator import transaction_events

    chosen = secrets.randbelow(2**31) if seed is None else seed
    console.say(f"Simulating {count:,} transactions (seed {chosen})")
    market = simulation.last_transactions(simulation.market(count, chosen), count)
    if save is not None:
        simulation.save(market, save)
    return Source(transaction_events(market.transactions), count)


def from_file(file: Path, mapping: str | None, conversion: Conversion, limit: int | None, rebase: bool) -> Source:
    """A file's transactions as events, shifted to now if asked."""
    columns = transactions_file.columns_of(file, mapping)
    shift = history_shift(file, columns, limit) if rebase else timedelta(0)
    shifted = Conversion(conversion.card_key, conversion.currency, shift)
    rows = transactions_file.limited(transactions_file.rows(file, columns), limit)
    return Source(shifted.transactions(rows), row_count(file, limit))


def history_shift(file: Path, columns: transactions_file.Columns, limit: int | None) -> timedelta:
    """What brings the last of the rows to now; reads only their time."""
    times = transactions_file.rows(file, {"occurred_at": columns["occurred_at"]})
    return shift_to(datetime.now(UTC), transactions_file.limited(times, limit))


def row_count(file: Path, limit: int | None) -> int | None:
    """How many rows will be sent, where that is known beforehand."""
    counts = [count for count in (transactions_file.count(file), limit) if count is not None]
    return min(counts, default=None)


def deliver(source: Source, put: Put, record: Any, limits: Limits, pace: Pace, description: str) -> Summary:
    """Send everything, with a progress bar."""
    with console.progress(description, source.total) as meter:
        records: Iterable[Record] = map(record, source.events)
        return Producer(put, limits, pace, on_sent=meter.advance).send(records)


def report(summary: Summary, what: str, as_json: bool) -> None:
    """Say what became of them. Raises: CommandError when some were refused for good."""
    if as_json:
        console.write_json(summary.as_json())
    else:
        console.stdout().print(
            f"[green]{summary.sent:,}[/] {what} sent in {summary.seconds:.1f} s ({summary.rate:,.0f}/s), "
            f"{summary.retried:,} resent, {summary.rejected.total():,} rejected",
            highlight=False,
        )
    if summary.rejected:
        reasons = ", ".join(f"{count} {code}" for code, count in summary.rejected.most_common())
        raise CommandError(f"Rejected for good: {reasons}. Send the same again: what arrived is not counted twice.")


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command(epilog=EPILOG)(send)
