"""Where a producer puts its records: the transaction stream and the label queue."""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from cli.producer import Limits, Put, Record, Unanswered
from cli.target import Target

# docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html
STREAM_LIMITS = Limits(records=500, bytes=5 * 1024 * 1024, record_bytes=1024 * 1024)
# docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_SendMessageBatch.html
QUEUE_LIMITS = Limits(records=10, bytes=256 * 1024, record_bytes=256 * 1024)
THROTTLED = frozenset(
    (
        "InternalFailure", "InternalError", "KMSThrottlingException", "LimitExceededException",
        "ProvisionedThroughputExceededException", "RequestLimitExceeded", "RequestThrottled", "ServiceUnavailable",
        "Throttling", "ThrottlingException",
    )
)  # fmt: skip
# The producer resends by itself, and only what has to be: botocore would resend whole requests unseen.
ONE_TRY = {"retries": {"total_max_attempts": 1}, "connect_timeout": 3, "read_timeout": 10}


def stream_sink(target: Target) -> Put:
    """PutRecords into the transaction stream."""
    client, name = target.client("kinesis", **ONE_TRY), target.output("TransactionStreamName")

    def put(batch: Sequence[Record]) -> list[str | None]:
        entries = [{"Data": record.data, "PartitionKey": record.key} for record in batch]
        answer = _asked(lambda: client.put_records(StreamName=name, Records=entries))
        return [entry.get("ErrorCode") for entry in answer["Records"]]

    return put


def queue_sink(target: Target) -> Put:
    """SendMessageBatch into the label queue."""
    client, url = target.client("sqs", **ONE_TRY), target.output("LabelQueueUrl")

    def put(batch: Sequence[Record]) -> list[str | None]:
        entries = [{"Id": str(place), "MessageBody": record.data.decode()} for place, record in enumerate(batch)]
        answer = _asked(lambda: client.send_message_batch(QueueUrl=url, Entries=entries))
        failed = {entry["Id"]: str(entry["Code"]) for entry in answer.get("Failed", [])}
        return [failed.get(entry["Id"]) for entry in entries]

    return put


def _asked(call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """The answer. Raises: Unanswered when the request may or may not have been carried out, or was throttled whole."""
    from botocore import exceptions

    try:
        return call()
    except exceptions.ClientError as error:
        if error.response.get("Error", {}).get("Code") not in THROTTLED:
            raise
        raise Unanswered(str(error)) from error
    except (exceptions.HTTPClientError, exceptions.ConnectionError) as error:
        raise Unanswered(str(error)) from error


def transaction_record(event: Mapping[str, Any]) -> Record:
    """A transaction event as a stream record; its card is the partition key."""
    return Record(event["card_token"], encoded(event))


def label_record(event: Mapping[str, Any]) -> Record:
    """A label event as a queue message."""
    return Record(event["transaction_id"], encoded(event))


def encoded(event: Mapping[str, Any]) -> bytes:
    """Compact JSON."""
    return json.dumps(event, separators=(",", ":"), ensure_ascii=False).encode()
