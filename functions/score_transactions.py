"""Lambda: score a batch of the transaction stream."""

from __future__ import annotations

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from fraud import bootstrap, intake, transaction_lines
from fraud.deadline import Deadline
from fraud.intake import StreamRecord

logger = Logger()
scoring = cache(bootstrap.scoring)


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, list[dict[str, str]]]:
    """Decide every record; report only what must be delivered again, lowest sequence number first."""
    deadline = Deadline(lambda: context.get_remaining_time_in_millis() / 1000)
    started = deadline.remaining()
    use_case, publish = scoring()
    report = use_case.score_batch([_record(each["kinesis"]) for each in event["Records"]], deadline)
    publish(report, started - deadline.remaining())
    logger.info("batch scored", extra=report.summary())
    for message, keys in transaction_lines.of_batch(report, "transaction quarantined"):
        logger.warning(message, extra=keys)
    return {"batchItemFailures": [{"itemIdentifier": each} for each in report.failed]}


def _record(kinesis: dict[str, Any]) -> StreamRecord:
    return StreamRecord(
        sequence_number=kinesis["sequenceNumber"],
        arrived_at=float(kinesis["approximateArrivalTimestamp"]),
        payload=intake.payload(kinesis["data"]),
    )
