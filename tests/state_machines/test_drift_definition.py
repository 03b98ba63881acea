"""What is true of the committed machine `drift` alone by its structure, whatever its functions answer."""

from __future__ import annotations

import boto3
import pytest
from botocore.validate import ParamValidator

from fraud.monitoring_task import request
from tests.fakes.monitoring_world import MonitoringWorld
from tests.state_machines.drift_script import RUN, STATES, DriftScript
from tests.state_machines.machines import lambdas, of_type
from tests.state_machines.structure import caught, inputs, outputs, reachable

ASK, NOTE = "Ask for a baseline", "Note the failure"


def test_each_question_knows_these_answers() -> None:
    choices = of_type(DriftScript, "Choice")
    known = {name: {rule["StringEquals"] for rule in state["Choices"]} for name, state in choices.items()}
    assert known == {
        "Is there a window to look at?": {"assemble", "no_model", "no_baseline", "refused"},
        "Did anything arrive?": {"look", "nothing"},
        "Is the look done?": {"done", "wait"},
        "Did anything change?": {"quiet", "violated"},
    }


def test_a_look_succeeds_whatever_it_finds() -> None:
    assert set(of_type(DriftScript, "Succeed")) == {
        "Asked for a baseline",
        "No model serves yet",
        "Nothing arrived",
        "Nothing changed",
        "Violations found",
    }


def test_every_failure_has_a_name() -> None:
    failures = of_type(DriftScript, "Fail")
    assert {name: state["Error"] for name, state in failures.items()} == {
        "Refused": "Refused",
        "Look failed": "LookFailed",
    }


@pytest.mark.parametrize("name", sorted(of_type(DriftScript, "Choice")))
def test_an_answer_that_nobody_expects_fails_the_look(name: str) -> None:
    assert STATES[name]["Default"] == NOTE


@pytest.mark.parametrize("name", sorted(set(of_type(DriftScript, "Task")) - {"Look at the window", NOTE}))
def test_an_error_of_a_task_fails_the_look_with_its_explanation(name: str) -> None:
    assert caught(STATES[name]) == {"States.ALL": "Explain the failure"}
    assert STATES["Explain the failure"]["Next"] == NOTE


def test_a_failure_that_cannot_be_noted_ends_the_look_all_the_same() -> None:
    assert caught(STATES[NOTE]) == {"States.ALL": "Look failed"}
    assert reachable(STATES, NOTE) == {NOTE, "Look failed"}


def test_a_look_takes_no_lock() -> None:
    assert {state["Parameters"]["Payload"]["task"] for state in lambdas(DriftScript).values()} == {
        "choose_window",
        "choose_data",
        "judge",
        "look",
        "fail",
    }


def test_what_is_asked_for_a_baseline_is_a_request_and_not_waited_for() -> None:
    assert STATES[ASK]["Resource"] == "arn:aws:states:::states:startExecution"
    assert request(STATES[ASK]["Parameters"]["Input"]).trigger == "drift"


def test_a_start_is_what_the_service_takes() -> None:
    ((_, asked),) = DriftScript(choose_window=["no_baseline"]).run().calls
    model = boto3.client("stepfunctions", region_name="eu-central-1").meta.service_model
    # The language begins names with a capital, and Step Functions translates.
    given = {name[0].lower() + name[1:]: value for name, value in asked.items()}
    report = ParamValidator().validate(given, model.operation_model("StartExecution").input_shape)
    assert not report.has_errors(), report.generate_report()


def test_a_start_is_tried_again_where_the_service_is_busy_and_only_there() -> None:
    (retried,) = STATES[ASK]["Retry"]
    assert retried["ErrorEquals"] == [
        "StepFunctions.AWSStepFunctionsException",
        "StepFunctions.ExecutionLimitExceededException",
        "StepFunctions.ExecutionLimitExceeded",
        "StepFunctions.ThrottlingException",
    ]
    assert (retried["MaxAttempts"], retried["MaxDelaySeconds"], retried["JitterStrategy"]) == (8, 30, "FULL")


def test_the_look_is_named_and_reads_and_writes_as_the_run_says() -> None:
    (_, query), (_, job) = DriftScript().run().jobs
    assert query["QueryString"] == RUN["query"]
    assert job["ProcessingJobName"] == RUN["monitor_name"]
    assert inputs(job) == {
        "/opt/ml/processing/input/source": RUN["source_uri"],
        "/opt/ml/processing/input/rows": RUN["rows_uri"],
        "/opt/ml/processing/input/champion": RUN["champion_uri"],
        "/opt/ml/processing/input/challenger": RUN["challenger_uri"],
        "/opt/ml/processing/input/baseline": RUN["baseline_uri"],
    }
    assert outputs(job) == {"/opt/ml/processing/output": RUN["findings_uri"]}


def test_the_function_answers_a_run_as_the_script_does() -> None:
    world = MonitoringWorld().with_champion()
    world.refreshed()
    answered = world.look("choose_window")
    assert answered.next == "assemble"
    assert answered.run.keys() == RUN.keys()
