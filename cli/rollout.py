"""`fraud rollout`: a new model in steps, started and watched; what is said to it is in `rollout_answers`."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, machine, model_versions, options, plans, rollout_machine, rollout_record
from cli.errors import CommandError, NotFound
from cli.options import AsJson
from cli.rollout_machine import Beginning
from cli.rollout_record import Observed
from cli.target import Target, addressed

if TYPE_CHECKING:
    from fraud.rollout import Event, Rollout

START = """[bold]Examples[/bold]

  fraud rollout start                          the newest approved version, by the plan's defaults

  fraud rollout start 7 --watch

  fraud rollout start 7 --step 1% --step 25% --bake 15m --shadow 30m --approval before-full

  fraud rollout start 7 --plan plan.json       such as {"bake_seconds": 600, "gates": {"block_rate": 0.02}}

Options go over the plan's file, and that over the stack's parameter RolloutPlan. Gates and
deadlines have no options."""
STATUS = """[bold]Examples[/bold]

  fraud rollout status

  fraud rollout status --json | jq .rollout.stage"""
WATCH = """[bold]Examples[/bold]

  fraud rollout watch

  fraud rollout watch --json | jq .sentence

Ends with the rollout: with 0 if it was promoted, with 1 if it was rolled back. Ctrl-C ends only the watching. Where
the output is no terminal, each event is a line."""
HISTORY = """[bold]Examples[/bold]

  fraud rollout history

  fraud rollout history --limit 100 --json | jq '.[] | select(.outcome == "rolled_back") | .reason'"""

LONGEST_START, LONGEST_START_WATCHED = 20, 120
"""Seconds that are waited for a rollout's record."""
EVERY_ON_LAPTOP, EVERY_ON_AWS = 1.0, 5.0
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


class Approval(StrEnum):
    """Before what a person is asked."""

    NEVER = "never"
    BEFORE_TRAFFIC = "before-traffic"
    BEFORE_FULL = "before-full"


Model = Annotated[
    str | None,
    typer.Argument(metavar="VERSION", help="Number or ARN of an approved version; the newest approved one by default."),
]
PlanFile = Annotated[Path | None, typer.Option("--plan", metavar="FILE", help="The plan as a JSON object.")]
Step = Annotated[
    list[str] | None, typer.Option(metavar="SHARE", help="Share of cards on the way, such as 5%; may be repeated.")
]
Bake = Annotated[str | None, typer.Option(help="Shortest time at each share: 90s, 15m, 2h.")]
Shadow = Annotated[str | None, typer.Option(help="Shortest time in the shadow; 0s leaves the shadow out.")]
Soak = Annotated[str | None, typer.Option(help="Shortest time at full traffic, the former champion kept warm.")]
Ask = Annotated[Approval | None, typer.Option(help="Before what a person is asked.")]
InstanceType = Annotated[str | None, typer.Option(help="Machines of the challenger's endpoint.")]
InstanceCount = Annotated[int | None, typer.Option(min=1, help="How many.")]
Watch = Annotated[bool, typer.Option("--watch", help="Then watch it to its end.")]
Most = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]

rooms = typer.Typer(help="A new model in steps, and back when it is worse.", no_args_is_help=True)


# --- Start ----------------------------------------------------------------------------------------------------------


@rooms.command(epilog=START)
@addressed
def start(
    target: Target,
    model: Model = None,
    plan: PlanFile = None,
    step: Step = None,
    bake: Bake = None,
    shadow: Shadow = None,
    soak: Soak = None,
    approval: Ask = None,
    instance_type: InstanceType = None,
    instance_count: InstanceCount = None,
    watch: Watch = False,
    as_json: AsJson = False,
) -> None:
    """Roll a registered, approved version out: shadow, canary, full traffic, each step judged."""
    chosen = {
        "steps_bps": [basis_points(each) for each in step] if step else None,
        "bake_seconds": seconds(bake),
        "shadow_seconds": seconds(shadow),
        "soak_seconds": seconds(soak),
        "approval": approval and approval.value.replace("-", "_"),
        "instance_type": instance_type,
        "instance_count": instance_count,
    }
    request = {"plan": checked(target, plan, chosen), "model_package_arn": model_versions.arn_of(target, model)}
    given = {name: value for name, value in request.items() if value}
    begun = rollout_machine.begin(target, {**given, "started_by": machine.caller(target)})
    if not as_json:
        say(f"Rollout {begun[0]}; follow it: fraud rollout watch")
    longest = LONGEST_START_WATCHED if watch else LONGEST_START
    beginning = rollout_machine.await_beginning(target, *begun, longest)
    tell_beginning(beginning, watch, as_json)
    if watch and beginning.state != "nothing":
        raise typer.Exit(watch_to_its_end(target, begun[0], as_json) if beginning.state == "begun" else 1)


def basis_points(share: str) -> int:
    """`5%`, `0.5 %`. Raises: CommandError."""
    try:
        points = Decimal(share.strip().removesuffix("%").strip()) * 100
    except InvalidOperation:
        points = Decimal("NaN")
    if not share.strip().endswith("%") or not points.is_finite() or points != int(points):
        raise CommandError(f"{share!r} is no share of cards: write a percentage such as 5% or 0.25%.")
    return int(points)


