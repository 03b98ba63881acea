"""What is true of the committed retraining machine by its structure, whatever its functions answer."""

from __future__ import annotations

import re
from typing import Any

import boto3
import numpy as np
import pytest
from botocore.validate import ParamValidator

from fraud.retraining_plan import Plan
from fraud.services.job_inspection import LOOK_SECONDS
from model.thresholds import Thresholds
from model.train import measure
from state_machines.definition import targets, violations
from tests.state_machines.committed import text
from tests.state_machines.retraining_script import MACHINE, RUN, STATES, TASKS, RetrainingScript
from tests.state_machines.structure import caught, is_lambda, known_everywhere, reachable, read, roots

TASK_STATES = {name: state for name, state in STATES.items() if state["Type"] == "Task"}
LAMBDA_STATES = {name: state for name, state in STATES.items() if is_lambda(state)}
CHOICES = {name: state for name, state in STATES.items() if state["Type"] == "Choice"}
ENDS = {name: state for name, state in STATES.items() if state["Type"] in ("Succeed", "Fail")}
JOBS = {"Examine the data": "examination", "Train the model": "training", "Evaluate the candidate": "evaluation"}
"""States of jobs, and what people call the job."""
FINISHING = {"Release the lock", "Release the lock after the failure"}
HOUR = 3_600
EVENTS_OF_A_LOOK = 9
MOST_EVENTS = 24_000
"""Step Functions ends an execution after 25,000; everything but looks takes a few hundred."""


def test_the_machine_keeps_the_house_rules() -> None:
    assert violations(MACHINE) == []


def test_its_placeholders_are_those_that_the_template_fills() -> None:
    assert set(re.findall(r"\$\{(\w+)\}", text("retraining"))) == {
        *TASKS,
        "AlarmTopicArn",
        "DataKeyArn",
        "ModelImageUri",
        "QueryDatabase",
        "QueryWorkGroup",
        "RetrainingJobRoleArn",
    }


def test_it_has_no_placeholder_in_the_place_of_a_resource() -> None:
    assert not [name for name, state in TASK_STATES.items() if "${" in state["Resource"]]


def test_its_tasks_are_those_that_the_functions_know() -> None:
    called: dict[str, set[str]] = {}
    for state in LAMBDA_STATES.values():
        name = state["Parameters"]["FunctionName"].removeprefix("${").removesuffix("}")
        called.setdefault(name, set()).add(state["Parameters"]["Payload"]["task"])
    assert called == TASKS


def test_every_function_hears_of_the_execution_and_its_input_and_every_one_but_the_first_of_the_run() -> None:
    everyone = {
        "execution.$": "$$.Execution.Id",
        "execution_name.$": "$$.Execution.Name",
        "input.$": "$$.Execution.Input",
    }
    handed_on, error = {"run.$": "$.answer.run"}, {"error.$": "$.answer.sentence"}
    needs = {}
    for name, state in LAMBDA_STATES.items():
        payload = dict(state["Parameters"]["Payload"])
        payload.pop("task")
        assert everyone.items() <= payload.items()
        needs[name] = {key: value for key, value in payload.items() if key not in everyone}
    assert needs == {
        "Take the lock": {},
        "Choose the data": handed_on,
        "Judge the data": handed_on,
        "Judge the candidate": handed_on,
        "See what became of the examination": handed_on | error | {"job": "examine"},
        "See what became of the training": handed_on | error | {"job": "train"},
        "See what became of the evaluation": handed_on | error | {"job": "evaluate"},
        "Release the lock": handed_on,
        "Release the lock after the failure": handed_on | error,
    }


def test_every_function_is_retried_when_the_cause_may_pass() -> None:
    passing = {
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
        "RetrainingMoved",
    }
    for state in LAMBDA_STATES.values():
        (retried,) = state["Retry"]
        assert set(retried["ErrorEquals"]) == passing
        assert (retried["MaxAttempts"], retried["MaxDelaySeconds"], retried["JitterStrategy"]) == (6, 30, "FULL")


