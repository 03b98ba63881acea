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

    def __init__(self) -> None:
        self.occupied = False
        self.calls: list[object] = []
        self.looks = [True]
        self.waited = 0.0
        self.packages = self

    def is_complete(self, package: str) -> bool:
        assert package == ARN
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def progress(self, sentence: str) -> None:
        assert ARN in sentence

    def sleep(self, seconds: float) -> None:
        self.waited += seconds

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

    def connect(target: Target, progress: Callable[[str], None], instance_type: str) -> FakeDeployment:
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


@pytest.mark.parametrize(("looks", "waited"), [([True], 0), ([False, False, True], 2), ([False], 59)])
def test_deploy_waits_for_a_registration_under_way_but_not_for_ever(
    stack: Target, runner: CliRunner, deployment: FakeDeployment, looks: list[bool], waited: float
) -> None:
    deployment.looks = looks
    assert runner.invoke(app, ["deploy-model", ARN]).exit_code == 0
    assert deployment.waited == waited
    assert len(deployment.calls) == 1


# Types that SageMaker offers for endpoints; p3dn and m6idn are EC2's, for the rule's sake.
WITH_DISKS = (
    "c5d", "c6gd", "dl1", "g4dn", "g5", "g6", "g6e", "g7e", "gr6", "m5d", "m6gd", "m6idn", "p3dn", "p4d", "p4de", "p5",
    "p5en", "p6-b200", "p6e-gb200", "r7gd", "trn1n", "trn2",
)  # fmt: skip
WITHOUT_DISKS = ("c4", "c5", "c6gn", "c7i", "inf1", "inf2", "m5", "m6i", "m8g", "p2", "p3", "r6g", "t2")


@pytest.mark.parametrize("family", WITH_DISKS)
def test_volume_key_is_left_out_where_disks_of_the_machine_encrypt_themselves(stack: Target, family: str) -> None:
    assert deploy.volume_key(stack, f"ml.{family}.xlarge") is None


@pytest.mark.parametrize("family", WITHOUT_DISKS)
def test_volume_key_is_the_stacks_on_attached_volumes(stack: Target, family: str) -> None:
    assert deploy.volume_key(stack, f"ml.{family}.xlarge") == stack.output("DataKeyArn")


def test_connect_hosts_by_what_the_machines_allow(stack: Target) -> None:
    assert deploy.connect(stack, lambda sentence: None).hosting.volume_key == stack.output("DataKeyArn")
    assert deploy.connect(stack, lambda sentence: None, "ml.g5.xlarge").hosting.volume_key is None
