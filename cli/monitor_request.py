"""What is asked of the machines that monitor: from options to the input of an execution."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cli import machine, options, plans
from cli.errors import CommandError
from cli.target import Target
from cli.transaction_events import moment, rfc3339

PARAMETER = "MonitoringPlan"
LISTS = ("fairness",)
"""Names of a plan that take several words."""


def hours(window: str | None) -> int | None:
    """A duration of an option in whole hours. Raises: CommandError."""
    if window is None:
        return None
    whole, rest = divmod(int(options.duration(window).total_seconds()), 3_600)
    if rest:
        raise CommandError(f"A window has whole days, such as 24h or 7d, not {window!r}.")
    return whole


def instant(text: str | None) -> str | None:
    """A moment of an option as RFC 3339. Raises: CommandError."""
    if text is None:
        return None
    try:
        return rfc3339(moment(text))
    except ValueError as error:
        raise CommandError(f"{text!r} is no time: write it as 2026-03-01 or 2026-03-01T12:00:00Z.") from error


def chosen_plan(settings: Iterable[str] | None, options_given: Mapping[str, Any]) -> dict[str, Any]:
    """What options choose of the plan. Raises: CommandError."""
    found = plans.settings(settings or (), "least_psi=0.2")
    lists = {name: found[name].split(",") for name in LISTS if isinstance(found.get(name), str)}
    return {**found, **lists, **{name: value for name, value in options_given.items() if value is not None}}


def checked(
    target: Target, file: Path | None, chosen: Mapping[str, Any], window: Mapping[str, str | None]
) -> dict[str, Any]:
    """The input of an execution; a wrong one starts nothing. Raises: FraudError, CommandError."""
    from fraud import monitoring_plan, monitoring_task

    plan = plans.asked_for(file, chosen)
    monitoring_plan.parse({**plans.of_stack(target, PARAMETER), **plan})
    given = {name: value for name, value in window.items() if value is not None}
    request = {"plan": plan, **given, "trigger": "person", "started_by": machine.caller(target)}
    asked = monitoring_task.request(request)
    if asked.since is not None and asked.until is not None and asked.since >= asked.until:
        raise CommandError("The window ends before it begins: --since must lie before --until.")
    return request
