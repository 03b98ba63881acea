"""What is true of every machine that has queries and jobs done, by its structure and executed."""

from __future__ import annotations

import json
import re
from typing import Any

import boto3
import pytest
from botocore.validate import ParamValidator

from fraud import monitoring_plan, retraining_plan
from fraud.errors import DeploymentInterrupted, InvalidEvidence, StoreUnavailable
from fraud.services.job_inspection import LOOK_SECONDS
from state_machines.definition import targets, violations
from tests.state_machines.committed import text
from tests.state_machines.drift_script import DriftScript
from tests.state_machines.job_script import EXISTS, FAILED, NO_MACHINE, THROTTLED, Lines, heard, reason
from tests.state_machines.jobs import JobFailed
from tests.state_machines.machines import (
    FAILURES,
    MOVED,
    SCRIPTS,
    Called,
    Job,
    Play,
    called,
    jobs_of,
    lambdas,
    of_type,
)
from tests.state_machines.monitoring_script import MonitoringScript
from tests.state_machines.retraining_script import RetrainingScript
from tests.state_machines.structure import caught, is_lambda, known_everywhere, reachable, read, roots

ROLES = {
    "retraining": "RetrainingJobRoleArn",
    "monitoring": "MonitoringJobRoleArn",
    "drift": "MonitoringJobRoleArn",
}
TOLD = {"drift": {"since", "until", "champion"}}
"""Fields of the run that no state reads, and functions do."""
FOR_JOBS = {"AlarmTopicArn", "DataKeyArn", "ModelImageUri", "QueryDatabase", "QueryWorkGroup"}
PLACEHOLDERS = {
    "retraining": {*RetrainingScript.TASKS, *FOR_JOBS, "RetrainingJobRoleArn"},
    "monitoring": {*MonitoringScript.TASKS, *FOR_JOBS, "MonitoringJobRoleArn"},
    "drift": {*DriftScript.TASKS, *FOR_JOBS, "MonitoringJobRoleArn", "MonitoringMachineArn"} - {"AlarmTopicArn"},
}
JOB_COUNTS = {"retraining": 3, "monitoring": 1, "drift": 1}
CREATED = {
    "athena:startQueryExecution.sync": ("athena", "StartQueryExecution"),
    "sagemaker:createTrainingJob.sync": ("sagemaker", "CreateTrainingJob"),
    "sagemaker:createProcessingJob.sync": ("sagemaker", "CreateProcessingJob"),
}
HOUR = 3_600
EVENTS_OF_A_LOOK = 9
MOST_EVENTS = 24_000
"""Step Functions ends an execution after 25,000; everything but looks takes a few hundred."""
EVERYONE = {
    "execution.$": "$$.Execution.Id",
    "execution_name.$": "$$.Execution.Name",
    "input.$": "$$.Execution.Input",
}
HANDED_ON, ERROR = {"run.$": "$.answer.run"}, {"error.$": "$.answer.sentence"}


every_machine = pytest.mark.parametrize("script", SCRIPTS, ids=[each.NAME for each in SCRIPTS])
JOBS = [job for script in SCRIPTS for job in jobs_of(script)]
every_job = pytest.mark.parametrize("job", JOBS, ids=[job.name for job in JOBS])
EACH_STATE = [(script, name) for script in SCRIPTS for name in script.states()]
every_state = pytest.mark.parametrize(("script", "name"), EACH_STATE)
EACH_FUNCTION = [(script, name) for script in SCRIPTS for name in lambdas(script)]
every_function = pytest.mark.parametrize(("script", "name"), EACH_FUNCTION)


# --- Structure --------------------------------------------------------------------------------------------------------


@every_machine
def test_a_machine_keeps_the_house_rules(script: Play) -> None:
    assert violations(script.machine()) == []


