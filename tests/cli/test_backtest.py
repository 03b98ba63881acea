"""`fraud backtest`: a file in, one JSON document or a table out, and a page where one is asked for."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pacsv
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner

from cli import backtest, simulation, transactions_table
from cli.errors import CommandError
from cli.main import app
from model import boosting

START, DAYS = datetime(2026, 5, 1, tzinfo=UTC), 40
COMMAND = ["backtest", "--train-start", "2026-05-06", "--folds", "2"]
KEYS = {
    "train_start", "rows", "auc", "average_precision", "card_precision_25", "card_precision_50", "card_precision_100",
    "recall_at_fpr_001", "recall_at_fpr_005", "recall_at_fpr_01", "cost", "ece", "seconds",
}  # fmt: skip


@pytest.fixture(scope="module")
def market() -> pa.Table:
    end = datetime(2026, 6, 10, tzinfo=UTC)
    return simulation.market(9000, 3, end, days=DAYS).transactions


@pytest.fixture(scope="module")
def handbook(market: pa.Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same market in the Handbook's schema."""
    path = tmp_path_factory.mktemp("data") / "handbook.parquet"
    table = pa.table(
        {
            "TRANSACTION_ID": list(range(len(market))),
            "TX_DATETIME": market["occurred_at"].cast(pa.timestamp("us")),
            "CUSTOMER_ID": market["card_token"].combine_chunks().dictionary_encode().indices,
            "TERMINAL_ID": market["terminal_id"].combine_chunks().dictionary_encode().indices,
            "TX_AMOUNT": pc.divide(market["amount_minor"].cast(pa.float64()), 100.0),
            "TX_FRAUD": market["is_fraud"].cast(pa.int8()),
        }
    )
    pq.write_table(table, path)
    return path


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    parameters = {**boosting.chosen(), "num_boost_round": 10, "max_bin": 64}
    monkeypatch.setattr(boosting, "chosen", lambda: parameters)


def test_backtest_as_json_is_one_document_with_every_metric(runner: CliRunner, handbook: Path) -> None:
    result = runner.invoke(app, [*COMMAND, "--transactions", str(handbook), "--json"])

    assert result.exit_code == 0, result.stderr
    told: dict[str, Any] = json.loads(result.stdout)
    assert [fold["train_start"] for fold in told["folds"]] == ["2026-05-06", "2026-05-13"]
    assert all(set(fold) == KEYS for fold in told["folds"])
    assert set(told["mean"]) == KEYS - {"train_start", "rows"}
    assert told["feature_seconds"] > 0 and told["rows_checked_for_leaks"] > 100


def test_backtest_shows_a_column_per_fold_and_writes_the_page(
    runner: CliRunner, handbook: Path, tmp_path: Path
) -> None:
    page = tmp_path / "report.html"
    result = runner.invoke(app, [*COMMAND, "--transactions", str(handbook), "--report", str(page)])

    assert result.exit_code == 0, result.stderr
    assert "2026-05-20" in result.stdout and "average precision" in result.stdout
    assert str(page) in result.stderr.replace("\n", "")
    assert page.read_text().count("<svg") == 4 and "XGBoost, chosen on validation" in page.read_text()


def test_backtest_of_another_schema_is_not_compared_with_the_handbook(
    runner: CliRunner, market: pa.Table, tmp_path: Path
) -> None:
    path, page = tmp_path / "own.csv", tmp_path / "report.html"
    renamed = market.drop_columns("fraud_kind").rename_columns({"card_token": "PAN"})
    pacsv.write_csv(renamed, path)
    options = ["--columns", "card_token=PAN", "--report", str(page)]
    result = runner.invoke(app, [*COMMAND, "--transactions", str(path), *options])

    assert result.exit_code == 0, result.stderr
    assert "chosen on validation" not in page.read_text()


def test_backtest_longer_training_keeps_the_test(runner: CliRunner, handbook: Path) -> None:
    ran = [
        runner.invoke(app, [*COMMAND, "--transactions", str(handbook), "--train-days", days, "--json"])
        for days in ("7", "12")
    ]
    short, long = (json.loads(result.stdout)["folds"] for result in ran)

    assert [fold["rows"] for fold in short] == [fold["rows"] for fold in long]
    assert short[0]["average_precision"] != long[0]["average_precision"]


def test_backtest_beyond_the_file_is_one_red_line(runner: CliRunner, handbook: Path) -> None:
    result = runner.invoke(
        app, ["backtest", "--train-start", "2026-06-05", "--folds", "1", "--transactions", str(handbook)]
    )

    assert result.exit_code == 1
    assert "to measure on" in result.stderr


def test_backtest_unknown_feature_to_drop_is_refused(runner: CliRunner, handbook: Path) -> None:
    result = runner.invoke(app, [*COMMAND, "--transactions", str(handbook), "--drop", "card_colour"])

    assert result.exit_code == 1
    assert "no feature card_colour" in result.stderr


@pytest.mark.parametrize(("reached", "warns"), [(0.81, True), (0.8, False)])
def test_backtest_that_is_too_good_is_told_to_look_for_a_leak(
    capsys: pytest.CaptureFixture[str], reached: float, warns: bool
) -> None:
    backtest.warn_if_too_good(reached)

    assert ("leak" in capsys.readouterr().err) is warns


def test_table_reads_the_same_from_every_format(market: pa.Table, tmp_path: Path) -> None:
    rows = market.drop_columns("fraud_kind").slice(0, 50)
    pq.write_table(rows, tmp_path / "t.parquet")
    pacsv.write_csv(rows, tmp_path / "t.csv")
    texts = [{**row, "occurred_at": row["occurred_at"].isoformat()} for row in rows.to_pylist()]
    (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, texts)))

    read = [transactions_table.read(tmp_path / f"t.{kind}", None) for kind in ("parquet", "csv", "jsonl")]
    assert read[0].equals(read[1]) and read[0].equals(read[2])
    assert read[0].equals(rows.select(read[0].column_names).cast(read[0].schema))


def test_table_reads_amounts_in_minor_units_and_times_as_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text(
        "id,at,who,where,much,money,bad\n1,1525132800,5,9,57.16,EUR,1\n2,1525132800500,5,9,1.005,EUR,0\n"
        "3,1525132801,5,9,800,JPY,no\n4,1525132801,5,9,1.2345,KWD,Yes\n"
    )
    columns = "transaction_id=id,occurred_at=at,card=who,terminal_id=where,amount=much,currency=money,is_fraud=bad"

    table = transactions_table.read(path, columns)
    assert table["amount_minor"].to_pylist() == [5716, 101, 800, 1235]
    assert table["is_fraud"].to_pylist() == [True, False, False, True]
    assert [at.isoformat() for at in table["occurred_at"].to_pylist()][:2] == [
        "2018-05-01T00:00:00+00:00", "2018-05-01T00:00:00.500000+00:00",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("transaction_id,occurred_at,card,terminal_id,amount,is_fraud\n", "no transactions"),
        ("transaction_id,occurred_at,card,terminal_id,amount\n1,2026-01-01T00:00:00Z,2,3,4\n", "what was fraud"),
        ("transaction_id,occurred_at,card,terminal_id,amount,is_fraud\n1,soon,2,3,4,0\n", "cannot be read"),
        ("transaction_id,occurred_at,card,terminal_id,amount,is_fraud\n1,2026-01-01T00:00:00Z,2,3,,0\n", "amount"),
    ],
)
def test_table_that_cannot_be_read_says_why(tmp_path: Path, text: str, problem: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(text)

    with pytest.raises(CommandError, match=problem):
        transactions_table.read(path, None)
