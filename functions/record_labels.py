"""Lambda: record a batch of the label queue."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import bootstrap, transaction_lines
from fraud.deadline import Deadline
from fraud.services.labelling import LabelMessage

logger = Logger()
labelling = cache(bootstrap.labelling)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Record every label; report only the messages that must be delivered again."""
    messages = [_message(each) for each in event["Records"]]
    use_case, quarantine = labelling()
    failed = use_case.record(messages, quarantine, Deadline(lambda: context.get_remaining_time_in_millis() / 1000))
    logger.info("labels recorded", extra={"received": len(messages), "to_be_delivered_again": len(failed)})
    left = (transaction_lines.transaction_id(each.payload) for each in messages if each.message_id in failed)
    for message, keys in transaction_lines.told("label not recorded", left if failed else ()):
        logger.warning(message, extra=keys)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}


def _message(record: dict[str, Any]) -> LabelMessage:
    sent_at = int(record["attributes"]["SentTimestamp"]) / 1000
    return LabelMessage(record["messageId"], sent_at, record["body"].encode())