@every_machine
def test_its_placeholders_are_those_that_the_template_fills(script: Play) -> None:
    assert set(re.findall(r"\$\{(\w+)\}", text(script.NAME))) == PLACEHOLDERS[script.NAME]


@every_machine
def test_it_has_no_placeholder_in_the_place_of_a_resource(script: Play) -> None:
    assert not [name for name, state in of_type(script, "Task").items() if "${" in state["Resource"]]


@every_machine
def test_its_tasks_are_those_that_the_functions_know(script: Play) -> None:
    called: dict[str, set[str]] = {}
    for state in lambdas(script).values():
        name = state["Parameters"]["FunctionName"].removeprefix("${").removesuffix("}")
        called.setdefault(name, set()).add(state["Parameters"]["Payload"]["task"])
    assert called == script.TASKS


@every_function
def test_a_function_hears_of_the_execution_and_of_its_input_and_all_but_the_first_of_the_run(
    script: Play, name: str
) -> None:
    payload = dict(script.states()[name]["Parameters"]["Payload"])
    task, job = payload.pop("task"), payload.pop("job", "")
    about = ERROR if task in ("look", "fail") else {}
    run = {} if name == script.machine()["StartAt"] else HANDED_ON
    assert payload == EVERYONE | run | about
    assert bool(job) == (task == "look")


@every_function
def test_a_function_is_retried_when_the_cause_may_pass(script: Play, name: str) -> None:
    (retried,) = script.states()[name]["Retry"]
    assert set(retried["ErrorEquals"]) == {
        "Lambda.ServiceException",
        "Lambda.AWSLambdaException",
        "Lambda.SdkClientException",
        "Lambda.TooManyRequestsException",
        "Lambda.ClientExecutionTimeoutException",
        "Lambda.Unknown",
        "Runtime.ExitError",
        "Sandbox.Timedout",
        "StoreUnavailable",
        "DeploymentInterrupted",
        MOVED[script.NAME].__name__,
    }
    assert (retried["MaxAttempts"], retried["MaxDelaySeconds"], retried["JitterStrategy"]) == (6, 30, "FULL")


@every_function
def test_a_task_lasts_longer_than_its_function_may_run(script: Play, name: str) -> None:
    state = script.states()[name]
    slow = state["Parameters"]["FunctionName"] == "${JudgeRetrainingArn}"
    assert state["TimeoutSeconds"] == (330 if slow else 90)


@every_machine
def test_a_question_looks_at_the_answer_of_the_function_before_it(script: Play) -> None:
    for name, state in of_type(script, "Choice").items():
        assert {rule["Variable"] for rule in state["Choices"]} == {"$.answer.next"}
        before = [each for each, other in script.states().items() if name in targets(other)]
        assert before and set(before) <= set(lambdas(script))


@every_state
def test_every_state_can_come_to_an_end(script: Play, name: str) -> None:
    assert reachable(script.states(), name) & set(of_type(script, "Succeed", "Fail"))


@every_machine
def test_every_failure_says_why(script: Play) -> None:
    for failure in of_type(script, "Fail").values():
        assert failure["Error"].isalnum()
        assert failure.get("CausePath") == "$.answer.sentence" or failure["Cause"]


@every_state
def test_a_state_reads_only_what_is_there_whichever_way_it_was_entered(script: Play, name: str) -> None:
    """On AWS a path that is not there ends the execution, and no Catch takes it."""
    assert roots(script.states()[name]) <= known_everywhere(script.machine())[name]


@every_function
def test_of_an_answer_the_agreed_fields_are_kept(script: Play, name: str) -> None:
    fields = ("next", "sentence", "wait_seconds", "run")
    state = script.states()[name]
    assert state["ResultSelector"] == {"answer": {f"{each}.$": f"$.Payload.{each}" for each in fields}}
    assert "ResultPath" not in state


@every_machine
def test_what_others_answer_takes_the_place_of_nothing(script: Play) -> None:
    others = {name: state for name, state in of_type(script, "Task").items() if not is_lambda(state)}
    assert {name: state["ResultPath"] for name, state in others.items()} == dict.fromkeys(others)


