"""`fraud tune`: trials in, the best parameters and the evidence out."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from model import boosting, tuning
from tests.cli.test_backtest import handbook, market  # noqa: F401 - fixtures

COMMAND = ["tune", "--train-start", "2026-05-06", "--folds", "2", "--trials", "3"]


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {**boosting.chosen(), "max_bin": 64}
    monkeypatch.setattr(boosting, "chosen", lambda: parameters)
    monkeypatch.setattr(tuning, "ROUNDS", (3, 6))


def test_tune_writes_parameters_that_training_takes_and_appends_its_evidence(
    runner: CliRunner,
    handbook: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    params, evidence = tmp_path / "params.json", tmp_path / "evidence.md"
    evidence.write_text("# Model\n")
    written = ["--params", str(params), "--evidence", str(evidence), "--json"]
    result = runner.invoke(app, [*COMMAND, "--transactions", str(handbook), *written])

    assert result.exit_code == 0, result.stderr
    told = json.loads(result.stdout)
    assert [trial["folds"] for trial in told["trials"]] == [2, 1, 1]
    best = json.loads(params.read_text())
    assert best == told["params"]
    assert {group: set(names) for group, names in best.items()} == {
        group: set(names) for group, names in boosting.defaults().items()
    }
    assert best["training"]["num_boost_round"] in (3, 6)
    text = evidence.read_text()
    assert text.startswith("# Model\n") and text.count("\n| ") == 4


def test_tune_shows_the_best_first(runner: CliRunner, handbook: Path) -> None:  # noqa: F811
    result = runner.invoke(app, [*COMMAND, "--transactions", str(handbook)])

    assert result.exit_code == 0, result.stderr
    assert "average precision" in result.stdout and "max_depth" in result.stdout
