"""`fraud monitor`: whether the world, the data or the model changed, looked at and told."""

import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli import (
    console,
    machine,
    monitor_report,
    monitor_request,
    monitoring_record,
    monitoring_windows,
    status,
    tables,
    watching,
    words,
)
from cli.machine import Execution, Step
from cli.options import AsJson
from cli.rollout_record import patiently
from cli.target import Target, addressed
from cli.watching import Run, ended, last_word, succeeded

if TYPE_CHECKING:
    from fraud.monitoring import Refresh, Watch

RUN = """[bold]Examples[/bold]

  fraud monitor run --watch                    what arrived in the last 24 hours

  fraud monitor run --window 7d --set least_psi=0.2 --set fairness=country,channel --watch

  fraud monitor run --since 2026-03-01 --until 2026-03-02 --watch --json | jq .look.findings

  fraud monitor run --plan plan.json           such as {"window_hours": 48, "fewest_frauds": 50}

Options go over the plan's file, and that over the stack's parameter MonitoringPlan. Watched, it ends with 0 when
nothing changed or there was nothing to look at, and with 1 when there are violations or it failed. Ctrl-C ends only
the watching."""
REFRESH = """[bold]Examples[/bold]

  fraud monitor refresh --watch

  fraud monitor refresh --rebaseline           also where a baseline of the champion stands

  fraud monitor refresh --set reference_days=56 --rebaseline

A promotion does it by itself, and so does every week. Where all is in place, nothing is changed. Watched, it ends with
0 when monitoring is as it should be, and with 1 when it failed or monitoring is silent."""
STATUS = """[bold]Examples[/bold]

  fraud monitor status

  fraud monitor status --json | jq .look.violations"""
LOOK_MACHINE, REFRESH_MACHINE = "DriftMachineArn", "MonitoringMachineArn"
NEXT_STEPS = {
    "violated": "fraud monitor report --open",
    "no_baseline": "fraud monitor status, and once there is a baseline: fraud monitor run --watch",
    "no_model": "fraud rollout start",
    "nothing": "fraud status, if something should have arrived",
}
"""What to type after the word with which a look ended."""

PlanFile = Annotated[Path | None, typer.Option("--plan", metavar="FILE", help="The plan as a JSON object.")]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A number of the plan; may be repeated.")
]
Window = Annotated[str | None, typer.Option(help="Length of the window, whole days: 24h, 7d.")]
Since = Annotated[str | None, typer.Option(metavar="TIME", help="Begin of the window: a date or RFC 3339, UTC.")]
Until = Annotated[str | None, typer.Option(metavar="TIME", help="End of the window; now without.")]
Watched = Annotated[bool, typer.Option("--watch/--no-watch", help="Then watch it to its end.")]
Rebaseline = Annotated[bool, typer.Option("--rebaseline", help="Make the baseline anew, although one stands.")]
rooms = typer.Typer(help="Whether the world, the data or the model changed.", no_args_is_help=True)


# --- A look -----------------------------------------------------------------------------------------------------------


@rooms.command(epilog=RUN)
@addressed
def run(
    target: Target,
    plan: PlanFile = None,
    settings: Set = None,
    window: Window = None,
    since: Since = None,
    until: Until = None,
    watch: Watched = False,
    as_json: AsJson = False,
) -> None:
    """Look at a window of decisions for changes of features, scores, quality, and of the data themselves."""
    if window is not None and since is not None:
        raise typer.BadParameter("give either --window or --since: the window ends with --until, or now")
    chosen = monitor_request.chosen_plan(settings, {"window_hours": monitor_request.hours(window)})
    request = monitor_request.checked(
        target, plan, chosen, {"since": monitor_request.instant(since), "until": monitor_request.instant(until)}
    )
    begun = Run(*machine.begin(target, LOOK_MACHINE, "drift", request))
    tell_begun(begun, f"Look {begun.run_id}; what it finds: fraud monitor status", watch, as_json)
    if watch:
        steps = watching.states(target, begun.execution)
        standing = watching.follow(target, begun, steps, "The look goes on without being watched: fraud monitor status")
        raise typer.Exit(tell_look(target, begun, standing, as_json))


def tell_begun(begun: Run, sentence: str, watched: bool, as_json: bool) -> None:
    """Say what was started; as JSON only where no outcome follows."""
    if not as_json:
        console.stdout().print(sentence, highlight=False, soft_wrap=True)
    elif not watched:
        console.write_json({"run_id": begun.run_id, "execution": begun.execution})


