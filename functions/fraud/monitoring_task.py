"""What people, schedules and the event of a promotion ask of the machines that monitor: the input of executions."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from fraud.errors import MonitoringRefused


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An execution's input.

    Args:
        plan: see `monitoring_plan.Plan`.
        since: begin of the window that is looked at, RFC 3339; the plan's length before its end without.
        until: its end; now without.
        trigger: who or what asks, in a word.
        started_by: who, where a person asks.
    """

    plan: dict[str, Any] = msgspec.field(default_factory=dict)
    since: datetime | None = None
    until: datetime | None = None
    trigger: str = "person"
    started_by: str = ""


def request(given: Any) -> Request:
    """A request from an execution's input; none at all is `{}`.

    Raises:
        MonitoringRefused: it is not one.
    """
    try:
        asked = msgspec.convert({} if given is None else given, Request)
    except msgspec.ValidationError as error:
        raise MonitoringRefused(f"The input is not {{}} or {{plan, since, until, started_by}}: {error}") from error
    for name in ("since", "until"):
        moment = getattr(asked, name)
        if moment is not None and moment.tzinfo is None:
            raise MonitoringRefused(f"{name} carries no UTC offset: write it as 2026-03-01T00:00:00Z.")
    return asked
