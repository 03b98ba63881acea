"""Lambda: one look at a rollout under way."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import rollout_bootstrap, rollout_task

logger = Logger()
use_case = cache(rollout_bootstrap.judging)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer what comes next."""
    task = rollout_task.task(event)
    answer = rollout_task.answered(lambda: use_case().judge(task), permanent="roll_back")
    logger.info(task.task, extra={"execution": task.execution, **answer})
    return answer
