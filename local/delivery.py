"""Firehose's delivery to S3: buffered, concatenated as it came, compressed, under the stream's prefix.

The stand-in writes one object per record and ignores compression and buffering.
"""

import gzip
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from local.gateway import Gateway, service
from local.objects import put_object

_LONGEST_INTERVAL_SECONDS = 5.0
"""Buffers are written at least this often, whatever the template says: nobody waits a minute at a laptop."""


class Delivery:
    """A buffer per delivery stream's destination."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._buffers: dict[str, _Buffer] = {}
        # One at a time, so that objects of a stream appear in the order of their records.
        self._writer = ThreadPoolExecutor(1, "firehose")

    def install(self) -> None:
        service("firehose")._deliver_records_to_s3 = self.accept

    def accept(self, stream: dict[str, Any], destination: dict[str, Any], records: list[tuple[str, bytes]]) -> None:
        """The stand-in's contract of a delivery; its own copy of the records would only grow."""
        destination["records"].clear()
        buffer = self._buffers.setdefault(stream["name"], _Buffer(stream, destination["config"], self._write_later))
        for _, data in records:
            buffer.add(data)

    def _write_later(self, buffer: "_Buffer", opened_at: float, body: bytes) -> None:
        self._writer.submit(self._gateway.scoped, lambda: self._write(buffer, opened_at, body))

    def _write(self, buffer: "_Buffer", opened_at: float, body: bytes) -> None:
        bucket, key = buffer.address(opened_at)
        put_object(self._gateway, bucket, key, gzip.compress(body, 6) if buffer.compressed else body)


class _Buffer:
    """Records that wait to become one object."""

    def __init__(self, stream: dict[str, Any], configuration: dict[str, Any], write: Any) -> None:
        hints = configuration.get("BufferingHints", {})
        self._stream = stream
        self._configuration = configuration
        self._write = write
        self._limit = int(hints.get("SizeInMBs", 5)) * 1024 * 1024
        self._interval = min(float(hints.get("IntervalInSeconds", 300)), _LONGEST_INTERVAL_SECONDS)
        self._lock = threading.Lock()
        self._data = bytearray()
        self._opened_at = 0.0

    @property
    def compressed(self) -> bool:
        return bool(self._configuration.get("CompressionFormat") == "GZIP")

    def address(self, opened_at: float) -> tuple[str, str]:
        """Bucket and key of the object that holds the records from this moment on."""
        firehose, moment = service("firehose"), time.gmtime(opened_at)
        bucket = firehose._s3_bucket_from_arn(self._configuration["BucketARN"])
        prefix = firehose._evaluate_prefix(self._configuration.get("Prefix", ""), moment)
        name = f"{self._stream['name']}-{self._stream.get('version', 1)}-{time.strftime('%Y-%m-%d-%H-%M-%S', moment)}"
        return bucket, f"{prefix}{name}-{uuid.uuid4()}{'.gz' if self.compressed else ''}"

    def add(self, data: bytes) -> None:
        with self._lock:
            if not self._data:
                self._opened_at = time.time()
                timer = threading.Timer(self._interval, self._flush, (self._opened_at,))
                timer.daemon = True
                timer.start()
            self._data += data
        if len(self._data) >= self._limit:
            self._flush(self._opened_at)

    def _flush(self, opened_at: float) -> None:
        """Hand the buffer on, unless the one of that moment has been."""
        with self._lock:
            if not self._data or self._opened_at != opened_at:
                return
            body, self._data = bytes(self._data), bytearray()
        self._write(self, opened_at, body)
