"""Where the command line writes: results to stdout, progress and errors to stderr."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn


def stdout() -> "Console":
    """A console on the current stdout, which tests and pipes replace."""
    from rich.console import Console

    return Console()


def stderr() -> "Console":
    """A console on the current stderr."""
    from rich.console import Console

    return Console(stderr=True)


def write_json(value: object) -> None:
    """One JSON document on stdout, for programs: no markup, no wrapping."""
    print(json.dumps(value, indent=2, default=str, ensure_ascii=False))


def say(sentence: str) -> None:
    """A remark for the person at the terminal."""
    stderr().print(sentence, highlight=False, soft_wrap=True)


def report_error(sentence: str) -> None:
    """One red line."""
    from rich.text import Text

    stderr().print(Text("Error: ", style="bold red") + Text(sentence, style="red"), soft_wrap=True)


def table_of(title: str, rows: Mapping[str, object]) -> Any:
    """A two-column table of names and values under its title."""
    from rich.console import Group
    from rich.table import Table

    table = Table(show_header=False, box=None)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, "–" if value is None else str(value))
    return Group(f"[bold]{title}[/]", table) if title else table


@contextmanager
def progress(description: str, total: float | None = None) -> Iterator["Meter"]:
    """A progress bar with its rate on stderr; silent where stderr is not a terminal."""
    from rich.progress import Progress

    with Progress(*_columns(), console=stderr(), transient=False) as bars:
        yield Meter(bars, description, total)


def _columns() -> "list[ProgressColumn]":
    from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

    rate = TextColumn("[dim]{task.fields[note]}")
    return [
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        rate,
        TimeElapsedColumn(),
    ]


class Meter:
    """One line of progress: how much is done, at what rate."""

    def __init__(self, bars: "Progress", description: str, total: float | None) -> None:
        self._bars = bars
        self._task = bars.add_task(description, total=total, note="")

    def advance(self, count: int) -> None:
        """Count more as done, and show the rate."""
        self._bars.advance(self._task, count)
        speed = self._bars.tasks[self._task].speed
        self.note(f"{speed:,.0f}/s" if speed else "")

    def reach(self, count: float, note: str = "") -> None:
        """Set how much is done altogether."""
        self._bars.update(self._task, completed=count, note=note)

    def note(self, text: str) -> None:
        """A word beside the bar."""
        self._bars.update(self._task, note=text)


@contextmanager
def working(description: str) -> Iterator[None]:
    """A spinner on stderr while something of unknown length runs."""
    with stderr().status(description):
        yield
