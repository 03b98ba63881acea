"""Monitoring in words and tables: from its records to what a terminal shows."""

from collections.abc import Iterable, Iterator, Mapping

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from cli.words import dated, moment, number, person, plain, span
from fraud.monitoring import Refresh, Schedule, ScheduleStatus, Watch
from fraud.monitoring_findings import Concern, Finding

LONGEST_SILENCE = 2 * 86_400
"""Age of the last look beyond which its schedule is doubted, seconds; by default there are four a day."""
COVERED = "the application's own looks cover it"
STATUSES = {
    ScheduleStatus.SCHEDULED: ("✔", "green"),
    ScheduleStatus.PENDING: ("◌", "cyan"),
    ScheduleStatus.REFUSED: ("·", "yellow"),
    ScheduleStatus.FAILED: ("✖", "red"),
    ScheduleStatus.OFF: ("·", "dim"),
}
FOLLOWS = {
    Concern.DRIFT: "a new model is learned",
    Concern.QUALITY: "a new model is learned",
    Concern.DATA: "people are called",
    Concern.UPKEEP: "people are called, and decide",
}
"""What a violation leads to, by its concern."""


# --- The whole ------------------------------------------------------------------------------------------------------


def screen(
    refresh: Refresh | None, watch: Watch | None, slots: Mapping[str, str], serving: str | None, now: float
) -> RenderableType:
    """Everything that is known of monitoring.

    Args:
        refresh: the last one.
        watch: the last look.
        slots: names of slots by their endpoints.
        serving: ARN of the champion's package; None without a champion.
        now: seconds since 1970.
    """
    parts: list[RenderableType] = [
        baseline(refresh, now),
        Text(),
        schedules(refresh, slots),
        Text(),
        look(watch, now),
    ]
    hints = list(following(refresh, watch, serving, now))
    return Group(*parts, *([Text()] if hints else []), *(Text(f"→ {hint}", style="cyan") for hint in hints))


def following(refresh: Refresh | None, watch: Watch | None, serving: str | None, now: float) -> Iterator[str]:
    """What to do next, and why."""
    if serving is None:
        yield "No model serves yet, and nothing can be monitored before one does: fraud rollout start"
        return
    if refresh is None or (refresh.baseline is None and refresh.is_over):
        yield "There is no baseline, so no look has anything to compare with: fraud monitor refresh --watch"
    elif refresh.baseline is not None and refresh.baseline.champion != serving and refresh.is_over:
        yield f"The baseline is not of the champion, version {version(serving)}: fraud monitor refresh --watch"
    elif not refresh.is_alive:
        yield f"Monitoring is silent. When the cause is gone: fraud monitor refresh --watch. {refresh.liveness}"
    yield from _after_look(watch, now)


def _after_look(watch: Watch | None, now: float) -> Iterator[str]:
    if watch is None:
        yield "Nothing was looked at yet: fraud monitor run --watch"
    elif is_silent(watch, now):
        yield f"The last look is {span(now - watch.ended_at)} old; is its schedule on? Meanwhile: fraud monitor run"
    elif any(watch.violations.values()):
        yield "What was found, with pictures: fraud monitor report --open"


def is_silent(watch: Watch, now: float) -> bool:
    """Whether the last look is older than looks should be."""
    return now - watch.ended_at > LONGEST_SILENCE


# --- Baseline and schedules -----------------------------------------------------------------------------------------


def baseline(refresh: Refresh | None, now: float) -> RenderableType:
    """What traffic is held against, and how the last refresh ended."""
    if refresh is None:
        return titled("Baseline", {"none": Text("nothing was ever refreshed")})
    found = refresh.baseline
    known = {} if found is None else {"of": f"version {version(found.champion)}", "rests on": _rests_on(refresh)}
    made = {"made (UTC)": None if found is None else moment(found.made_at, now)}
    state = {"last refresh": refresh_words(refresh, now), "alive": alive_words(refresh)}
    return titled("Baseline", {name: _shown(value) for name, value in {**known, **made, **state}.items()})


def _rests_on(refresh: Refresh) -> str:
    found = refresh.baseline
    if found is None or not found.rows:
        return "the training data alone: the archive was empty"
    return f"the training data, and {number(found.rows)} archived decisions of {number(found.days)} days"


