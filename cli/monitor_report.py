"""`fraud monitor report`: the page that shows what a look found."""

import time
import webbrowser
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from cli import console, monitoring_record, monitoring_windows, words
from cli.errors import CommandError, NotFound
from cli.options import AsJson
from cli.target import LOCAL_FILE, Target, addressed
from cli.transaction_events import rfc3339

REPORT = """[bold]Examples[/bold]

  fraud monitor report --open                  of the last look

  fraud monitor report --list                  the newest ten looks

  fraud monitor report --window RUN_ID --output report.html"""

LISTED = 10

RunId = Annotated[str | None, typer.Option("--window", metavar="RUN_ID", help="Of this look; the last one without.")]
Output = Annotated[Path | None, typer.Option("--output", metavar="FILE", help="Where to write it.")]
Open = Annotated[bool, typer.Option("--open", help="Open it in the browser.")]
List = Annotated[bool, typer.Option("--list", help="List the newest looks that left a report, and fetch nothing.")]


@addressed
def report(
    target: Target,
    window: RunId = None,
    output: Output = None,
    open_it: Open = False,
    list_them: List = False,
    as_json: AsJson = False,
) -> None:
    """Fetch the page that shows what a look found."""
    if list_them:
        show_windows(monitoring_windows.newest(target, LISTED), as_json)
        return
    run_id, uri = addressed_window(target, window)
    page = monitoring_windows.report(target, uri)
    path = written(page, output or LOCAL_FILE.parent / f"{run_id}.html")
    if as_json:
        console.write_json({"run_id": run_id, "uri": uri, "file": str(path)})
    else:
        console.stdout().print(f"Report of {run_id}: {path}", highlight=False, markup=False, soft_wrap=True)
    if open_it and not webbrowser.open(path.as_uri()):
        raise CommandError(f"No browser can be opened from here: open {path} yourself.")


def addressed_window(target: Target, window: str | None) -> tuple[str, str]:
    """Run id of a look, and where its findings lie. Raises: NotFound before the first look."""
    if window is not None:
        return window, monitoring_windows.found_by(target, window)
    last = monitoring_record.watch(target)
    if last is None:
        raise NotFound("Nothing was looked at yet. Look: fraud monitor run --watch")
    return last.run_id, last.uri


def written(page: bytes, path: Path) -> Path:
    """Where the page is now. Raises: CommandError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(page)
    except OSError as error:
        raise CommandError(f"The report cannot be written to {path}: {error.strerror}.") from error
    return path.resolve()


def show_windows(windows: Sequence[monitoring_windows.Window], as_json: bool) -> None:
    """List them, for programs or people."""
    if as_json:
        console.write_json([{"run_id": each.run_id, "written_at": rfc3339(each.written_at)} for each in windows])
    elif not windows:
        console.stdout().print("No look left a report yet. Look: fraud monitor run --watch", highlight=False)
    else:
        rows = {each.run_id: words.moment(each.written_at.timestamp(), time.time()) for each in windows}
        console.stdout().print(console.table_of("Looks, the newest first (UTC)", rows))


def register(rooms: typer.Typer) -> None:
    """Add the command."""
    rooms.command(epilog=REPORT)(report)
