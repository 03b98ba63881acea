"""Training jobs: the /opt/ml tree, the container as a process, the artefact, and the statuses in between."""

import json
import re
import signal
import subprocess
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.children import Children, Location, clean_environment, signal_group
from local.sagemaker.api import ApiError, Document, Operation, output
from local.sagemaker.artefacts import Artefacts
from local.sagemaker.records import Records, now, page
from local.sagemaker.registry import Announce

_GRACE_SECONDS = 120.0
_FAILURE_REASON_CHARACTERS = 1024


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a job needs of the laptop."""

    children: Children
    artefacts: Artefacts
    directory: Path
    location: Location


class TrainingJobs:
    """CreateTrainingJob and its relatives; one process per job, names are unique for ever."""

    def __init__(self, prefix: str, surroundings: Surroundings, announce: Announce) -> None:
        self._records = Records("training job", prefix)
        self._surroundings = surroundings
        self._announce = announce

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateTrainingJob": self.create,
            "DescribeTrainingJob": lambda request: self._job(request["TrainingJobName"]),
            "StopTrainingJob": self.stop,
            "ListTrainingJobs": lambda request: page(
                self._records.all(), request, "TrainingJobSummaries", "TrainingJobName", "TrainingJobStatus"
            ),
        }

    def create(self, request: Document) -> Document:
        name = request["TrainingJobName"]
        job = {
            **request,
            "TrainingJobArn": self._records.arn(f"training-job/{name}"),
            "TrainingJobStatus": "InProgress",
            "CreationTime": now(),
            "SecondaryStatusTransitions": [],
        }
        try:
            self._records.add(name, job)
        except ApiError as error:
            raise ApiError(f"Training job names must be unique: {name} exists.", "ResourceInUse") from error
        self._enter(job, "Starting")
        run = _Run(job, self._surroundings, self._enter)
        job["_run"] = run
        threading.Thread(target=run.carry_out, name=f"training-{name}", daemon=True).start()
        return job

    def stop(self, request: Document) -> Document:
        job = self._job(request["TrainingJobName"])
        if job["TrainingJobStatus"] != "InProgress":
            raise ApiError(f"The request was rejected: the training job is in status {job['TrainingJobStatus']}.")
        self._enter(job, "Stopping", "Stopping")
        job["_run"].stop()
        return {}

    def _job(self, name: str) -> Document:
        try:
            return self._records.get(name)
        except ApiError as error:
            raise ApiError("Requested resource not found.") from error

    def _enter(self, job: Document, secondary: str, status: str = "", message: str = "") -> None:
        """Move a job on, and tell the account's event bus."""
        moment = now()
        transitions = job["SecondaryStatusTransitions"]
        if transitions:
            transitions[-1]["EndTime"] = moment
        transitions.append({"Status": secondary, "StartTime": moment, "StatusMessage": message or secondary})
        job.update(SecondaryStatus=secondary, LastModifiedTime=moment)
        if status:
            job["TrainingJobStatus"] = status
        self._announce("SageMaker Training Job State Change", job["TrainingJobArn"], output("DescribeTrainingJob", job))


class _AlgorithmError(Exception):
    """The user's script failed."""


