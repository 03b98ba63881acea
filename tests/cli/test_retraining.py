"""`fraud retraining`: starting and looking; the state machine is a fake, the table is real."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from cli.main import app
from cli.target import Target
from fraud.aws import retraining_items
from fraud.retraining import Kind, Outcome, Retraining, Trigger
from fraud.retraining_plan import Plan

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:retraining:"
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/8"
BEGUN = Retraining(
    run_id="retraining-1",
    owner=f"{EXECUTION}retraining-1",
    trigger=Trigger(kind=Kind.PERSON, name="ada", at=1000.0),
    started_at=1000.0,
    as_of=1000.0,
    plan=Plan(),
).told(1000.0, "person ada asks for a new model.")
JUDGED = {"outcome": Outcome.PROMOTE, "sentence": "It is better.", "model_package": PACKAGE}
OVER = BEGUN.told(1900.0, "It is better.", **JUDGED).ended(2000.0, Outcome.FAILED, "unheard")
pytestmark = pytest.mark.usefixtures("waits")


class FakeMachine:
    """Remembers what is started; executions are as `standing` says."""

    def __init__(self) -> None:
        self.started: dict[str, Any] = {}
        self.standing: dict[str, Any] = {"status": "SUCCEEDED", "output": "{}"}

    def start_execution(self, **request: str) -> dict[str, str]:
        self.started = request
        return {"executionArn": EXECUTION + request["name"]}

    def describe_execution(self, **_: str) -> dict[str, Any]:
        return self.standing


class FakeStack:
    """CloudFormation: the stack's default plan."""

    def __init__(self, plan: str = "{}") -> None:
        self.plan = plan

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {"Stacks": [{"Parameters": [{"ParameterKey": "RetrainingPlan", "ParameterValue": self.plan}]}]}


@pytest.fixture
def machine(stack: Target) -> FakeMachine:
    fake, real = FakeMachine(), stack.client
    fakes = {"stepfunctions": fake, "cloudformation": FakeStack()}
    stack.__dict__["client"] = lambda name, **config: fakes.get(name) or real(name, **config)
    stack.outputs["RetrainingMachineArn"] = "arn:machine"
    return fake


def write(target: Target, record: Retraining) -> None:
    put = target.client("dynamodb").put_item
    put(TableName="RolloutTable", Item=retraining_items.encode(record))
    if record.is_over:
        put(TableName="RolloutTable", Item=retraining_items.encode_past(record))


def call(runner: CliRunner, *words: str) -> Result:
    return runner.invoke(app, ["retraining", *words], env={"COLUMNS": "200"})


def test_start_gives_the_machine_the_plan_and_who_asks(runner: CliRunner, machine: FakeMachine, tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"training_days": 30, "margin": 0.01}')
    result = call(runner, "start", "--plan", str(plan), "--days", "60", "--set", "max_depth=6", "--set", "eta=0.1")
    assert result.exit_code == 0 and "fraud retraining watch" in result.output
    request = json.loads(machine.started["input"])
    wanted = {"training_days": 60, "margin": 0.01, "hyperparameters": {"max_depth": 6, "eta": 0.1}}
    assert request["plan"] == wanted
    assert request["started_by"] and machine.started["stateMachineArn"] == "arn:machine"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--days", "5000"), "plan.training_days must lie between"),
        (("--approval", "later"), "approval"),
        (("--set", "max_depth"), "NAME=VALUE"),
    ],
)
def test_start_with_a_wrong_plan_starts_nothing(
    runner: CliRunner, machine: FakeMachine, words: tuple[str, ...], told: str
) -> None:
    result = call(runner, "start", *words)
    assert result.exit_code == 1 and told in result.output
    assert machine.started == {}


def test_start_as_json_says_what_began(runner: CliRunner, machine: FakeMachine) -> None:
    found = json.loads(call(runner, "start", "--json").output)
    assert found == {"run_id": machine.started["name"], "execution": EXECUTION + machine.started["name"]}


def test_start_and_watch_without_a_lock_tells_the_last_word(runner: CliRunner, machine: FakeMachine) -> None:
    output = {"answer": {"next": "under_way", "sentence": "Another run is under way."}}
    machine.standing = {"status": "SUCCEEDED", "output": json.dumps(output)}
    result = call(runner, "start", "--watch")
    assert result.exit_code == 0 and "Another run is under way." in result.output


@pytest.mark.usefixtures("machine")
def test_status_before_the_first_run_says_how_to_begin(runner: CliRunner) -> None:
    assert "fraud retraining start" in call(runner, "status").output
    assert json.loads(call(runner, "status", "--json").output) is None


@pytest.mark.usefixtures("machine")
def test_status_shows_what_happened_and_what_to_type(stack: Target, runner: CliRunner) -> None:
    write(stack, OVER)
    text = call(runner, "status").output
    assert "to be rolled out" in text and "It is better." in text and "fraud models show 8" in text
    assert json.loads(call(runner, "status", "--json").output)["model_package"] == PACKAGE


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("outcome", "code"),
    [(Outcome.PROMOTE, 0), (Outcome.REJECT, 0), (Outcome.NOT_ENOUGH, 0), (Outcome.UNFIT, 1), (Outcome.FAILED, 1)],
)
def test_watch_ends_with_the_run(stack: Target, runner: CliRunner, outcome: Outcome, code: int) -> None:
    write(stack, BEGUN.ended(2000.0, outcome, "This is why."))
    result = call(runner, "watch")
    assert result.exit_code == code
    assert "ada asks" in result.output and "This is why." in result.output


@pytest.mark.usefixtures("machine")
def test_watch_without_any_run_fails(runner: CliRunner) -> None:
    assert call(runner, "watch").exit_code == 1


@pytest.mark.usefixtures("machine")
def test_watch_of_a_run_whose_execution_died_ends(stack: Target, runner: CliRunner) -> None:
    write(stack, BEGUN)
    assert call(runner, "watch").exit_code == 1


@pytest.mark.usefixtures("machine")
def test_history_is_newest_first(stack: Target, runner: CliRunner) -> None:
    assert "No retraining is over yet" in call(runner, "history").output
    write(stack, replace(OVER, run_id="older", started_at=500.0))
    write(stack, OVER)
    found = json.loads(call(runner, "history", "--json").output)
    assert [each["run_id"] for each in found] == ["retraining-1", "older"]
    assert "It is better." in call(runner, "history").output


@pytest.mark.usefixtures("machine")
def test_record_of_another_release_is_told_in_a_sentence(stack: Target, runner: CliRunner) -> None:
    item = retraining_items.encode(OVER) | {"document": {"S": msgspec.json.encode({"run_id": 1}).decode()}}
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item=item)
    result = call(runner, "status")
    assert result.exit_code == 1 and "Another release" in result.output
