"""Lambda: before anything is learned; the retraining's lock, and where its rows come from."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import machine_task, retraining_bootstrap

logger = Logger()
use_case = cache(retraining_bootstrap.retraining_start)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer `lock` or `choose_data`; what cannot be followed is refused."""
    task = machine_task.task(event)
    tasks = {"lock": use_case().lock, "choose_data": use_case().choose_data}
    answer = machine_task.answered(lambda: tasks[task.task](task), permanent="refused")
    logger.info(task.task, extra={"execution": task.execution, "next": answer["next"], "sentence": answer["sentence"]})
    return answer
