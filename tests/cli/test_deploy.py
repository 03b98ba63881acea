"""`fraud deploy-model`: registering, approving, and following the rollout; the state machine is a fake."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from cli import deploy
from cli.errors import CommandError
from cli.machine import caller
from cli.main import app
from cli.target import Target
from fraud.aws import routing_items
from fraud.errors import InvalidPackage
from fraud.rollout import Event, Rollout, Stage
from tests.cli.rollout_stack import write
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
        assert request.keys() == {"name"}
        self.on_start()
        return {"executionArn": "arn:execution"}

    def list_executions(self, **request: Any) -> dict[str, Any]:
        assert request == {"stateMachineArn": "arn:machine", "maxResults": 1}
        return {"executions": [] if self.newest is None else [{"executionArn": "arn:execution", "name": "the-newest"}]}

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


def test_deploy_to_a_stack_whose_jobs_cannot_carry_its_name_registers_nothing(
    stack: Target, runner: CliRunner, package: str, registry: FakePackages
) -> None:
    stack.__dict__["stack_name"] = "x" * 37
    result = call(runner, package)
    assert (result.exit_code, registry.registered) == (1, [])
    assert "a stack may have 36 at most" in " ".join(result.stderr.split())


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
    assert machine.started == [{"model_package_arn": ARN, "started_by": caller(stack)}]
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
    machine.newest = {"status": "FAILED", "cause": "There is too little traffic."}
    result = call(runner, ARN)
    assert result.exit_code == 1
    assert f"The rollout of {ARN} did not begin: There is too little traffic." in result.stderr.replace("\n", " ")
    assert (len(machine.started), clock.now) == (1, NOW + deploy.BEGINS_WITHIN)


def test_deploy_champion_again_is_refused(stack: Target, runner: CliRunner, machine: FakeMachine) -> None:
    serving = samples.routing(slots={"a": samples.model("a", model_package=ARN)})
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item=routing_items.encode(serving))
    result = call(runner, ARN)
    assert result.exit_code == 1
    assert f"{ARN} serves as champion already." in result.stderr.replace("\n", " ")
    assert machine.started == []


# --- Following --------------------------------------------------------------------------------------------------------


def test_last_rollout_is_the_newest_ones_id(stack: Target) -> None:
    assert deploy.last_rollout(stack) is None
    write(stack, record(rollout_id="the last"))
    assert deploy.last_rollout(stack) == "the last"


@pytest.mark.parametrize(
    ("other", "before"),
    [
        (record(stage=Stage.ROLLED_BACK, released=True), "first"),
        # The machine's clock may go before this one's: what comes after is known by its id.
        (record(stage=Stage.SHADOW, started_at=NOW + 3_600), "first"),
        (replace(PROMOTED, candidate=rollout().candidate), None),
    ],
)
def test_begun_record_of_an_earlier_rollout_or_another_package_is_not_it(
    stack: Target, clock: FakeTime, other: Rollout, before: str | None
) -> None:
    write(stack, other)
    assert deploy.begun(stack, ARN, before, 3.0, 1.0) is None
    assert clock.now == NOW + 3


@pytest.mark.parametrize("before", [None, "an earlier one"])
def test_begun_is_found_as_soon_as_it_stands(stack: Target, clock: FakeTime, before: str | None) -> None:
    # Started long ago by a clock that is behind.
    begun = record(started_at=NOW - 3_600)
    clock.after(2, lambda: write(stack, begun))
    assert deploy.begun(stack, ARN, before, 30.0, 1.0) == begun
    assert clock.now == NOW + 2


def test_deploy_package_rolled_back_before_is_followed_in_its_new_rollout(
    stack: Target, runner: CliRunner, package: str, registry: FakePackages, machine: FakeMachine, clock: FakeTime
) -> None:
    write(stack, record(stage=Stage.ROLLED_BACK, reason="It blocks too much.", released=True))
    clock.after(5, lambda: write(stack, replace(PROMOTED, rollout_id="second")))
    assert call(runner, package, "--approve").exit_code == 0
    assert (machine.started, clock.now) == ([], NOW + 5)


def test_deploy_looks_for_the_last_rollout_before_it_approves(
    stack: Target,
    runner: CliRunner,
    package: str,
    machine: FakeMachine,
    clock: FakeTime,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The approval starts a rollout that may stand before the registration has answered."""

    class Quick(FakePackages):
        def register(self, artefact: bytes, *, approved: bool) -> str:
            write(stack, PROMOTED)
            return super().register(artefact, approved=approved)

    monkeypatch.setattr(deploy, "registry", lambda target: Quick())
    assert call(runner, package, "--approve").exit_code == 0
    assert (machine.started, clock.now) == ([], NOW)


def test_roll_out_tells_each_step_as_it_happens(stack: Target, machine: FakeMachine, clock: FakeTime) -> None:
    told: list[str] = []
    machine.on_start = lambda: write(stack, record(stage=Stage.SHADOW))
    shifted = Event(at=NOW, sentence="The challenger gets 20 %.")
    clock.after(1, lambda: write(stack, record(stage=Stage.CANARY, events=(*TOLD, shifted))))
    clock.after(2, lambda: write(stack, replace(PROMOTED, events=())))
    assert deploy.roll_out(stack, ARN, told.append, None, by_event=False).stage is Stage.PROMOTED
    assert told == ["Version 2 goes to slot b.", "The challenger gets 20 %.", "promoted"]


def test_roll_out_looks_as_often_as_it_is_told_to(stack: Target, machine: FakeMachine, clock: FakeTime) -> None:
    machine.on_start = lambda: write(stack, record(stage=Stage.SHADOW))
    clock.after(0.5, lambda: write(stack, PROMOTED))
    deploy.roll_out(stack, ARN, lambda sentence: None, None, by_event=False, every=0.25)
    assert clock.now == NOW + 0.5


def test_roll_out_whose_record_is_gone_is_an_error(stack: Target, machine: FakeMachine, clock: FakeTime) -> None:
    machine.on_start = lambda: write(stack, record(stage=Stage.SHADOW))
    clock.after(1, lambda: write(stack, record(rollout_id="another")))
    with pytest.raises(CommandError, match="The record of rollout first is gone"):
        deploy.roll_out(stack, ARN, print, None, by_event=False)
