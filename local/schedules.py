"""Schedules of the template: the stand-in forgets half of what one says, and does not tell what it cannot keep."""

import json
from typing import Any

from local.gateway import service

_UTC = ("UTC", "Etc/UTC")


def install() -> None:
    service("cloudformation.provisioners")._RESOURCE_HANDLERS["AWS::Scheduler::Schedule"]["create"] = create


def create(logical_id: str, properties: dict[str, Any], stack_name: str) -> tuple[str, dict[str, str]]:
    """CloudFormation's creation: name and attributes.

    Raises: ValueError if the schedule is refused.
    """
    _require_known(properties)
    name = properties.get("Name") or service("cloudformation.provisioners")._physical_name(
        stack_name, logical_id, max_len=64
    )
    status, _, body = service("scheduler")._create_schedule(name, properties)
    answer = json.loads(body)
    if status >= 300:
        raise ValueError(answer["Message"])
    return name, {"Arn": answer["ScheduleArn"]}


def _require_known(properties: dict[str, Any]) -> None:
    """Raises: ValueError if the schedule would never fire, or at other times than it says."""
    expression, rules = properties.get("ScheduleExpression", ""), service("eventbridge")
    if rules._parse_rate_seconds(expression) is not None:
        return
    if service("scheduler")._at_time_epoch(expression) is None and rules._parse_cron_fields(expression) is None:
        raise ValueError(f"Invalid Schedule Expression {expression}.")
    zone = properties.get("ScheduleExpressionTimezone", "UTC")
    if zone not in _UTC:
        raise ValueError(f"The laptop's schedules keep UTC, not {zone}.")