@every_machine
def test_the_jobs_read_nothing_of_a_run_that_the_functions_do_not_answer(script: Play) -> None:
    paths = {path for state in script.states().values() for path in read(state)}
    needed = {path.removeprefix("answer.run.") for path in paths if path.startswith("answer.run.")}
    assert script.RUN.keys() - needed == TOLD.get(script.NAME, set())
    assert needed <= script.RUN.keys()


@every_machine
def test_waits_last_for_as_long_as_the_answer_before_says(script: Play) -> None:
    assert {state["SecondsPath"] for state in of_type(script, "Wait").values()} == {"$.answer.wait_seconds"}


# --- Jobs by the structure --------------------------------------------------------------------------------------------


@every_machine
def test_every_job_is_known_to_these_tests(script: Play) -> None:
    assert len([job for job in JOBS if job.script is script]) == JOB_COUNTS[script.NAME]


@every_job
def test_an_error_of_a_job_is_asked_of_the_job_itself(job: Job) -> None:
    states, note = job.script.states(), f"Note the error of the {job.noun}"
    assert caught(states[job.state]) == {"States.ALL": note}
    assert (states[note]["Type"], states[note]["Next"]) == ("Pass", f"See what became of the {job.noun}")
    assert states[states[note]["Next"]]["Next"] == f"Is the {job.noun} done?"


@every_job
def test_a_job_that_is_adopted_is_followed_by_what_follows_one_that_was_waited_for(job: Job) -> None:
    rules = job.script.states()[f"Is the {job.noun} done?"]["Choices"]
    assert [rule["Next"] for rule in rules if rule["StringEquals"] == "done"] == [job.after]


@every_job
def test_a_job_that_failed_is_never_started_again(job: Job) -> None:
    """It would meet its own name."""
    names = {error for each in job.script.states()[job.state]["Retry"] for error in each["ErrorEquals"]}
    assert names == {
        "SageMaker.AmazonSageMakerException",
        "SageMaker.ThrottlingException",
        "ThrottlingException",
        "SageMaker.ResourceLimitExceededException",
        "SageMaker.ResourceLimitExceeded",
    }


@every_job
def test_a_machine_that_is_not_free_is_waited_for_longer_than_a_service_that_is_busy(job: Job) -> None:
    busy, full = job.script.states()[job.state]["Retry"]
    assert (busy["IntervalSeconds"], busy["MaxDelaySeconds"], busy["MaxAttempts"]) == (2, 30, 8)
    assert (full["IntervalSeconds"], full["MaxDelaySeconds"], full["MaxAttempts"]) == (60, 600, 10)
    assert {each["JitterStrategy"] for each in (busy, full)} == {"FULL"}


@every_job
def test_a_job_ends_by_its_own_limit_before_its_state_does(job: Job) -> None:
    longest = 48 * HOUR if job.name == "train" else 24 * HOUR
    assert job.script.states()[job.state]["TimeoutSeconds"] == longest + 2 * HOUR
    for plan in (monitoring_plan.Plan, retraining_plan.Plan):
        with pytest.raises(ValueError, match="must lie between"):
            plan(run_seconds=24 * HOUR + 1)
    with pytest.raises(ValueError, match="must lie between"):
        retraining_plan.Plan(wait_seconds=48 * HOUR + 1)


@every_machine
def test_a_machine_lasts_longer_than_its_query_and_its_jobs(script: Play) -> None:
    tasks = of_type(script, "Task").values()
    waited_for = [state["TimeoutSeconds"] for state in tasks if state["Resource"].endswith(".sync")]
    assert len(waited_for) == 1 + JOB_COUNTS[script.NAME]
    machines = JOB_COUNTS[script.NAME] * sum(min(60 * 2**attempt, 600) for attempt in range(10))
    hours = {"retraining": 120, "monitoring": 48, "drift": 36}[script.NAME]
    assert sum(waited_for) + machines + 2 * HOUR < script.machine()["TimeoutSeconds"] == hours * HOUR


