"""What the retraining machine does with what its functions and jobs answer, executed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fraud.errors import DeploymentInterrupted, InvalidEvidence, RetrainingMoved, StoreUnavailable
from fraud.machine_task import answered, explained, task
from fraud.retraining_ports import JobPhase, JobState
from fraud.services.job_inspection import LOOK_SECONDS, JobInspection
from tests.fakes.retraining import FakeJobs
from tests.state_machines.engine import Function, Run
from tests.state_machines.jobs import JobFailed
from tests.state_machines.retraining_script import (
    EXECUTION,
    EXISTS,
    FAILED,
    NO_MACHINE,
    RUN,
    STATES,
    THROTTLED,
    RetrainingScript,
    answer,
    function,
)
from tests.state_machines.script import Line
from tests.state_machines.test_retraining_definition import LAMBDA_STATES

Lines = dict[str, list[Line]]

BEGINNING = ["Take the lock", "Is there a run to begin?"]
DATA = ["Assemble the data set", "Choose the data", "Is there something to examine?"]
EXAMINATION = ["Examine the data", "Judge the data", "Can it be learned from?"]
TRAINING = ["Train the model"]
EVALUATION = ["Evaluate the candidate", "Judge the candidate", "Is the candidate judged?"]
RELEASE = ["Release the lock", "How did it end?"]
FAILURE = ["Release the lock after the failure", "Is the lock free again?", "Retraining failed"]
LEFT = ["Page about the lock", "Lock left"]

JOBS = {
    "examine": ("examination", "Examine the data", "Judge the data"),
    "train": ("training", "Train the model", "Evaluate the candidate"),
    "evaluate": ("evaluation", "Evaluate the candidate", "Judge the candidate"),
}
"""What people call a job, its state, and the state after it."""
BEFORE_THE_END = {
    "Take the lock": "lock",
    "Choose the data": "choose_data",
    "Judge the data": "data",
    "Judge the candidate": "candidate",
    **{f"See what became of the {noun}": f"look_{job}" for job, (noun, _, _) in JOBS.items()},
}
"""States of functions while there is something to fail, and the task's name in the script."""


def reaching(name: str) -> Lines:
    """Answers under which a run comes by a state of a function."""
    asked: dict[str, Lines] = {f"See what became of the {noun}": {job: [EXISTS]} for job, (noun, _, _) in JOBS.items()}
    return asked.get(name, {"train": [FAILED], "look_train": ["failed"]} if name == FAILURE[0] else {})


def heard(ran: Run, name: str) -> dict[str, Any]:
    """The event of the task that was called once."""
    (event,) = [event for _, event in ran.invocations if event["task"] == name]
    return event


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


@pytest.mark.parametrize("given", [{}, {"plan": {"training_days": 30}, "started_by": "a person"}, [], "a text"])
def test_every_task_gets_the_input_whole_whatever_it_is(given: Any) -> None:
    ran = RetrainingScript().run(given)
    assert ran.states[-1] == "Registered for rollout"
    assert [event["input"] for _, event in ran.invocations] == [given] * 5
    assert {(event["execution"], event["execution_name"]) for _, event in ran.invocations} == {(EXECUTION, "first")}


def test_each_task_is_handed_the_run_of_the_answer_before() -> None:
    words = {"lock": "assemble", "choose_data": "examine", "data": "train", "candidate": "judged"}
    lines: Lines = {name: [answer(word, run={**RUN, "query": f"by {name}"})] for name, word in words.items()}
    ran = RetrainingScript(**lines).run()
    handed = {event["task"]: event["run"]["query"] for _, event in ran.invocations if "run" in event}
    assert handed == {
        "choose_data": "by lock",
        "data": "by choose_data",
        "candidate": "by data",
        "release": "by candidate",
    }


