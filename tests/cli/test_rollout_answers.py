"""`fraud rollout approve`, `reject`, `pause`, `resume` and `abort`: functions are fakes, the table is real."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from cli import rollout_answers
from cli.rollout_answers import complaint
from cli.target import Target
from fraud.rollout import Rollout, Stage
from tests.cli.rollout_stack import CALLER, PROMOTED, ROLLED_BACK, call, pretend, told_in_one_line, unfold, write
from tests.cli.test_rollout_screen import ASKED, CANARY

pytestmark = pytest.mark.usefixtures("waits")


class FakeFunctions:
    """Lambda: remembers what it was asked, and answers; `on_call` may write a record."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, str]]] = []
        self.answer = {"next": "done", "sentence": "It is [done]."}
        self.error: dict[str, str] | None = None
        self.on_call: Callable[[], None] = lambda: None

    def invoke(self, **request: str) -> dict[str, Any]:
        self.calls.append((request["FunctionName"], json.loads(request["Payload"])))
        self.on_call()
        answer = self.answer | {"wait_seconds": 0, "step": -1, "model_package_arn": ""}
        body = io.BytesIO(json.dumps(self.error or answer).encode())
        return {"Payload": body} | ({"FunctionError": "Unhandled"} if self.error else {})


@pytest.fixture
def functions(rolled: Target) -> FakeFunctions:
    fake = FakeFunctions()
    pretend(rolled, "lambda", fake)
    return fake


# --- Answer ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "request_"),
    [
        (["approve"], {"task": "approve", "request_id": "q"}),
        (["reject", "--reason", "no"], {"task": "reject", "request_id": "q", "reason": "no"}),
        (["pause"], {"task": "pause", "reason": "", "rollout_id": "rollout-1"}),
        (["pause", "--reason", "lunch"], {"task": "pause", "reason": "lunch", "rollout_id": "rollout-1"}),
        (["resume"], {"task": "resume", "rollout_id": "rollout-1"}),
    ],
)
def test_answers_are_given_in_the_callers_name(
    rolled: Target, functions: FakeFunctions, runner: CliRunner, arguments: list[str], request_: dict[str, str]
) -> None:
    write(rolled, ASKED)
    result = call(runner, *arguments)
    assert (result.exit_code, result.stdout) == (0, "It is [done].\n")
    assert functions.calls == [("steer", {**request_, "by": CALLER})]
    assert json.loads(call(runner, *arguments, "--json").stdout)["sentence"] == "It is [done]."


@pytest.mark.parametrize(
    ("record", "words"),
    [
        (None, "fraud rollout start"),
        (CANARY, "asks nothing now: it is canary."),
        (replace(CANARY, approval=ASKED.approval), "asks nothing now: it is canary."),
        (ROLLED_BACK, "No rollout is under way: rollout-1 is rolled back."),
    ],
)
@pytest.mark.parametrize("arguments", [["approve"], ["reject", "--reason", "no"]])
def test_answers_without_a_question_are_one_line(
    rolled: Target,
    functions: FakeFunctions,
    runner: CliRunner,
    record: Rollout | None,
    words: str,
    arguments: list[str],
) -> None:
    if record is not None:
        write(rolled, record)
    told_in_one_line(call(runner, *arguments), words)
    assert functions.calls == []


def test_reject_is_said_again_after_the_rollback_in_case_the_machine_was_not_woken(
    rolled: Target, functions: FakeFunctions, runner: CliRunner
) -> None:
    write(rolled, replace(ASKED, stage=Stage.ROLLING_BACK))
    assert call(runner, "reject", "--reason", "no").exit_code == 0
    assert functions.calls == [("steer", {"task": "reject", "request_id": "q", "reason": "no", "by": CALLER})]
    told_in_one_line(call(runner, "approve"), "asks nothing now: it is rolling back.")


@pytest.mark.parametrize(
    ("record", "words"), [(None, "fraud rollout start"), (PROMOTED, "No rollout is under way: rollout-1 is promoted.")]
)
@pytest.mark.parametrize("arguments", [["pause"], ["resume"]])
def test_pause_and_resume_of_nothing_are_one_line(
    rolled: Target,
    functions: FakeFunctions,
    runner: CliRunner,
    record: Rollout | None,
    words: str,
    arguments: list[str],
) -> None:
    if record is not None:
        write(rolled, record)
    told_in_one_line(call(runner, *arguments), words)
    assert functions.calls == []


