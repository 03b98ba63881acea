"""A state machine that waits is answered once; one that waits no more refuses an approval and ignores the rest."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest

from fraud.aws.callbacks import StepFunctionsCallbacks
from fraud.errors import RolloutRefused, StoreUnavailable
from fraud.rollout_ports import Callbacks
from tests.fakes.rollouts import RecordingCallbacks
from tests.fakes.scripted_client import answering, refusal

NOBODY_WAITS = ("TaskTimedOut", "InvalidToken", "TaskDoesNotExist")


@dataclass
class StepFunctions:
    """Machines that wait, and the requests that were taken.

    Args:
        waiting: tokens.
        code: what others are refused with.
    """

    waiting: set[str] = field(default_factory=lambda: {"token"})
    code: str = "TaskTimedOut"
    succeeded: list[dict[str, Any]] = field(default_factory=list)
    failed: list[dict[str, Any]] = field(default_factory=list)

    def succeed(self, **asked: Any) -> dict[str, Any]:
        return self._take(self.succeeded, asked)

    def fail(self, **asked: Any) -> dict[str, Any]:
        return self._take(self.failed, asked)

    def _take(self, requests: list[dict[str, Any]], asked: dict[str, Any]) -> dict[str, Any]:
        if asked["taskToken"] not in self.waiting:
            raise refusal(self.code)
        self.waiting.remove(asked["taskToken"])
        requests.append(asked)
        return {}

    @property
    def resumed(self) -> list[tuple[str, int, str]]:
        answers = [(each["taskToken"], json.loads(each["output"])) for each in self.succeeded]
        return [(token, answer["step"], answer["sentence"]) for token, answer in answers]

    @property
    def interrupted(self) -> list[tuple[str, str]]:
        return [(each["taskToken"], each["cause"]) for each in self.failed]


@pytest.fixture
def machines() -> StepFunctions:
    return StepFunctions()


@pytest.fixture
def adapter(machines: StepFunctions) -> Iterator[Callbacks]:
    client = boto3.client("stepfunctions")
    with answering(client, SendTaskSuccess=machines.succeed, SendTaskFailure=machines.fail):
        yield StepFunctionsCallbacks(client)


Seen = Callable[[], tuple[list[tuple[str, int, str]], list[tuple[str, str]]]]


@pytest.fixture(params=["memory", "aws"])
def waited(request: pytest.FixtureRequest, machines: StepFunctions, adapter: Callbacks) -> tuple[Callbacks, Seen]:
    """One machine that waits with `token`, and what it was told."""
    if request.param == "aws":
        return adapter, lambda: (machines.resumed, machines.interrupted)
    recording = RecordingCallbacks({"token"})
    return recording, lambda: (
        [(token, step, f"Approved by {by}.") for token, step, by in recording.resumed],
        recording.interrupted,
    )


Waited = tuple[Callbacks, Seen]


def test_resume_machine_that_waits_goes_on_to_the_step(waited: Waited) -> None:
    callbacks, seen = waited
    callbacks.resume("token", 3, "ada")
    assert seen() == ([("token", 3, "Approved by ada.")], [])


def test_fault_32_resume_again_is_refused(waited: Waited) -> None:
    callbacks, seen = waited
    callbacks.resume("token", 3, "ada")
    with pytest.raises(RolloutRefused, match="Nobody waits"):
        callbacks.resume("token", 3, "bob")
    assert seen() == ([("token", 3, "Approved by ada.")], [])


def test_fault_32_resume_with_an_old_token_is_refused(waited: Waited) -> None:
    callbacks, seen = waited
    with pytest.raises(RolloutRefused):
        callbacks.resume("old", 3, "ada")
    assert seen() == ([], [])


def test_interrupt_machine_that_waits_is_told_why(waited: Waited) -> None:
    callbacks, seen = waited
    callbacks.interrupt("token", "An alarm fired.")
    assert seen() == ([], [("token", "An alarm fired.")])


def test_interrupt_again_or_with_an_old_token_does_nothing(waited: Waited) -> None:
    callbacks, seen = waited
    callbacks.interrupt("old", "An alarm fired.")
    callbacks.interrupt("token", "An alarm fired.")
    callbacks.interrupt("token", "Another fired.")
    assert seen() == ([], [("token", "An alarm fired.")])


def test_resume_after_an_interruption_is_refused(waited: Waited) -> None:
    callbacks, _ = waited
    callbacks.interrupt("token", "An alarm fired.")
    with pytest.raises(RolloutRefused):
        callbacks.resume("token", 3, "ada")


def test_resume_output_is_a_whole_answer(adapter: Callbacks, machines: StepFunctions) -> None:
    adapter.resume("token", 0, "ada")
    assert json.loads(machines.succeeded[0]["output"]) == {
        "next": "shift",
        "sentence": "Approved by ada.",
        "wait_seconds": 0,
        "step": 0,
        "model_package_arn": "",
    }


def test_interrupt_error_is_named_and_its_cause_cut_to_the_limit(adapter: Callbacks, machines: StepFunctions) -> None:
    adapter.interrupt("token", "x" * 40_000)
    assert machines.failed == [{"taskToken": "token", "error": "RolloutStopped", "cause": "x" * 32_768}]


@pytest.mark.parametrize("code", NOBODY_WAITS)
def test_callbacks_every_way_of_not_waiting_is_one(adapter: Callbacks, machines: StepFunctions, code: str) -> None:
    machines.waiting, machines.code = set(), code
    adapter.interrupt("token", "An alarm fired.")
    with pytest.raises(RolloutRefused):
        adapter.resume("token", 3, "ada")


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InvalidOutput"])
def test_callbacks_other_refusals_are_unavailable(adapter: Callbacks, machines: StepFunctions, code: str) -> None:
    machines.waiting, machines.code = set(), code
    with pytest.raises(StoreUnavailable, match=f"^SendTaskSuccess: {code}$"):
        adapter.resume("token", 3, "ada")
    with pytest.raises(StoreUnavailable, match=f"^SendTaskFailure: {code}$"):
        adapter.interrupt("token", "An alarm fired.")
