"""The machine behind rollouts: who starts it, by which name, and what an execution says of itself."""

from __future__ import annotations

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from cli import machine, rollout_machine
from cli.machine import Execution
from cli.target import Target
from tests.cli.rollout_stack import CALLER, pretend

TOLD = json.dumps({"answer": {"next": "nothing", "sentence": "There is nothing to do."}})


class FakeMachine:
    """One execution, or none; an error's code stands for what cannot be described."""

    def __init__(self, newest: dict[str, str] | str | None = None) -> None:
        self.newest = newest
        self.started: list[dict[str, str]] = []

    def start_execution(self, **request: str) -> dict[str, str]:
        self.started.append(request)
        return {"executionArn": "arn:execution"}

    def list_executions(self, **request: Any) -> dict[str, Any]:
        assert request == {"stateMachineArn": "arn:machine", "maxResults": 1}
        return {"executions": [] if self.newest is None else [{"executionArn": "arn:execution", "name": "the-newest"}]}

    def describe_execution(self, **request: str) -> dict[str, str]:
        assert request == {"executionArn": "arn:execution"}
        assert self.newest is not None
        if isinstance(self.newest, str):
            raise ClientError({"Error": {"Code": self.newest}}, "DescribeExecution")
        return self.newest


def test_caller_on_aws_is_known_by_an_arn(stack: Target) -> None:
    assert machine.caller(stack) == CALLER


def test_caller_on_the_laptop_is_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getuser", lambda: "jane")
    assert machine.caller(Target("s", "http://127.0.0.1:4566", "eu-west-1")) == "jane"


@pytest.mark.parametrize("error", [KeyError("no entry for 1000"), OSError("no user")])
def test_caller_on_the_laptop_without_a_name_is_somebody(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def refuse() -> str:
        raise error

    monkeypatch.setattr("getpass.getuser", refuse)
    assert machine.caller(Target("s", "http://127.0.0.1:4566", "eu-west-1")) == "somebody on this machine"


def test_begin_names_each_execution_so_that_a_call_sent_again_starts_nothing(rolled: Target) -> None:
    machine = FakeMachine()
    pretend(rolled, "stepfunctions", machine)
    begun = [rollout_machine.begin(rolled, {"started_by": "ada"}) for _ in range(2)]
    assert begun == [(each["name"], "arn:execution") for each in machine.started]
    assert len({each["name"] for each in machine.started}) == 2
    assert {(each["stateMachineArn"], each["input"]) for each in machine.started} == {
        ("arn:machine", '{"started_by": "ada"}')
    }


@pytest.mark.parametrize(
    ("described", "standing"),
    [
        ({"status": "RUNNING"}, Execution("RUNNING")),
        ("ExecutionDoesNotExist", Execution("RUNNING")),
        ({"status": "SUCCEEDED", "output": TOLD}, Execution("SUCCEEDED", "nothing", "There is nothing to do.")),
        ({"status": "SUCCEEDED", "output": "{}"}, Execution("SUCCEEDED")),
        ({"status": "FAILED", "cause": "Why."}, Execution("FAILED", "", "Why.")),
        ({"status": "TIMED_OUT"}, Execution("TIMED_OUT")),
    ],
)
def test_look_is_what_the_execution_says_of_itself(
    rolled: Target, described: dict[str, str] | str, standing: Execution
) -> None:
    pretend(rolled, "stepfunctions", FakeMachine(described))
    assert machine.look(rolled, "arn:execution") == standing


def test_look_that_is_not_allowed_is_an_error(rolled: Target) -> None:
    pretend(rolled, "stepfunctions", FakeMachine("AccessDeniedException"))
    with pytest.raises(ClientError, match="AccessDenied"):
        machine.look(rolled, "arn:execution")


@pytest.mark.parametrize(
    ("newest", "word"),
    [
        (None, "nothing started the machine"),
        ({"status": "FAILED", "cause": "Why.", "output": "{}"}, "Why."),
        ({"status": "SUCCEEDED", "output": TOLD}, "There is nothing to do."),
        ({"status": "RUNNING"}, "execution the-newest is running"),
    ],
)
def test_last_word_is_what_the_newest_execution_says(rolled: Target, newest: dict[str, str] | None, word: str) -> None:
    pretend(rolled, "stepfunctions", FakeMachine(newest))
    assert rollout_machine.last_word(rolled) == word
