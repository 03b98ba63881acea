"""`fraud rollout`: a new model in steps, watched, answered and stopped."""

import getpass
import json
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, options, rollout_record
from cli.errors import CommandError, NotFound
from cli.options import AsJson
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
APPROVE = """[bold]Examples[/bold]

  fraud rollout approve

You are who AWS knows you as, on the laptop its user; who started the rollout cannot approve it."""
REJECT = """[bold]Examples[/bold]

  fraud rollout reject --reason "the reviewers have no time this week"

The rollout is rolled back."""
PAUSE = """[bold]Examples[/bold]

  fraud rollout pause

  fraud rollout pause --reason "until the incident is over"

The challenger keeps its share and the gates keep judging. A pause that lasts too long is rolled back."""
RESUME = """[bold]Examples[/bold]

  fraud rollout resume"""
ABORT = """[bold]Examples[/bold]

  fraud rollout abort --reason "customers complain"

  fraud rollout abort --reason "customers complain" --yes

All traffic goes back to the champion at once; then it is verified that it did. Ends with 0 only if it was."""
HISTORY = """[bold]Examples[/bold]

  fraud rollout history

  fraud rollout history --limit 100 --json | jq '.[] | select(.outcome == "rolled_back") | .reason'"""

LONGEST_START, LONGEST_START_WATCHED, LONGEST_ABORT = 20, 120, 300
"""Seconds that are waited for a rollout's record, and for a rollback that is verified."""
EVERY_ON_LAPTOP, EVERY_ON_AWS = 1.0, 5.0
INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""
MOST_VERSIONS = 1_000


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
Reason = Annotated[str, typer.Option(help="Why, for those who read its story.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]
Most = Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most so many.")]

rooms = typer.Typer(help="A new model in steps, and back when it is worse.", no_args_is_help=True)


# --- Start ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Beginning:
    """What became of a start.

    Args:
        rollout_id: name of the execution.
        execution: its ARN.
        state: `begun`, `nothing` to roll out, or `pending` when nothing was heard yet.
        sentence: for people.
    """

    rollout_id: str
    execution: str
    state: str
    sentence: str


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
    request = {"plan": checked(target, plan, chosen), "model_package_arn": model_package(target, model)}
    begun = begin(target, {name: value for name, value in request.items() if value})
    if not as_json:
        say(f"Rollout {begun[0]}; follow it: fraud rollout watch")
    beginning = await_beginning(target, *begun, LONGEST_START_WATCHED if watch else LONGEST_START)
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

    plan = {} if file is None else json_object(file.read_bytes(), str(file))
    plan |= {name: value for name, value in chosen.items() if value is not None}
    rollout_plan.parse(rollout_plan.merged(stack_plan(target), plan))
    return plan


def stack_plan(target: Target) -> dict[str, Any]:
    """What the stack's rollouts do unless asked otherwise. Raises: CommandError."""
    [stack] = target.client("cloudformation").describe_stacks(StackName=target.stack_name)["Stacks"]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    return json_object(values.get("RolloutPlan", "{}"), "The stack's parameter RolloutPlan")


def json_object(text: str | bytes, name: str) -> dict[str, Any]:
    """An object of JSON. Raises: CommandError."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{name} is no JSON: {error}.") from error
    if not isinstance(given, dict):
        raise CommandError(f'{name} holds no JSON object such as {{"bake_seconds": 600}}.')
    return given


def model_package(target: Target, model: str | None) -> str | None:
    """ARN of a version; of a number the registry knows it. Raises: CommandError."""
    if model is None or model.startswith("arn:"):
        return model
    if not model.isdecimal():
        raise CommandError(
            f"{model!r} is neither the number nor the ARN of a version; register one: fraud deploy-model"
        )
    group = target.output("ModelPackageGroupName")
    pages = (
        target.client("sagemaker")
        .get_paginator("list_model_packages")
        .paginate(ModelPackageGroupName=group, SortOrder="Descending")
    )
    found = (each for page in pages for each in page["ModelPackageSummaryList"])
    versions = {each["ModelPackageVersion"]: each["ModelPackageArn"] for each in islice(found, MOST_VERSIONS)}
    if int(model) not in versions:
        there_are = ", ".join(map(str, sorted(versions)[-10:])) or "none"
        raise NotFound(f"There is no version {model} of {group}; the newest are: {there_are}.")
    return str(versions[int(model)])


def caller(target: Target) -> str:
    """Who asks: the caller's ARN, or on the laptop, where everybody has the same, the name of the user."""
    if not target.on_laptop:
        return str(target.client("sts").get_caller_identity()["Arn"])
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "somebody on this machine"


def begin(target: Target, request: Mapping[str, Any]) -> tuple[str, str]:
    """Start the state machine; name and ARN of the execution."""
    # Named here, so that a call which is sent again after a lost answer starts nothing a second time.
    name = f"rollout-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(3)}"
    document = json.dumps({**request, "started_by": caller(target)})
    answer = target.client("stepfunctions").start_execution(
        stateMachineArn=target.output("RolloutMachineArn"), name=name, input=document
    )
    return name, str(answer["executionArn"])


def await_beginning(target: Target, rollout_id: str, execution: str, longest: int) -> Beginning:
    """What became of it, once it is known or was given time enough. Raises: CommandError when it was refused."""
    with console.working("Waiting for the rollout to begin"):
        for _ in range(longest):
            found = rollout_record.patiently(partial(beginning_of, target, rollout_id, execution), 1)
            if found is not None:
                return found
            time.sleep(1)
    return Beginning(rollout_id, execution, "pending", "It did not begin yet: see `fraud rollout status` in a moment.")


def beginning_of(target: Target, rollout_id: str, execution: str) -> Beginning | None:
    """What became of it by now; None while that is open. Raises: CommandError when it was refused."""
    record = rollout_record.current(target)
    if record is not None and record.rollout_id == rollout_id:
        last = record.events[-1].sentence if record.events else "It is under way."
        return Beginning(rollout_id, execution, "begun", f"{last} {record.estimate}".strip())
    answer = described(target, execution)
    if answer["status"] == "RUNNING":
        return None
    if answer["status"] != "SUCCEEDED":
        raise CommandError(answer.get("cause") or f"The rollout ended at once: {answer['status'].lower()}.")
    told = json.loads(answer.get("output") or "{}").get("answer", {})
    sentence = told.get("sentence") or "It ended without a rollout."
    if told.get("next") != "nothing":
        raise CommandError(sentence)
    return Beginning(rollout_id, execution, "nothing", sentence)


def described(target: Target, execution: str) -> dict[str, Any]:
    """The execution; what was started a moment ago may not be known everywhere yet."""
    from botocore.exceptions import ClientError

    try:
        return dict(target.client("stepfunctions").describe_execution(executionArn=execution))
    except ClientError as error:
        if error.response["Error"]["Code"] != "ExecutionDoesNotExist":
            raise
        return {"status": "RUNNING"}


def tell_beginning(beginning: Beginning, watched: bool, as_json: bool) -> None:
    """Say what became of it; as JSON only where events do not follow."""
    if not as_json:
        say(beginning.sentence)
    elif not watched or beginning.state != "begun":
        console.write_json(asdict(beginning))


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
    looks = rollout_record.looks(target, rollout_id, EVERY_ON_LAPTOP if target.on_laptop else EVERY_ON_AWS)
    alive = console.stdout().is_terminal and not as_json
    try:
        last = show_live(looks) if alive else show_events(looks, as_json)
    except KeyboardInterrupt:
        console.say("The rollout goes on without being watched: fraud rollout watch")
        return INTERRUPTED
    return 0 if last is not None and last.stage == "promoted" else 1


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


# --- Answer ---------------------------------------------------------------------------------------------------------


@rooms.command(epilog=APPROVE)
@addressed
def approve(target: Target, as_json: AsJson = False) -> None:
    """Answer the rollout's question with yes."""
    steer(target, {"task": "approve", "request_id": asked(target)}, as_json)


@rooms.command(epilog=REJECT)
@addressed
def reject(target: Target, reason: Reason, as_json: AsJson = False) -> None:
    """Answer the rollout's question with no."""
    steer(target, {"task": "reject", "request_id": asked(target), "reason": reason}, as_json)


@rooms.command(epilog=PAUSE)
@addressed
def pause(target: Target, reason: Reason = "", as_json: AsJson = False) -> None:
    """Let the rollout stay where it is."""
    meant = rollout_record.under_way(target)
    steer(target, {"task": "pause", "reason": reason, "rollout_id": meant.rollout_id}, as_json)


@rooms.command(epilog=RESUME)
@addressed
def resume(target: Target, as_json: AsJson = False) -> None:
    """Let a paused rollout go on."""
    steer(target, {"task": "resume", "rollout_id": rollout_record.under_way(target).rollout_id}, as_json)


def asked(target: Target) -> str:
    """Id of the question that waits for an answer. Raises: CommandError."""
    rollout = rollout_record.under_way(target)
    if rollout.approval is None or rollout.stage != "approval":
        raise CommandError(f"The rollout asks nothing now: it is {rollout_record.words(rollout.stage)}.")
    return rollout.approval.request_id


def steer(target: Target, request: Mapping[str, str], as_json: bool) -> None:
    """Give the rollout an answer, and show its own."""
    answer = invoke(target, "SteerRolloutFunctionName", {**request, "by": caller(target)})
    if as_json:
        console.write_json(answer)
    else:
        say(answer["sentence"])


def say(sentence: str) -> None:
    """A sentence of the application's as it is."""
    console.stdout().print(sentence, highlight=False, markup=False, soft_wrap=True)


def invoke(target: Target, output: str, request: Mapping[str, str]) -> dict[str, Any]:
    """What a function of the rollout's answers. Raises: CommandError with the function's own sentence."""
    function = target.output(output)
    answer = target.client("lambda", read_timeout=90).invoke(FunctionName=function, Payload=json.dumps(request))
    document = json.loads(answer["Payload"].read() or b"null") or {}
    if "FunctionError" in answer:
        raise CommandError(complaint(function, document))
    return dict(document)


def complaint(function: str, error: Mapping[str, Any]) -> str:
    """An error of a function: a sentence of the application's as it is, anything else with where to look."""
    from fraud import errors

    kind, message = error.get("errorType", "Error"), " ".join(str(error.get("errorMessage", "")).split())
    return message if hasattr(errors, kind) else f"{function} failed, its log says more: {kind}: {message}"


@rooms.command(epilog=ABORT)
@addressed
def abort(target: Target, reason: Reason, yes: Yes = False, as_json: AsJson = False) -> None:
    """Give all traffic back to the champion, now."""
    rollout = rollout_record.under_way(target)
    if not yes and not typer.confirm(f"Roll version {rollout.candidate.version} back?", err=True):
        raise CommandError("Nothing was changed: the rollout goes on.")
    request = {"by": caller(target), "reason": reason, "rollout_id": rollout.rollout_id}
    answer = invoke(target, "AbortRolloutFunctionName", request)
    if not as_json:
        say(answer["sentence"])
    last = await_verdict(target, rollout.rollout_id)
    tell_end(last, as_json)
    raise typer.Exit(0 if last.verified else 1)


def await_verdict(target: Target, rollout_id: str) -> "Rollout":
    """The record once it is known who has the traffic, or when it was given time enough."""
    every = EVERY_ON_LAPTOP if target.on_laptop else EVERY_ON_AWS
    with console.working("Waiting for the traffic to be verified"):
        for last in islice(rollout_record.looks(target, rollout_id, every), int(LONGEST_ABORT / every)):
            if last.rollout.verified or last.rollout.stage == "promoted":
                break
    return last.rollout


def tell_end(rollout: "Rollout", as_json: bool) -> None:
    """Who has the traffic."""
    if as_json:
        facts = {name: getattr(rollout, name) for name in ("rollout_id", "stage", "reason", "verified", "released")}
        console.write_json(facts)
    elif rollout.verified:
        console.stdout().print("[green]✔[/] All traffic is verified to be back with the champion.")
    elif rollout.stage == "promoted":
        console.report_error("It was too late: the new version is promoted already, and serves alone.")
    else:
        console.report_error("That all traffic is back is not verified yet: see `fraud rollout status`.")


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(rooms, name="rollout")
