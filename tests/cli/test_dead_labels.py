"""Labels that could not be recorded go back to their queue, moved by SQS or, where it cannot, one by one."""

import json
from typing import Any

import pytest
from botocore.exceptions import ClientError
from typer.testing import CliRunner

from cli import dead_labels
from cli.main import app
from cli.target import Target
from tests.cli.conftest import messages_of

DEAD = "LabelDeadLetterQueueUrl"


class FakeSqs:
    """The real queues, and a service that moves messages as its tasks say or knows no such operation."""

    def __init__(self, real: Any, tasks: list[dict[str, Any]] | None) -> None:
        self._real, self.tasks = real, tasks
        self.started: list[str] = []

    def __getattr__(self, operation: str) -> Any:
        return getattr(self._real, operation)

    def start_message_move_task(self, **request: str) -> None:
        if self.tasks is None:
            raise ClientError({"Error": {"Code": "InvalidAction"}}, "StartMessageMoveTask")
        self.started.append(request["SourceArn"])

    def list_message_move_tasks(self, **_: Any) -> dict[str, Any]:
        assert self.tasks is not None
        return {"Results": [self.tasks.pop(0) if len(self.tasks) > 1 else self.tasks[0]]}


def pretend(stack: Target, tasks: list[dict[str, Any]] | None) -> FakeSqs:
    real = stack.client
    fake = FakeSqs(real("sqs"), tasks)
    stack.__dict__["client"] = lambda name, **config: fake if name == "sqs" else real(name, **config)
    return fake


def bury(stack: Target, *bodies: str) -> None:
    for body in bodies:
        stack.client("sqs").send_message(QueueUrl=stack.output(DEAD), MessageBody=body)


def replay(runner: CliRunner, *arguments: str) -> dict[str, Any]:
    result = runner.invoke(app, ["replay-quarantine", "--json", *arguments], catch_exceptions=False)
    totals: dict[str, Any] = json.loads(result.stdout)
    return totals


def test_dead_labels_are_sent_again_where_sqs_moves_none(stack: Target, runner: CliRunner) -> None:
    bodies = [f"label {number}" for number in range(23)]
    bury(stack, *bodies)
    pretend(stack, None)
    assert replay(runner)["dead_labels"] == 23
    assert sorted(messages_of(stack)) == sorted(bodies)
    assert dead_labels.waiting(stack) == 0


def test_dead_labels_that_come_while_others_are_sent_wait_for_the_next_run(stack: Target) -> None:
    """A label that fails again does not keep the command busy for ever."""
    bury(stack, *(f"label {number}" for number in range(30)))
    assert dead_labels.move_singly(stack, 10) == 10
    assert dead_labels.waiting(stack) == 20


def test_dead_labels_are_moved_by_sqs_where_it_can(
    stack: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    bury(stack, "label")
    fake = pretend(stack, [{"Status": "RUNNING"}, {"Status": "COMPLETED", "ApproximateNumberOfMessagesMoved": 1}])
    monkeypatch.setattr("cli.dead_labels.time.sleep", lambda seconds: None)
    assert replay(runner)["dead_labels"] == 1
    assert fake.started == [dead_labels.arn(stack)]


def test_a_move_that_takes_long_goes_on_by_itself(stack: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    bury(stack, "label")
    pretend(stack, [{"Status": "RUNNING", "ApproximateNumberOfMessagesMoved": 7}])
    waits: list[float] = []
    monkeypatch.setattr("cli.dead_labels.time.sleep", waits.append)
    assert dead_labels.give_back(stack) == 7
    assert len(waits) == dead_labels.LOOKS - 1


def test_a_move_that_fails_is_said(stack: Target, runner: CliRunner) -> None:
    bury(stack, "label")
    pretend(stack, [{"Status": "FAILED", "FailureReason": "AccessDenied"}])
    result = runner.invoke(app, ["replay-quarantine"])
    assert result.exit_code == 1 and "AccessDenied" in result.stderr


@pytest.mark.parametrize(("arguments", "told"), [(["--dry-run"], 1), (["--prefix", "poison/"], 0)])
def test_dead_labels_stay_in_a_dry_run_and_beside_a_prefix(
    stack: Target, runner: CliRunner, arguments: list[str], told: int
) -> None:
    bury(stack, "label")
    assert replay(runner, *arguments)["dead_labels"] == told
    assert messages_of(stack, DEAD) == ["label"]
