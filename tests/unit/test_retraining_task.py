"""What the machine asks, what it is answered, and how a failure is put into words."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from fraud.errors import InvalidEvidence, InvalidPlan, RetrainingMoved, RetrainingRefused, RetrainingSuperseded
from fraud.machine_task import Answer, Task, answered, explained, task
from fraud.retraining import Kind
from fraud.retraining_task import Request, request

EVENT = {"task": "lock", "execution": "arn:e", "execution_name": "e"}


def refusing(error: Exception) -> dict[str, Any]:
    def call() -> Answer:
        raise error

    return answered(call, "refused")


def caught(cause: object) -> str:
    """What the machine caught, as the text that it hands on."""
    return json.dumps({"Error": "States.TaskFailed", "Cause": cause})


def test_task_first_of_a_run_brings_no_answer_of_another() -> None:
    assert task(EVENT) == Task(task="lock", execution="arn:e", execution_name="e")


def test_task_carries_what_the_answer_before_left() -> None:
    event = EVENT | {"input": {"plan": {}}, "job": "train", "error": "{}", "run": {"train_name": "t"}}
    found = task(event)
    assert (found.input, found.job, found.error, found.run) == ({"plan": {}}, "train", "{}", {"train_name": "t"})


@pytest.mark.parametrize("missing", EVENT)
def test_task_that_names_no_execution_is_an_error_of_the_machine(missing: str) -> None:
    with pytest.raises(msgspec.ValidationError, match=missing):
        task({name: value for name, value in EVENT.items() if name != missing})


@pytest.mark.parametrize("given", [None, {}])
def test_request_nothing_is_a_person_who_asks_for_the_default(given: object) -> None:
    assert request(given) == Request(plan={}, trigger=Kind.PERSON, alarm="", started_by="")


def test_request_of_an_alarm_names_it() -> None:
    found = request({"trigger": "alarm", "alarm": "stack-retrain-drift"})
    assert (found.trigger, found.alarm) == (Kind.ALARM, "stack-retrain-drift")


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "Expected `object`, got `array`"),
        ("now", "Expected `object`, got `str`"),
        ({"training_days": 60}, "unknown field `training_days`"),
        ({"trigger": "mood"}, "Invalid enum value 'mood'"),
        ({"plan": None}, r"Expected `object`, got `null` - at `\$\.plan`"),
        ({"started_by": 7}, r"Expected `str`, got `int` - at `\$\.started_by`"),
    ],
)
def test_request_of_another_shape_is_refused_with_what_is_allowed(given: object, words: str) -> None:
    with pytest.raises(RetrainingRefused, match=rf"^The input is not \{{\}} or \{{plan, .*: .*{words}"):
        request(given)


def test_answered_every_field_is_there_because_a_path_that_is_not_ends_an_execution() -> None:
    found = answered(lambda: Answer(next="train"), "refused")
    assert found == {"next": "train", "sentence": "", "wait_seconds": 0, "run": {}}


@pytest.mark.parametrize("error", [RetrainingRefused("no"), InvalidPlan("no"), InvalidEvidence("no")])
def test_answered_what_can_never_succeed_is_told_by_the_word_for_it(error: Exception) -> None:
    assert refusing(error) == {"next": "refused", "sentence": "no", "wait_seconds": 0, "run": {}}


def test_answered_superseded_has_a_word_of_its_own() -> None:
    assert refusing(RetrainingSuperseded("another's"))["next"] == "superseded"


@pytest.mark.parametrize("error", [RetrainingMoved("moved"), KeyError("bug")])
def test_answered_the_unexpected_is_left_to_the_machine(error: Exception) -> None:
    with pytest.raises(type(error)):
        refusing(error)


@pytest.mark.parametrize(
    ("error", "words"),
    [
        ("", "It ended for a reason that nobody noted."),
        ("The lock was lost.", "The lock was lost."),
        ("[1]", "[1]"),
        (json.dumps({"Error": "States.Timeout"}), "States.Timeout"),
        (json.dumps({"Error": "States.Timeout", "Cause": None}), "States.Timeout"),
        (json.dumps({"Cause": "slow"}), "An error: slow"),
        (caught("not JSON {"), "States.TaskFailed: not JSON {"),
        (caught(json.dumps({"FailureReason": "see the log", "ExitMessage": "no rows"})), "States.TaskFailed: no rows"),
        (caught(json.dumps({"FailureReason": None, "ExitMessage": "no rows"})), "States.TaskFailed: no rows"),
        (caught(json.dumps({"errorMessage": "GetItem: Throttling"})), "States.TaskFailed: GetItem: Throttling"),
        (caught(json.dumps({"Status": "Stopped"})), 'States.TaskFailed: {"Status": "Stopped"}'),
        (caught("[" * 100_000), "States.TaskFailed: " + "[" * 100_000),
    ],
)
def test_explained_says_why_in_the_words_of_whoever_knows_best(error: str, words: str) -> None:
    assert explained(error) == words
