"""`fraud deploy-model`: registering, approving, and following the rollout; the state machine is a fake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from cli import deploy
from cli.errors import CommandError
from cli.main import app
from cli.target import Target
from fraud.aws import routing_items
from fraud.errors import InvalidPackage
from fraud.rollout import Event, Rollout, Stage
from tests.deployment import packages
from tests.fakes import samples
from tests.fakes.rollouts import rollout

NOW = 1_777_629_600.0
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/2"
TOLD = (Event(at=NOW, sentence="Version 2 goes to slot b."),)


def record(**fields: Any) -> Rollout:
    """The record of the package's rollout."""
    standing = rollout(**{"started_at": NOW, "lease_until": NOW + 9_999, "events": TOLD} | fields)
    return replace(standing, candidate=replace(standing.candidate, model_package=ARN))


PROMOTED = record(stage=Stage.PROMOTED, released=True)


class FakePackages:
    """Remembers what was registered."""

    def __init__(self) -> None:
        self.registered: list[tuple[bytes, bool]] = []

    def register(self, artefact: bytes, *, approved: bool) -> str:
        self.registered.append((artefact, approved))
        return ARN


class FakeMachine:
    """Remembers what was started; a start does what it is told to."""

    def __init__(self) -> None:
        self.started: list[dict[str, Any]] = []
        self.on_start: Callable[[], object] = lambda: None
        self.newest: dict[str, str] | None = None

    def start_execution(self, **request: str) -> dict[str, str]:
        assert request.pop("stateMachineArn") == "arn:machine"
        self.started.append(json.loads(request.pop("input")))
        assert request == {}
        self.on_start()
        return {"executionArn": "arn:execution"}

    def list_executions(self, **request: Any) -> dict[str, Any]:
        assert request == {"stateMachineArn": "arn:machine", "maxResults": 1}
        newest = {"executionArn": "arn:execution", "name": "the-newest", "status": "RUNNING"}
        return {"executions": [newest] if self.newest is not None else []}

    def describe_execution(self, **request: str) -> dict[str, str]:
        assert request == {"executionArn": "arn:execution"}
        assert self.newest is not None
        return self.newest


class FakeTime:
    """Passes when somebody sleeps; what is due then happens."""

    def __init__(self) -> None:
        self.now = NOW
        self.due: list[tuple[float, Callable[[], object]]] = []

    def time(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds
        happening = [each for each in self.due if each[0] <= self.now]
        self.due = [each for each in self.due if each[0] > self.now]
        for _, happen in happening:
            happen()

    def after(self, seconds: float, happen: Callable[[], object]) -> None:
        self.due.append((NOW + seconds, happen))


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> FakeTime:
    fake = FakeTime()
    for name, replacement in (("time", fake.time), ("monotonic", fake.time), ("sleep", fake.sleep)):
        monkeypatch.setattr(f"time.{name}", replacement)
    return fake


@pytest.fixture
def machine(stack: Target) -> FakeMachine:
    fake, real = FakeMachine(), stack.client
    stack.outputs["RolloutMachineArn"] = "arn:machine"
    stack.__dict__["client"] = lambda name, **config: fake if name == "stepfunctions" else real(name, **config)
    return fake


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch) -> FakePackages:
    fake = FakePackages()
    monkeypatch.setattr(deploy, "registry", lambda target: fake)
    return fake


@pytest.fixture
def package(tmp_path: Path) -> str:
    (tmp_path / "model.tar.gz").write_bytes(b"archive")
    return str(tmp_path)


def write(stack: Target, rollout: Rollout) -> None:
    document = msgspec.json.encode(rollout).decode()
    item = {"pk": {"S": "rollout"}, "sk": {"S": "current"}, "document": {"S": document}}
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item=item)


def call(runner: CliRunner, *arguments: str) -> Any:
    return runner.invoke(app, ["deploy-model", *arguments])


# --- Registering ------------------------------------------------------------------------------------------------------


def test_deploy_without_approval_only_registers_and_says_how_to_go_on(
    stack: Target, runner: CliRunner, package: str, registry: FakePackages, machine: FakeMachine
) -> None:
    result = call(runner, package)
    assert f"Registered: {ARN}" in result.stdout and f"fraud deploy-model {ARN}" in result.stdout
    assert (registry.registered, machine.started) == ([(b"archive", False)], [])


def test_deploy_directory_without_a_package_says_how_to_make_one(
    runner: CliRunner, tmp_path: Path, registry: FakePackages, machine: FakeMachine
) -> None:
    result = call(runner, str(tmp_path), "--approve")
    assert (result.exit_code, registry.registered, machine.started) == (1, [], [])
    assert "there is no model.tar.gz. Make one with `fraud train`." in result.stderr.replace("\n", " ")


def test_registry_registers_at_the_stacks_registry_and_bucket(stack: Target) -> None:
    group = stack.output("ModelPackageGroupName")
    stack.session.client("sagemaker").create_model_package_group(ModelPackageGroupName=group)
    arn = deploy.registry(stack).register(packages.archive(), approved=False)
    found = stack.session.client("sagemaker").describe_model_package(ModelPackageName=arn)
    assert (found["ModelPackageGroupName"], found["ModelApprovalStatus"]) == (group, "PendingManualApproval")
    [container] = found["InferenceSpecification"]["Containers"]
    assert container["Image"] == stack.output("ModelImageUri")
    assert container["ModelDataUrl"].startswith("s3://archive/models/")


def test_enlist_package_that_cannot_be_served_says_why(stack: Target, tmp_path: Path) -> None:
    (tmp_path / "model.tar.gz").write_bytes(packages.archive(smoke_vectors=[]))
    with pytest.raises(InvalidPackage, match="no smoke vectors"):
        deploy.enlist(deploy.registry(stack), tmp_path, approve=True)