def test_approve_help_says_that_who_started_it_on_the_laptop_cannot(runner: CliRunner) -> None:
    shown = " ".join(call(runner, "approve", "--help").stdout.split())
    assert "On the laptop, too, what you began with `fraud rollout start` waits for another user." in shown


def test_answer_that_is_refused_is_the_functions_own_sentence(
    rolled: Target, functions: FakeFunctions, runner: CliRunner
) -> None:
    write(rolled, CANARY)
    functions.error = {"errorType": "RolloutRefused", "errorMessage": "Nothing is paused."}
    result = call(runner, "resume")
    assert (result.exit_code, result.stderr) == (1, "Error: Nothing is paused.\n")


def test_complaint_of_a_failure_says_where_to_look() -> None:
    assert complaint("steer", {"errorType": "KeyError", "errorMessage": "'a\nb'"}) == (
        "steer failed, its log says more: KeyError: 'a b'"
    )


def test_reject_and_abort_want_a_reason(rolled: Target, runner: CliRunner) -> None:
    assert call(runner, "reject").exit_code == call(runner, "abort", "--yes").exit_code == 2


# --- Abort ----------------------------------------------------------------------------------------------------------


def test_abort_says_when_traffic_is_verified_to_be_back(
    rolled: Target, functions: FakeFunctions, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    going = replace(CANARY, stage=Stage.ROLLING_BACK)
    back = replace(ROLLED_BACK, released=False, lease_until=1e11)
    unfold(monkeypatch, rolled, CANARY, going, back)
    result = call(runner, "abort", "--reason", "complaints", "--yes")
    assert result.exit_code == 0
    assert functions.calls == [
        ("abort", {"task": "abort", "by": CALLER, "reason": "complaints", "rollout_id": "rollout-1"})
    ]
    assert "It is [done]." in result.stdout and "All traffic is verified to be back" in result.stdout


def test_abort_json_is_one_document(rolled: Target, functions: FakeFunctions, runner: CliRunner) -> None:
    write(rolled, CANARY)
    functions.on_call = lambda: write(rolled, ROLLED_BACK)
    result = call(runner, "abort", "--reason", "complaints", "--yes", "--json")
    assert json.loads(result.stdout) == {
        "rollout_id": "rollout-1",
        "stage": "rolled_back",
        "reason": "It blocks too much.",
        "verified": True,
        "released": True,
    }


@pytest.mark.parametrize(
    ("after", "words"),
    [
        (replace(CANARY, stage=Stage.ROLLING_BACK), "not verified yet"),
        (replace(PROMOTED, released=False), "It was too late"),
    ],
)
def test_abort_that_is_not_seen_to_be_in_force_is_no_success(
    rolled: Target, functions: FakeFunctions, runner: CliRunner, waits: list[float], after: Rollout, words: str
) -> None:
    write(rolled, CANARY)
    functions.on_call = lambda: write(rolled, after)
    told_in_one_line(call(runner, "abort", "--reason", "complaints", "--yes"), words)
    assert sum(waits) <= rollout_answers.LONGEST_ABORT


def test_abort_that_is_refused_is_one_line(
    rolled: Target, functions: FakeFunctions, runner: CliRunner, waits: list[float]
) -> None:
    """It came just after the promotion: there is nothing to wait for."""
    write(rolled, CANARY)
    functions.answer = {"next": "refused", "sentence": "No rollout is under way that could be stopped."}
    told_in_one_line(call(runner, "abort", "--reason", "complaints", "--yes"), "No rollout is under way that could")
    assert waits == []


def test_abort_not_confirmed_changes_nothing(rolled: Target, functions: FakeFunctions, runner: CliRunner) -> None:
    write(rolled, CANARY)
    result = call(runner, "abort", "--reason", "complaints", input="n\n")
    assert result.exit_code == 1
    assert "Roll version 7 back?" in result.stderr and "Nothing was changed" in result.stderr
    assert functions.calls == []


def test_abort_of_nothing_is_one_line(rolled: Target, functions: FakeFunctions, runner: CliRunner) -> None:
    write(rolled, PROMOTED)
    told_in_one_line(call(runner, "abort", "--reason", "complaints", "--yes"), "No rollout is under way")
    assert functions.calls == []
