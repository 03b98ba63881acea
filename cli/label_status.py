"""`fraud labels status`: what is known of outcomes, how soon it was, and what waits to be recorded."""

import time
from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import typer

from cli import console, dead_labels, monitoring_record, words
from cli.options import AsJson
from cli.status import queue_depth
from cli.target import Target, addressed

if TYPE_CHECKING:
    from rich.console import RenderableType

    from fraud.monitoring import Watch
    from fraud.monitoring_findings import Labels

EPILOG = """[bold]Examples[/bold]

  fraud labels status

  fraud labels status --json | jq .labels.known_after

What is known of verdicts is from the last look at a window; the queue is as it is now."""
BAR = 20
NEVER = "Nothing was looked at yet, so nothing is known of verdicts. Look: fraud monitor run --watch"
EMPTY = "The last window had no decisions, so it says nothing of verdicts. Look again: fraud monitor run --watch"


@addressed
def status(target: Target, as_json: AsJson = False) -> None:
    """Show verdicts by source, how soon frauds become known, and what waits in the label queue."""
    watch = monitoring_record.watch(target)
    queue = {"labels": queue_depth(target, "LabelQueueUrl"), "dead_labels": dead_labels.waiting(target)}
    if as_json:
        console.write_json(facts(watch, queue))
    else:
        for part in parts(watch, queue, time.time()):
            console.stdout().print(part)


def facts(watch: "Watch | None", queue: Mapping[str, int]) -> dict[str, Any]:
    """For programs; `labels` is null before the first look at a window with decisions."""
    look = monitoring_record.document(watch) or {}
    return {
        "waiting": dict(queue),
        "run_id": look.get("run_id"),
        "looked_at": look.get("ended_at"),
        "labels": look.get("labels"),
    }


def parts(watch: "Watch | None", queue: Mapping[str, int], now: float) -> "list[RenderableType]":
    """For people, one after the other."""
    waits = {"labels in the queue": f"{queue['labels']:,}", "that could not be recorded": f"{queue['dead_labels']:,}"}
    shown: list[RenderableType] = [console.table_of("Waiting", waits)]
    if queue["dead_labels"]:
        shown.append("When the cause is gone, give them back: fraud replay-quarantine")
    if watch is None or watch.labels is None:
        return [*shown, NEVER if watch is None else EMPTY]
    title = f"[bold]Verdicts on mature transactions, as of {words.dated(watch.until)} UTC[/]"
    return [*shown, title, by_source(watch.labels), known(watch.labels, now), *curve(watch.labels)]


def by_source(labels: "Labels") -> "RenderableType":
    """Verdicts on mature transactions, reviews and chargebacks apart."""
    from rich.table import Table

    table = Table("source", box=None, header_style="bold")
    for name in ("fraud", "genuine"):
        table.add_column(name, justify="right")
    for source, verdicts in sorted(labels.by_source.items()):
        table.add_row(words.plain(source), f"{verdicts.frauds:,}", f"{verdicts.genuine:,}")
    return table


def known(labels: "Labels", now: float) -> "RenderableType":
    """What is known, what counts as known, and what cannot be."""
    weighed = f"{labels.weight:.3g}: blocked ones that were let through count for others"
    rows = {
        "sources that disagree": f"on {labels.disagreements:,} transactions",
        "mature": f"{labels.mature:,}",
        "of these, without a verdict": f"{labels.unlabelled:,}, which count as genuine",
        "of these, blocked": f"{labels.unknown:,} without a verdict, whose outcome cannot show",
        "not mature yet": f"{labels.immature:,}",
        **({"mean weight": weighed} if labels.weight != 1 else {}),
        "newest verdict": age(labels.newest_known_at, now),
    }
    shown: RenderableType = console.table_of("", rows)
    return shown


def age(known_at: str, now: float) -> str | None:
    """How long the newest verdict is past; None without one."""
    if not known_at:
        return None
    at = datetime.fromisoformat(known_at).timestamp()
    return f"{words.moment(at, now)} UTC, {words.span(now - at)} ago"


def curve(labels: "Labels") -> "list[RenderableType]":
    """How soon frauds were known; nothing where none was."""
    rows = {f"within {days} d": bar(share) for days, share in sorted(labels.known_after.items(), key=_days)}
    return [console.table_of("Known frauds that were known", rows)] if rows else []


def bar(share: float) -> str:
    """A share as a picture and a percentage."""
    full = round(BAR * min(max(share, 0.0), 1.0))
    return "█" * full + "░" * (BAR - full) + f" {words.percent(share)}"


def _days(row: tuple[str, float]) -> float:
    return float(row[0])


def register(rooms: typer.Typer) -> None:
    """Add the command."""
    rooms.command(epilog=EPILOG)(status)
