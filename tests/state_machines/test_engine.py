"""The engine keeps what it promises to those who test with it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service import (
    state_task_service_factory,
    state_task_service_unsupported,
)
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.resource import ResourceCondition

from tests.state_machines.committed import STATES, arn, filled
from tests.state_machines.engine import Engine
from tests.state_machines.jobs import JobFailed
from tests.state_machines.retraining_script import RUN, RetrainingScript
from tests.state_machines.script import Script


class Crash(BaseException):
    """Nothing of an application catches it."""


def test_a_state_that_is_stopped_at_is_entered_and_does_nothing() -> None:
    script = Script()
    engine = Engine(filled(), script.functions())
    engine.stop_at("Promote the challenger", before=True)
    ran = engine.run()
    assert (ran.status, ran.states[-1]) == ("ABORTED", "Promote the challenger")
    assert "promote" not in script.calls


@pytest.mark.parametrize("line", ["promoted", RuntimeError("lost")])
def test_a_state_that_is_stopped_after_took_effect_once_and_nothing_follows(line: Any) -> None:
    script = Script(promote=[line])
    engine = Engine(filled(), script.functions())
    engine.stop_at("Promote the challenger", before=False)
    ran = engine.run()
    assert (ran.status, ran.states[-1], script.calls[-1]) == ("ABORTED", "Promote the challenger", "promote")
    assert script.calls.count("promote") == 1


def test_nobody_is_asked_after_a_stop() -> None:
    asked: list[str] = []
    script = Script(judge=["ask"])
    engine = Engine(filled(), script.functions(), on_token=lambda token, _: asked.append(token))
    engine.stop_at("Ask for approval", before=False)
    ran = engine.run()
    assert (ran.status, ran.error, ran.states[-1], script.calls[-1]) == ("ABORTED", "", "Ask for approval", "ask")
    assert asked == []


def test_a_later_visit_can_be_stopped_at() -> None:
    script = Script()
    engine = Engine(filled(), script.functions())
    engine.stop_at("Shift the traffic", before=True, visit=2)
    assert engine.run().states.count("Shift the traffic") == 2
    assert script.calls.count("shift") == 1


@pytest.mark.parametrize("before", [True, False])
@pytest.mark.parametrize("state", ["Shadow", "Is it promoted?", "Announce the promotion"])
def test_a_state_without_a_function_can_be_stopped_at(state: str, before: bool) -> None:
    engine = Engine(filled(), Script().functions())
    engine.stop_at(state, before=before)
    ran = engine.run()
    assert (ran.status, ran.states[-1]) == ("ABORTED", state)
    assert len(ran.calls) == (state == "Announce the promotion" and not before)


def test_a_stop_holds_for_one_run() -> None:
    engine = Engine(filled(), Script().functions())
    engine.stop_at("Take the lock", before=True)
    engine.run()
    assert Engine(filled(), Script().functions()).run().status == engine.run().status == "SUCCEEDED"


def test_a_function_that_crashes_is_reported_as_lambda_reports_it_and_tried_again() -> None:
    script = Script()
    crashed: list[str] = []

    def prepare(event: dict[str, Any]) -> Any:
        if not crashed:
            crashed.append(event["task"])
            raise Crash
        return functions[arn("PrepareRolloutArn")](event)

    functions = script.functions()
    ran = Engine(filled(), {**functions, arn("PrepareRolloutArn"): prepare}).run()
    assert (ran.status, ran.states.count("Check the candidate")) == ("SUCCEEDED", 1)
    failures = [each["taskFailedEventDetails"]["error"] for each in ran.history if each["type"] == "TaskFailed"]
    assert failures == ["Runtime.ExitError"]


def test_an_answer_without_a_field_that_is_kept_fails_the_test_as_it_fails_the_execution_on_aws() -> None:
    with pytest.raises(AssertionError, match=r"States\.Runtime"):
        Engine(filled(), Script(judge=[{"next": "hold"}]).functions()).run()


def test_a_function_that_nobody_gave_fails_the_test() -> None:
    with pytest.raises(AssertionError, match=r"States\.Runtime"):
        Engine(filled(), {}).run()


def test_a_machine_that_goes_in_circles_fails_the_test() -> None:
    with pytest.raises(AssertionError, match="more than 100 states"):
        Engine(filled(), Script(judge=["hold"]).functions(), most_states=100).run()


def test_every_state_is_entered_by_some_run() -> None:
    """So that what the others say of the machine is said of all of it."""
    lines: list[dict[str, list[Any]]] = [
        {},
        {"check": ["nothing"]},
        {"check": ["refused"]},
        {"lock": ["under_way"]},
        {"smoke": ["bootstrap"]},
        {"judge": ["ask", "roll_back"]},
        {"promote": [RuntimeError("lost")]},
        {"promote": ["roll_back"], "restore": ["superseded"]},
        {"promote": ["roll_back"], "verify_rollback": ["what"]},
        {"release": [RuntimeError("no")]},
    ]
    engines = [Engine(filled(), Script(**each).functions()) for each in lines]
    assert {state for engine in engines for state in engine.run().states} == set(STATES)


# --- Jobs that are waited for -----------------------------------------------------------------------------------------


def test_a_job_gets_its_parameters_and_its_description_is_the_result_of_its_state() -> None:
    ran = RetrainingScript(train=[{"TrainingJobStatus": "Completed"}]).run()
    (parameters,) = [given for resource, given in ran.jobs if resource == "sagemaker:createTrainingJob.sync"]
    assert parameters["TrainingJobName"] == RUN["train_name"]
    (result,) = [
        json.loads(each["taskSucceededEventDetails"]["output"])
        for each in ran.history
        if each["type"] == "TaskSucceeded" and each["taskSucceededEventDetails"]["resource"] == "createTrainingJob.sync"
    ]
    assert result == {"TrainingJobStatus": "Completed"}


@pytest.mark.parametrize("line", [{}, JobFailed("States.TaskFailed", "it broke"), TimeoutError()])
def test_a_job_that_is_stopped_after_took_effect_once_and_nothing_follows(line: Any) -> None:
    script = RetrainingScript(train=[line])
    engine = script.engine()
    engine.stop_at("Train the model", before=False)
    ran = engine.run()
    assert (ran.status, ran.states[-1], script.calls[-1]) == ("ABORTED", "Train the model", "train")
    assert script.calls.count("train") == 1


def test_a_job_that_is_stopped_before_is_not_started() -> None:
    script = RetrainingScript()
    engine = script.engine()
    engine.stop_at("Train the model", before=True)
    assert (engine.run().states[-1], script.calls[-1]) == ("Train the model", "data")


def test_a_job_that_fails_does_so_under_its_error_s_name_and_one_too_slow_times_out() -> None:
    lines: list[Any] = [JobFailed("SageMaker.ResourceInUseException", "it exists"), TimeoutError()]
    ran = RetrainingScript(examine=lines[:1], train=lines[1:]).run()
    (failed,) = [each["taskFailedEventDetails"] for each in ran.history if each["type"] == "TaskFailed"]
    assert (failed["error"], failed["cause"]) == ("SageMaker.ResourceInUseException", "it exists")
    assert len([each for each in ran.history if each["type"] == "TaskTimedOut"]) == 1


@pytest.mark.parametrize("mistake", [ValueError("a mistake in the test"), Crash()])
def test_a_job_of_the_test_that_breaks_down_fails_the_test(mistake: BaseException) -> None:
    def break_down(_: dict[str, Any]) -> Any:
        raise mistake

    engine = RetrainingScript().engine()
    engine.jobs = {**engine.jobs, "sagemaker:createTrainingJob.sync": break_down}
    with pytest.raises(AssertionError, match=r"States\.Runtime.*broke down"):
        engine.run()


def test_a_job_that_nobody_gave_fails_the_test() -> None:
    engine = RetrainingScript().engine()
    engine.jobs = {}
    with pytest.raises(AssertionError, match=r"States\.Runtime"):
        engine.run()


def test_the_interpreter_still_cannot_run_jobs_by_itself() -> None:
    """Once it can, `tests.state_machines.jobs` may be wrong about it, and may go."""
    assert {"athena", "sagemaker"} <= state_task_service_factory._UNSUPPORTED_SERVICE_NAMES
    patterns = state_task_service_unsupported._SUPPORTED_INTEGRATION_PATTERNS
    assert ResourceCondition.Sync not in patterns
