"""Lambda: what becomes of the data and of the candidate."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import machine_task, retraining_bootstrap

logger = Logger()
use_case = cache(retraining_bootstrap.retraining_judgement)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer `data` or `candidate`; evidence that cannot be read fails the run."""
    task = machine_task.task(event)
    tasks = {"data": use_case().data, "candidate": use_case().candidate}
    answer = machine_task.answered(lambda: tasks[task.task](task), permanent="failed")
    logger.info(task.task, extra={"execution": task.execution, "next": answer["next"], "sentence": answer["sentence"]})
    return answer
