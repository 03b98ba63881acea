"""`fraud retraining`: a new model learned from what was decided and what became known, started and watched."""

import json
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, machine, plans, retraining_record
from cli.errors import CommandError, NotFound
from cli.options import AsJson
from cli.retraining_record import MACHINE, NONE_YET
from cli.target import Target, addressed

if TYPE_CHECKING:
    from fraud.retraining import Retraining

START = """[bold]Examples[/bold]

  fraud retraining start                       by the stack's plan, as the schedule does

  fraud retraining start --watch

  fraud retraining start --days 60 --approval manual --set max_depth=6 --set eta=0.03

  fraud retraining start --plan plan.json      such as {"evaluation_days": 14, "margin": 0.005}

Options go over the plan's file, and that over the stack's parameter RetrainingPlan."""
STATUS = """[bold]Examples[/bold]

  fraud retraining status

  fraud retraining status --json | jq .outcome"""
WATCH = """[bold]Examples[/bold]

  fraud retraining watch

Ends with the run: with 0 if it came to a verdict or found not enough labels, with 1 if it failed or its data are
unfit. Ctrl-C ends only the watching."""
HISTORY = """[bold]Examples[/bold]

  fraud retraining history

  fraud retraining history --limit 100 --json | jq '.[].outcome'"""

EVERY_ON_LAPTOP, EVERY_ON_AWS = 1.0, 10.0
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
COLOURS = {
    "promote": "green", "shadow_only": "yellow", "reject": "yellow", "not_enough": "yellow",
    "unfit": "red", "failed": "red", "abandoned": "red",
}  # fmt: skip
WORDS = {
    "promote": "to be rolled out",
    "shadow_only": "left to a person",
    "reject": "rejected",
    "not_enough": "not enough labels",
    "unfit": "data unfit",
}

PlanFile = Annotated[Path | None, typer.Option("--plan", metavar="FILE", help="The plan as a JSON object.")]
Days = Annotated[int | None, typer.Option(min=2, help="How many days of decisions to learn from, at most.")]
Approval = Annotated[
    str | None, typer.Option(help="`automatic` or `manual`: whether a better model is approved without a person.")
]
Set = Annotated[
    list[str] | None, typer.Option("--set", metavar="NAME=VALUE", help="A hyperparameter; may be repeated.")
]
Watch = Annotated[bool, typer.Option("--watch", help="Then watch it to its end.")]
Most = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]

rooms = typer.Typer(help="A new model, learned from what was decided and what became known.", no_args_is_help=True)


