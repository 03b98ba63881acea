"""One training job at work: the /opt/ml tree, its containers, the artefact, and the statuses in between."""

import json
import math
import re
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path

from botocore.exceptions import BotoCoreError

from local.sagemaker.api import ApiError, Document
from local.sagemaker.checkpoints import Checkpoints
from local.sagemaker.job_container import environment, located
from local.sagemaker.jobs import FAILURE_REASON_CHARACTERS, AlgorithmError, Surroundings, download
from local.sagemaker.records import now
from local.sagemaker.runner import Container, Cut, Exit, Runner

LONGEST_SECONDS = 86400
"""What a job may run that says nothing of it."""
_SPOT_SHARE = 0.3
"""Of the price on demand: spot capacity is billed as less time, and costs about this."""
Enter = Callable[..., None]
"""(job, secondary status, status, message)"""


class TrainingRun:
    """Carried out on a thread of its own; stopped and interrupted from others."""

    def __init__(self, job: Document, surroundings: Surroundings, enter: Enter) -> None:
        self._job = job
        self._surroundings = surroundings
        self._artefacts = surroundings.artefacts
        self._enter = enter
        home = surroundings.directory / job["TrainingJobName"]
        self._base = home / "ml"
        self._log = home / "container.log"
        self._checkpoints = self._configured_checkpoints()
        self._runner = Runner(surroundings.children, signal.SIGTERM, surroundings.grace_seconds)
        self._created = time.monotonic()
        self._trained_seconds = 0.0
        self._exceeded = ""

    def stop(self) -> None:
        self._runner.stop()

    def interrupt(self) -> bool:
        """Whether a container was running."""
        return self._runner.interrupt()

    def carry_out(self) -> None:
        try:
            self._finish(self._train())
        except AlgorithmError as error:
            self._fail(f"AlgorithmError: {error}")
        except (ApiError, OSError, RuntimeError, BotoCoreError, self._artefacts.errors) as error:
            self._fail(f"ClientError: {error}")

    def _configured_checkpoints(self) -> Checkpoints | None:
        config = self._job.get("CheckpointConfig")
        if config is None:
            return None
        directory = Path(located(config.get("LocalPath", "/opt/ml/checkpoints"), self._base))
        return Checkpoints(self._artefacts, config["S3Uri"], directory)

    def _train(self) -> Exit:
        """How the last container ended; after an interruption another one takes over."""
        while (exit_ := self._attempt()).cut is Cut.INTERRUPTED and not self._runner.stopped:
            self._enter(self._job, "Interrupted")
            self._enter(self._job, "Starting")
        return exit_

    def _attempt(self) -> Exit:
        self._enter(self._job, "Downloading")
        self._lay_out()
        self._enter(self._job, "Training")
        self._job.setdefault("TrainingStartTime", now())
        container = Container("local.sagemaker.training_container", [str(self._base)], self._environment(), self._log)
        started = time.monotonic()
        seconds, self._exceeded = self._limit()
        try:
            with self._checkpoints.copied() if self._checkpoints else nullcontext():
                return self._runner.run(container, seconds)
        finally:
            self._trained_seconds += time.monotonic() - started

    def _limit(self) -> tuple[float, str]:
        """Seconds that are left, and the secondary status of a job that has used them up."""
        condition = self._job.get("StoppingCondition", {})
        run = condition.get("MaxRuntimeInSeconds", LONGEST_SECONDS) - self._trained_seconds
        wait = condition.get("MaxWaitTimeInSeconds", math.inf) - (time.monotonic() - self._created)
        return min((run, "MaxRuntimeExceeded"), (wait, "MaxWaitTimeExceeded"))

    def _lay_out(self) -> None:
        """Raises: ApiError if a channel's prefix has no object; AWS says so when such a job is created."""
        shutil.rmtree(self._base, ignore_errors=True)  # another machine's disk is empty
        for directory in ("input/config", "input/data", "model", "code", "output/data", "checkpoints"):
            (self._base / directory).mkdir(parents=True)
        channels = self._job.get("InputDataConfig", [])
        for channel in channels:
            source = channel["DataSource"]["S3DataSource"]["S3Uri"]
            download(self._artefacts, source, self._base / "input/data" / channel["ChannelName"])
        self._configure("hyperparameters", self._job.get("HyperParameters", {}))
        self._configure("inputdataconfig", {channel["ChannelName"]: _channel(channel) for channel in channels})
        hosts = {"current_host": "algo-1", "hosts": ["algo-1"], "network_interface_name": "eth0"}
        self._configure("resourceconfig", hosts)
        if self._checkpoints:
            self._configure("checkpointconfig", located(self._job["CheckpointConfig"], self._base))
            self._checkpoints.restore()

    def _configure(self, name: str, content: Document) -> None:
        (self._base / "input/config" / f"{name}.json").write_text(json.dumps(content))

    def _environment(self) -> dict[str, str]:
        given = {
            "SAGEMAKER_BASE_DIR": str(self._base),
            "TRAINING_JOB_NAME": self._job["TrainingJobName"],
            "TRAINING_JOB_ARN": self._job["TrainingJobArn"],
            **self._job.get("Environment", {}),
        }
        isolated = bool(self._job.get("EnableNetworkIsolation"))
        return environment(self._surroundings.location, self._base, given, isolated=isolated)

    def _finish(self, exit_: Exit) -> None:
        self._job["FinalMetricDataList"] = list(_metrics(self._job, self._log))
        if exit_.status != 0 and exit_.cut is None:
            raise AlgorithmError(self._failure(exit_.status))
        self._enter(self._job, "Uploading")
        self._upload()
        self._account()
        if exit_.cut is Cut.OUT_OF_TIME:
            self._enter(self._job, self._exceeded, "Stopped")
        else:
            ending = "Completed" if exit_.cut is None else "Stopped"
            self._enter(self._job, ending, ending)

    def _failure(self, status: int) -> str:
        file = self._base / "output/failure"
        return file.read_text() if file.exists() else f"exit status {status}"

    def _upload(self) -> None:
        target = f"{self._job['OutputDataConfig']['S3OutputPath'].rstrip('/')}/{self._job['TrainingJobName']}/output"
        self._artefacts.archive(self._base / "model", f"{target}/model.tar.gz")
        if any((self._base / "output/data").iterdir()):
            self._artefacts.archive(self._base / "output/data", f"{target}/output.tar.gz")
        self._job["ModelArtifacts"] = {"S3ModelArtifacts": f"{target}/model.tar.gz"}

    def _account(self) -> None:
        """Note when training ended, how long it took, and how much of that is billed."""
        if "TrainingStartTime" not in self._job:
            return
        ended = now()
        seconds = max(1, math.ceil((ended - self._job["TrainingStartTime"]).total_seconds()))
        billed = self._trained_seconds * (_SPOT_SHARE if self._job.get("EnableManagedSpotTraining") else 1.0)
        self._job.update(
            TrainingEndTime=ended, TrainingTimeInSeconds=seconds, BillableTimeInSeconds=max(1, math.ceil(billed))
        )

    def _fail(self, reason: str) -> None:
        self._account()
        self._job["FailureReason"] = reason[:FAILURE_REASON_CHARACTERS]
        self._enter(self._job, "Failed", "Failed", self._job["FailureReason"])


def _channel(channel: Document) -> Document:
    source = channel["DataSource"]["S3DataSource"]
    return {
        "ContentType": channel.get("ContentType"),
        "TrainingInputMode": channel.get("InputMode", "File"),
        "S3DistributionType": source.get("S3DataDistributionType", "FullyReplicated"),
        "RecordWrapperType": channel.get("RecordWrapperType", "None"),
    }


def _metrics(job: Document, log: Path) -> Iterator[Document]:
    """The last value each metric definition finds in the output of all containers."""
    text = log.read_text() if log.exists() else ""
    for definition in job.get("AlgorithmSpecification", {}).get("MetricDefinitions", ()):
        found = re.findall(definition["Regex"], text)
        if found:
            yield {"MetricName": definition["Name"], "Value": float(found[-1]), "Timestamp": now()}
