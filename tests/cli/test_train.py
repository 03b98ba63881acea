"""`fraud train`: history in, model package out."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import history, simulation
from cli.errors import CommandError
from cli.main import app
from cli.transaction_events import Conversion
from model import package
from tests.cli.test_transactions_file import HANDBOOK_ROWS, write


def test_history_from_file_labels_the_frauds_after_the_delay(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", HANDBOOK_ROWS)
    past = history.from_file(path, None, Conversion(), None, timedelta(days=2))
    assert past.transactions["amount_minor"].to_pylist() == [5716, 8151]
    assert past.labels["transaction_id"].to_pylist() == ["8"]
    assert past.labels["labelled_at"].to_pylist() == [datetime(2018, 4, 3, 0, 2, 10, tzinfo=UTC)]
    assert past.as_of == datetime(2018, 4, 8, 0, 2, 10, tzinfo=UTC)


def test_history_that_does_not_say_what_was_fraud_is_refused(tmp_path: Path) -> None:
    rows = [{name: value for name, value in row.items() if name != "TX_FRAUD"} for row in HANDBOOK_ROWS]
    with pytest.raises(CommandError, match="does not say what was fraud"):
        history.from_file(write(tmp_path / "t.csv", rows), None, Conversion(), None, timedelta(days=7))


def test_history_without_transactions_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(",".join(HANDBOOK_ROWS[0]) + "\n")
    with pytest.raises(CommandError, match="holds no transactions"):
        history.from_file(path, None, Conversion(), None, timedelta(days=7))


def test_train_on_a_file_writes_a_package_that_can_be_served(runner: CliRunner, tmp_path: Path) -> None:
    saved, out = tmp_path / "history.parquet", tmp_path / "model"
    simulation.save(simulation.market(6000, 7, datetime(2026, 5, 1, tzinfo=UTC), days=30), saved)
    result = runner.invoke(app, ["train", "--transactions", str(saved), "--out", str(out), "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["metrics"]["auc"] > 0.5
    package.verify(out / "model.tar.gz")
    assert Path(json.loads(result.stdout)["report"]).read_text().count("<svg") == 4


def test_train_that_fails_shows_the_end_of_the_log(runner: CliRunner, tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", HANDBOOK_ROWS)
    result = runner.invoke(app, ["train", "--transactions", str(path), "--out", str(tmp_path / "model")])
    assert result.exit_code == 1
    assert "Training failed" in result.stderr and "need some" in result.stderr


def test_train_without_one_source_is_a_usage_error(runner: CliRunner) -> None:
    assert runner.invoke(app, ["train"]).exit_code == 2


def test_last_transactions_keeps_their_labels_only() -> None:
    market = simulation.market(500, 1, datetime(2026, 5, 1, tzinfo=UTC))
    last = simulation.last_transactions(market, 100)
    assert len(last.transactions) == 100
    assert set(last.labels["transaction_id"].to_pylist()) <= set(last.transactions["transaction_id"].to_pylist())
