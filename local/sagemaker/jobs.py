"""What training and processing jobs have in common: records whose names are never free again, and their data."""

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from local.children import Children, Location
from local.sagemaker.api import ApiError, Document, output
from local.sagemaker.artefacts import Artefacts
from local.sagemaker.records import Records, now, page
from local.sagemaker.registry import Announce

FAILURE_REASON_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a job needs of the laptop."""

    children: Children
    artefacts: Artefacts
    directory: Path
    location: Location
    grace_seconds: float = 120.0
    """Between the signal to end and the kill."""


class AlgorithmError(Exception):
    """What the job ran failed."""


class Run(Protocol):
    """One job at work."""

    def carry_out(self) -> None: ...

    def stop(self) -> None: ...


class JobRecords:
    """The jobs of one kind, by name, and what becomes of them."""

    def __init__(self, noun: str, prefix: str, announce: Announce) -> None:
        """Noun as in the API's names ("Training"), prefix of the ARNs."""
        self._noun = noun
        self._name = f"{noun}JobName"
        self._arn = f"{noun}JobArn"
        self._status = f"{noun}JobStatus"
        self._records = Records(f"{noun.lower()} job", prefix)
        self._announce = announce
        self.lock = threading.RLock()
        """Held by whoever changes a job by what it is."""

    def add(self, request: Document) -> Document:
        name = request[self._name]
        arn = self._records.arn(f"{self._noun.lower()}-job/{name}")
        job = {**request, self._arn: arn, self._status: "InProgress", "CreationTime": now()}
        try:
            return self._records.add(name, job)
        except ApiError as error:
            raise ApiError(f"{self._noun} job names must be unique: {name} exists.", "ResourceInUse") from error

    def get(self, request: Document) -> Document:
        try:
            return self._records.get(request[self._name])
        except ApiError as error:
            raise ApiError("Requested resource not found.") from error

    def page(self, request: Document) -> Document:
        return page(self._records.all(), request, f"{self._noun}JobSummaries", self._name, self._status)

    def in_progress(self, request: Document) -> Document:
        """Raises: ApiError if the job is not, or no more, in progress."""
        job = self.get(request)
        if job[self._status] != "InProgress":
            raise ApiError(f"The request was rejected: the job is in status {job[self._status]}.")
        return job

    def start(self, job: Document, run: Run) -> None:
        """Carry a job out, on a thread of its own."""
        job["_run"] = run
        name = f"{self._noun.lower()}-{job[self._name]}"
        threading.Thread(target=run.carry_out, name=name, daemon=True).start()

    def enter(self, job: Document, status: str) -> str:
        """Move a job to a status, or leave it as it is if that is empty; the status that it now has.

        A job that is being stopped does not complete any more.
        """
        with self.lock:
            if status == "Completed" and job[self._status] == "Stopping":
                status = "Stopped"
            job.update({self._status: status or job[self._status], "LastModifiedTime": now()})
        return status

    def announce(self, job: Document) -> None:
        """Tell the account's event bus what a job has become."""
        detail = output(f"Describe{self._noun}Job", job)
        self._announce(f"SageMaker {self._noun} Job State Change", job[self._arn], detail)


def download(artefacts: Artefacts, uri: str, directory: Path) -> None:
    """Lay out what lies below an S3 prefix.

    Raises: ApiError if nothing does.
    """
    directory.mkdir(parents=True, exist_ok=True)
    artefacts.download(uri, directory)
    if not any(directory.iterdir()):
        raise ApiError(
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            "exists in the selected region, that objects exist under that S3 prefix, and that the role has "
            '"s3:ListBucket" permissions on the bucket.'
        )


def upload(artefacts: Artefacts, directory: Path, uri: str) -> None:
    """Write the files of a directory below an S3 prefix."""
    for path in files(directory):
        artefacts.write(address(uri, directory, path), path.read_bytes())


def files(directory: Path) -> Iterator[Path]:
    """All files below a directory; links are not followed, as SageMaker does not."""
    return (path for path in sorted(directory.rglob("*")) if path.is_file() and not path.is_symlink())


def address(uri: str, directory: Path, path: Path) -> str:
    """Where below an S3 prefix a directory's file belongs."""
    return f"{uri.rstrip('/')}/{path.relative_to(directory).as_posix()}"