# --- Jobs that do not go well -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_job_that_fails_closes_the_run_with_the_job_s_own_reason(job: str) -> None:
    noun, state, _ = JOBS[job]
    look = answer("failed", sentence="fraud-train failed: out of memory")
    script = RetrainingScript(**{job: [FAILED], f"look_{job}": [look]})
    ran = script.run()
    after = ran.states.index(state)
    assert ran.states[after + 1 :] == [
        *[f"Note the error of the {noun}", f"See what became of the {noun}", f"Is the {noun} done?"],
        *FAILURE,
    ]
    assert (script.calls.count(job), script.calls[-1]) == (1, "fail")
    assert explained(heard(ran, "look")["error"]) == "States.TaskFailed: AlgorithmError: out of memory"
    assert heard(ran, "fail")["error"] == "fraud-train failed: out of memory"
    assert heard(ran, "fail")["run"] == RUN
    assert (ran.status, ran.error, ran.calls) == ("FAILED", "RetrainingFailed", [])


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_job_that_takes_too_long_is_asked_what_became_of_it(job: str) -> None:
    noun, _, after = JOBS[job]
    ran = RetrainingScript(**{job: [TimeoutError()]}).run()
    assert json.loads(heard(ran, "look")["error"])["Error"] == "States.Timeout"
    assert ran.states[ran.states.index(f"Is the {noun} done?") + 1] == after
    assert ran.states[-1] == "Registered for rollout"


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_job_that_runs_on_its_own_is_asked_again_until_it_is_done(job: str) -> None:
    noun, state, after = JOBS[job]
    wait = answer("wait", wait_seconds=77)
    ran = RetrainingScript(**{job: [EXISTS], f"look_{job}": [wait, wait, "done"]}).run()
    look = [f"See what became of the {noun}", f"Is the {noun} done?"]
    again = [f"Wait for the {noun}", *look]
    first = ran.states.index(state) + 1
    assert ran.states[first : first + 10] == [f"Note the error of the {noun}", *look, *again, *again, after]
    assert (ran.waits, ran.states[-1]) == ([77, 77], "Registered for rollout")
    assert [event["job"] for _, event in ran.invocations if event["task"] == "look"] == [job] * 3


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_service_that_is_busy_is_asked_again_nine_times_in_all(job: str) -> None:
    script = RetrainingScript(**{job: [THROTTLED], f"look_{job}": ["failed"]})
    assert (script.run().error, script.calls.count(job)) == ("RetrainingFailed", 9)


@pytest.mark.parametrize("job", sorted(JOBS))
def test_a_machine_that_is_not_free_is_asked_for_again_eleven_times_in_all(job: str) -> None:
    script = RetrainingScript(**{job: [NO_MACHINE], f"look_{job}": ["failed"]})
    assert (script.run().error, script.calls.count(job)) == ("RetrainingFailed", 11)


def test_a_query_that_is_refused_for_now_is_asked_again() -> None:
    script = RetrainingScript(query=[JobFailed("Athena.TooManyRequestsException"), {}])
    assert (script.run().states[-1], script.calls.count("query")) == ("Registered for rollout", 2)


@pytest.mark.parametrize("error", [JobFailed("States.TaskFailed", "SYNTAX_ERROR"), TimeoutError()])
def test_a_query_that_fails_is_not_repeated_and_closes_the_run(error: Exception) -> None:
    script = RetrainingScript(query=[error])
    ran = script.run()
    assert ran.states == [*BEGINNING, DATA[0], "Explain the failure", *FAILURE]
    assert script.calls == ["lock", "query", "fail"]
    expected = "States.TaskFailed: SYNTAX_ERROR" if isinstance(error, JobFailed) else "States.Timeout"
    assert explained(heard(ran, "fail")["error"]) == expected


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


# --- Functions that do not go well ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(BEFORE_THE_END))
def test_an_error_of_a_task_closes_the_run_and_says_which(name: str) -> None:
    ran = RetrainingScript(**reaching(name) | {BEFORE_THE_END[name]: [InvalidEvidence("no report")]}).run()
    assert ran.states[-len(FAILURE) - 2 :] == [name, "Explain the failure", *FAILURE]
    told = json.loads(heard(ran, "fail")["error"])
    assert (told["Error"], json.loads(told["Cause"])["errorMessage"]) == ("InvalidEvidence", "no report")
    assert (ran.status, ran.error, ran.cause, ran.calls) == ("FAILED", "RetrainingFailed", "It said failed.", [])


