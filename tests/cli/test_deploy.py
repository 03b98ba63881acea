"""`fraud deploy-model`: registering, approving, putting in service; the use-case itself is a fake."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import deploy
from cli.main import app
from cli.target import Target
from fraud.errors import RoutingConflict

ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/1"


class FakeDeployment:
    """Remembers what it was asked for."""

    def __init__(self, *, occupied: bool = False) -> None:
        self.occupied = occupied
        self.calls: list[object] = []

    def refuse_second_champion(self) -> None:
        if self.occupied:
            raise RoutingConflict("a champion already serves")

    def register(self, artefact: bytes, *, approved: bool) -> str:
        self.calls.append((artefact, approved))
        return ARN

    def bootstrap_champion(self, package: str, instance: object) -> None:
        self.calls.append((package, instance))


@pytest.fixture
def package(tmp_path: Path) -> str:
    (tmp_path / "model.tar.gz").write_bytes(b"archive")
    return str(tmp_path)


@pytest.fixture
def deployment(monkeypatch: pytest.MonkeyPatch) -> FakeDeployment:
    fake = FakeDeployment()

    def connect(target: Target, progress: Callable[[str], None]) -> FakeDeployment:
        return fake

    monkeypatch.setattr(deploy, "connect", connect)
    return fake


def test_deploy_approved_registers_and_puts_in_service(
    stack: Target, runner: CliRunner, package: str, deployment: FakeDeployment
) -> None:
    result = runner.invoke(app, ["deploy-model", package, "--approve", "--json"])
    assert json.loads(result.stdout) == {"model_package": ARN, "in_service": True}
    assert deployment.calls[0] == (b"archive", True)
    assert len(deployment.calls) == 2


def test_deploy_without_approval_only_registers_and_says_how_to_go_on(
    stack: Target, runner: CliRunner, package: str, deployment: FakeDeployment
) -> None:
    result = runner.invoke(app, ["deploy-model", package])
    assert f"fraud deploy-model {ARN}" in result.stdout
    assert deployment.calls == [(b"archive", False)]


def test_deploy_arn_puts_what_is_registered_in_service(
    stack: Target, runner: CliRunner, deployment: FakeDeployment
) -> None:
    assert runner.invoke(app, ["deploy-model", ARN]).exit_code == 0
    assert len(deployment.calls) == 1


def test_deploy_beside_a_champion_registers_nothing_and_is_one_line(
    stack: Target, runner: CliRunner, package: str, deployment: FakeDeployment
) -> None:
    deployment.occupied = True
    result = runner.invoke(app, ["deploy-model", package, "--approve"])
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (1, "Error: a champion already serves")
    assert deployment.calls == []


def test_deploy_directory_without_a_package_says_how_to_make_one(
    stack: Target, runner: CliRunner, tmp_path: Path, deployment: FakeDeployment
) -> None:
    result = runner.invoke(app, ["deploy-model", str(tmp_path)])
    assert result.exit_code == 1
    assert "fraud train" in result.stderr


def test_connect_reads_the_stacks_outputs(stack: Target) -> None:
    connected = deploy.connect(stack, lambda sentence: None)
    assert connected.slots == {"a": "fraud-a", "b": "fraud-b"}