@every_machine
def test_looks_at_an_adopted_job_fit_into_the_history_however_long_it_runs(script: Play) -> None:
    assert script.machine()["TimeoutSeconds"] // LOOK_SECONDS * EVENTS_OF_A_LOOK <= MOST_EVENTS


@every_job
def test_a_look_takes_as_many_events_as_are_counted(job: Job) -> None:
    taken = [
        len(job.script(**asked(job, TimeoutError(), *["wait"] * looks, "done")).run().history) for looks in (1, 11)
    ]
    assert (taken[1] - taken[0]) / 10 == EVENTS_OF_A_LOOK


# --- Jobs, as the services get them -----------------------------------------------------------------------------------


@every_machine
def test_what_a_service_is_asked_is_what_it_takes(script: Play) -> None:
    started = script().run().jobs
    assert len(started) == 1 + JOB_COUNTS[script.NAME]
    for resource, parameters in started:
        service, operation = CREATED[resource]
        model = boto3.client(service, region_name="eu-central-1").meta.service_model
        report = ParamValidator().validate(parameters, model.operation_model(operation).input_shape)
        assert not report.has_errors(), report.generate_report()


def query_token(script: Play, name: str) -> str:
    """What marks the query of an execution of this name."""
    engine = script().engine()
    engine.name = name
    return str(engine.run().jobs[0][1]["ClientRequestToken"])


@every_machine
@pytest.mark.parametrize("name", ["f", "f" * 80])
def test_a_query_that_is_started_twice_by_an_execution_is_one(script: Play, name: str) -> None:
    """Its token is the same for the same execution, and as long as Athena allows, however long the name is."""
    token = query_token(script, name)
    assert 32 <= len(token) <= 128
    assert query_token(script, name) == token != query_token(script, "another")


PROCESSED = [job for job in JOBS if job.name != "train"]


@pytest.mark.parametrize("job", PROCESSED, ids=[job.name for job in PROCESSED])
def test_a_processing_job_unpacks_the_source_and_runs_its_script(job: Job) -> None:
    parameters = started(job)
    shell, option, command, name = parameters["AppSpecification"]["ContainerEntrypoint"]
    assert (shell, option, name) == ("bash", "-c", job.name)
    assert command == (
        "cd /opt/ml/processing && mkdir -p code && tar -xzf input/source/source.tar.gz -C code && cd code"
        f' && exec python3 -m {job.name} .. "$@"'
    )
    assert len(command) <= 256
    assert parameters["AppSpecification"]["ContainerArguments"] == job.script.RUN[f"{job.name}_arguments"]


@pytest.mark.parametrize("job", PROCESSED, ids=[job.name for job in PROCESSED])
def test_a_processing_job_is_shut_off_from_the_network_and_encrypted_and_ends_by_itself(job: Job) -> None:
    parameters, arn = started(job), "arn:aws:lambda:eu-central-1:123456789012:function:"
    assert parameters["NetworkConfig"] == {"EnableNetworkIsolation": True}
    assert parameters["StoppingCondition"] == {"MaxRuntimeInSeconds": job.script.RUN["run_seconds"]}
    cluster = parameters["ProcessingResources"]["ClusterConfig"]
    assert cluster["VolumeKmsKeyId"] == parameters["ProcessingOutputConfig"]["KmsKeyId"] == f"{arn}DataKeyArn"
    assert cluster["InstanceType"] == job.script.RUN["instance_type"]
    assert parameters["RoleArn"] == f"{arn}{ROLES[job.script.NAME]}"