def tell_look(target: Target, begun: Run, standing: Execution, as_json: bool) -> int:
    """Say what a look came to; the exit code."""
    found = monitoring_windows.look(target, begun.run_id, begun.execution) if succeeded(standing) else None
    if as_json:
        console.write_json({**ended(begun, standing), "look": monitoring_record.document(found)})
    else:
        show_look(standing, found)
    return 0 if succeeded(standing) and standing.next != "violated" else 1


def show_look(standing: Execution, found: "Watch | None") -> None:
    """What it came to, for people."""
    if not succeeded(standing):
        console.report_error(last_word(standing))
        return
    from rich.text import Text

    from cli import monitor_screen

    out = console.stdout()
    mark = ("✖ ", "yellow") if standing.next == "violated" else ("✔ ", "green")
    out.print(Text.assemble(mark, words.plain(last_word(standing))), soft_wrap=True)
    for part in monitor_screen.violations(found) if found else ():
        out.print(part)
    if standing.next in NEXT_STEPS:
        out.print(f"[dim]→ {NEXT_STEPS[standing.next]}[/]", highlight=False)


# --- A refresh ------------------------------------------------------------------------------------------------------


@rooms.command(epilog=REFRESH)
@addressed
def refresh(
    target: Target,
    plan: PlanFile = None,
    settings: Set = None,
    rebaseline: Rebaseline = False,
    watch: Watched = False,
    as_json: AsJson = False,
) -> None:
    """Bring baseline and schedules in line with the champion."""
    chosen = monitor_request.chosen_plan(settings, {"rebaseline": rebaseline or None})
    request = monitor_request.checked(target, plan, chosen, {})
    begun = Run(*machine.begin(target, REFRESH_MACHINE, "monitoring", request))
    tell_begun(begun, f"Refresh {begun.run_id}; follow it: fraud monitor status", watch, as_json)
    if watch:
        goes_on = "The refresh goes on without being watched: fraud monitor status"
        standing = watching.follow(target, begun, refresh_steps(target, begun), goes_on)
        raise typer.Exit(tell_refresh(target, begun, standing, as_json))


def refresh_steps(target: Target, begun: Run) -> Iterator[Step]:
    """What happens in a refresh, until its execution is over."""
    told: list[Step] = []
    for _ in machine.looks(target, begun.execution):
        record = patiently(partial(monitoring_record.refresh, target), machine.pace(target))
        if record is not None and record.run_id == begun.run_id:
            steps = [Step(each.at, each.sentence) for each in record.events]
            yield from watching.later(steps, told)
            told = steps


def tell_refresh(target: Target, begun: Run, standing: Execution, as_json: bool) -> int:
    """Say what a refresh came to; the exit code."""
    record = monitoring_record.refresh(target)
    mine = record if record is not None and record.run_id == begun.run_id else None
    if as_json:
        console.write_json({**ended(begun, standing), "refresh": monitoring_record.document(mine)})
    elif succeeded(standing):
        show_refresh(target, standing, mine)
    else:
        console.report_error(last_word(standing))
    return 0 if succeeded(standing) else 1


def show_refresh(target: Target, standing: Execution, record: "Refresh | None") -> None:
    """What it came to, for people."""
    from rich.text import Text

    from cli import monitor_screen

    out = console.stdout()
    out.print(Text.assemble(("✔ ", "green"), words.plain(last_word(standing))), soft_wrap=True)
    if record is not None:
        out.print(monitor_screen.schedules(record, status.slots(target)))


# --- What is known --------------------------------------------------------------------------------------------------


@rooms.command("status", epilog=STATUS)
@addressed
def show_status(target: Target, as_json: AsJson = False) -> None:
    """Show baseline, schedules of Model Monitor, the last look, and what to do next."""
    found, seen = monitoring_record.refresh(target), monitoring_record.watch(target)
    if as_json:
        console.write_json({"refresh": monitoring_record.document(found), "look": monitoring_record.document(seen)})
        return
    from cli import monitor_screen

    serving = status.served(tables.get(target, monitoring_record.TABLE, {"pk": "routing", "sk": "routing"}))
    whole = monitor_screen.screen(found, seen, status.slots(target), serving["model_package"], time.time())
    console.stdout().print(whole)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    monitor_report.register(rooms)
    app.add_typer(rooms, name="monitor")
