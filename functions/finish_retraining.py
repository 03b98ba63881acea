"""Lambda: the end of a retraining; its lock is free again."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import machine_task, retraining_bootstrap

logger = Logger()
use_case = cache(retraining_bootstrap.retraining_end)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer `release` or `fail`."""
    task = machine_task.task(event)
    tasks = {"release": use_case().release, "fail": use_case().fail}
    # What can never succeed is raised: the machine then calls a person, because the lock stays.
    answer = machine_task.answered(lambda: tasks[task.task](task))
    logger.info(task.task, extra={"execution": task.execution, "next": answer["next"], "sentence": answer["sentence"]})
    return answer
