"""Lambda: what follows from decisions, from the stream of the decision table."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import bootstrap, transaction_lines
from fraud.deadline import Deadline

logger = Logger()
projection = cache(bootstrap.projection)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Project every new decision; report only what must be delivered again, lowest sequence number first."""
    use_case, decode = projection()
    images = [each["dynamodb"] for each in event["Records"]]
    decisions = [decode(each["NewImage"], each["SequenceNumber"]) for each in images]
    failed = use_case.project(decisions, Deadline(lambda: context.get_remaining_time_in_millis() / 1000))
    logger.info("decisions projected", extra={"received": len(decisions), "to_be_delivered_again": len(failed)})
    left = (each.transaction_id for each in decisions if each.sequence_number in failed)
    for message, keys in transaction_lines.told("decision not projected", left if failed else ()):
        logger.warning(message, extra=keys)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
