"""`fraud rollout approve`, `reject`, `pause`, `resume` and `abort`: what a person says to a rollout."""

import json
from collections.abc import Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cli import console, rollout_record
from cli.errors import CommandError
from cli.machine import caller
from cli.options import AsJson
from cli.rollout import pace, say
from cli.target import Target, addressed

if TYPE_CHECKING:
    from fraud.rollout import Rollout

APPROVE = """[bold]Examples[/bold]

  fraud rollout approve

You are who AWS knows you as, on the laptop its user. Who started the rollout cannot approve it.
On the laptop, too, what you began with `fraud rollout start` waits for another user."""
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

LONGEST_ABORT = 300
"""Seconds that are waited for a rollback that is verified."""

Reason = Annotated[str, typer.Option(help="Why, for those who read its story.")]
Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


@addressed
def approve(target: Target, as_json: AsJson = False) -> None:
    """Answer the rollout's question with yes."""
    steer(target, {"task": "approve", "request_id": asked(target)}, as_json)


@addressed
def reject(target: Target, reason: Reason, as_json: AsJson = False) -> None:
    """Answer the rollout's question with no."""
    steer(target, {"task": "reject", "request_id": asked(target, again=True), "reason": reason}, as_json)


@addressed
def pause(target: Target, reason: Reason = "", as_json: AsJson = False) -> None:
    """Let the rollout stay where it is."""
    meant = rollout_record.under_way(target)
    steer(target, {"task": "pause", "reason": reason, "rollout_id": meant.rollout_id}, as_json)


@addressed
def resume(target: Target, as_json: AsJson = False) -> None:
    """Let a paused rollout go on."""
    steer(target, {"task": "resume", "rollout_id": rollout_record.under_way(target).rollout_id}, as_json)


def asked(target: Target, *, again: bool = False) -> str:
    """Id of the question that waits for an answer; `again`, also of one that led back already. Raises: CommandError."""
    rollout = rollout_record.under_way(target)
    stages = ("approval", "rolling_back") if again else ("approval",)
    if rollout.approval is None or rollout.stage not in stages:
        raise CommandError(f"The rollout asks nothing now: it is {rollout_record.words(rollout.stage)}.")
    return rollout.approval.request_id


def steer(target: Target, request: Mapping[str, str], as_json: bool) -> None:
    """Give the rollout an answer, and show its own."""
    answer = invoke(target, "SteerRolloutFunctionName", {**request, "by": caller(target)})
    if as_json:
        console.write_json(answer)
    else:
        say(answer["sentence"])


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


@addressed
def abort(target: Target, reason: Reason, yes: Yes = False, as_json: AsJson = False) -> None:
    """Give all traffic back to the champion, now."""
    rollout = rollout_record.under_way(target)
    if not yes and not typer.confirm(f"Roll version {rollout.candidate.version} back?", err=True):
        raise CommandError("Nothing was changed: the rollout goes on.")
    request = {"task": "abort", "by": caller(target), "reason": reason, "rollout_id": rollout.rollout_id}
    answer = invoke(target, "AbortRolloutFunctionName", request)
    if answer["next"] == "refused":
        raise CommandError(answer["sentence"])
    if not as_json:
        say(answer["sentence"])
    last = await_verdict(target, rollout.rollout_id)
    tell_verdict(last, as_json)
    raise typer.Exit(0 if last.verified else 1)


def await_verdict(target: Target, rollout_id: str) -> "Rollout":
    """The record once it is known who has the traffic, or when it was given time enough."""
    every = pace(target)
    with console.working("Waiting for the traffic to be verified"):
        for last in islice(rollout_record.looks(target, rollout_id, every), int(LONGEST_ABORT / every)):
            if last.rollout.verified or last.rollout.stage == "promoted":
                break
    return last.rollout


def tell_verdict(rollout: "Rollout", as_json: bool) -> None:
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


def register(rooms: typer.Typer) -> None:
    """Add the commands."""
    commands = {approve: APPROVE, reject: REJECT, pause: PAUSE, resume: RESUME, abort: ABORT}
    for command, epilog in commands.items():
        rooms.command(epilog=epilog)(command)
