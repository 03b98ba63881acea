"""Processing jobs: inputs below /opt/ml/processing, one command, outputs uploaded when it has succeeded."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

from botocore.exceptions import BotoCoreError

from local.sagemaker.api import ApiError, Document, Operation
from local.sagemaker.job_container import environment, located
from local.sagemaker.jobs import (
    FAILURE_REASON_CHARACTERS,
    AlgorithmError,
    JobRecords,
    Surroundings,
    download,
    upload,
)
from local.sagemaker.records import now
from local.sagemaker.registry import Announce
from local.sagemaker.runner import Container, Exit, Runner

_LONGEST_SECONDS = 86400
_MESSAGE_CHARACTERS = 1024


class ProcessingJobs:
    """CreateProcessingJob and its relatives."""

    def __init__(self, prefix: str, surroundings: Surroundings, announce: Announce) -> None:
        self._records = JobRecords("Processing", prefix, announce)
        self._surroundings = surroundings

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateProcessingJob": self.create,
            "DescribeProcessingJob": self._records.get,
            "StopProcessingJob": self.stop,
            "ListProcessingJobs": self._records.page,
        }

    def create(self, request: Document) -> Document:
        for problem in _problems(request):
            raise ApiError(problem)
        job = self._records.add(request)
        self._records.announce(job)
        self._records.start(job, _Run(job, self._surroundings, self._records))
        return job

    def stop(self, request: Document) -> Document:
        with self._records.lock:
            job = self._records.in_progress(request)
            self._records.enter(job, "Stopping")
        job["_run"].stop()
        self._records.announce(job)
        return {}


class _Run:
    """One job at work, on a thread of its own."""

    def __init__(self, job: Document, surroundings: Surroundings, records: JobRecords) -> None:
        self._job = job
        self._surroundings = surroundings
        self._artefacts = surroundings.artefacts
        self._records = records
        home = surroundings.directory / job["ProcessingJobName"]
        self._base = home / "ml"
        self._log = home / "container.log"
        # SIGINT it is: https://docs.aws.amazon.com/sagemaker/latest/dg/byoc-run-image.html
        self._runner = Runner(surroundings.children, signal.SIGINT, surroundings.grace_seconds)

    def stop(self) -> None:
        self._runner.stop()

    def carry_out(self) -> None:
        try:
            self._lay_out()
            self._job["ProcessingStartTime"] = now()
            self._finish(self._process())
        except AlgorithmError as error:
            self._fail(f"AlgorithmError: {error}")
        except (ApiError, OSError, RuntimeError, BotoCoreError, self._artefacts.errors) as error:
            self._fail(f"ClientError: {error}")

    def _lay_out(self) -> None:
        for directory in ("config", "output", "processing"):
            (self._base / directory).mkdir(parents=True)
        for given in _inputs(self._job):
            download(self._artefacts, given["S3Uri"], self._path(given))
        for wanted in _outputs(self._job):
            self._path(wanted).mkdir(parents=True, exist_ok=True)
        members = (
            "ProcessingJobArn", "ProcessingJobName", "AppSpecification", "Environment", "ProcessingInputs",
            "ProcessingOutputConfig", "ProcessingResources", "RoleArn", "StoppingCondition",
        )  # fmt: skip
        config = {name: self._job[name] for name in members if name in self._job}
        self._configure("processingjobconfig", located(config, self._base))
        self._configure("resourceconfig", {"current_host": "algo-1", "hosts": ["algo-1"]})

    def _configure(self, name: str, content: Document) -> None:
        (self._base / "config" / f"{name}.json").write_text(json.dumps(content))

    def _path(self, data: Document) -> Path:
        return Path(located(data["LocalPath"], self._base))

    def _process(self) -> Exit:
        application = self._job["AppSpecification"]
        command = [*application["ContainerEntrypoint"], *application.get("ContainerArguments", ())]
        arguments = [str(self._base), *located(command, self._base)]
        container = Container("local.sagemaker.processing_container", arguments, self._environment(), self._log)
        condition = self._job.get("StoppingCondition", {})
        return self._runner.run(container, condition.get("MaxRuntimeInSeconds", _LONGEST_SECONDS))

    def _environment(self) -> dict[str, str]:
        given = {
            "PROCESSING_JOB_NAME": self._job["ProcessingJobName"],
            "PROCESSING_JOB_ARN": self._job["ProcessingJobArn"],
            **self._job.get("Environment", {}),
        }
        isolated = bool(self._job.get("NetworkConfig", {}).get("EnableNetworkIsolation"))
        return environment(self._surroundings.location, self._base, given, isolated=isolated)

    def _finish(self, exit_: Exit) -> None:
        self._keep_message()
        if exit_.cut is None:
            if exit_.status != 0:
                raise AlgorithmError("See job logs for more information")
            for wanted in _outputs(self._job):
                upload(self._artefacts, self._path(wanted), wanted["S3Uri"])
        self._end("Completed" if exit_.cut is None else "Stopped")

    def _keep_message(self) -> None:
        """What the container tells whoever describes the job.

        Raises: ApiError if it is no text.
        """
        file = self._base / "output/message"
        if not file.exists():
            return
        try:
            self._job["ExitMessage"] = file.read_bytes().decode()[:_MESSAGE_CHARACTERS]
        except UnicodeDecodeError as error:
            raise ApiError("The exit message is not UTF-8 encoded.") from error

    def _fail(self, reason: str) -> None:
        self._job["FailureReason"] = reason[:FAILURE_REASON_CHARACTERS]
        self._end("Failed")

    def _end(self, status: str) -> None:
        self._job["ProcessingEndTime"] = now()
        self._records.enter(self._job, status)
        self._records.announce(self._job)


def _inputs(job: Document) -> list[Document]:
    return [given["S3Input"] for given in job.get("ProcessingInputs", ())]


def _outputs(job: Document) -> list[Document]:
    return [wanted["S3Output"] for wanted in job.get("ProcessingOutputConfig", {}).get("Outputs", ())]


def _problems(request: Document) -> Iterator[str]:
    """What AWS refuses, and what it offers and the laptop does not."""
    sources = [*request.get("ProcessingInputs", ()), *request.get("ProcessingOutputConfig", {}).get("Outputs", ())]
    if not all(source.keys() & {"S3Input", "S3Output"} and not source.get("AppManaged") for source in sources):
        yield "The laptop's processing jobs read from S3 and write to S3 only."
        return
    data = [*_inputs(request), *_outputs(request)]
    if not all(each.get("LocalPath", "").startswith("/opt/ml/processing/") for each in data):
        yield "LocalPath must be given and begin with /opt/ml/processing/."
    if any(
        given["S3DataType"] != "S3Prefix" or given.get("S3InputMode", "File") != "File" for given in _inputs(request)
    ):
        yield "The laptop's processing jobs read the files of an S3Prefix only."
    if any(wanted["S3UploadMode"] != "EndOfJob" for wanted in _outputs(request)):
        yield "The laptop's processing jobs upload at their end only."
    if "ContainerEntrypoint" not in request["AppSpecification"]:
        yield "The laptop has no images, and knows no entrypoint of theirs: give ContainerEntrypoint."
