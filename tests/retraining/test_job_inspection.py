"""What became of a job whose state failed: the job itself says so."""

from __future__ import annotations

import json

import pytest

from fraud.errors import StoreUnavailable
from fraud.machine_task import Answer
from fraud.retraining_ports import JobPhase, JobState
from fraud.services.job_inspection import LOOK_SECONDS
from tests.fakes.retraining_world import RetrainingWorld, task

RUN = {f"{job}_name": f"fraud-0-{job}" for job in ("examine", "train", "evaluate")}
THROTTLED = json.dumps({"Error": "SageMaker.AmazonSageMakerException", "Cause": "Rate exceeded"})
JOBS = pytest.mark.parametrize("job", ["examine", "train", "evaluate"])


def look(job: str, state: JobState | None = None, error: str = THROTTLED) -> Answer:
    world = RetrainingWorld()
    if state is not None:
        world.jobs.states[job, RUN[f"{job}_name"]] = state
    answer = world.inspection.look(task("look", job=job, error=error, run=RUN))
    assert world.jobs.asked == [(job, RUN[f"{job}_name"])]
    return answer


@JOBS
def test_look_job_that_is_done_is_adopted(job: str) -> None:
    answer = look(job, JobState(JobPhase.DONE))
    assert answer == Answer(next="done", sentence=f"fraud-0-{job} is done.", run=RUN)


@JOBS
def test_look_job_that_runs_is_waited_for(job: str) -> None:
    answer = look(job, JobState(JobPhase.RUNNING))
    said = f"fraud-0-{job} runs: it is adopted."
    assert answer == Answer(next="wait", sentence=said, wait_seconds=LOOK_SECONDS, run=RUN)


@JOBS
def test_look_job_that_failed_says_why_in_its_own_words(job: str) -> None:
    answer = look(job, JobState(JobPhase.FAILED, "AlgorithmError: no frauds"))
    assert answer == Answer(next="failed", sentence=f"fraud-0-{job} failed: AlgorithmError: no frauds", run=RUN)


@JOBS
@pytest.mark.parametrize(
    ("error", "why"),
    [
        (THROTTLED, "SageMaker.AmazonSageMakerException: Rate exceeded"),
        ('{"Error": "States.Timeout"}', "States.Timeout"),
        ("", "It ended for a reason that nobody noted."),
    ],
)
def test_look_job_that_never_began_says_why_its_state_failed(job: str, error: str, why: str) -> None:
    assert look(job, error=error) == Answer(next="failed", sentence=f"fraud-0-{job} did not start: {why}", run=RUN)


def test_look_job_of_another_kind_under_the_name_is_another() -> None:
    world = RetrainingWorld()
    world.jobs.states["train", RUN["examine_name"]] = JobState(JobPhase.DONE)
    assert world.inspection.look(task("look", job="examine", run=RUN)).next == "failed"


def test_look_without_an_answer_is_asked_again() -> None:
    world = RetrainingWorld()
    world.faults.before("jobs.describe", 1, StoreUnavailable("DescribeTrainingJob: ThrottlingException"))
    with pytest.raises(StoreUnavailable):
        world.inspection.look(task("look", job="train", run=RUN))