@pytest.mark.parametrize("name", sorted(LAMBDA_STATES))
def test_a_task_lasts_longer_than_its_function_may_run(name: str) -> None:
    slow = STATES[name]["Parameters"]["FunctionName"] == "${JudgeRetrainingArn}"
    assert STATES[name]["TimeoutSeconds"] == (330 if slow else 90)


def test_each_question_knows_these_answers() -> None:
    known = {name: {rule["StringEquals"] for rule in state["Choices"]} for name, state in CHOICES.items()}
    assert known == {
        "Is there a run to begin?": {"assemble", "under_way", "nothing", "refused", "superseded"},
        "Is there something to examine?": {"examine", "not_enough", "superseded"},
        "Is the examination done?": {"done", "wait", "superseded"},
        "Can it be learned from?": {"train", "not_enough", "unfit", "superseded"},
        "Is the training done?": {"done", "wait", "superseded"},
        "Is the evaluation done?": {"done", "wait", "superseded"},
        "Is the candidate judged?": {"judged", "superseded"},
        "How did it end?": {"approved", "pending", "rejected", "not_enough", "unfit", "failed", "superseded"},
        "Is the lock free again?": {"failed", "superseded"},
    }


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_a_question_looks_at_the_answer_of_the_function_before_it(name: str) -> None:
    assert {rule["Variable"] for rule in STATES[name]["Choices"]} == {"$.answer.next"}
    before = [each for each, state in STATES.items() if name in targets(state)]
    assert before and set(before) <= set(LAMBDA_STATES)


def test_an_answer_that_nobody_expects_closes_the_run_and_after_that_tells_a_person() -> None:
    last = {"How did it end?", "Is the lock free again?"}
    for name, state in CHOICES.items():
        expected = "Page about the lock" if name in last else "Release the lock after the failure"
        assert state["Default"] == expected


@pytest.mark.parametrize("name", sorted(CHOICES))
def test_a_run_that_is_another_s_by_now_ends_without_a_change(name: str) -> None:
    (target,) = [rule["Next"] for rule in CHOICES[name]["Choices"] if rule["StringEquals"] == "superseded"]
    assert target == "Superseded"


@pytest.mark.parametrize("name", sorted(set(TASK_STATES) - set(JOBS) - FINISHING - {"Page about the lock"}))
def test_an_error_of_a_task_closes_the_run_with_its_explanation(name: str) -> None:
    assert caught(STATES[name]) == {"States.ALL": "Explain the failure"}
    assert STATES["Explain the failure"]["Next"] == "Release the lock after the failure"


@pytest.mark.parametrize("name", sorted(FINISHING))
def test_a_lock_that_cannot_be_released_is_told_of(name: str) -> None:
    assert caught(STATES[name]) == {"States.ALL": "Page about the lock"}
    assert not reachable(STATES, "Page about the lock") & set(LAMBDA_STATES)


@pytest.mark.parametrize(("name", "noun"), JOBS.items())
def test_an_error_of_a_job_is_asked_of_the_job_itself(name: str, noun: str) -> None:
    note = f"Note the error of the {noun}"
    assert caught(STATES[name]) == {"States.ALL": note}
    assert (STATES[note]["Type"], STATES[note]["Next"]) == ("Pass", f"See what became of the {noun}")


@pytest.mark.parametrize(("name", "noun"), JOBS.items())
def test_a_job_that_is_adopted_is_followed_by_what_follows_one_that_was_waited_for(name: str, noun: str) -> None:
    (done,) = [rule["Next"] for rule in STATES[f"Is the {noun} done?"]["Choices"] if rule["StringEquals"] == "done"]
    assert done == STATES[name]["Next"]


def test_every_run_that_holds_the_lock_releases_it_before_it_ends_well() -> None:
    """But for those that never had it."""
    without = {"Already under way", "Nothing asks for a new model", "Refused", "Superseded", "Lock left"}
    for name in set(ENDS) - without:
        before = {each for each, state in STATES.items() if name in targets(state)}
        assert before <= {"How did it end?", "Is the lock free again?"}


