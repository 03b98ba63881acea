"""`fraud up` and its note to the other commands; `fraud outputs`."""

import errno
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import laptop_process, up
from cli.errors import CommandError
from cli.main import app
from cli.target import LOCAL_FILE, Target, resolve
from local import laptop


@dataclass
class Ready:
    """What the laptop says of itself."""

    endpoint_url: str = "http://127.0.0.1:4566"
    region: str = "eu-west-1"
    left_out: tuple[str, ...] = ("Board (AWS::CloudWatch::Dashboard)",)


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("template.yaml").touch()


def test_up_is_found_by_other_commands_while_it_serves_and_forgotten_after(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Target] = []

    def serve(port: int, template: Path, stack: str, on_ready: Any, parameters: dict[str, str], **_: Any) -> None:
        assert (port, template, stack, parameters) == (4566, Path("template.yaml"), "fraud-detection", {})
        on_ready(Ready())
        found.append(resolve())

    monkeypatch.setattr(laptop, "serve", serve)
    monkeypatch.setattr(up, "_panel", lambda target: target.endpoint_url)
    result = runner.invoke(app, ["up"], catch_exceptions=False)
    assert "http://127.0.0.1:4566" in result.stdout
    assert "Not on this machine: Board" in result.stderr
    assert found == [Target("fraud-detection", "http://127.0.0.1:4566", "eu-west-1")]
    assert not LOCAL_FILE.exists()


@pytest.mark.parametrize(("characters", "refused"), [(36, False), (37, True)])
def test_up_of_a_stack_whose_jobs_cannot_carry_its_name_is_refused(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, characters: int, refused: bool
) -> None:
    served: list[Any] = []
    monkeypatch.setattr(laptop, "serve", lambda *given, **_: served.append(given))
    result = runner.invoke(app, ["up", "--stack-name", "x" * characters])
    assert bool(served) != refused and (result.exit_code != 0) == refused
    if refused:
        assert "has 37 characters; a stack may have 36 at most" in " ".join(result.stderr.split())


def test_up_parameters_reach_the_template(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[dict[str, str]] = []
    monkeypatch.setattr(laptop, "serve", lambda *given, **_: served.append(given[-1]))
    plan = 'RolloutPlan={"bake_seconds": 30, "gates": {"transactions": 1}}'
    result = runner.invoke(app, ["up", "--parameter", plan, "--parameter", "Empty="], catch_exceptions=False)
    assert result.exit_code == 0
    assert served == [{"RolloutPlan": '{"bake_seconds": 30, "gates": {"transactions": 1}}', "Empty": ""}]


@pytest.mark.parametrize("given", ["RolloutPlan", "={}", ""])
def test_up_parameter_that_is_no_pair_is_refused(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, given: str
) -> None:
    served: list[Any] = []
    monkeypatch.setattr(laptop, "serve", lambda *all_of_it: served.append(all_of_it))
    result = runner.invoke(app, ["up", "--parameter", given])
    assert (result.exit_code, served) == (2, [])
    assert "is not NAME=VALUE" in result.stderr


def test_up_without_a_template_says_where_to_run_it(runner: CliRunner) -> None:
    result = runner.invoke(app, ["up", "--template", "none.yaml"])
    assert result.exit_code == 1
    assert "No template at none.yaml" in result.stderr


def test_up_beside_a_running_one_is_refused_and_leaves_its_note(runner: CliRunner) -> None:
    up.remember(Target("here", "http://127.0.0.1:1", "eu-west-1"))
    result = runner.invoke(app, ["up"])
    assert result.exit_code == 1 and "already runs here" in result.stderr
    assert LOCAL_FILE.exists()


@pytest.mark.parametrize(("words", "has_it"), [([], True), (["--without-model-monitor"], False)])
def test_up_refuses_model_monitor_when_it_is_told_to(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch, words: list[str], has_it: bool
) -> None:
    served: list[Any] = []
    monkeypatch.setattr(laptop, "serve", lambda *_, model_monitor: served.append(model_monitor))
    assert runner.invoke(app, ["up", *words]).exit_code == 0
    assert served == [has_it]


def test_up_on_a_taken_port_is_one_line(runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    def serve(*_: Any, **__: Any) -> None:
        raise OSError(errno.EADDRINUSE, "address already in use")

    monkeypatch.setattr(laptop, "serve", serve)
    result = runner.invoke(app, ["up", "--port", "4566"])
    assert result.exit_code == 1
    assert "Port 4566" in result.stderr and "--port" in result.stderr


def test_note_of_another_process_is_left_alone() -> None:
    up.remember(Target("here", "http://127.0.0.1:1", "eu-west-1"))
    note = json.loads(LOCAL_FILE.read_text()) | {"pid": os.getppid()}
    LOCAL_FILE.write_text(json.dumps(note))
    up.forget()
    assert LOCAL_FILE.exists()


def test_laptop_that_cannot_start_is_explained_and_ended() -> None:
    with pytest.raises(CommandError, match=r"did not start.*No template at none"), laptop_process.laptop(Path("none")):
        pass


class FakeProcess:
    """A `fraud up` that is ready at once, and remembers how it was started and ended."""

    pid = 4711

    def __init__(self, command: list[str], **_: Any) -> None:
        self.command, self.ended = command, False
        place = {"endpoint_url": "http://127.0.0.1:1", "region": "eu-west-1", "stack_name": "here", "pid": self.pid}
        LOCAL_FILE.write_text(json.dumps(place))

    def poll(self) -> None:
        return None

    def terminate(self) -> None:
        self.ended = True

    def wait(self, timeout: float) -> int:
        return 0


def test_laptop_is_started_with_its_parameters_and_ended_with_the_block(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[FakeProcess] = []

    def start(command: list[str], **options: Any) -> FakeProcess:
        assert options["start_new_session"]
        started.append(FakeProcess(command))
        return started[0]

    running = iter([None])
    monkeypatch.setattr("subprocess.Popen", start)
    monkeypatch.setattr(laptop_process, "running_laptop", lambda: next(running, {"pid": FakeProcess.pid}))
    monkeypatch.setattr(laptop_process, "resolve", lambda: Target("here"))
    with laptop_process.laptop(Path("t.yaml"), {"RolloutPlan": '{"a": 1}', "Other": "x"}) as target:
        [process] = started
        assert (target, process.ended) == (Target("here"), False)
    assert process.command[1:] == [
        "-m", "cli.main", "up", "--port", "0", "--template", "t.yaml",
        "--parameter", 'RolloutPlan={"a": 1}', "--parameter", "Other=x",
    ]  # fmt: skip
    assert process.ended


def test_laptop_that_runs_already_is_used_and_left_running() -> None:
    up.remember(Target("here", "http://127.0.0.1:1", "eu-west-1"))
    with laptop_process.laptop(Path("template.yaml")) as target:
        assert target.endpoint_url == "http://127.0.0.1:1"
    assert LOCAL_FILE.exists()


def test_outputs_json_has_names_region_and_no_endpoint_on_aws(stack: Target, runner: CliRunner) -> None:
    values = json.loads(runner.invoke(app, ["outputs", "--json"]).stdout)
    assert values["TransactionStreamName"] == "transactions"
    assert (values["EndpointUrl"], values["Region"]) == (None, "eu-west-1")


def test_outputs_for_people_names_each(stack: Target, runner: CliRunner) -> None:
    assert "TransactionStreamName" in runner.invoke(app, ["outputs"]).stdout
