"""The shapes that the state machine and its functions exchange: every answer whole, every error where it belongs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fraud import rollout_task
from fraud.errors import (
    DeploymentFailed,
    DeploymentInterrupted,
    FraudError,
    InvalidPackage,
    InvalidPlan,
    RollbackUnverified,
    RolloutMoved,
    RolloutRefused,
    RolloutStopped,
    RolloutSuperseded,
    StoreUnavailable,
)
from fraud.rollout import Ask, Hold, Next, Promote, RollBack, Shift
from fraud.rollout_task import Answer, Request, Task

EVENT = {"task": "shift", "execution": "arn:e", "execution_name": "e", "input": {"plan": {}}, "step": 2}


def raising(error: Exception) -> Callable[[], Answer]:
    def call() -> Answer:
        raise error

    return call


def test_task_reads_what_the_machine_says() -> None:
    assert rollout_task.task(EVENT) == Task(
        task="shift", execution="arn:e", execution_name="e", input={"plan": {}}, step=2
    )


@pytest.mark.parametrize("given", [{}, None])
def test_request_of_nothing_is_all_defaults(given: Any) -> None:
    assert rollout_task.request(given) == Request(model_package_arn="", plan={}, started_by="unknown")


def test_request_reads_what_a_person_wrote() -> None:
    given = {"model_package_arn": "arn:m", "plan": {"bake_seconds": 5}, "started_by": "ada"}
    assert rollout_task.request(given) == Request(model_package_arn="arn:m", plan={"bake_seconds": 5}, started_by="ada")


@pytest.mark.parametrize(
    "given", [[], "", 5, {"plan": None}, {"model_package_arn": 3}, {"started_by": {}}, {"Plan": {}}]
)
def test_request_of_another_shape_is_refused_with_the_right_one(given: Any) -> None:
    with pytest.raises(RolloutRefused, match=r"^The input is not \{\} or \{model_package_arn, plan, started_by\}: "):
        rollout_task.request(given)


def test_answered_gives_every_field_always() -> None:
    assert rollout_task.answered(lambda: Answer(next="ready"), "roll_back") == {
        "next": "ready",
        "sentence": "",
        "wait_seconds": 0,
        "step": -1,
        "model_package_arn": "",
    }


@pytest.mark.parametrize("permanent", ["refused", "roll_back"])
@pytest.mark.parametrize("kind", [DeploymentFailed, InvalidPackage, InvalidPlan, RolloutRefused, RolloutStopped])
def test_answered_what_can_never_succeed_is_an_answer(kind: type[FraudError], permanent: str) -> None:
    answer = rollout_task.answered(raising(kind("Why.")), permanent)
    assert (answer["next"], answer["sentence"]) == (permanent, "Why.")


def test_answered_superseded_has_its_own_word() -> None:
    answer = rollout_task.answered(raising(RolloutSuperseded("Why.")), "roll_back")
    assert (answer["next"], answer["sentence"]) == ("superseded", "Why.")


@pytest.mark.parametrize(
    "kind", [DeploymentInterrupted, RollbackUnverified, RolloutMoved, StoreUnavailable, ValueError, KeyError]
)
def test_answered_what_may_pass_or_is_a_bug_stays_an_error(kind: type[Exception]) -> None:
    with pytest.raises(kind):
        rollout_task.answered(raising(kind("why")), "roll_back")


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (Hold("Wait.", 30), Answer(next="hold", sentence="Wait.", wait_seconds=30)),
        (Shift("On.", 2), Answer(next="shift", sentence="On.", step=2)),
        (Ask("May it?", 3, 77), Answer(next="ask", sentence="May it?", step=3, wait_seconds=77)),
        (Promote("Done."), Answer(next="promote", sentence="Done.")),
        (RollBack("Bad."), Answer(next="roll_back", sentence="Bad.")),
    ],
)
def test_told_every_step_has_its_word(step: Next, answer: Answer) -> None:
    assert rollout_task.told(step) == answer
