"""`fraud policy replay`: the archive is a file, versions are in moto's registry."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from cli import archive
from cli.errors import NotFound
from cli.main import app
from cli.target import Target
from tests.cli.test_models import document, register
from tests.model.test_replay import row, table_of

Give = Callable[..., None]


@pytest.fixture
def give(monkeypatch: pytest.MonkeyPatch) -> Give:
    """Have the archive hold rows."""

    def hold(*rows: dict[str, Any]) -> None:
        def fetch(target: Target, days: int, folder: Path) -> Path:
            if not rows:
                raise NotFound(f"The archive holds no decisions of the last {days} days.")
            pq.write_table(table_of(list(rows)), folder / "0.parquet")
            return folder

        monkeypatch.setattr(archive, "fetch", fetch)

    return hold


@pytest.fixture
def version(stack: Target) -> str:
    stack.client("sagemaker").create_model_package_group(ModelPackageGroupName="fraud-models")
    return register(stack, 1, {"package_uri": document("a")})


def call(runner: CliRunner, *words: str) -> Result:
    return runner.invoke(app, ["policy", "replay", *words], env={"COLUMNS": "200"})


def test_replay_of_other_thresholds_tells_before_and_after(runner: CliRunner, give: Give, version: str) -> None:
    give(*(row(n, score=0.1 * n, model_package=version, is_fraud=n == 8) for n in range(9)))
    found = json.loads(call(runner, "--review", "0.75", "--block", "0.95", "--json").stdout)
    assert (found["before"]["frauds_caught"], found["after"]["frauds_caught"]) == (0, 1)
    assert found["moves"]["approve"] == {"approve": 8, "review": 1, "block": 0}
    text = call(runner, "--review", "0.75", "--block", "0.95").output
    assert "1 from approve to review" in text and "fraud value caught" in text and "100.0%" in text


def test_replay_by_default_takes_the_thresholds_of_the_package_that_scored(
    runner: CliRunner, give: Give, version: str
) -> None:
    give(row(0, score=0.3, model_package=version), row(1, score=0.95, model_package=version))
    assert json.loads(call(runner, "--json").stdout)["moves"]["approve"] == {"approve": 0, "review": 1, "block": 1}


def test_replay_asks_other_rules(runner: CliRunner, give: Give, version: str, tmp_path: Path) -> None:
    rules = {"name": "all", "phase": "after", "when": [{"field": "amount_minor", "at_least": 1}]}
    policy = {"version": "9", "lists": {}, "rules": [rules | {"action": "block", "reason": "all"}]}
    path = tmp_path / "policy.json"
    path.write_text(json.dumps(policy))
    give(row(0, model_package=version))
    assert json.loads(call(runner, "--policy", str(path), "--json").stdout)["moves"]["approve"]["block"] == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--review", "0.9", "--block", "0.5"), "above the 0.5"),
        (("--model", "7"), "There is no version 7"),
        (("--model", "."), "there is no model.tar.gz"),
    ],
)
def test_replay_that_cannot_be_is_refused_in_a_sentence(
    runner: CliRunner, give: Give, version: str, words: tuple[str, ...], told: str
) -> None:
    give(row(0, model_package=version))
    result = call(runner, *words)
    assert result.exit_code == 1 and told in result.output


@pytest.mark.usefixtures("stack")
def test_replay_of_an_empty_archive_says_so(runner: CliRunner, give: Give) -> None:
    give()
    result = call(runner)
    assert result.exit_code == 1 and "holds no decisions" in result.output


def test_replay_says_how_many_decisions_it_cannot_read(runner: CliRunner, give: Give, version: str) -> None:
    other = "0" * 16
    give(row(0, model_package=version), row(1, model_package=version, contract=other))
    assert json.loads(call(runner, "--json").stdout)["unreadable"] == 1
    assert "1 more were made on another table of features, and are left out" in call(runner).output
    give(row(0, model_package=version, contract=other))
    result = call(runner)
    assert result.exit_code == 0 and "0 decisions" in result.output
