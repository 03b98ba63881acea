"""Files of transactions: formats, column names, refusals."""

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from cli import transactions_file
from cli.errors import CommandError

HANDBOOK_ROWS: list[dict[str, Any]] = [
    {"TRANSACTION_ID": 7, "TX_DATETIME": "2018-04-01 00:00:31", "CUSTOMER_ID": 596, "TERMINAL_ID": 3156,
     "TX_AMOUNT": 57.16, "TX_FRAUD": 0},
    {"TRANSACTION_ID": 8, "TX_DATETIME": "2018-04-01 00:02:10", "CUSTOMER_ID": 4961, "TERMINAL_ID": 3412,
     "TX_AMOUNT": 81.51, "TX_FRAUD": 1},
]  # fmt: skip


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    if path.suffix == ".parquet":
        pq.write_table(pa.Table.from_pylist(rows), path)
    elif path.suffix == ".jsonl":
        path.write_text("\n".join(json.dumps(row) for row in rows) + "\n\n")
    else:
        with path.open("w", newline="") as lines:
            writer = csv.DictWriter(lines, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.csv", "t.jsonl"])
def test_rows_of_handbook_file_carry_our_names(tmp_path: Path, name: str) -> None:
    path = write(tmp_path / name, HANDBOOK_ROWS)
    rows = list(transactions_file.rows(path, transactions_file.columns_of(path, None)))
    assert [str(row["transaction_id"]) for row in rows] == ["7", "8"]
    assert set(rows[0]) == {"transaction_id", "occurred_at", "card", "terminal_id", "amount", "is_fraud"}


def test_rows_of_parquet_larger_than_a_batch_are_all_read(tmp_path: Path) -> None:
    path = tmp_path / "many.parquet"
    pq.write_table(pa.table({"transaction_id": [str(i) for i in range(9000)]}), path, row_group_size=2500)
    assert sum(1 for _ in transactions_file.rows(path, {"transaction_id": "transaction_id"})) == 9000
    assert transactions_file.count(path) == 9000


def test_columns_mapping_overrides_what_is_recognised(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [row | {"PAN_REF": "x"} for row in HANDBOOK_ROWS])
    assert transactions_file.columns_of(path, "card=PAN_REF")["card"] == "PAN_REF"


def test_columns_of_own_schema_need_no_mapping() -> None:
    names = ["transaction_id", "occurred_at", "card_token", "terminal_id", "amount_minor", "currency", "fraud_kind"]
    assert transactions_file.recognise(names) == {name: name for name in names if name != "fraud_kind"}


@pytest.mark.parametrize(
    ("mapping", "message"),
    [("nonsense", "not FIELD=COLUMN"), ("colour=C", "not FIELD=COLUMN"), ("card=ABSENT", "no column ABSENT")],
)
def test_columns_mapping_that_fits_nothing_is_refused(tmp_path: Path, mapping: str, message: str) -> None:
    path = write(tmp_path / "t.csv", HANDBOOK_ROWS)
    with pytest.raises(CommandError, match=message):
        transactions_file.columns_of(path, mapping)


def test_columns_missing_says_how_to_name_them(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", [{"ID": 1, "WHEN": "2020-01-01"}])
    with pytest.raises(CommandError, match=r"--columns 'transaction_id=COLUMN'.*It has ID, WHEN"):
        transactions_file.columns_of(path, None)


@pytest.mark.parametrize(("name", "content"), [("t.xlsx", "x"), ("t.parquet", "not parquet"), ("t.jsonl", "{")])
def test_unreadable_file_is_refused(tmp_path: Path, name: str, content: str) -> None:
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(CommandError, match=name):
        transactions_file.columns_of(path, None)


def test_absent_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="No such file"):
        transactions_file.columns_of(tmp_path / "none.csv", None)
