"""Lambda: the challenger's endpoint, brought up, proven and removed."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import rollout_bootstrap, rollout_task

logger = Logger()
use_case = cache(rollout_bootstrap.challenger)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer `bring_up`, `smoke` or `remove`; what cannot be put in service is rolled back."""
    task = rollout_task.task(event)
    tasks = {"bring_up": use_case().bring_up, "smoke": use_case().smoke, "remove": use_case().remove}
    answer = rollout_task.answered(lambda: tasks[task.task](task), permanent="roll_back")
    logger.info(task.task, extra={"execution": task.execution, **answer})
    return answer