@pytest.mark.parametrize("name", sorted(STATES))
def test_every_state_can_come_to_an_end(name: str) -> None:
    assert reachable(STATES, name) & set(ENDS)


def test_a_run_that_says_something_about_the_data_or_the_model_succeeds() -> None:
    assert {name for name, state in ENDS.items() if state["Type"] == "Succeed"} == {
        "Registered for rollout",
        "Registered for a person",
        "Candidate rejected",
        "Not enough labels yet",
        "Already under way",
        "Nothing asks for a new model",
    }


def test_every_failure_has_a_name_and_says_why() -> None:
    failures = {name: state for name, state in ENDS.items() if state["Type"] == "Fail"}
    assert {name: state["Error"] for name, state in failures.items()} == {
        "Refused": "Refused",
        "Superseded": "Superseded",
        "Data unfit": "DataUnfit",
        "Retraining failed": "RetrainingFailed",
        "Lock left": "LockLeft",
    }
    assert all(each.get("CausePath") == "$.answer.sentence" or each["Cause"] for each in failures.values())


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_a_job_ends_by_its_own_limit_before_its_state_does() -> None:
    longest = Plan(run_seconds=24 * HOUR, wait_seconds=48 * HOUR)
    for name in ("Examine the data", "Evaluate the candidate"):
        assert STATES[name]["TimeoutSeconds"] == longest.run_seconds + 2 * HOUR
    assert STATES["Train the model"]["TimeoutSeconds"] == longest.wait_seconds + 2 * HOUR
    with pytest.raises(ValueError, match="must lie between"):
        Plan(run_seconds=24 * HOUR + 1, wait_seconds=48 * HOUR)
    with pytest.raises(ValueError, match="must lie between"):
        Plan(wait_seconds=48 * HOUR + 1)


def test_the_machine_lasts_longer_than_its_query_and_its_jobs() -> None:
    waited_for = [state["TimeoutSeconds"] for state in TASK_STATES.values() if state["Resource"].endswith(".sync")]
    assert len(waited_for) == 4
    machines = 3 * sum(min(60 * 2**attempt, 600) for attempt in range(10))
    assert sum(waited_for) + machines < MACHINE["TimeoutSeconds"] == 120 * HOUR


def test_looks_at_an_adopted_job_fit_into_the_history_however_long_it_runs() -> None:
    assert MACHINE["TimeoutSeconds"] // LOOK_SECONDS * EVENTS_OF_A_LOOK <= MOST_EVENTS


def test_a_look_takes_as_many_events_as_are_counted() -> None:
    taken = [
        len(RetrainingScript(train=[TimeoutError()], look_train=[*["wait"] * looks, "done"]).run().history)
        for looks in (1, 11)
    ]
    assert (taken[1] - taken[0]) / 10 == EVENTS_OF_A_LOOK


def test_waits_last_for_as_long_as_the_answer_before_says() -> None:
    waits = [state for state in STATES.values() if state["Type"] == "Wait"]
    assert [state["SecondsPath"] for state in waits] == ["$.answer.wait_seconds"] * 3


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_job_that_failed_is_never_started_again(name: str) -> None:
    """It would meet its own name."""
    names = {error for each in STATES[name]["Retry"] for error in each["ErrorEquals"]}
    assert names == {
        "SageMaker.AmazonSageMakerException",
        "SageMaker.ThrottlingException",
        "ThrottlingException",
        "SageMaker.ResourceLimitExceededException",
        "SageMaker.ResourceLimitExceeded",
    }


@pytest.mark.parametrize("name", sorted(JOBS))
def test_a_machine_that_is_not_free_is_waited_for_longer_than_a_service_that_is_busy(name: str) -> None:
    busy, full = STATES[name]["Retry"]
    assert (busy["IntervalSeconds"], busy["MaxDelaySeconds"], busy["MaxAttempts"]) == (2, 30, 8)
    assert (full["IntervalSeconds"], full["MaxDelaySeconds"], full["MaxAttempts"]) == (60, 600, 10)
    assert {each["JitterStrategy"] for each in (busy, full)} == {"FULL"}