# --- Rolling out ------------------------------------------------------------------------------------------------------


def test_deploy_approved_follows_the_rollout_that_the_approval_starts(
    stack: Target, runner: CliRunner, package: str, registry: FakePackages, machine: FakeMachine, clock: FakeTime
) -> None:
    clock.after(5, lambda: write(stack, record(stage=Stage.SHADOW)))
    clock.after(9, lambda: write(stack, PROMOTED))
    result = call(runner, package, "--approve", "--json")
    assert json.loads(result.stdout) == {"model_package": ARN, "in_service": True}
    assert (registry.registered, machine.started) == ([(b"archive", True)], [])


def test_deploy_approved_before_starts_what_no_event_starts(
    stack: Target, runner: CliRunner, package: str, registry: FakePackages, machine: FakeMachine, clock: FakeTime
) -> None:
    machine.on_start = lambda: write(stack, PROMOTED)
    result = call(runner, package, "--approve")
    assert "In service" in result.stdout
    assert machine.started == [{"model_package_arn": ARN, "started_by": "fraud deploy-model"}]
    assert clock.now == NOW + deploy.BEGINS_WITHIN


def test_deploy_arn_starts_its_rollout_at_once(
    stack: Target, runner: CliRunner, machine: FakeMachine, clock: FakeTime
) -> None:
    machine.on_start = lambda: write(stack, PROMOTED)
    result = call(runner, ARN)
    assert result.exit_code == 0
    assert (len(machine.started), clock.now) == (1, NOW)


def test_deploy_rolled_back_is_an_error_with_the_reason(
    stack: Target, runner: CliRunner, machine: FakeMachine, clock: FakeTime
) -> None:
    rolled_back = record(stage=Stage.ROLLED_BACK, reason="It blocks too much.", released=True)
    machine.on_start = lambda: write(stack, rolled_back)
    result = call(runner, ARN)
    assert result.exit_code == 1
    assert f"{ARN} was rolled back: It blocks too much." in result.stderr.replace("\n", " ")


def test_deploy_rollout_that_never_begins_is_an_error(runner: CliRunner, machine: FakeMachine, clock: FakeTime) -> None:
    machine.newest = {"cause": "There is too little traffic."}
    result = call(runner, ARN)
    assert result.exit_code == 1
    assert f"The rollout of {ARN} did not begin: There is too little traffic." in result.stderr.replace("\n", " ")
    assert (len(machine.started), clock.now) == (1, NOW + deploy.BEGINS_WITHIN)


@pytest.mark.parametrize(
    ("newest", "word"),
    [
        (None, "nothing started the machine"),
        ({"cause": "Why.", "output": "{}"}, "Why."),
        ({"output": json.dumps({"answer": {"sentence": "There is nothing to do."}})}, "There is nothing to do."),
        ({}, "execution the-newest is running"),
    ],
)
def test_last_word_is_what_the_newest_execution_says(
    stack: Target, machine: FakeMachine, newest: dict[str, str] | None, word: str
) -> None:
    machine.newest = newest
    assert deploy.last_word(stack) == word


def test_deploy_champion_again_is_refused(stack: Target, runner: CliRunner, machine: FakeMachine) -> None:
    serving = samples.routing(slots={"a": samples.model("a", model_package=ARN)})
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item=routing_items.encode(serving))
    result = call(runner, ARN)
    assert result.exit_code == 1
    assert f"{ARN} serves as champion already." in result.stderr.replace("\n", " ")
    assert machine.started == []


@pytest.mark.parametrize(
    "other",
    [
        record(started_at=NOW - 3_600, stage=Stage.ROLLED_BACK, released=True),
        replace(PROMOTED, candidate=rollout().candidate),
    ],
)
def test_begun_record_of_an_earlier_rollout_or_another_package_is_not_it(
    stack: Target, clock: FakeTime, other: Rollout
) -> None:
    write(stack, other)
    assert deploy.begun(stack, ARN, NOW - deploy.SKEW, 3.0, 1.0) is None
    assert clock.now == NOW + 3


def test_begun_is_found_as_soon_as_it_stands(stack: Target, clock: FakeTime) -> None:
    clock.after(2, lambda: write(stack, PROMOTED))
    assert deploy.begun(stack, ARN, NOW, 30.0, 1.0) == PROMOTED
    assert clock.now == NOW + 2


def test_roll_out_tells_each_step_as_it_happens(stack: Target, machine: FakeMachine, clock: FakeTime) -> None:
    told: list[str] = []
    machine.on_start = lambda: write(stack, record(stage=Stage.SHADOW))
    shifted = Event(at=NOW, sentence="The challenger gets 20 %.")
    clock.after(1, lambda: write(stack, record(stage=Stage.CANARY, events=(*TOLD, shifted))))
    clock.after(2, lambda: write(stack, replace(PROMOTED, events=())))
    assert deploy.roll_out(stack, ARN, told.append, by_event=False).stage is Stage.PROMOTED
    assert told == ["Version 2 goes to slot b.", "The challenger gets 20 %.", "promoted"]


def test_roll_out_whose_record_is_gone_is_an_error(stack: Target, machine: FakeMachine, clock: FakeTime) -> None:
    machine.on_start = lambda: write(stack, record(stage=Stage.SHADOW))
    clock.after(1, lambda: write(stack, record(rollout_id="another")))
    with pytest.raises(CommandError, match="The record of rollout first is gone"):
        deploy.roll_out(stack, ARN, print, by_event=False)
