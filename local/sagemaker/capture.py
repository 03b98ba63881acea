"""Data capture: what endpoints were asked and answered, as JSON lines in S3, by endpoint, variant and hour.

https://docs.aws.amazon.com/sagemaker/latest/dg/model-monitor-data-capture-endpoint.html
"""

import base64
import json
import random
import threading
import uuid
from collections import defaultdict, deque
from collections.abc import Mapping
from contextlib import suppress
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
_MODES = ("Input", "Output")
_LARGEST_PERCENTAGE = 100


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
        self._waiting: deque[tuple[str, datetime, str]] = deque(maxlen=MOST_WAITING)
        # Sampling needs no secrecy.
        self._random = random.Random()
        self._begun = threading.Lock()
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
        self._begin()
        at = now()
        line = json.dumps(_record(config, asked, answered, headers, at), separators=(",", ":"))
        directory = f"{config['DestinationS3Uri'].rstrip('/')}/{where[0]}/{where[1]}/{at:%Y/%m/%d/%H}"
        self._waiting.append((directory, at, line))

    def flush(self) -> None:
        """Write all that waits: a file for each directory, named by the time of its first request."""
        files: dict[str, list[tuple[datetime, str]]] = defaultdict(list)
        while self._waiting:
            directory, at, line = self._waiting.popleft()
            files[directory].append((at, line))
        for directory, lines in files.items():
            began = lines[0][0]
            name = f"{began:%M-%S}-{began.microsecond // 1000:03}-{uuid.uuid4()}.jsonl"
            self._write(f"{directory}/{name}", "".join(f"{line}\n" for _, line in lines))

    def _write(self, uri: str, content: str) -> None:
        # The bucket is gone or does not answer: what was captured has no place, as on AWS.
        with suppress(self._artefacts.errors, BotoCoreError):
            self._artefacts.write(uri, content.encode())

    def _begin(self) -> None:
        with self._begun:
            if not self._flushing:
                self._flushing = True
                threading.Thread(target=self._keep_flushing, name="capture", daemon=True).start()

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
    about = {"eventId": str(uuid.uuid4()), "inferenceTime": f"{at:%Y-%m-%dT%H:%M:%SZ}"}
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
