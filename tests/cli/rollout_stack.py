"""What tests of `fraud rollout` share: records in the table, and records that follow one another."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from msgspec.structs import replace
from typer.testing import CliRunner, Result

from cli.main import app
from cli.target import Target
from fraud.rollout import Rollout, Stage
from tests.cli.test_rollout_screen import CANARY

CALLER = "arn:aws:sts::123456789012:user/moto"
PROMOTED = replace(CANARY, stage=Stage.PROMOTED, step=4, released=True)
ROLLED_BACK = replace(CANARY, stage=Stage.ROLLED_BACK, reason="It blocks too much.", verified=True, released=True)


def pretend(stack: Target, service: str, fake: Any) -> None:
    real = stack.client
    stack.__dict__["client"] = lambda name, **config: fake if name == service else real(name, **config)


def write(stack: Target, rollout: Rollout, pk: str = "rollout", sk: str = "current") -> None:
    document = msgspec.json.encode(rollout).decode()
    item = {"pk": {"S": pk}, "sk": {"S": sk}, "document": {"S": document}}
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item=item)


def unfold(monkeypatch: pytest.MonkeyPatch, stack: Target, *rollouts: Rollout) -> None:
    """The first record stands; each wait puts the next one in its place."""
    write(stack, rollouts[0])
    to_come = list(rollouts[1:])

    def wait(seconds: float) -> None:
        assert to_come, "it waits although nothing more will happen"
        write(stack, to_come.pop(0))

    monkeypatch.setattr("time.sleep", wait)


def call(runner: CliRunner, *arguments: str, **more: Any) -> Result:
    return runner.invoke(app, ["rollout", *arguments], **more)


def told_in_one_line(result: Result, words: str) -> None:
    assert result.exit_code == 1
    assert words in result.stderr.splitlines()[-1]
    assert result.stderr.splitlines()[-1].startswith("Error: ")
