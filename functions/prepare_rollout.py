"""Lambda: before a rollout touches anything; the state machine's preflight and its lock."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import rollout_bootstrap, rollout_task

logger = Logger()
use_case = cache(rollout_bootstrap.rollout_start)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer `check` or `lock`; what may not be rolled out is refused."""
    task = rollout_task.task(event)
    tasks = {"check": use_case().check, "lock": use_case().lock}
    answer = rollout_task.answered(lambda: tasks[task.task](task), permanent="refused")
    logger.info(task.task, extra={"execution": task.execution, **answer})
    return answer
