"""What the retraining machine does with what its functions and jobs answer, executed."""

from __future__ import annotations

from typing import Any

import pytest

from fraud.machine_task import answered, task
from fraud.retraining_ports import JobPhase, JobState
from fraud.services.job_inspection import LOOK_SECONDS, JobInspection
from tests.fakes.retraining import FakeJobs
from tests.state_machines.engine import Function
from tests.state_machines.job_script import EXISTS, FAILED, THROTTLED, function, heard
from tests.state_machines.retraining_script import RUN, STATES, RetrainingScript, answer

BEGINNING = ["Take the lock", "Is there a run to begin?"]
DATA = ["Assemble the data set", "Choose the data", "Is there something to examine?"]
EXAMINATION = ["Examine the data", "Judge the data", "Can it be learned from?"]
TRAINING = ["Train the model"]
EVALUATION = ["Evaluate the candidate", "Judge the candidate", "Is the candidate judged?"]
RELEASE = ["Release the lock", "How did it end?"]
FAILURE = ["Release the lock after the failure", "Is the lock free again?", "Retraining failed"]


# --- Forward ----------------------------------------------------------------------------------------------------------


def test_a_run_that_goes_well_takes_every_step_and_tells_nobody() -> None:
    script = RetrainingScript()
    ran = script.run()
    assert (ran.status, ran.error) == ("SUCCEEDED", "")
    assert ran.states == [
        *[*BEGINNING, *DATA, *EXAMINATION, *TRAINING, *EVALUATION, *RELEASE],
        "Registered for rollout",
    ]
    assert script.calls == [
        *["lock", "query", "choose_data", "examine", "data", "train", "evaluate", "candidate", "release"]
    ]
    assert ran.calls == []


@pytest.mark.parametrize(
    ("word", "status", "end", "error"),
    [
        ("approved", "SUCCEEDED", "Registered for rollout", ""),
        ("pending", "SUCCEEDED", "Registered for a person", ""),
        ("rejected", "SUCCEEDED", "Candidate rejected", ""),
        ("not_enough", "SUCCEEDED", "Not enough labels yet", ""),
        ("unfit", "FAILED", "Data unfit", "DataUnfit"),
        ("failed", "FAILED", "Retraining failed", "RetrainingFailed"),
        ("superseded", "FAILED", "Superseded", "Superseded"),
    ],
)
def test_a_run_ends_as_its_record_says(word: str, status: str, end: str, error: str) -> None:
    ran = RetrainingScript(release=[answer(word, sentence="It is so.")]).run()
    assert (ran.status, ran.states[-1], ran.error, ran.cause) == (status, end, error, "It is so." if error else "")
    assert ran.calls == []


@pytest.mark.parametrize(
    ("word", "status", "end"),
    [
        ("under_way", "SUCCEEDED", "Already under way"),
        ("nothing", "SUCCEEDED", "Nothing asks for a new model"),
        ("refused", "FAILED", "Refused"),
        ("superseded", "FAILED", "Superseded"),
    ],
)
def test_a_run_that_does_not_begin_starts_no_job_and_touches_no_lock(word: str, status: str, end: str) -> None:
    script = RetrainingScript(lock=[answer(word, sentence="So it is.", run={})])
    ran = script.run()
    assert (ran.status, ran.states) == (status, [*BEGINNING, end])
    assert (script.calls, ran.jobs, ran.calls) == (["lock"], [], [])
    assert ran.cause == ("So it is." if status == "FAILED" else "")


def test_too_few_rows_in_the_archive_end_the_run_before_any_job() -> None:
    ran = RetrainingScript(choose_data=["not_enough"], release=["not_enough"]).run()
    assert (ran.status, ran.states) == ("SUCCEEDED", [*BEGINNING, *DATA, *RELEASE, "Not enough labels yet"])
    assert [resource for resource, _ in ran.jobs] == ["athena:startQueryExecution.sync"]


