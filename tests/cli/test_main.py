"""The assembled command: help, exit codes, errors in one line."""

import subprocess
import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError
from typer.testing import CliRunner

from cli.errors import CommandError
from cli.main import app, explanation

COMMANDS = [
    name.split()
    for name in (
        "demo", "up", "outputs", "send", "score", "labels send", "labels status", "train", "deploy-model", "status",
        "explain", "replay-quarantine", "teardown", "monitor run", "monitor refresh", "monitor status",
        "monitor report",
    )
]  # fmt: skip


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_of_every_command_shows_examples(runner: CliRunner, command: list[str]) -> None:
    result = runner.invoke(app, [*command, "--help"])
    assert result.exit_code == 0
    assert "Examples" in result.stdout and f"fraud {' '.join(command)}" in result.stdout


def test_home_lists_every_command(runner: CliRunner) -> None:
    result = runner.invoke(app, ["--help"])
    assert result.exit_code == 0
    assert all(command[0] in result.stdout for command in COMMANDS)
    assert "Begin here" in result.stdout


def test_unknown_command_is_a_usage_error(runner: CliRunner) -> None:
    assert runner.invoke(app, ["sned"]).exit_code == 2


def test_home_imports_neither_boto3_nor_a_model_library() -> None:
    heavy = "('boto3', 'botocore', 'pyarrow', 'numpy', 'xgboost', 'ministack', 'msgspec')"
    code = f"import sys, cli.main; print(*(name for name in {heavy} if name in sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (CommandError("do this"), "do this"),
        (NoCredentialsError(), "No AWS credentials"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1:1"), "fraud up"),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "PutRecords"), "AWS refused PutRecords: no"),
    ],
)
def test_expected_errors_become_a_sentence(error: Exception, sentence: str) -> None:
    assert sentence in (explanation(error) or "")


def test_unexpected_error_is_not_hidden() -> None:
    assert explanation(ValueError("a bug")) is None


def test_laptop_that_is_not_there_is_one_line_and_exit_1(runner: CliRunner, tmp_path: Any, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(app, ["outputs", "--endpoint-url", "http://127.0.0.1:1", "--region", "eu-west-1"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.startswith("Error: Could not connect") and result.stderr.count("\n") == 1
