"""Processing and training jobs of SageMaker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from fraud.aws.calls import unavailable
from fraud.aws.control_plane import found
from fraud.retraining_ports import JobPhase, JobState

TRAINING = "train"
"""The one kind of job that is a training job; all others are processing jobs."""
PHASES = {"Completed": JobPhase.DONE, "InProgress": JobPhase.RUNNING, "Stopping": JobPhase.RUNNING}
"""By the job's status; whatever else it is, it will not come to a good end any more."""


@dataclass(frozen=True)
class SageMakerJobs:
    """Jobs by their names.

    Args:
        client: SageMaker.
    """

    client: Any

    def describe(self, job: str, name: str) -> JobState:
        """How a job is.

        Args:
            job: `examine`, `train`, `evaluate`, `baseline` or `monitor`.
            name: of the job.

        Raises:
            StoreUnavailable: no answer.
        """
        if job == TRAINING:
            return _state("TrainingJob", self._training(name))
        return _state("ProcessingJob", self._processing(name))

    def _training(self, name: str) -> Mapping[str, Any] | None:
        with unavailable("DescribeTrainingJob"):
            return found(self.client.describe_training_job, TrainingJobName=name)

    def _processing(self, name: str) -> Mapping[str, Any] | None:
        with unavailable("DescribeProcessingJob"):
            return found(self.client.describe_processing_job, ProcessingJobName=name)


def _state(kind: str, job: Mapping[str, Any] | None) -> JobState:
    if job is None:
        return JobState(JobPhase.ABSENT)
    status = job[f"{kind}Status"]
    phase = PHASES.get(status, JobPhase.FAILED)
    return JobState(phase, _reason(status, job) if phase is JobPhase.FAILED else "")


def _reason(status: str, job: Mapping[str, Any]) -> str:
    """Why it failed: the service's reason and what the script left; one that was stopped tells at which step."""
    told = [job[name] for name in ("FailureReason", "ExitMessage") if job.get(name)]
    return " ".join(told) or job.get("SecondaryStatus") or status
