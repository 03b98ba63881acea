"""A rollout in words and marks: from its record and counters to what a terminal of 80 columns shows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.rollout_record import Observed, is_decided, share_reached, words
from fraud.analysis import Outcome, Verdict
from fraud.rollout import REVERSIBLE, ApprovalRequest, Event, Rollout, Stage
from fraud.rollout_plan import Plan

BAR = 20
EVENTS = 6
LARGE = 1e12
LATEST = 253_402_300_800
"""The year 10,000, seconds since 1970."""
SHARES = ("errors", "block_rate", "review_rate")
"""Gates that observe a share of transactions."""
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
OUTCOMES = {Outcome.PASS: ("✔", "green"), Outcome.INCONCLUSIVE: ("…", "yellow"), Outcome.FAIL: ("✖", "bold red")}
STATES = {
    "done": ("✔", "green"),
    "current": ("●", "bold cyan"),
    "ahead": ("○", "dim"),
    "failed": ("✖", "red"),
    "skipped": ("·", "dim"),
}


@dataclass(frozen=True)
class Rung:
    """A step of the ladder: its name, how long it takes, and whether it is done, current, ahead, failed or skipped."""

    name: str
    note: str
    state: str = "ahead"


# --- The whole ------------------------------------------------------------------------------------------------------


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


# --- Facts and steps ------------------------------------------------------------------------------------------------


def facts(observed: Observed, now: float) -> Table:
    """Where it is, for how long, on which machines, who started it."""
    rollout = observed.rollout
    candidate = rollout.candidate
    rows: dict[str, str | Text] = {
        "share": bar(share_reached(rollout) if rollout.stage is Stage.PROMOTED else rollout.share_bps),
        "stage": f"{words(rollout.stage)}{position(rollout)}, for {span(now - rollout.since)}",
        "left": left(rollout, now),
        "machines": f"{candidate.instance_count} × {candidate.instance_type}, {candidate.endpoint}",
        "champion": champion(observed),
        "started": f"{moment(rollout.started_at, now)} by {person(rollout.started_by)}",
        "estimate": rollout.estimate,
        "rollout": rollout.rollout_id,
    }
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="cyan", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in rows.items():
        if value:
            grid.add_row(name, value if isinstance(value, Text) else Text(plain(value)))
    return grid


def bar(share_bps: int) -> Text:
    """The challenger's share of cards as a picture."""
    full = max(share_bps * BAR // 10_000, int(share_bps > 0))
    return Text.assemble(("█" * full, "cyan"), ("░" * (BAR - full), "dim"), f" {percent(share_bps / 10_000)}")


def position(rollout: Rollout) -> str:
    """Which of its shares a rollout is at."""
    at_a_share = rollout.stage in (Stage.CANARY, Stage.APPROVAL, Stage.SOAK) and rollout.step is not None
    return f", step {rollout.step + 1} of {len(rollout.plan.shares)}" if at_a_share and rollout.step is not None else ""


def left(rollout: Rollout, now: float) -> str:
    """How long the stage takes yet; empty where nobody can tell."""
    plan, elapsed = rollout.plan, in_stage(rollout, now)
    if rollout.stage is Stage.DEPLOYING:
        return f"{span(plan.deploy_seconds - elapsed)} at most"
    shortest = {Stage.SHADOW: plan.shadow_seconds, Stage.CANARY: plan.bake_seconds, Stage.SOAK: plan.soak_seconds}.get(
        rollout.stage
    )
    if shortest is None:
        return ""
    if elapsed < shortest:
        return f"{span(shortest - elapsed)} at least"
    return f"until the gates can tell, {span(plan.deadline_seconds - elapsed)} at most"


def in_stage(rollout: Rollout, now: float) -> float:
    """Seconds in the stage, pauses not counted."""
    pause = 0.0 if rollout.paused_at is None else now - rollout.paused_at
    return now - rollout.since - rollout.paused_seconds - pause


def champion(observed: Observed) -> str:
    """The slot that had all traffic at the start, and its version if it still serves."""
    slot = observed.rollout.champion
    if slot is None:
        return "none: this is the first model"
    package = observed.routing.get("model_package") if observed.routing.get("champion") == slot else None
    return f"slot {slot}" + (f", version {package.rsplit('/', 1)[-1]}" if package else "")


def ladder(rollout: Rollout, now: float) -> Text:
    """The steps with marks: done, current, ahead."""
    lines = []
    for rung in rungs(rollout):
        mark, style = STATES[rung.state]
        note = f"{rung.note}  ← here" if rung.state == "current" and rung.note else rung.note
        lines.append(Text.assemble((f"{mark} {rung.name:<10}", style), (note, "dim")))
    return Text("\n").join(lines)


def rungs(rollout: Rollout) -> list[Rung]:
    """The steps of the plan, as far as the rollout got."""
    steps = planned(rollout)
    at = reached(rollout, [step.name for step in steps])
    over = rollout.stage is Stage.PROMOTED
    back = rollout.stage in (Stage.ROLLING_BACK, Stage.ROLLED_BACK)
    states = [
        "done"
        if over or place < at
        else ("failed" if back else "current")
        if place == at
        else "skipped"
        if back
        else "ahead"
        for place in range(len(steps))
    ]
    return [Rung(step.name, step.note, state) for step, state in zip(steps, states, strict=True)]


def planned(rollout: Rollout) -> list[Rung]:
    """The steps of the plan."""
    plan = rollout.plan
    if rollout.champion is None:
        return [Rung("deploy", ""), Rung("promote", "")]
    shadow = [Rung("shadow", span(plan.shadow_seconds))] if plan.shadow_seconds else []
    canary = [Rung(percent(share / 10_000), f"bake {span(plan.bake_seconds)}") for share in plan.steps_bps]
    shares = [*canary, Rung("100 %", f"soak {span(plan.soak_seconds)}")]
    asked_before = {"before_traffic": 0, "before_full": len(canary)}.get(plan.approval)
    if asked_before is not None:
        shares.insert(asked_before, Rung("approval", ""))
    return [Rung("deploy", ""), *shadow, *shares, Rung("promote", "")]


def reached(rollout: Rollout, names: Sequence[str]) -> int:
    """The place on the ladder that it is at, or was at when it was rolled back."""
    approval, step = rollout.approval, -1 if rollout.step is None else rollout.step
    if approval is not None and approval.step > step and "approval" in names:
        return names.index("approval")
    if rollout.step is not None:
        share = percent(rollout.plan.shares[rollout.step] / 10_000)
        return names.index(share) if share in names else 0
    # The routing item is written for the first time when the shadow begins.
    return names.index("shadow") if rollout.epoch and "shadow" in names else 0


# --- Gates, arms and events -----------------------------------------------------------------------------------------


def gates(verdicts: Sequence[Verdict]) -> RenderableType | None:
    """What each gate said at the last look."""
    if not verdicts:
        return None
    table = headed("gate", "observed", "limit", "count", "")
    for each in verdicts:
        mark, style = OUTCOMES[each.outcome]
        numbers = (measure(each.gate, each.observed), measure(each.gate, each.limit), number(each.count))
        sentence = f"{'Stops nothing: ' if each.advisory else ''}{each.sentence}"
        table.add_row(Text(f"{mark} {plain(each.gate)}", style), *numbers, Text(plain(sentence)))
    return table


def measure(gate: str, value: float | None) -> str:
    """A number in its gate's unit, which its sentence names where it is no share."""
    if value is None:
        return "–"
    return percent(value) if gate in SHARES else number(value)


def arms(observed: Observed) -> RenderableType | None:
    """What was decided on the cards of champion and challenger; nothing once the traffic is decided."""
    rollout = observed.rollout
    if rollout.stage not in (Stage.CANARY, Stage.APPROVAL, Stage.SOAK):
        return None
    table = headed("arm", "transactions", "block", "review", "fallback")
    for name, slot in (("champion", rollout.champion), ("challenger", rollout.candidate.slot)):
        if slot is not None:
            sums = observed.arms.get(slot, {})
            total = sums.get("transactions", 0)
            shares = [ratio(sums.get(each, 0), total) for each in ("block", "review", "degraded")]
            table.add_row(Text(f"{name} (slot {plain(slot)})"), number(total), *shares)
    return table


def shadow(observed: Observed) -> RenderableType | None:
    """The same transactions as both models would decide them; nothing outside the shadow."""
    if observed.rollout.stage is not Stage.SHADOW or not observed.shadow:
        return None
    sums = observed.shadow
    answered = sums.get("transactions", 0) - sums.get("unanswered", 0)
    table = headed("shadow", "transactions", "block", "review", "mean ms", "p99 ms")
    for name in ("champion", "challenger"):
        shares = [ratio(sums.get(f"{name}_{each}", 0), answered) for each in ("block", "review")]
        table.add_row(name, number(answered), *shares, *times(sums["latency"].get(name)))
    if sums.get("unanswered", 0):
        table.add_row("no score", number(sums["unanswered"]))
    return table


def times(latency: Mapping[str, Any] | None) -> tuple[str, str]:
    """Mean and 99th percentile."""
    if latency is None or not latency["calls"]:
        return "–", "–"
    return number(latency["mean_ms"]), "> 55,000" if latency["p99_ms"] is None else f"≤ {number(latency['p99_ms'])}"


def events(story: Sequence[Event], now: float) -> RenderableType | None:
    """The last sentences of its story."""
    if not story:
        return None
    grid = Table.grid(padding=(0, 1))
    grid.add_column(style="dim", no_wrap=True)
    grid.add_column(overflow="fold")
    for each in story[-EVENTS:]:
        grid.add_row(moment(each.at, now), Text(plain(each.sentence)))
    return Group(Text("events", style="bold"), grid)


def headed(*names: str) -> Table:
    """A table of numbers behind a name; a last column without a name holds sentences."""
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for place, name in enumerate(names):
        if name and place:
            table.add_column(name, justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold")
    return table


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


# --- Words ----------------------------------------------------------------------------------------------------------


def plain(text: str) -> str:
    """A text of somebody's without line breaks and control characters, which a terminal would obey."""
    return "".join(each if each.isprintable() else " " for each in text)


def person(name: str) -> str:
    """Who it was: of an ARN only the end."""
    return name.split(":", 5)[-1] if name.startswith("arn:") else name


def span(seconds: float) -> str:
    """A duration in the two units a person would use; what is over is 0 s."""
    if not 0 < seconds < LATEST:
        return "0 s" if seconds <= 0 else "–"
    whole = round(seconds)
    for size, unit, smaller, part in ((86_400, "d", 3_600, "h"), (3_600, "h", 60, "min"), (60, "min", 1, "s")):
        if whole >= size:
            rest = whole % size // smaller
            return f"{whole // size} {unit}" + (f" {rest} {part}" if rest else "")
    return f"{whole} s"


def moment(at: float, now: float) -> str:
    """A time in UTC, with its date unless that is today."""
    if not 0 <= at < LATEST:
        return "–"
    then = datetime.fromtimestamp(at, UTC)
    today = 0 <= now < LATEST and then.date() == datetime.fromtimestamp(now, UTC).date()
    return then.strftime("%H:%M:%S" if today else "%Y-%m-%d %H:%M")


def ratio(part: int, total: int) -> str:
    """A part as a percentage of the total, if there is any."""
    return percent(part / total) if total else "–"


def percent(value: float) -> str:
    """A share as a percentage, two decimals at most."""
    return f"{round(100 * value, 2):.6g} %"


def number(value: float) -> str:
    """With thousands separators; what is very large or no whole number with four digits."""
    return f"{int(value):,}" if abs(value) < LARGE and value == int(value) else f"{value:,.4g}"
