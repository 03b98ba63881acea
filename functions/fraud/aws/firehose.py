"""The archive: JSON lines through Firehose to S3."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fraud.aws.calls import unavailable
from fraud.errors import StoreUnavailable

MOST_RECORDS = 500
"""Firehose's limit for PutRecordBatch; 500 documents of a few KiB stay below its 4 MiB too."""
MOST_TRIES = 4
"""How often records that were refused are sent again."""


@dataclass(frozen=True)
class FirehoseArchive:
    """Appends documents; only those refused are sent again.

    Args:
        client: Firehose.
        stream: name of the delivery stream.
        pause: waits before records are sent again.
    """

    client: Any
    stream: str
    pause: Callable[[int], None]

    def append(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Append all.

        Raises:
            StoreUnavailable: some may be missing; appending all of them again is safe.
        """
        for start in range(0, len(documents), MOST_RECORDS):
            chunk = documents[start : start + MOST_RECORDS]
            self._put([{"Data": msgspec.json.encode(each) + b"\n"} for each in chunk])

    def _put(self, records: list[dict[str, bytes]]) -> None:
        for attempt in range(MOST_TRIES):
            if attempt:
                self.pause(attempt)
            with unavailable("PutRecordBatch"):
                answer = self.client.put_record_batch(DeliveryStreamName=self.stream, Records=records)
            if not answer["FailedPutCount"]:
                return
            responses = answer["RequestResponses"]
            records = [each for each, response in zip(records, responses, strict=True) if "ErrorCode" in response]
        raise StoreUnavailable("PutRecordBatch: records stayed refused")
