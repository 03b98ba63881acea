"""Lambda: stops a rollout from outside: for an alarm, for an execution that ended, or for a person."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import rollout_bootstrap
from fraud.rollout_task import Answer
from fraud.services.aborting import Aborting

logger = Logger()
use_case = cache(rollout_bootstrap.aborting)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Restore traffic if the event is about the rollout under way."""
    answer: dict[str, Any] = msgspec.to_builtins(_answer(*use_case(), event))
    logger.info("told to stop", extra={"source": event.get("source", "a person"), **answer})
    return answer


def _answer(aborting: Aborting, alarm_prefix: str, event: dict[str, Any]) -> Answer:
    detail, source = event.get("detail", {}), event.get("source")
    if source == "aws.cloudwatch":
        name, slot = detail["alarmName"], detail["alarmName"].removeprefix(alarm_prefix).partition("-")[0]
        at = datetime.fromisoformat(event["time"]).timestamp()
        return aborting.on_alarm(slot, at, f"The alarm {name} went off: {detail['state'].get('reason', '')}")
    if source == "aws.states":
        cause = f"{detail.get('error') or ''} {detail.get('cause') or ''}".strip()
        return aborting.on_end(detail["executionArn"], f"Its execution ended: {detail['status']}.", cause)
    if event.get("task") == "abort":
        return aborting.by_person(*(str(event.get(name) or "") for name in ("by", "reason", "rollout_id")))
    return Answer(next="ignored", sentence="That is neither an alarm, nor the end of an execution, nor a person.")
