"""Where a rollout is: its facts, and the steps of its plan with marks."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from cli.rollout_record import Observed, share_reached, words
from cli.words import moment, percent, person, plain, span
from fraud.rollout import Rollout, Stage

BAR = 20
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