class _Run:
    """One job, on a thread of its own."""

    def __init__(self, job: Document, surroundings: Surroundings, enter: Any) -> None:
        self._job = job
        self._surroundings = surroundings
        self._enter = enter
        self._base = surroundings.directory / job["TrainingJobName"]
        self._stopped = threading.Event()
        self._container: subprocess.Popen[bytes] | None = None

    def stop(self) -> None:
        self._stopped.set()
        if self._container is not None:
            signal_group(self._container, signal.SIGTERM)

    def carry_out(self) -> None:
        try:
            self._enter(self._job, "Downloading")
            self._lay_out()
            self._enter(self._job, "Training")
            self._job["TrainingStartTime"] = now()
            outcome = self._train()
            self._job["TrainingEndTime"] = now()
            self._finish(*outcome)
        except _AlgorithmError as error:
            self._fail(f"AlgorithmError: {error}")
        except (ApiError, OSError, RuntimeError, self._surroundings.artefacts.errors) as error:
            self._fail(f"ClientError: {error}")

    def _lay_out(self) -> None:
        for directory in ("input/config", "input/data", "model", "code", "output/data", "checkpoints"):
            (self._base / directory).mkdir(parents=True)
        channels = self._job.get("InputDataConfig", [])
        for channel in channels:
            source = channel["DataSource"]["S3DataSource"]["S3Uri"]
            self._surroundings.artefacts.download(source, self._base / "input/data" / channel["ChannelName"])
        self._configure("hyperparameters", self._job.get("HyperParameters", {}))
        self._configure("inputdataconfig", {channel["ChannelName"]: _channel(channel) for channel in channels})
        hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
        self._configure("resourceconfig", hosts)

    def _configure(self, name: str, content: Document) -> None:
        (self._base / "input/config" / f"{name}.json").write_text(json.dumps(content))

    def _train(self) -> tuple[int, bool]:
        """Exit status, and whether the longest run time was exceeded."""
        limit = self._job.get("StoppingCondition", {}).get("MaxRuntimeInSeconds", 86400)
        with (self._base / "container.log").open("ab") as log:
            self._container = self._surroundings.children.start(
                "local.sagemaker.training_container", [str(self._base)], self._environment(), log
            )
        if self._stopped.is_set():
            self.stop()
        try:
            return self._container.wait(limit), False
        except subprocess.TimeoutExpired:
            self.stop()
            return self._container.wait(_GRACE_SECONDS), True

    def _environment(self) -> dict[str, str]:
        return {
            **clean_environment(self._surroundings.location),
            "SAGEMAKER_BASE_DIR": str(self._base),
            "TRAINING_JOB_NAME": self._job["TrainingJobName"],
            "TRAINING_JOB_ARN": self._job["TrainingJobArn"],
            **self._job.get("Environment", {}),
        }

    def _finish(self, status: int, out_of_time: bool) -> None:
        self._job["FinalMetricDataList"] = list(_metrics(self._job, (self._base / "container.log").read_text()))
        if status != 0 and not self._stopped.is_set():
            raise _AlgorithmError(self._failure(status))
        self._enter(self._job, "Uploading")
        self._upload()
        ending = "Stopped" if self._stopped.is_set() else "Completed"
        self._enter(self._job, "MaxRuntimeExceeded" if out_of_time else ending, ending)

    def _failure(self, status: int) -> str:
        file = self._base / "output/failure"
        return file.read_text() if file.exists() else f"exit status {status}"

    def _upload(self) -> None:
        target = f"{self._job['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self._job['TrainingJobName']}/output"
        self._surroundings.artefacts.archive(self._base / "model", f"{target}/model.tar.gz")
        if any((self._base / "output/data").iterdir()):
            self._surroundings.artefacts.archive(self._base / "output/data", f"{target}/output.tar.gz")
        self._job["ModelArtifacts"] = {"S3ModelArtifacts": f"{target}/model.tar.gz"}

    def _fail(self, reason: str) -> None:
        self._job["FailureReason"] = reason[:_FAILURE_REASON_CHARACTERS]
        self._enter(self._job, "Failed", "Failed", self._job["FailureReason"])


def _channel(channel: Document) -> Document:
    source = channel["DataSource"]["S3DataSource"]
    return {
        "ContentType": channel.get("ContentType"),
        "TrainingInputMode": channel.get("InputMode", "File"),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }


def _metrics(job: Document, log: str) -> Any:
    """The last value each metric definition finds in the output."""
    for definition in job.get("AlgorithmSpecification", {}).get("MetricDefinitions", ()):
        found = re.findall(definition["Regex"], log)
        if found:
            yield {"MetricName": definition["Name"], "Value": float(found[-1]), "Timestamp": now()}