@rooms.command(epilog=START)
@addressed
def start(
    target: Target,
    plan: PlanFile = None,
    days: Days = None,
    approval: Approval = None,
    hyperparameters: Set = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Learn a candidate, measure it against the champion, and register it unless it is worse."""
    chosen = {"training_days": days, "approval": approval, "hyperparameters": settings(hyperparameters)}
    request = {"plan": checked(target, plan, chosen), "started_by": machine.caller(target)}
    run_id, execution = machine.begin(target, MACHINE, "retraining", request)
    if as_json and not watch:
        console.write_json({"run_id": run_id, "execution": execution})
    elif not as_json:
        console.stdout().print(f"Retraining {run_id}; follow it: fraud retraining watch", highlight=False)
    if watch:
        raise typer.Exit(watch_to_its_end(target, run_id, execution, as_json))


def settings(given: list[str] | None) -> dict[str, int | float | str] | None:
    """`NAME=VALUE`, numbers as numbers. Raises: CommandError."""
    if not given:
        return None
    pairs = [each.partition("=") for each in given]
    wrong = ["".join(pair) for pair in pairs if not all(pair)]
    if wrong:
        raise CommandError(f"{wrong[0]!r} sets nothing: write NAME=VALUE, such as max_depth=6.")
    return {name: scalar(value) for name, _, value in pairs}


def scalar(text: str) -> int | float | str:
    """A number where it is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def checked(target: Target, file: Path | None, chosen: dict[str, Any]) -> dict[str, Any]:
    """The plan of the file with what options chose instead; a wrong one starts nothing. Raises: FraudError."""
    from fraud import retraining_plan

    plan = plans.asked_for(file, chosen)
    retraining_plan.parse(retraining_plan.merged(plans.of_stack(target, "RetrainingPlan"), plan))
    return plan


@rooms.command(epilog=STATUS)
@addressed
def status(target: Target, as_json: AsJson = False) -> None:
    """Show the run under way, or the last one."""
    record = retraining_record.current(target)
    if as_json:
        console.write_json(None if record is None else retraining_record.document(record))
    elif record is None:
        console.stdout().print(NONE_YET)
    else:
        show(record)


def show(record: "Retraining") -> None:
    """A run for people: what it is, what happened, what to type next."""
    out = console.stdout()
    out.print(f"[bold]Retraining {record.run_id}[/], {verdict(record)}", highlight=False)
    facts = {
        "asked for by": str(record.trigger),
        "champion": record.champion or "none",
        "rows from": record.source,
        "model package": record.model_package or None,
    }
    out.print(console.table_of("", facts))
    for event in record.events:
        out.print(f"[dim]{moment(event.at)}[/] {event.sentence}", highlight=False, soft_wrap=True)
    if hint := next_step(record):
        out.print(f"\n[dim]{hint}[/]", highlight=False)


def verdict(record: "Retraining") -> str:
    """How it ended, in words and colour."""
    if not record.is_over:
        return "[cyan]under way[/]"
    outcome = str(record.outcome)
    return f"[{COLOURS[outcome]}]{WORDS.get(outcome, outcome)}[/]"


def next_step(record: "Retraining") -> str:
    """What to type next."""
    if not record.is_over:
        return "fraud retraining watch"
    version = record.model_package.rpartition("/")[2]
    if record.outcome == "promote" and record.plan.approval == "automatic":
        return f"fraud models show {version}   ·   fraud rollout watch"
    return f"fraud models show {version}   ·   fraud models approve {version}" if version else ""


def moment(at: float) -> str:
    """Local time, down to the second."""
    return f"{datetime.fromtimestamp(at, UTC).astimezone():%Y-%m-%d %H:%M:%S}"


@rooms.command(epilog=WATCH)
@addressed
def watch(target: Target, as_json: AsJson = False) -> None:
    """Tell what happens in the run, until it is over."""
    record = retraining_record.current(target)
    if record is None:
        raise NotFound(NONE_YET)
    raise typer.Exit(watch_to_its_end(target, record.run_id, record.owner, as_json))


def watch_to_its_end(target: Target, run_id: str, execution: str, as_json: bool) -> int:
    """Tell it line by line until it is over, or until Ctrl-C; the exit code."""
    every = EVERY_ON_LAPTOP if target.on_laptop else EVERY_ON_AWS
    record: Retraining | None = None
    told = 0
    try:
        for record in retraining_record.looks(target, run_id, execution, every):
            for event in record.events[told:] if record else ():
                print(line(event.at, event.sentence, as_json), flush=True)
                told += 1
    except KeyboardInterrupt:
        console.say("The run goes on without being watched: fraud retraining watch")
        return INTERRUPTED
    return ended(target, record, execution, as_json)


def ended(target: Target, record: "Retraining | None", execution: str, as_json: bool) -> int:
    """Say how it ended; the exit code."""
    standing = machine.look(target, execution)
    if record is None:
        # It never had the lock: its last word says why.
        print(line(time.time(), standing.sentence or standing.status, as_json))
        return 0 if standing.status == "SUCCEEDED" else 1
    if not as_json:
        console.stdout().print(f"{verdict(record)}  [dim]{next_step(record)}[/]", highlight=False)
    return 1 if record.outcome in (None, "failed", "unfit", "abandoned") else 0


def line(at: float, sentence: str, as_json: bool) -> str:
    """An event in a line."""
    return json.dumps({"at": at, "sentence": sentence}, ensure_ascii=False) if as_json else f"{moment(at)} {sentence}"


@rooms.command(epilog=HISTORY)
@addressed
def history(target: Target, limit: Most = 20, as_json: AsJson = False) -> None:
    """List runs that are over, newest first."""
    records = retraining_record.history(target, limit)
    if as_json:
        console.write_json([retraining_record.document(each) for each in records])
    elif not records:
        console.stdout().print("No retraining is over yet; the one under way: fraud retraining status")
    else:
        from rich.table import Table

        shown = Table("started", "asked for by", "outcome", "version", "why", box=None, header_style="bold")
        for each in records:
            version = each.model_package.rpartition("/")[2]
            shown.add_row(moment(each.started_at), str(each.trigger), verdict(each), version, each.sentence)
        console.stdout().print(shown)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(rooms, name="retraining")