# --- No state reads what may not be there -----------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(STATES))
def test_a_state_reads_only_what_is_there_whichever_way_it_was_entered(name: str) -> None:
    """On AWS a path that is not there ends the execution, and no Catch takes it."""
    assert roots(STATES[name]) <= known_everywhere(MACHINE)[name]


@pytest.mark.parametrize("name", sorted(LAMBDA_STATES))
def test_of_an_answer_the_agreed_fields_are_kept(name: str) -> None:
    fields = ("next", "sentence", "wait_seconds", "run")
    assert STATES[name]["ResultSelector"] == {"answer": {f"{each}.$": f"$.Payload.{each}" for each in fields}}
    assert "ResultPath" not in STATES[name]


def test_what_a_query_or_a_job_answers_takes_the_place_of_nothing() -> None:
    kept = {name: state["ResultPath"] for name, state in TASK_STATES.items() if state["Resource"].endswith(".sync")}
    assert kept == dict.fromkeys(["Assemble the data set", *JOBS])


def test_the_jobs_read_nothing_of_a_run_that_the_functions_do_not_answer() -> None:
    paths = {path for state in STATES.values() for path in read(state)}
    needed = {path.removeprefix("answer.run.") for path in paths if path.startswith("answer.run.")}
    assert needed <= RUN.keys()
    assert RUN.keys() - needed == set()


# --- Jobs, as the services get them -----------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asked() -> dict[str, dict[str, Any]]:
    """What the services are asked in a run, by the state's function in it."""
    jobs = RetrainingScript().run().jobs
    return dict(zip(("query", "examine", "train", "evaluate"), (parameters for _, parameters in jobs), strict=True))


@pytest.mark.parametrize(
    ("job", "service", "operation"),
    [
        ("query", "athena", "StartQueryExecution"),
        ("examine", "sagemaker", "CreateProcessingJob"),
        ("train", "sagemaker", "CreateTrainingJob"),
        ("evaluate", "sagemaker", "CreateProcessingJob"),
    ],
)
def test_what_a_service_is_asked_is_what_it_takes(
    asked: dict[str, dict[str, Any]], job: str, service: str, operation: str
) -> None:
    shape = boto3.client(service, region_name="eu-central-1").meta.service_model.operation_model(operation).input_shape
    report = ParamValidator().validate(asked[job], shape)
    assert not report.has_errors(), report.generate_report()


def query_token(name: str) -> str:
    """What marks the query of an execution of this name."""
    engine = RetrainingScript().engine()
    engine.name = name
    return str(engine.run().jobs[0][1]["ClientRequestToken"])


@pytest.mark.parametrize("name", ["f", "f" * 80])
def test_a_query_that_is_started_twice_by_an_execution_is_one(name: str) -> None:
    """Its token is the same for the same execution, and as long as Athena allows, however long the name is."""
    token = query_token(name)
    assert 32 <= len(token) <= 128
    assert query_token(name) == token != query_token("another")


def test_jobs_are_named_and_read_and_write_as_the_run_says(asked: dict[str, dict[str, Any]]) -> None:
    examine, train, evaluate = asked["examine"], asked["train"], asked["evaluate"]
    assert asked["query"]["QueryString"] == RUN["query"]
    assert examine["ProcessingJobName"] == RUN["examine_name"]
    assert train["TrainingJobName"] == RUN["train_name"]
    assert evaluate["ProcessingJobName"] == RUN["evaluate_name"]
    assert _inputs(examine) == {
        "/opt/ml/processing/input/source": RUN["source_uri"],
        "/opt/ml/processing/input/data": RUN["data_uri"],
    }
    assert _inputs(evaluate) == {
        "/opt/ml/processing/input/source": RUN["source_uri"],
        "/opt/ml/processing/input/rows": RUN["evaluate_uri"],
        "/opt/ml/processing/input/candidate": RUN["artefact_uri"],
        "/opt/ml/processing/input/champion": RUN["champion_uri"],
    }
    assert _outputs(examine) == {"/opt/ml/processing/output": RUN["examined_uri"]}
    assert _outputs(evaluate) == {"/opt/ml/processing/output": RUN["evaluated_uri"]}
    channels = {each["ChannelName"]: each["DataSource"]["S3DataSource"]["S3Uri"] for each in train["InputDataConfig"]}
    assert channels == {"train": RUN["learn_uri"], "code": RUN["source_uri"]}
    assert train["OutputDataConfig"]["S3OutputPath"] == RUN["model_uri"]
    assert train["CheckpointConfig"] == {"S3Uri": RUN["checkpoint_uri"]}


