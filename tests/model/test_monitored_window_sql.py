"""The query of monitoring, run on an archive as it lies there."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pyarrow.parquet as pq
import pytest
import sqlglot

from fraud import dataset_query, features
from fraud.transaction import rfc3339
from model import monitored_rows

TEMPLATE = Path("model/sql/monitored_window.sql").read_text(encoding="utf-8")
DAY = 86_400
UNTIL = 1_772_323_200.0  # 2026-03-01
FROM, SINCE = UNTIL - 15 * DAY, UNTIL - DAY
DECISIONS = {
    **dict.fromkeys(("transaction_id", "card_token", "terminal_id", "occurred_at", "arrived_at"), "VARCHAR"),
    "amount_minor": "BIGINT",
    **dict.fromkeys(("currency", "channel", "country", "merchant_category", "decided_at", "action"), "VARCHAR"),
    **dict.fromkeys(("score", "propensity"), "DOUBLE"),
    **dict.fromkeys(("model_package", "slot", "contract"), "VARCHAR"),
    "degraded": "BOOLEAN",
    "features": "MAP(VARCHAR, DOUBLE)",
}
LABELS = {
    "transaction_id": "VARCHAR",
    "is_fraud": "BOOLEAN",
    **dict.fromkeys(("source", "labelled_at", "known_at"), "VARCHAR"),
}
Row = Mapping[str, Any]


def decision(transaction_id: str = "t1", arrived_at: float = UNTIL - 3_600, **given: Any) -> dict[str, Any]:
    plain = {
        "transaction_id": transaction_id,
        "card_token": "card",
        "terminal_id": "shop",
        "occurred_at": rfc3339(arrived_at - 1),
        "arrived_at": rfc3339(arrived_at),
        "decided_at": rfc3339(arrived_at + 1),
        "amount_minor": 1250,
        "currency": "EUR",
        "action": "approve",
        "contract": features.contract_hash(["transaction_amount"]),
        "degraded": False,
        "features": {"transaction_amount": 1250},
    }
    return plain | given


def label(transaction_id: str = "t1", known_at: float = UNTIL - 60, **given: Any) -> dict[str, Any]:
    moment = rfc3339(known_at)
    plain = {"transaction_id": transaction_id, "is_fraud": True, "source": "review"}
    return {**plain, "labelled_at": moment, "known_at": moment, **given}


class Archive:
    """Documents in folders by their day, as Firehose writes them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._files = folder, itertools.count()

    def write(self, name: str, documents: Iterable[Row], at: float = UNTIL - 60) -> None:
        folder = self._folder / name / f"dt={rfc3339(at)[:10]}"
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(folder / f"part-{next(self._files)}.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(document) + "\n" for document in documents)

    def query(self, since: float = FROM, features_since: float = SINCE) -> list[dict[str, Any]]:
        return self.table(since, features_since).to_pylist(maps_as_pydicts="strict")

    def table(self, since: float = FROM, features_since: float = SINCE) -> Any:
        with duckdb.connect() as connection:
            for name, columns in (("decisions", DECISIONS), ("labels", LABELS)):
                connection.execute(f"CREATE VIEW {name} AS {self._rows(name, columns)}")
            return connection.sql(dataset_query.window(TEMPLATE, since, features_since, UNTIL)).to_arrow_table()

    def _rows(self, name: str, columns: Mapping[str, str]) -> str:
        if not (self._folder / name).exists():
            nothing = ", ".join(f"CAST(NULL AS {kind}) AS {column}" for column, kind in columns.items())
            return f"SELECT {nothing}, '' AS dt WHERE false"
        return (
            f"SELECT * FROM read_json('{self._folder}/{name}/*/*.gz', format = 'newline_delimited', "
            f"columns = {dict(columns)}, hive_partitioning = true, hive_types = {{'dt': 'VARCHAR'}})"
        )


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return Archive(tmp_path / "archive")


def test_query_is_one_that_athena_reads_too() -> None:
    statement = dataset_query.window(TEMPLATE, FROM, SINCE, UNTIL)

    assert sqlglot.parse_one(statement, read="athena").sql("athena")


def test_query_gives_what_was_served_and_decided_with_the_verdict_that_stands(archive: Archive) -> None:
    archive.write("decisions", [decision(propensity=0.25, score=0.5, model_package="arn", slot="a")])
    archive.write("labels", [label()])

    (row,) = archive.query()
    assert (row["transaction_id"], row["propensity"], row["score"], row["model_package"]) == ("t1", 0.25, 0.5, "arn")
    assert row["features"] == {"transaction_amount": 1250.0} and row["slot"] == "a"
    assert row["is_fraud"] is True and row["known_at"] == row["first_fraud_at"] == rfc3339(UNTIL - 60)


def test_query_gives_features_of_what_arrived_in_the_window_alone(archive: Archive) -> None:
    moments = {"before": SINCE - 1, "at": SINCE, "after": SINCE + 0.001, "end": UNTIL}
    for name, at in moments.items():
        archive.write("decisions", [decision(name, at)], at=at)

    given = {row["transaction_id"]: row["features"] is not None for row in archive.query()}
    assert given == {"before": False, "at": False, "after": True, "end": True}


def test_query_reads_what_arrived_in_its_time_and_nothing_else(archive: Archive) -> None:
    moments = {"at": FROM, "after": FROM + 0.001, "end": UNTIL, "later": UNTIL + 0.001}
    for name, at in moments.items():
        archive.write("decisions", [decision(name, at)], at=at)

    assert sorted(row["transaction_id"] for row in archive.query()) == ["after", "end"]


def test_query_reads_what_was_archived_on_the_day_after_it_arrived(archive: Archive) -> None:
    archive.write("decisions", [decision(arrived_at=UNTIL - 1)], at=UNTIL + 60)

    assert len(archive.query()) == 1


def test_query_counts_a_transaction_once_and_its_first_decision_stands(archive: Archive) -> None:
    first = decision(action="block")
    archive.write("decisions", [decision(decided_at=rfc3339(UNTIL)), first, first])

    assert [row["action"] for row in archive.query()] == ["block"]


def test_query_keeps_reviews_and_chargebacks_apart(archive: Archive) -> None:
    archive.write("decisions", [decision()])
    archive.write(
        "labels",
        [
            label(known_at=UNTIL - 100, source="review", is_fraud=True),
            label(known_at=UNTIL - 90, source="review", is_fraud=False),
            label(known_at=UNTIL - 80, source="chargeback", is_fraud=True),
        ],
    )

    (row,) = archive.query()
    assert (row["review_is_fraud"], row["chargeback_is_fraud"], row["is_fraud"]) == (False, True, True)
    assert (row["known_at"], row["first_fraud_at"]) == (rfc3339(UNTIL - 80), rfc3339(UNTIL - 100))


def test_query_does_not_look_at_verdicts_that_came_later(archive: Archive) -> None:
    archive.write("decisions", [decision()])
    archive.write("labels", [label(known_at=UNTIL - 60, is_fraud=False), label(known_at=UNTIL + 0.001)])

    (row,) = archive.query()
    assert (row["is_fraud"], row["review_is_fraud"], row["chargeback_is_fraud"]) == (False, False, None)


def test_query_copies_of_verdicts_do_not_multiply_rows(archive: Archive) -> None:
    archive.write("decisions", [decision()])
    archive.write("labels", [label(source=source) for source in ("review", "review", "chargeback", "chargeback")])

    assert len(archive.query()) == 1


def test_query_result_is_what_the_jobs_read(archive: Archive, tmp_path: Path) -> None:
    archive.write("decisions", [decision(), decision("t2", SINCE - DAY, action="block")])
    archive.write("labels", [label(source="chargeback")])
    (tmp_path / "rows").mkdir()
    pq.write_table(archive.table(), tmp_path / "rows" / "part")
    rows, arrived = monitored_rows.read(tmp_path / "rows", SINCE, UNTIL, 1_000)

    assert (len(rows), arrived, rows.in_window.tolist()) == (2, 1, [False, True])
    assert rows.readable.tolist() == [False, True] and rows.features[1, 0] == 1250
    assert rows.chargeback.tolist() == [-1, 1] and rows.propensity.tolist() == [1.0, 1.0]
