"""What was counted and said of a rollout: gates, arms, shadow, events."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.rollout_record import Observed
from cli.words import moment, number, percent, plain, ratio
from fraud.analysis import Outcome, Verdict
from fraud.rollout import Event, Stage

EVENTS = 6
SHARES = ("errors", "block_rate", "review_rate")
"""Gates that observe a share of transactions."""
OUTCOMES = {Outcome.PASS: ("✔", "green"), Outcome.INCONCLUSIVE: ("…", "yellow"), Outcome.FAIL: ("✖", "bold red")}


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