@pytest.mark.parametrize(
    ("word", "status", "end"),
    [("not_enough", "SUCCEEDED", "Not enough labels yet"), ("unfit", "FAILED", "Data unfit")],
)
def test_data_that_nothing_can_be_learned_from_is_not_learned_from(word: str, status: str, end: str) -> None:
    script = RetrainingScript(data=[word], release=[answer(word, sentence="A feature knows the future.")])
    ran = script.run()
    assert (ran.status, ran.states) == (status, [*BEGINNING, *DATA, *EXAMINATION, *RELEASE, end])
    assert ran.cause == ("A feature knows the future." if status == "FAILED" else "")
    assert "train" not in script.calls


# --- Fault 35: training throttled, or its name exists: back off, adopt the existing job -------------------------------


def asking(jobs: FakeJobs) -> dict[str, Function]:
    """The function as it is, over jobs in memory."""
    inspection = JobInspection(jobs)
    return {function("InspectJob"): lambda event: answered(lambda: inspection.look(task(event)), permanent="failed")}


def standing(phase: JobPhase, detail: str = "") -> FakeJobs:
    """A training under the run's name."""
    return FakeJobs({("train", RUN["train_name"]): JobState(phase, detail)})


def test_fault_35_training_that_is_throttled_backs_off_and_runs() -> None:
    script, jobs = RetrainingScript(train=[THROTTLED, THROTTLED, {}]), FakeJobs()
    ran = script.run(functions=asking(jobs))
    assert (ran.states[-1], script.calls.count("train"), jobs.asked) == ("Registered for rollout", 3, [])


def test_fault_35_training_whose_name_exists_and_runs_is_waited_for_and_not_started_again() -> None:
    script, jobs = RetrainingScript(train=[EXISTS]), standing(JobPhase.RUNNING)
    left = [JobState(JobPhase.RUNNING), JobState(JobPhase.DONE)]
    ran = script.run(functions=asking(jobs), on_wait=lambda _: jobs.states.update({jobs.asked[-1]: left.pop(0)}))
    assert jobs.asked == [("train", RUN["train_name"])] * 3
    assert (ran.waits, script.calls.count("train")) == ([LOOK_SECONDS] * 2, 1)
    assert ran.states[-len(EVALUATION) - 3 :] == [*EVALUATION, *RELEASE, "Registered for rollout"]


def test_fault_35_training_whose_name_exists_and_is_done_is_evaluated() -> None:
    script = RetrainingScript(train=[EXISTS])
    ran = script.run(functions=asking(standing(JobPhase.DONE)))
    assert (ran.states[-1], ran.waits) == ("Registered for rollout", [])
    assert heard(ran, "candidate")["run"] == RUN
    assert [each for each in script.calls if each == "evaluate"] == ["evaluate"]


def test_fault_35_training_whose_name_exists_and_failed_fails_the_run_and_says_why() -> None:
    script = RetrainingScript(train=[EXISTS])
    ran = script.run(functions=asking(standing(JobPhase.FAILED, "AlgorithmError: no frauds")))
    assert ran.states[-len(FAILURE) :] == FAILURE
    assert heard(ran, "fail")["error"] == f"{RUN['train_name']} failed: AlgorithmError: no frauds"


def test_fault_35_training_that_is_throttled_to_the_end_fails_the_run_and_says_why() -> None:
    script = RetrainingScript(train=[THROTTLED])
    ran = script.run(functions=asking(FakeJobs()))
    assert ran.states[-len(FAILURE) :] == FAILURE
    said = f"{RUN['train_name']} did not start: SageMaker.AmazonSageMakerException: Rate exceeded"
    assert heard(ran, "fail")["error"] == said


# --- All of it --------------------------------------------------------------------------------------------------------


def test_every_state_is_entered_by_some_run() -> None:
    """So that what the others say of the machine is said of all of it."""
    ends = [{"release": [word]} for word in ("pending", "rejected", "not_enough", "unfit", "superseded")]
    starts = [{"lock": [word]} for word in ("under_way", "nothing", "refused")]
    jobs: list[dict[str, Any]] = [
        {job: [EXISTS], f"look_{job}": ["wait", "done"]} for job in ("examine", "train", "evaluate")
    ]
    others: list[dict[str, Any]] = [{}, {"query": [FAILED]}, {"release": ["what"]}]
    runs = [RetrainingScript(**lines).run() for lines in (*ends, *starts, *jobs, *others)]
    assert {state for ran in runs for state in ran.states} == set(STATES)
