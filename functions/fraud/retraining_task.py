"""What people, schedules and alarms ask of the retraining's machine: the input of its executions."""

from __future__ import annotations

from typing import Any

import msgspec

from fraud.errors import RetrainingRefused
from fraud.retraining import Kind


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An execution's input.

    Args:
        plan: see `retraining_plan.Plan`.
        trigger: who or what asks.
        alarm: name of the alarm, where one asks.
        started_by: who, where a person asks.
    """

    plan: dict[str, Any] = msgspec.field(default_factory=dict)
    trigger: Kind = Kind.PERSON
    alarm: str = ""
    started_by: str = ""


def request(given: Any) -> Request:
    """A request from an execution's input; none at all is `{}`.

    Raises:
        RetrainingRefused: it is not one.
    """
    try:
        return msgspec.convert({} if given is None else given, Request)
    except msgspec.ValidationError as error:
        raise RetrainingRefused(f"The input is not {{}} or {{plan, trigger, alarm, started_by}}: {error}") from error
