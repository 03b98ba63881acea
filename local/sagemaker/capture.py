"""Data capture: what endpoints were asked and answered, as JSON lines in S3, by endpoint, variant and hour.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import json
import logging
import random
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import urlsplit

from botocore.exceptions import BotoCoreError

from local.sagemaker.api import ApiError, Document
from local.sagemaker.artefacts import Artefacts
from local.sagemaker.records import now

FLUSH_SECONDS = 1.0
"""AWS takes minutes."""
MOST_WAITING = 10_000
"""Requests that wait to be written; beyond, the oldest are dropped, because no answer may wait for them."""
MOST_WAITING_BYTES = 64 * 1024 * 1024
"""What they may hold of memory: a request and its answer have up to 6 MiB each."""
_MODES = ("Input", "Output")
_LARGEST_PERCENTAGE = 100
_log = logging.getLogger(__name__)


def check(config: Document) -> None:
    """Raises: ApiError if a DataCaptureConfig could not capture anything."""
    if not 0 <= config["InitialSamplingPercentage"] <= _LARGEST_PERCENTAGE:
        raise ApiError("InitialSamplingPercentage must lie between 0 and 100.")
    destination = urlsplit(config["DestinationS3Uri"])
    if destination.scheme != "s3" or not destination.netloc:
        raise ApiError(f"{config['DestinationS3Uri']} is not an S3 address.")


def is_on(config: Document | None) -> bool:
    """Whether anything is captured."""
    return bool(config) and bool((config or {}).get("EnableCapture", True))


def described(config: Document) -> Document:
    """What DescribeEndpoint says of it."""
    return {
        "EnableCapture": is_on(config),
        "CaptureStatus": "Started" if is_on(config) else "Stopped",
        "CurrentSamplingPercentage": config["InitialSamplingPercentage"],
        "DestinationS3Uri": config["DestinationS3Uri"],
        "KmsKeyId": config.get("KmsKeyId", ""),
    }


class Captures:
    """Takes requests and answers, and writes them some at a time."""

    def __init__(self, artefacts: Artefacts, flush_seconds: float = FLUSH_SECONDS) -> None:
        self._artefacts = artefacts
        self._flush_seconds = flush_seconds
        self._waiting: deque[tuple[str, datetime, str]] = deque()
        self._waiting_bytes = 0
        self.lost = 0
        """Requests that were taken and never reached S3."""
        # Sampling needs no secrecy.
        self._random = random.Random()
        self._turn = threading.Lock()
        self._writing = threading.Lock()
        self._flushing = False

    def take(
        self, config: Document | None, where: tuple[str, str], asked: tuple[str, bytes], answered: tuple[str, bytes],
        headers: Mapping[str, str],
    ) -> None:  # fmt: skip
        """Take one request, if it is among those that are captured.

        Args:
            config: the endpoint's DataCaptureConfig.
            where: names of endpoint and variant.
            asked: content type and body of the request.
            answered: of the answer.
            headers: of the request.
        """
        if config is None or not is_on(config):
            return
        if self._random.uniform(0, _LARGEST_PERCENTAGE) >= config["InitialSamplingPercentage"]:
            return
        at = now()
        line = json.dumps(_record(config, asked, answered, headers, at), separators=(",", ":"))
        directory = f"{config['DestinationS3Uri'].rstrip('/')}/{where[0]}/{where[1]}/{at:%Y/%m/%d/%H}"
        self._put(directory, at, line)

    def flush(self) -> None:
        """Write all that waits: a file for each directory, named by the time of its first request.

        What was taken before is in S3, or lost, when this returns.
        """
        with self._writing:
            files: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
            for directory, at, line in self._taken():
                files[directory].append((at, line))
            for directory, lines in files.items():
                self._write(directory, lines[0][0], [line for _, line in lines])

    def _write(self, directory: str, began: datetime, lines: list[str]) -> None:
        name = f"{began:%M-%S}-{began.microsecond // 1000:03}-{uuid.uuid4()}.jsonl"
        try:
            self._artefacts.write(f"{directory}/{name}", "".join(f"{line}\n" for line in lines).encode())
        except (self._artefacts.errors, BotoCoreError) as error:
            # The bucket is gone or does not answer: what was captured has no place, as on AWS.
            with self._turn:
                self.lost += len(lines)
            _log.warning("%d captured requests are lost: %s", len(lines), error)

    def _put(self, directory: str, at: datetime, line: str) -> None:
        with self._turn:
            self._waiting.append((directory, at, line))
            self._waiting_bytes += len(line)
            while len(self._waiting) > MOST_WAITING or self._waiting_bytes > MOST_WAITING_BYTES:
                self._waiting_bytes -= len(self._waiting.popleft()[-1])
                self.lost += 1
            if not self._flushing:
                self._flushing = True
                threading.Thread(target=self._keep_flushing, name="capture", daemon=True).start()

    def _taken(self) -> deque[tuple[str, datetime, str]]:
        with self._turn:
            taken, self._waiting, self._waiting_bytes = self._waiting, deque(), 0
        return taken

    def _keep_flushing(self) -> None:
        pause = threading.Event()
        while not pause.wait(self._flush_seconds):
            self.flush()


def _record(
    config: Document, asked: tuple[str, bytes], answered: tuple[str, bytes], headers: Mapping[str, str], at: datetime
) -> Document:
    wanted = {each["CaptureMode"] for each in config["CaptureOptions"]}
    wanted = set(_MODES) if "InputAndOutput" in wanted else wanted
    parts = {"Input": ("endpointInput", "INPUT", asked), "Output": ("endpointOutput", "OUTPUT", answered)}
    types = config.get("CaptureContentTypeHeader", {})
    captured = {member: _content(types, mode, *part) for name, (member, mode, part) in parts.items() if name in wanted}
    about: Document = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
    if "x-amzn-sagemaker-custom-attributes" in headers:
        about["customAttributes"] = [headers["x-amzn-sagemaker-custom-attributes"]]
    if "x-amzn-sagemaker-inference-id" in headers:
        about["inferenceId"] = headers["x-amzn-sagemaker-inference-id"]
    return {"captureData": captured, "eventMetadata": about, "eventVersion": "0"}


def _content(types: Document, mode: str, content_type: str, content: bytes) -> Document:
    media_type = content_type.partition(";")[0].strip()
    if media_type in types.get("CsvContentTypes", ()):
        encoding = "CSV"
    elif media_type in types.get("JsonContentTypes", ()):
        encoding = "JSON"
    else:
        encoding = "BASE64"
    data = base64.b64encode(content).decode() if encoding == "BASE64" else content.decode(errors="replace")
    return {"observedContentType": content_type, "mode": mode, "data": data, "encoding": encoding}
