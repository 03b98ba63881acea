"""The table of a run, for people."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.sides import OURS

Row = tuple[str, str, int]
"""What is shown, its key, decimals."""

_REST: tuple[Row, ...] = (
    ("table write units per 1,000", "write_units_per_1000", 0),
    ("index write units per 1,000", "index_write_units_per_1000", 0),
    ("read units per 1,000", "read_units_per_1000", 0),
    ("handler CPU per transaction, ms", "cpu_ms_per_transaction", 3),
    ("wall time of a batch, p50, ms", "batch_wall_ms_p50", 0),
    ("wall time of a batch, p99, ms", "batch_wall_ms_p99", 0),
    ("decision item, mean bytes", "decision_bytes", 0),
    ("decisions over 1 KB, share", "decisions_over_1_kb", 2),
    ("card item, mean bytes", "card_bytes", 0),
    ("records delivered again", "redelivered", 0),
    ("decisions stored", "decisions", 0),
    ("same action and features as ours, share", "same_as_ours", 3),
)


def show(result: Mapping[str, Any]) -> None:
    """Print a table: one column per side, and each alternative over ours."""
    sides: Mapping[str, Mapping[str, Any]] = result["sides"]
    others = [name for name in sides if name != OURS]
    table = Table(title=_title(result["run"]), title_justify="left", caption_justify="left", caption=_CAPTION)
    table.add_column("")
    for name in sides:
        table.add_column(name, justify="right")
    for name in others:
        table.add_column(f"{name} / ours", justify="right")
    for label, values, decimals in _rows(sides):
        ratios = [f"{values[name] / values[OURS]:.2f}" if values[OURS] else "" for name in others]
        table.add_row(label, *(f"{values[name]:,.{decimals}f}" for name in sides), *ratios)
    Console(width=None if Console().is_terminal else 160).print(table)


_CAPTION = (
    "Calls: requests that left the process, retries included. Units: by DynamoDB's documented rules from the items; "
    "a transactional write counts 2 per KB and item. CPU: of the handler's process. Wall time includes a fake AWS on "
    "the same cores and says nothing about AWS."
)


def _title(run: Mapping[str, Any]) -> str:
    return (
        f"{run['transactions']:,} transactions in batches of {run['batch']} with {run['distinct_cards']:.1%} distinct "
        f"cards; {run['threads']} threads where each record goes its own way"
    )


def _rows(sides: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Mapping[str, float], int]]:
    yield "AWS calls per 1,000", {name: side["all_calls_per_1000"] for name, side in sides.items()}, 0
    for operation in sorted({name for side in sides.values() for name in side["calls_per_1000"]}):
        values = {name: side["calls_per_1000"].get(operation, 0.0) for name, side in sides.items()}
        yield f"  {operation}", values, 0
    for label, key, decimals in _REST:
        yield label, {name: side[key] for name, side in sides.items()}, decimals