@pytest.mark.parametrize("word", ["failed", "something new"])
@pytest.mark.parametrize("name", sorted(BEFORE_THE_END))
def test_an_answer_that_leads_nowhere_closes_the_run_and_says_why(name: str, word: str) -> None:
    said = answer(word, sentence="The report is about another model.")
    ran = RetrainingScript(**reaching(name) | {BEFORE_THE_END[name]: [said]}).run()
    assert ran.states[-len(FAILURE) - 2] == name
    assert ran.states[-len(FAILURE) :] == FAILURE
    assert heard(ran, "fail")["error"] == "The report is about another model."


@pytest.mark.parametrize("name", sorted(BEFORE_THE_END))
def test_a_run_that_is_another_s_by_now_ends_and_changes_nothing_more(name: str) -> None:
    said = answer("superseded", sentence="Another run has taken its place.")
    script = RetrainingScript(**reaching(name) | {BEFORE_THE_END[name]: [said]})
    ran = script.run()
    assert (ran.status, ran.error, ran.cause) == ("FAILED", "Superseded", "Another run has taken its place.")
    assert (script.calls[-1], ran.calls) == (BEFORE_THE_END[name], [])


def test_a_run_that_fails_after_it_lost_the_lock_changes_nothing() -> None:
    ran = RetrainingScript(query=[FAILED], fail=["superseded"]).run()
    assert (ran.error, ran.states[-1], ran.calls) == ("Superseded", "Superseded", [])


@pytest.mark.parametrize("error", [StoreUnavailable, DeploymentInterrupted, RetrainingMoved])
@pytest.mark.parametrize("name", sorted(LAMBDA_STATES))
def test_a_task_that_is_tried_again_changes_nothing_of_what_follows(name: str, error: type[Exception]) -> None:
    expected = RetrainingScript(**reaching(name)).run()
    stumbling = RetrainingScript(**reaching(name))
    called = (BEFORE_THE_END | {"Release the lock": "release", FAILURE[0]: "fail"})[name]
    stumbling.lines[called] = [error("busy"), error("busy"), *stumbling.lines[called]]
    ran = stumbling.run()
    assert name in ran.states
    assert (ran.states, ran.status, stumbling.calls.count(called)) == (expected.states, expected.status, 3)


def test_what_does_not_pass_is_given_up_after_six_more_tries() -> None:
    script = RetrainingScript(data=[StoreUnavailable("busy")])
    assert (script.run().error, script.calls.count("data")) == ("RetrainingFailed", 7)


# --- A lock that stays ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [InvalidEvidence("a mistake"), StoreUnavailable("busy"), "something new"])
@pytest.mark.parametrize("name", ["release", "fail"])
def test_a_lock_that_is_not_released_is_told_of_with_all_that_is_known(name: str, line: Line) -> None:
    first: Lines = {"query": [FAILED]} if name == "fail" else {}
    script = RetrainingScript(**first, **{name: [line]})
    ran = script.run()
    assert (ran.status, ran.error, ran.states[-2:], script.calls[-1]) == ("FAILED", "LockLeft", LEFT, name)
    assert "the next run takes it over" in ran.cause
    ((subject, message),) = ran.published()
    assert subject == "Retraining: the lock was not released"
    assert EXECUTION in message
    known = json.loads(message.partition("What is known: ")[2])
    if isinstance(line, Exception):
        assert known["error"]["Error"] == type(line).__name__
    else:
        assert known["answer"]["next"] == line


def test_a_person_who_cannot_be_told_changes_nothing() -> None:
    ran = RetrainingScript(release=[InvalidEvidence("a mistake")]).run(failing=["sns:publish"])
    assert (ran.error, ran.states[-2:], ran.published()) == ("LockLeft", LEFT, [])


# --- All of it --------------------------------------------------------------------------------------------------------


def test_every_state_is_entered_by_some_run() -> None:
    """So that what the others say of the machine is said of all of it."""
    ends = [{"release": [word]} for word in ("pending", "rejected", "not_enough", "unfit", "superseded")]
    starts = [{"lock": [word]} for word in ("under_way", "nothing", "refused")]
    jobs: list[dict[str, Any]] = [{job: [EXISTS], f"look_{job}": ["wait", "done"]} for job in JOBS]
    others: list[dict[str, Any]] = [{}, {"query": [FAILED]}, {"release": ["what"]}]
    runs = [RetrainingScript(**lines).run() for lines in (*ends, *starts, *jobs, *others)]
    assert {state for ran in runs for state in ran.states} == set(STATES)
