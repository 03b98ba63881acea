"""A rollout in words and marks: from its record and counters to what a terminal of 80 columns shows."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.rollout_numbers import arms, events, gates, shadow
from cli.rollout_position import facts, ladder
from cli.rollout_record import Observed, is_decided, share_reached, words
from cli.words import LATEST, moment, number, percent, person, plain, span
from fraud.rollout import REVERSIBLE, ApprovalRequest, Event, Rollout, Stage
from fraud.rollout_plan import Plan

STATUSES = {
    Stage.DEPLOYING: ("◌", "Bringing up the endpoint", "cyan"),
    Stage.SHADOW: ("◌", "Shadow", "cyan"),
    Stage.CANARY: ("◌", "Canary", "cyan"),
    Stage.APPROVAL: ("?", "Waiting for approval", "yellow"),
    Stage.SOAK: ("◌", "All traffic, the former champion kept warm", "cyan"),
    Stage.ROLLING_BACK: ("✖", "Rolling back", "red"),
    Stage.PROMOTED: ("✔", "Promoted", "green"),
    Stage.ROLLED_BACK: ("✖", "Rolled back", "red"),
}


def screen(observed: Observed, now: float) -> RenderableType:
    """Everything about a rollout."""
    rollout = observed.rollout
    beside = Table.grid(padding=(0, 2))
    beside.add_column(ratio=3)
    beside.add_column(ratio=2)
    beside.add_row(facts(observed, now), ladder(rollout, now))
    parts: list[RenderableType] = [title(rollout), *notices(rollout, now), Text(), beside]
    for part in (gates(rollout.verdicts), arms(observed), shadow(observed), events(rollout.events, now)):
        parts += [] if part is None else [Text(), part]
    return Group(*parts)


def title(rollout: Rollout) -> Text:
    """Its state and what is rolled out where."""
    mark, status, colour = STATUSES[rollout.stage]
    if rollout.paused_at is not None:
        mark, status, colour = "‖", f"Paused in {words(rollout.stage)}", "yellow"
    candidate = rollout.candidate
    return Text.assemble(
        (f"{mark} {status}", f"bold {colour}"), f"  version {candidate.version} in slot {plain(candidate.slot)}"
    )


def notices(rollout: Rollout, now: float) -> Iterator[Text]:
    """What is going on in a sentence, and what to type next."""
    yield Text(plain(message(rollout, now)))
    if rollout.stage in REVERSIBLE and 0 < rollout.lease_until < now:
        silent = f"Its state machine has been silent for {span(now - rollout.lease_until)} longer than is allowed."
        yield Text(f"{silent} Give the traffic back: fraud rollout abort --reason …", style="yellow")
    for command in following(rollout):
        yield Text(f"  → {command}", style="cyan")


def message(rollout: Rollout, now: float) -> str:
    """What is going on."""
    if rollout.paused_at is not None:
        return paused(rollout, rollout.paused_at, now)
    if rollout.stage is Stage.APPROVAL and rollout.approval is not None:
        return asked(rollout.approval, rollout.plan, now)
    if rollout.stage in (Stage.ROLLING_BACK, Stage.ROLLED_BACK):
        return f"{rollout.reason} {verification(rollout)}".strip()
    return rollout.events[-1].sentence if rollout.events else "Nothing happened yet."


def paused(rollout: Rollout, since: float, now: float) -> str:
    """Who paused it, and how long it may last."""
    who, left = person(rollout.paused_by or "unknown"), span(rollout.plan.pause_seconds - (now - since))
    return f"Paused by {who} {span(now - since)} ago; unless it is resumed within {left}, it is rolled back."


def asked(approval: ApprovalRequest, plan: Plan, now: float) -> str:
    """The question to a person, and how long an answer is waited for."""
    if approval.approved_by is not None:
        return f"Approved by {person(approval.approved_by)}."
    share = percent(plan.shares[approval.step] / 10_000)
    waited = now - approval.requested_at
    return (
        f"May the challenger get {share} of the cards? Asked {span(waited)} ago; without an answer within "
        f"{span(plan.approval_seconds - waited)} it is rolled back."
    )


def verification(rollout: Rollout) -> str:
    """Whether a rollback was seen to be in force."""
    if rollout.verified:
        return "All traffic is verified to be back."
    return "That all traffic is back is not verified yet."


def following(rollout: Rollout) -> list[str]:
    """Commands that make sense now."""
    if rollout.released or rollout.stage not in REVERSIBLE:
        return ["fraud rollout history"] if is_decided(rollout) else []
    if rollout.paused_at is not None:
        return ["fraud rollout resume", "fraud rollout abort --reason …"]
    if rollout.stage is Stage.APPROVAL:
        waits = rollout.approval is not None and rollout.approval.approved_by is None
        return ["fraud rollout approve", "fraud rollout reject --reason …"] if waits else []
    return ["fraud rollout pause", "fraud rollout abort --reason …"]


# --- Those that are over --------------------------------------------------------------------------------------------


def past(rollouts: Sequence[Rollout], now: float) -> Table:
    """A row each."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("started (UTC)", "by", "version", "share", "took", "outcome"):
        right = name in ("version", "share", "took")
        table.add_column(name, justify="right" if right else "left", no_wrap=right, overflow="fold")
    for each in rollouts:
        took = (each.events[-1].at if each.events else each.since) - each.started_at
        mark, status, colour = STATUSES[each.stage]
        reason = f": {plain(each.reason)}" if each.reason else ""
        table.add_row(
            moment(each.started_at, now),
            Text(plain(person(each.started_by).rsplit("/", 1)[-1])),
            number(each.candidate.version),
            percent(share_reached(each) / 10_000),
            span(took),
            Text.assemble((f"{mark} {status}", colour), reason),
        )
    return table


def line(event: Event) -> str:
    """An event in a line, for a log."""
    at = datetime.fromtimestamp(event.at, UTC).isoformat(timespec="seconds") if 0 <= event.at < LATEST else "–"
    return f"{at} {plain(event.sentence)}"
