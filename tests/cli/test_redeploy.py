"""`fraud redeploy`: only on this machine, with what `fraud up` left there."""

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import target as targets
from cli.main import app
from cli.target import Target
from local import deployment
from local.deployment import Deployed, Place, Request

LAPTOP = Target("fraud", endpoint_url="http://127.0.0.1:4566", region="eu-west-1")


@pytest.fixture(autouse=True)
def template(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("template.yaml").touch()
    return Path("template.yaml")


@pytest.fixture
def requests(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Place, Request]]:
    """What is asked of the laptop, which does as if nothing had changed."""
    made: list[tuple[Place, Request]] = []

    def redeploy(place: Place, request: Request) -> Deployed:
        made.append((place, request))
        return Deployed({"A": "a"}, ("Board (AWS::CloudWatch::Dashboard)",), changed=False)

    monkeypatch.setattr(deployment, "redeploy", redeploy)
    monkeypatch.setattr(targets, "resolve", lambda **_: LAPTOP)
    return made


def test_redeploy_passes_on_what_is_given_and_says_that_nothing_changed(
    runner: CliRunner, requests: list[tuple[Place, Request]]
) -> None:
    result = runner.invoke(app, ["redeploy", "--parameter", "LogLevel=DEBUG"], catch_exceptions=False)
    [(place, request)] = requests
    assert (place.url, place.region) == ("http://127.0.0.1:4566", "eu-west-1")
    assert request == Request(Path("template.yaml"), "fraud", {"LogLevel": "DEBUG"})
    assert "Nothing has changed" in result.stderr
    assert "Not on this machine: Board (AWS::CloudWatch::Dashboard)" in result.stderr


@pytest.mark.parametrize("endpoint", [None, "https://kinesis.eu-west-1.amazonaws.com"])
def test_redeploy_of_a_stack_that_is_not_here_names_sam(
    runner: CliRunner, requests: list[Any], monkeypatch: pytest.MonkeyPatch, endpoint: str | None
) -> None:
    monkeypatch.setattr(targets, "resolve", lambda **_: Target("fraud", endpoint, "eu-west-1"))
    result = runner.invoke(app, ["redeploy"])
    assert (result.exit_code, requests) == (1, [])
    assert "sam build && sam deploy" in result.stderr


def test_redeploy_without_a_template_is_refused(runner: CliRunner, requests: list[Any], template: Path) -> None:
    template.unlink()
    result = runner.invoke(app, ["redeploy"])
    assert (result.exit_code, requests) == (1, [])
    assert "No template at template.yaml" in result.stderr


def test_redeploy_where_no_laptop_was_started_is_refused(stack: Target, template: Path) -> None:
    place = Place(stack.client, "http://127.0.0.1:1", "eu-west-1")
    with pytest.raises(deployment.DeploymentFailed, match="not started by `fraud up`"):
        deployment.redeploy(place, Request(template, "fraud", {}))
