"""Jobs of the laptop's SageMaker without the laptop: their own S3 in this process, real containers."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3
from moto import mock_aws

from local.children import Children, Location
from local.sagemaker.api import Document, Operation, answer, service_model
from local.sagemaker.artefacts import Artefacts
from local.sagemaker.jobs import Surroundings
from tests.local.checked import missing
from tests.local.conftest import eventually

PREFIX = "arn:aws:sagemaker:us-east-1:000000000000"
ROLE = "arn:aws:iam::000000000000:role/job"
IMAGE = "683313688378.dkr.ecr.us-east-1.amazonaws.com/sagemaker-xgboost:3.2-0"
BUCKET = "workshop"
ENDED = {"Completed", "Failed", "Stopped"}


class Refused(Exception):
    """An error of the API: its code and message."""


class Workshop:
    """A bucket, and what jobs need of the laptop."""

    def __init__(self, directory: Path, children: Children) -> None:
        self.s3 = boto3.client("s3", region_name="us-east-1")
        self.s3.create_bucket(Bucket=BUCKET)
        self.directory = directory
        self._children = children
        self.events: list[tuple[str, str, Document]] = []
        self.operations: Mapping[str, Operation] = {}

    def surroundings(self, grace_seconds: float = 30.0) -> Surroundings:
        location = Location("http://127.0.0.1:9", "us-east-1", "000000000000")
        return Surroundings(self._children, Artefacts(self.s3), self.directory, location, grace_seconds)

    def announce(self, kind: str, arn: str, detail: Document) -> None:
        self.events.append((kind, arn, detail))

    def call(self, operation: str, **request: Any) -> Document:
        """Raises: Refused."""
        status, content = answer(f"SageMaker.{operation}", json.dumps(request).encode(), self.operations)
        answered: Document = json.loads(content)
        if status != 200:
            raise Refused(answered["__type"], answered["message"])
        if answered.get("TrainingJobStatus", "Completed") == "Completed":  # the others lack the artefact
            shape = service_model("sagemaker").operation_model(operation).output_shape
            assert list(missing(shape, answered)) == []
        return answered

    def ended(self, kind: str, name: str) -> Document:
        """The description of a job once it has ended."""

        def look() -> Document | None:
            job = self.call(f"Describe{kind}Job", **{f"{kind}JobName": name})
            return job if job[f"{kind}JobStatus"] in ENDED else None

        job = eventually(look, 30)
        assert job is not None
        return job

    def put(self, key: str, content: bytes) -> str:
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=content)
        return f"s3://{BUCKET}/{key}"

    def get(self, key: str) -> bytes:
        content: bytes = self.s3.get_object(Bucket=BUCKET, Key=key)["Body"].read()
        return content

    def keys(self, prefix: str) -> list[str]:
        found = self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])
        return [entry["Key"].removeprefix(prefix) for entry in found]


@contextmanager
def workshop(directory: Path) -> Iterator[Workshop]:
    children = Children()
    with mock_aws():
        yield Workshop(directory, children)
        children.close()