def _inputs(job: dict[str, Any]) -> dict[str, str]:
    return {each["S3Input"]["LocalPath"]: each["S3Input"]["S3Uri"] for each in job["ProcessingInputs"]}


def _outputs(job: dict[str, Any]) -> dict[str, str]:
    outputs = [each["S3Output"] for each in job["ProcessingOutputConfig"]["Outputs"]]
    return {each["LocalPath"]: each["S3Uri"] for each in outputs}


@pytest.mark.parametrize("script", ["examine", "evaluate"])
def test_a_processing_job_unpacks_the_source_and_runs_its_script(asked: dict[str, Any], script: str) -> None:
    run = asked[script]["AppSpecification"]
    shell, option, command, name = run["ContainerEntrypoint"]
    assert (shell, option, name) == ("bash", "-c", script)
    assert command == (
        "cd /opt/ml/processing && mkdir -p code && tar -xzf input/source/source.tar.gz -C code && cd code"
        f' && exec python3 -m {script} .. "$@"'
    )
    assert len(command) <= 256
    assert run["ContainerArguments"] == RUN[f"{script}_arguments"]


def test_jobs_are_shut_off_from_the_network_and_encrypted_and_end_by_themselves(asked: dict[str, Any]) -> None:
    key = {"VolumeKmsKeyId": "arn:aws:lambda:eu-central-1:123456789012:function:DataKeyArn"}
    for script in ("examine", "evaluate"):
        job = asked[script]
        assert job["NetworkConfig"] == {"EnableNetworkIsolation": True}
        assert job["StoppingCondition"] == {"MaxRuntimeInSeconds": RUN["run_seconds"]}
        assert key.items() <= job["ProcessingResources"]["ClusterConfig"].items()
        assert job["ProcessingOutputConfig"]["KmsKeyId"] == key["VolumeKmsKeyId"]
    train = asked["train"]
    assert (train["EnableNetworkIsolation"], train["StoppingCondition"]) == (True, RUN["stopping"])
    assert key.items() <= train["ResourceConfig"].items()
    assert train["OutputDataConfig"]["KmsKeyId"] == key["VolumeKmsKeyId"]


def test_a_training_runs_the_script_without_a_download_and_may_be_interrupted(asked: dict[str, Any]) -> None:
    train = asked["train"]
    assert train["HyperParameters"] == RUN["hyperparameters"]
    assert train["HyperParameters"]["sagemaker_program"] == "train.py"
    assert train["Environment"] == {"PIP_NO_BUILD_ISOLATION": "0"}
    assert train["EnableManagedSpotTraining"] is True


def test_every_number_that_the_training_prints_becomes_a_metric(asked: dict[str, Any]) -> None:
    scores, is_fraud = np.array([0.1, 0.9, 0.2, 0.8]), np.array([False, True, False, True])
    printed = measure(scores, is_fraud, Thresholds(review=0.3, block=0.7))
    defined = {each["Name"]: each["Regex"] for each in asked["train"]["AlgorithmSpecification"]["MetricDefinitions"]}
    assert defined.keys() == {f"validation:{name}" for name in printed}
    for name, value in printed.items():
        found = re.search(defined[f"validation:{name}"], f"validation:{name}={value:.6f}")
        assert found is not None and float(found[1]) == pytest.approx(value, abs=1e-6)
