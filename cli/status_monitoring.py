"""What `fraud status` says of monitoring; `fraud monitor status` says all of it."""

import time
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from cli import monitoring_record, words
from cli.target import Target

if TYPE_CHECKING:
    from rich.console import RenderableType

SHOWN = ("run_id", "since", "until", "rows", "violations", "sentence", "ended_at")
"""What of the last look."""


def observe(target: Target) -> dict[str, Any]:
    """What traffic is held against, what watches it, whether that is alive, and what the last look found."""
    refresh = monitoring_record.document(monitoring_record.refresh(target)) or {}
    look = monitoring_record.document(monitoring_record.watch(target))
    return {
        "baseline": refresh.get("baseline"),
        "schedules": refresh.get("schedules", []),
        "is_alive": refresh["is_alive"] if refresh.get("liveness") else None,
        "liveness": refresh.get("liveness", ""),
        "last_look": look and {name: look[name] for name in SHOWN},
    }


def section(facts: Mapping[str, Any], slots: Mapping[str, str]) -> "RenderableType":
    """The same in a line each: baseline, Model Monitor by slot, the last look, whether it is alive."""
    from rich.text import Text

    from cli.monitor_screen import titled

    said = {
        "baseline": baseline(facts["baseline"]),
        **schedules(facts["schedules"], slots),
        "last look": last_look(facts["last_look"]),
        "monitoring": alive(facts["is_alive"], facts["liveness"]),
    }
    return titled("Monitoring", {name: Text(words.plain(sentence)) for name, sentence in said.items()})


def baseline(found: Mapping[str, Any] | None) -> str:
    """Of which model it is, and how old."""
    if found is None:
        return "none; make one: fraud monitor refresh"
    return f"of version {found['champion'].rpartition('/')[2]}, made {ago(found['made_at'])}"


def schedules(found: Iterable[Mapping[str, Any]], slots: Mapping[str, str]) -> dict[str, str]:
    """State of each schedule of Model Monitor, with the reason where it is refused."""
    import msgspec

    from cli.monitor_screen import schedule_words, slot_name
    from fraud.monitoring import Schedule

    each_of = [msgspec.convert(each, Schedule) for each in found]
    return {f"Model Monitor, {slot_name(each, slots)}": schedule_words(each) for each in each_of}


def last_look(found: Mapping[str, Any] | None) -> str:
    """When it was, and what it found."""
    if found is None:
        return "none; look: fraud monitor run --watch"
    counts = {concern: count for concern, count in found["violations"].items() if count}
    told = ", ".join(f"{count:,} of {concern}" for concern, count in counts.items())
    return f"{ago(found['ended_at'])}, " + (f"VIOLATIONS: {told}: fraud monitor status" if told else "nothing changed")


def alive(is_alive: bool | None, liveness: str) -> str:
    """Whether monitoring itself works."""
    if is_alive is None:
        return "not checked yet"
    return f"{'alive' if is_alive else 'SILENT'}: {liveness}"


def ago(at: float) -> str:
    """How long it is past."""
    return f"{words.span(time.time() - at)} ago"
