"""Lambda: what the challenger would have decided, from the stream of the decision table."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import bootstrap, transaction_lines
from fraud.deadline import Deadline

logger = Logger()
shadow = cache(bootstrap.shadow)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Shadow every new decision of the sample; report only what must be delivered again, lowest first."""
    use_case, decode, publish = shadow()
    images = [each["dynamodb"] for each in event["Records"]]
    decisions = [decode(each["NewImage"], each["SequenceNumber"]) for each in images]
    report = use_case.shadow(decisions, Deadline(lambda: context.get_remaining_time_in_millis() / 1000))
    publish(report)
    # Without a shadow, which is most of the time, there is nothing to say.
    if report.shadowed or report.failed:
        told = {"shadowed": report.shadowed, "unanswered": report.unanswered}
        logger.info("decisions shadowed", extra=told | {"to_be_delivered_again": len(report.failed)})
    left = (each.transaction_id for each in decisions if each.sequence_number in report.failed)
    for message, keys in transaction_lines.told("decision not shadowed", left if report.failed else ()):
        logger.warning(message, extra=keys)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in report.failed]}
