"""Lambda: a look at what arrived: which window, and what follows from what was found in it."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import machine_task, monitoring_bootstrap

logger = Logger()
use_case = cache(monitoring_bootstrap.window_watch)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    """Answer `choose_window`, `choose_data`, `judge` or `fail`; what cannot be followed is refused."""
    task = machine_task.task(event)
    use = use_case()
    tasks = {each.__name__: each for each in (use.choose_window, use.choose_data, use.judge, use.fail)}
    permanent = "refused" if task.task == "choose_window" else "failed"
    answer = machine_task.answered(lambda: tasks[task.task](task), permanent=permanent)
    logger.info(task.task, extra={"execution": task.execution, "next": answer["next"], "sentence": answer["sentence"]})
    return answer