def started(job: Job) -> dict[str, Any]:
    """What SageMaker gets of a processing job."""
    (found,) = [
        parameters
        for _, parameters in job.script().run().jobs
        if parameters.get("ProcessingJobName") == job.script.RUN[f"{job.name}_name"]
    ]
    return found


# --- Jobs that do not go well -----------------------------------------------------------------------------------------


def asked(job: Job, error: Exception, *looks: Any) -> Lines:
    """Lines under which a job meets an error, and is looked at."""
    return {job.name: [error], f"look_{job.name}": list(looks)}


def end(script: Play) -> str:
    """Where a run ends that goes well."""
    return script().run().states[-1]


@every_job
def test_a_job_that_fails_ends_the_run_with_the_job_s_own_reason(job: Job) -> None:
    look = job.script.answer("failed", sentence="the job failed: out of memory")
    script = job.script(**asked(job, FAILED, look), fail=[job.script.answer("failed", sentence="Out of memory.")])
    ran = script.run()
    first = ran.states.index(job.state) + 1
    assert ran.states[first : first + 3] == [
        f"Note the error of the {job.noun}",
        f"See what became of the {job.noun}",
        f"Is the {job.noun} done?",
    ]
    assert (script.calls.count(job.name), script.calls[-1]) == (1, "fail")
    assert reason(ran, "look") == "States.TaskFailed: AlgorithmError: out of memory"
    assert reason(ran, "fail") == "the job failed: out of memory"
    assert heard(ran, "look")["run"] == heard(ran, "fail")["run"] == job.script.RUN
    assert (ran.status, ran.states[-1], ran.cause, ran.calls) == (
        *("FAILED", FAILURES[job.script.NAME], "Out of memory."),
        [],
    )


@every_job
def test_a_job_that_takes_too_long_is_asked_what_became_of_it(job: Job) -> None:
    ran = job.script(**{job.name: [TimeoutError()]}).run()
    assert json.loads(heard(ran, "look")["error"])["Error"] == "States.Timeout"
    assert ran.states[ran.states.index(f"Is the {job.noun} done?") + 1] == job.after
    assert ran.states[-1] == end(job.script)


@every_job
def test_a_job_that_runs_on_its_own_is_asked_again_until_it_is_done(job: Job) -> None:
    wait = job.script.answer("wait", wait_seconds=77)
    ran = job.script(**asked(job, EXISTS, wait, wait, "done")).run()
    look = [f"See what became of the {job.noun}", f"Is the {job.noun} done?"]
    again = [f"Wait for the {job.noun}", *look]
    first = ran.states.index(job.state) + 1
    assert ran.states[first : first + 10] == [f"Note the error of the {job.noun}", *look, *again, *again, job.after]
    assert (ran.waits[:2], ran.states[-1]) == ([77, 77], end(job.script))
    assert [event["job"] for _, event in ran.invocations if event["task"] == "look"] == [job.name] * 3


@every_job
@pytest.mark.parametrize(("error", "times"), [(THROTTLED, 9), (NO_MACHINE, 11), (EXISTS, 1), (FAILED, 1)])
def test_a_job_is_started_again_only_if_it_was_not_started(job: Job, error: Exception, times: int) -> None:
    script = job.script(**asked(job, error, "failed"))
    assert (script.run().states[-1], script.calls.count(job.name)) == (FAILURES[job.script.NAME], times)


@every_machine
def test_a_query_that_is_refused_for_now_is_asked_again(script: Play) -> None:
    played = script(query=[JobFailed("Athena.TooManyRequestsException"), {}])
    assert (played.run().states[-1], played.calls.count("query")) == (end(script), 2)


@every_machine
@pytest.mark.parametrize("error", [JobFailed("States.TaskFailed", "SYNTAX_ERROR"), TimeoutError()])
def test_a_query_that_fails_is_not_repeated_and_ends_the_run(script: Play, error: Exception) -> None:
    played = script(query=[error])
    ran = played.run()
    assert "Explain the failure" in ran.states
    assert (ran.states[-1], played.calls[1:]) == (FAILURES[script.NAME], ["query", "fail"])
    expected = "States.TaskFailed: SYNTAX_ERROR" if isinstance(error, JobFailed) else "States.Timeout"
    assert reason(ran, "fail") == expected


