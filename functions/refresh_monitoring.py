"""Lambda: the refresh of monitoring: its lock, its baseline, the schedules of Model Monitor, and its end."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import machine_task, monitoring_bootstrap

logger = Logger()
tasks = cache(monitoring_bootstrap.refresh_tasks)
CLOSING = ("release", "fail")
"""Tasks that leave the lock free; what can never succeed is raised: the machine then calls a person."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer a task of the machine; what cannot be followed is refused, what can never succeed has failed."""
    task = machine_task.task(event)
    permanent = {"lock": "refused"} | dict.fromkeys(CLOSING, "")
    answer = machine_task.answered(lambda: tasks()[task.task](task), permanent=permanent.get(task.task, "failed"))
    logger.info(task.task, extra={"execution": task.execution, "next": answer["next"], "sentence": answer["sentence"]})
    return answer
