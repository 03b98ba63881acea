"""Lambda: who gets which share of the cards."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import rollout_bootstrap, rollout_task

TASKS = ("serve_first", "shadow", "shift", "verify", "promote", "restore", "verify_rollback", "release")
logger = Logger()
use_case = cache(rollout_bootstrap.shifting)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a move of the routing item, or the proof of one."""
    task = rollout_task.task(event)
    tasks = {name: getattr(use_case(), name) for name in TASKS}
    answer = rollout_task.answered(lambda: tasks[task.task](task), permanent="roll_back")
    logger.info(task.task, extra={"execution": task.execution, **answer})
    return answer
