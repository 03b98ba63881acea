"""The tables of the benchmark of drift, for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.gates import upper_bound

WIDTH = 120
CONCERNS = ("drift", "data", "quality", "upkeep")


def show(result: Mapping[str, Any]) -> None:
    """Print the tables."""
    console = Console(width=None if Console().is_terminal else WIDTH)
    console.print(_quiet_table(result["quiet"]))
    if result["power"]:
        console.print(_power_table(result["power"]))
    console.print(f"{result['seconds']:,.0f} s")


def _quiet_table(quiet: Mapping[str, Any]) -> Table:
    least, median, most = quiet["rows"]
    table = Table(
        title=f"{quiet['windows']:,} quiet days of {quiet['markets']:,} markets, {least:,} to {most:,} transactions "
        f"each (median {median:,.0f})",
        title_justify="left",
        caption="At most: 95 % sure; over windows as if each stood for itself (Clopper and Pearson), over what they "
        "are worth when those of a market are alike (Korn and Graubard), and over markets, as if all windows of a "
        "market were one.",
        caption_justify="left",
    )
    for name in ("", "with an alarm", "share", "at most"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    table.add_row("windows", f"{quiet['false_alarms']:,}", f"{quiet['share']:.3%}", f"{quiet['at_most']:.3%}")
    table.add_row(f"  worth {quiet['worth']:,.0f}", "", "", f"{quiet['at_most_clustered']:.3%}")
    loud = quiet["markets_with_any"]
    table.add_row("markets", f"{loud:,}", f"{loud / quiet['markets']:.3%}", f"{quiet['at_most_over_markets']:.3%}")
    for what in ("concern", "check", "name"):
        for kind, many in sorted(quiet[f"by_{what}"].items(), key=lambda each: -each[1]):
            table.add_row(
                f"  {what}: {kind}",
                f"{many:,}",
                f"{many / quiet['windows']:.3%}",
                f"{upper_bound(many, quiet['windows']):.3%}",
            )
    return table


def _power_table(rows: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(
        title="Changes found, by cards of the market; each pays 1.4 times a day",
        title_justify="left",
        caption="Share of markets in which the look says more than without the change, and, over all sizes, in which "
        "it says what. Changes begin with the day that is looked at; the last three, 14 days before its end.",
        caption_justify="left",
    )
    sizes = sorted({size for row in rows for size in row["found"]})
    table.add_column("", no_wrap=True)
    for name in (*(f"{size:,}" for size in sizes), *CONCERNS):
        table.add_column(name, justify="right")
    table.add_column("most often by")
    for row in rows:
        shares = [row["found"].get(size) for size in sizes]
        shares += [row["concerns"].get(name, 0.0) for name in CONCERNS]
        checks = ", ".join(name.removesuffix("_check") for name in row["checks"])
        table.add_row(row["shift"], *("" if share is None else f"{share:.0%}" for share in shares), checks)
    return table