def refresh_words(refresh: Refresh, now: float) -> str:
    """How it ended, or that it goes on."""
    asked = f"{moment(refresh.started_at, now)}, asked for by {person(refresh.trigger)}"
    outcome = "under way" if refresh.outcome is None else str(refresh.outcome)
    return f"{outcome} ({asked})" + (f": {refresh.sentence}" if refresh.sentence else "")


def alive_words(refresh: Refresh) -> str:
    """Whether monitoring is alive."""
    state = "yes" if refresh.is_alive else "SILENT"
    return f"{state}: {refresh.liveness}" if refresh.liveness else "not checked yet"


def schedules(refresh: Refresh | None, slots: Mapping[str, str]) -> RenderableType:
    """Schedules of Model Monitor, a line each."""
    found = refresh.schedules if refresh else ()
    rows = {slot_name(each, slots): schedule_text(each) for each in found}
    return titled("Model Monitor", rows or {"none": Text(f"no schedule; {COVERED}")})


def schedule_text(schedule: Schedule) -> Text:
    """A schedule's state with its mark, and why."""
    mark, style = STATUSES[schedule.status]
    return Text.assemble((f"{mark} ", style), plain(schedule_words(schedule)))


def schedule_words(schedule: Schedule) -> str:
    """A schedule's state, and why."""
    told = f"{schedule.status}: {schedule.detail}" if schedule.detail else str(schedule.status)
    return f"{told.rstrip('.')}; {COVERED}" if schedule.status is ScheduleStatus.REFUSED else told


def slot_name(schedule: Schedule, slots: Mapping[str, str]) -> str:
    """Slot of the endpoint that a schedule watches; the endpoint where it is none of the stack's."""
    slot = slots.get(schedule.endpoint)
    return f"slot {slot}" if slot else schedule.endpoint


# --- A look ---------------------------------------------------------------------------------------------------------


def look(watch: Watch | None, now: float) -> RenderableType:
    """What the last look came to."""
    if watch is None:
        return titled("Last look", {"none": Text("no window was ever looked at")})
    rows = {
        "window (UTC)": f"{dated(watch.since)} to {dated(watch.until)}",
        "decisions": number(watch.rows),
        "champion": f"version {version(watch.champion)}",
        "run": watch.run_id,
        "ended (UTC)": moment(watch.ended_at, now) if watch.ended_at else None,
        "found": watch.sentence,
    }
    shown = titled("Last look", {name: _shown(value) for name, value in rows.items()})
    return Group(shown, *violations(watch))


def violations(watch: Watch) -> Iterator[RenderableType]:
    """A table of them; nothing where there are none."""
    if not watch.findings:
        return
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("concern", "model", "observed", "limit", "what"):
        right = name in ("observed", "limit")
        table.add_column(name, justify="right" if right else "left", no_wrap=name != "what", overflow="fold")
    for each in watch.findings:
        table.add_row(*_violation(each))
    yield Text()
    yield table
    if rest := sum(watch.violations.values()) - len(watch.findings):
        yield Text(f"and {number(rest)} more: fraud monitor report", style="dim")
    yield Text(consequences(watch.findings), style="dim")


def _violation(found: Finding) -> tuple[str | Text, ...]:
    numbers = ("–" if value is None else number(value) for value in (found.observed, found.limit))
    style = "red" if found.concern is Concern.DATA else "yellow"
    return Text(str(found.concern), style), plain(found.variant), *numbers, Text(plain(found.sentence))


def consequences(findings: Iterable[Finding]) -> str:
    """What violations of each concern lead to."""
    concerns = dict.fromkeys(each.concern for each in findings)
    return f"Alarms follow: {'; '.join(f'for {each}, {FOLLOWS[each]}' for each in concerns)}."


def titled(title: str, rows: Mapping[str, Text]) -> RenderableType:
    """Texts, which hold no markup, by their names under a title."""
    table = Table(show_header=False, box=None)
    table.add_column(style="cyan", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in rows.items():
        table.add_row(name, value)
    return Group(f"[bold]{title}[/]", table)


def version(package: str) -> str:
    """Number of a model package."""
    return package.rpartition("/")[2] or "–"


def _shown(value: str | None) -> Text:
    return Text("–" if value is None else plain(value))
