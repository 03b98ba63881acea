"""What became of a job: done, under way, failed and why, or never begun."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from fraud.aws.jobs import SageMakerJobs
from fraud.errors import StoreUnavailable
from fraud.retraining_ports import JobPhase, Jobs, JobState
from tests.fakes.retraining import FakeJobs
from tests.fakes.samples import NOW
from tests.fakes.scripted_client import answering, refusal

ARN = "arn:aws:sagemaker:eu-central-1:123456789012"
KINDS = ("examine", "train", "evaluate")
WHY = "AlgorithmError: the script ended with 1"
Given = Callable[[str, str, JobState], None]


@dataclass
class SageMaker:
    """Jobs as SageMaker tells of them.

    Args:
        training: fields by name.
        processing: fields by name.
        missing: what it refuses the others with.
    """

    training: dict[str, dict[str, Any]] = field(default_factory=dict)
    processing: dict[str, dict[str, Any]] = field(default_factory=dict)
    missing: str = "ValidationException"

    def jobs(self, kind: str) -> dict[str, dict[str, Any]]:
        return self.training if kind == "train" else self.processing

    def describe_training_job(self, TrainingJobName: str) -> dict[str, Any]:  # noqa: N803
        given = {
            "TrainingJobName": TrainingJobName,
            "TrainingJobArn": f"{ARN}:training-job/{TrainingJobName}",
            "ModelArtifacts": {"S3ModelArtifacts": "s3://archive/model.tar.gz"},
            "SecondaryStatus": "Training",
            "StoppingCondition": {},
            "CreationTime": datetime.fromtimestamp(NOW, UTC),
        }
        return given | self._found(self.training, TrainingJobName, "TrainingJobStatus")

    def describe_processing_job(self, ProcessingJobName: str) -> dict[str, Any]:  # noqa: N803
        machines = {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
        given = {
            "ProcessingJobName": ProcessingJobName,
            "ProcessingJobArn": f"{ARN}:processing-job/{ProcessingJobName}",
            "ProcessingResources": {"ClusterConfig": machines},
            "AppSpecification": {"ImageUri": "image"},
            "CreationTime": datetime.fromtimestamp(NOW, UTC),
        }
        return given | self._found(self.processing, ProcessingJobName, "ProcessingJobStatus")

    def _found(self, jobs: dict[str, dict[str, Any]], name: str, status: str) -> dict[str, Any]:
        if name not in jobs:
            raise refusal(self.missing)
        told = dict(jobs[name])
        return {status: told.pop("status")} | told


@pytest.fixture
def sagemaker() -> SageMaker:
    return SageMaker()


@pytest.fixture
def adapter(sagemaker: SageMaker) -> Iterator[Jobs]:
    client = boto3.client("sagemaker")
    with answering(
        client,
        DescribeTrainingJob=sagemaker.describe_training_job,
        DescribeProcessingJob=sagemaker.describe_processing_job,
    ):
        yield SageMakerJobs(client)


@pytest.fixture(params=["memory", "aws"])
def jobs_and_given(request: pytest.FixtureRequest, sagemaker: SageMaker) -> tuple[Jobs, Given]:
    """Jobs, and what lets one be in a state."""
    if request.param == "memory":
        fake = FakeJobs()
        return fake, lambda job, name, state: fake.states.update({(job, name): state})
    statuses = {JobPhase.RUNNING: "InProgress", JobPhase.DONE: "Completed", JobPhase.FAILED: "Failed"}

    def given(job: str, name: str, state: JobState) -> None:
        told = {"FailureReason": state.detail} if state.detail else {}
        sagemaker.jobs(job)[name] = {"status": statuses[state.phase]} | told

    return request.getfixturevalue("adapter"), given


@pytest.mark.parametrize("job", KINDS)
@pytest.mark.parametrize(
    "state", [JobState(JobPhase.RUNNING), JobState(JobPhase.DONE), JobState(JobPhase.FAILED, WHY)], ids=str
)
def test_describe_job_is_told_as_it_is(jobs_and_given: tuple[Jobs, Given], job: str, state: JobState) -> None:
    jobs, given = jobs_and_given
    given(job, f"stack-0-{job}", state)
    assert jobs.describe(job, f"stack-0-{job}") == state


@pytest.mark.parametrize("job", KINDS)
def test_describe_job_that_never_began_is_absent(jobs_and_given: tuple[Jobs, Given], job: str) -> None:
    jobs, given = jobs_and_given
    given(job, "another", JobState(JobPhase.DONE))
    assert jobs.describe(job, f"stack-0-{job}") == JobState(JobPhase.ABSENT)


@pytest.mark.parametrize("missing", ["ValidationException", "ResourceNotFound"])
@pytest.mark.parametrize("job", KINDS)
def test_describe_absence_in_either_word_of_the_service(
    adapter: Jobs, sagemaker: SageMaker, job: str, missing: str
) -> None:
    sagemaker.missing = missing
    assert adapter.describe(job, "stack-0-x").phase is JobPhase.ABSENT


@pytest.mark.parametrize("job", KINDS)
@pytest.mark.parametrize(
    ("told", "state"),
    [
        ({"status": "Stopping"}, JobState(JobPhase.RUNNING)),
        ({"status": "Stopped"}, JobState(JobPhase.FAILED, "Stopped")),
        ({"status": "Failed"}, JobState(JobPhase.FAILED, "Failed")),
        ({"status": "Failed", "FailureReason": WHY}, JobState(JobPhase.FAILED, WHY)),
        # What an earlier attempt left is not why this one is where it is.
        ({"status": "Completed", "FailureReason": "interrupted"}, JobState(JobPhase.DONE)),
    ],
)
def test_describe_every_status_says_whether_to_wait(
    adapter: Jobs, sagemaker: SageMaker, job: str, told: dict[str, Any], state: JobState
) -> None:
    # SageMaker always tells a training job's second status; the one that matters is tested by itself.
    second = {"SecondaryStatus": told["status"]} if job == "train" else {}
    sagemaker.jobs(job)["stack-0-x"] = told | second
    assert adapter.describe(job, "stack-0-x") == state


@pytest.mark.parametrize("second", ["MaxWaitTimeExceeded", "MaxRuntimeExceeded"])
def test_describe_training_that_ran_out_of_time_says_so(adapter: Jobs, sagemaker: SageMaker, second: str) -> None:
    sagemaker.training["stack-0-train"] = {"status": "Stopped", "SecondaryStatus": second}
    assert adapter.describe("train", "stack-0-train") == JobState(JobPhase.FAILED, second)


def test_describe_training_that_is_being_deleted_failed(adapter: Jobs, sagemaker: SageMaker) -> None:
    sagemaker.training["stack-0-train"] = {"status": "Deleting"}
    assert adapter.describe("train", "stack-0-train").phase is JobPhase.FAILED


@pytest.mark.parametrize(
    ("told", "detail"),
    [
        ({"ExitMessage": "no rows"}, "no rows"),
        ({"FailureReason": "AlgorithmError:", "ExitMessage": "no rows"}, "AlgorithmError: no rows"),
    ],
)
def test_describe_processing_that_failed_tells_what_its_script_left(
    adapter: Jobs, sagemaker: SageMaker, told: dict[str, str], detail: str
) -> None:
    sagemaker.processing["stack-0-examine"] = {"status": "Failed"} | told
    assert adapter.describe("examine", "stack-0-examine") == JobState(JobPhase.FAILED, detail)


@pytest.mark.parametrize(
    ("job", "operation"),
    [
        ("train", "DescribeTrainingJob"),
        ("examine", "DescribeProcessingJob"),
        ("evaluate", "DescribeProcessingJob"),
    ],
)
@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InternalFailure"])
def test_fault_35_job_that_nobody_tells_of_is_not_taken_for_absent(
    adapter: Jobs, sagemaker: SageMaker, job: str, operation: str, code: str
) -> None:
    sagemaker.missing = code
    with pytest.raises(StoreUnavailable, match=f"^{operation}: {code}$"):
        adapter.describe(job, "stack-0-x")
