"""Lambda: what became of a job whose state failed."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import machine_task, retraining_bootstrap

logger = Logger()
use_case = cache(retraining_bootstrap.job_inspection)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer `look`."""
    task = machine_task.task(event)
    tasks = {"look": use_case().look}
    answer = machine_task.answered(lambda: tasks[task.task](task), permanent="failed")
    logger.info(task.task, extra={"execution": task.execution, "next": answer["next"], "sentence": answer["sentence"]})
    return answer
