"""Lambda's record of a batch it gave up, as it writes it to an S3 on-failure destination."""

import json
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from local.streams.reader import Discard, Record


@dataclass(frozen=True, slots=True)
class Origin:
    """Which shard of which mapping a batch came from."""

    mapping: str
    function_arn: str
    stream_arn: str
    shard: str
    batch_info: str


def key(origin: Origin, moment: datetime) -> str:
    day, second = moment.strftime("%Y/%m/%d"), moment.strftime("%Y-%m-%dT%H.%M.%S")
    return f"aws/lambda/{origin.mapping}/{origin.shard}/{day}/{second}-{uuid.uuid4()}"


def body(origin: Origin, discard: Discard, moment: datetime) -> str:
    records = discard.batch.records
    document = {
        "requestContext": {
            "requestId": str(uuid.uuid4()),
            "functionArn": origin.function_arn,
            "condition": discard.condition,
            "approximateInvokeCount": discard.batch.invocations,
        },
        **_response_context(discard),
        "version": "1.0",
        "timestamp": _iso(moment.timestamp()),
        origin.batch_info: _batch_info(origin, records),
        "payload": json.dumps({"Records": [record.event for record in records]}),
    }
    return json.dumps(document)


def _response_context(discard: Discard) -> dict[str, Any]:
    if not discard.batch.invocations:
        return {}
    return {"responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}}


def _batch_info(origin: Origin, records: Sequence[Record]) -> dict[str, Any]:
    return {
        "shardId": origin.shard,
        "startSequenceNumber": records[0].sequence,
        "endSequenceNumber": records[-1].sequence,
        "approximateArrivalOfFirstRecord": _iso(records[0].arrived_at),
        "approximateArrivalOfLastRecord": _iso(records[-1].arrived_at),
        "batchSize": len(records),
        "streamArn": origin.stream_arn,
    }


def _iso(epoch_seconds: float) -> str:
    moment = datetime.fromtimestamp(epoch_seconds, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
