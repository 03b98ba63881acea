"""Lambda: a rollout's question to people, and what they say to it."""

from __future__ import annotations

from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import rollout_bootstrap, rollout_task
from fraud.errors import RolloutRefused
from fraud.rollout_task import Answer
from fraud.services.steering import Steering

logger = Logger()
use_case = cache(rollout_bootstrap.steering)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Note the machine's question, or a person's word; what is refused is an error that says why."""
    answer: dict[str, Any] = msgspec.to_builtins(_answer(use_case(), event))
    logger.info(event["task"], extra={"by": event.get("by"), **answer})
    return answer


def _answer(steering: Steering, event: dict[str, Any]) -> Answer:
    by, request, reason, rollout = (str(event.get(n) or "") for n in ("by", "request_id", "reason", "rollout_id"))
    words = {
        "ask": lambda: steering.ask(rollout_task.task(event)),
        "approve": lambda: steering.approve(by, request),
        "reject": lambda: steering.reject(by, request, reason),
        "pause": lambda: steering.pause(by, reason, rollout),
        "resume": lambda: steering.resume(by, rollout),
    }
    if event["task"] not in words:
        raise RolloutRefused(f"There is no task {event['task']}.")
    return words[event["task"]]()