def seconds(duration: str | None) -> int | None:
    """A duration of an option in whole seconds. Raises: CommandError."""
    return None if duration is None else int(options.duration(duration).total_seconds())


def checked(target: Target, file: Path | None, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The plan of the file with what options chose instead; a wrong one starts nothing. Raises: FraudError."""
    from fraud import rollout_plan

    plan = plans.asked_for(file, chosen)
    rollout_plan.parse(rollout_plan.merged(plans.of_stack(target, "RolloutPlan"), plan))
    return plan


def tell_beginning(beginning: Beginning, watched: bool, as_json: bool) -> None:
    """Say what became of it; as JSON only where events do not follow."""
    if not as_json:
        say(beginning.sentence)
    elif not watched or beginning.state != "begun":
        console.write_json(asdict(beginning))


def say(sentence: str) -> None:
    """A sentence of the application's as it is."""
    console.stdout().print(sentence, highlight=False, markup=False, soft_wrap=True)


# --- Look -----------------------------------------------------------------------------------------------------------


@rooms.command(epilog=STATUS)
@addressed
def status(target: Target, as_json: AsJson = False) -> None:
    """Show the rollout under way, or the last one: stage, share, gates, and what to type next."""
    rollout = rollout_record.current(target)
    observed = None if rollout is None else rollout_record.observe(target, rollout)
    if as_json:
        console.write_json({"rollout": None} if observed is None else rollout_record.document(observed))
    elif observed is None:
        console.stdout().print(rollout_record.NONE_YET)
    else:
        from cli import rollout_screen

        console.stdout().print(rollout_screen.screen(observed, time.time()))


@rooms.command(epilog=WATCH)
@addressed
def watch(target: Target, as_json: AsJson = False) -> None:
    """Show the rollout as it goes on, until it is over."""
    rollout = rollout_record.current(target)
    if rollout is None:
        raise NotFound(rollout_record.NONE_YET)
    raise typer.Exit(watch_to_its_end(target, rollout.rollout_id, as_json))


def watch_to_its_end(target: Target, rollout_id: str, as_json: bool) -> int:
    """Show it until it is over, or until Ctrl-C; the exit code."""
    looks = rollout_record.looks(target, rollout_id, pace(target))
    alive = console.stdout().is_terminal and not as_json
    try:
        last = show_live(looks) if alive else show_events(looks, as_json)
    except KeyboardInterrupt:
        console.say("The rollout goes on without being watched: fraud rollout watch")
        return INTERRUPTED
    return 0 if last is not None and last.stage == "promoted" else 1


def pace(target: Target) -> float:
    """Seconds between looks at a rollout."""
    return EVERY_ON_LAPTOP if target.on_laptop else EVERY_ON_AWS


def show_live(looks: Iterator[Observed]) -> "Rollout | None":
    """One screen, drawn again at every look; the last record."""
    from rich.live import Live

    from cli import rollout_screen

    rollout = None
    with Live(console=console.stdout(), auto_refresh=False) as live:
        for seen in looks:
            rollout = seen.rollout
            live.update(rollout_screen.screen(seen, time.time()), refresh=True)
    return rollout


def show_events(looks: Iterator[Observed], as_json: bool) -> "Rollout | None":
    """A line for each event, those of before first; the last record."""
    from cli import rollout_screen

    rollout, told = None, None
    for seen in looks:
        rollout = seen.rollout
        for event in later(rollout.events, told):
            line = json.dumps(as_row(rollout, event), ensure_ascii=False) if as_json else rollout_screen.line(event)
            print(line, flush=True)
            told = event
    return rollout


def later(events: "Sequence[Event]", told: "Event | None") -> "Sequence[Event]":
    """Events after the one told last; all of them if it was not kept."""
    places = [place for place, event in enumerate(events) if event == told]
    return events[places[-1] + 1 :] if places else events


def as_row(rollout: "Rollout", event: "Event") -> dict[str, Any]:
    """An event for programs, with the state at the look that saw it."""
    state = {"rollout_id": rollout.rollout_id, "stage": str(rollout.stage), "share_bps": rollout.share_bps}
    return {**state, "at": event.at, "sentence": event.sentence}


@rooms.command(epilog=HISTORY)
@addressed
def history(target: Target, limit: Most = 20, as_json: AsJson = False) -> None:
    """List rollouts that are over, newest first."""
    rollouts = rollout_record.history(target, limit)
    if as_json:
        console.write_json([rollout_record.summary(each) for each in rollouts])
    elif not rollouts:
        console.stdout().print("No rollout is over yet; the one under way: fraud rollout status")
    else:
        from cli import rollout_screen

        console.stdout().print(rollout_screen.past(rollouts, time.time()))


def register(app: typer.Typer) -> None:
    """Add the commands."""
    from cli import rollout_answers  # which builds on this module

    rollout_answers.register(rooms)
    app.add_typer(rooms, name="rollout")