# --- Functions that do not go well ------------------------------------------------------------------------------------


CALLED = [each for script in SCRIPTS for each in called(script)]
BEFORE_THE_END = [each for each in CALLED if each.line not in ("fail", "release")]


def named(calls: list[Called]) -> Any:
    return pytest.mark.parametrize("at", calls, ids=[f"{each.script.NAME}-{each.line}" for each in calls])


@named(BEFORE_THE_END)
def test_an_error_of_a_task_ends_the_run_and_says_which(at: Called) -> None:
    ran = at.script(**at.before | {at.line: [InvalidEvidence("no report")]}).run()
    assert ran.states[ran.states.index(at.state) + 1] == "Explain the failure"
    told = json.loads(heard(ran, "fail")["error"])
    assert (told["Error"], json.loads(told["Cause"])["errorMessage"]) == ("InvalidEvidence", "no report")
    assert (ran.status, ran.states[-1], ran.cause) == ("FAILED", FAILURES[at.script.NAME], "It said failed.")
    assert ran.calls == []


@named(BEFORE_THE_END)
@pytest.mark.parametrize("word", ["failed", "something new"])
def test_an_answer_that_leads_nowhere_ends_the_run_and_says_why(at: Called, word: str) -> None:
    said = at.script.answer(word, sentence="The report is about another model.")
    ran = at.script(**at.before | {at.line: [said]}).run()
    assert ran.states[-1] == FAILURES[at.script.NAME]
    assert reason(ran, "fail") == "The report is about another model."


@named(CALLED)
@pytest.mark.parametrize("error", [StoreUnavailable, DeploymentInterrupted, None])
def test_a_task_that_is_tried_again_changes_nothing_of_what_follows(at: Called, error: type[Exception] | None) -> None:
    busy = error or MOVED[at.script.NAME]
    expected, stumbling = at.script(**at.before), at.script(**at.before)
    stumbling.lines[at.line] = [busy("busy"), busy("busy"), *stumbling.lines[at.line]]
    smooth, ran = expected.run(), stumbling.run()
    assert at.state in ran.states
    assert (ran.states, ran.status) == (smooth.states, smooth.status)
    assert stumbling.calls.count(at.line) == expected.calls.count(at.line) + 2


@named(BEFORE_THE_END)
def test_what_does_not_pass_is_given_up_after_six_more_tries(at: Called) -> None:
    script = at.script(**at.before | {at.line: [StoreUnavailable("busy")]})
    assert (script.run().states[-1], script.calls.count(at.line)) == (FAILURES[at.script.NAME], 7)


@every_machine
@pytest.mark.parametrize("given", [{}, {"plan": {"run_seconds": 600}, "started_by": "a person"}, [], "a text"])
def test_every_task_gets_the_input_whole_whatever_it_is(script: Play, given: Any) -> None:
    ran = script().run(given)
    assert ran.states[-1] == end(script)
    assert all(event["input"] == given for _, event in ran.invocations)
    assert {(event["execution"], event["execution_name"]) for _, event in ran.invocations} == {
        (script.execution(), "first")
    }


@every_machine
def test_each_task_is_handed_the_run_of_the_answer_before(script: Play) -> None:
    lines: Lines = {
        each.line: [script.answer(word, run={**script.RUN, "query": f"by {each.line}"})]
        for each in called(script)
        if isinstance(word := script.WELL[each.line][-1], str)
    }
    told = [event for _, event in script(**lines).run().invocations]
    handed = [event["run"]["query"] for event in told[1:]]
    assert handed == [f"by {event['task']}" for event in told[:-1]]
