"""The query of the data set, run on an archive as it lies there: copies, verdicts that change, and days around it."""

from __future__ import annotations

import gzip
import itertools
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest
import sqlglot
from hypothesis import given
from hypothesis import strategies as st

from fraud import dataset_query
from fraud.label import Label, Source
from fraud.transaction import rfc3339

TEMPLATE = Path("model/sql/training_set.sql").read_text(encoding="utf-8")
DAY = 86_400
AS_OF = 1_772_323_200.0  # 2026-03-01
DAYS = 10
DECISIONS = {
    **dict.fromkeys(("transaction_id", "card_token", "terminal_id", "occurred_at", "arrived_at"), "VARCHAR"),
    "amount_minor": "BIGINT",
    **dict.fromkeys(("currency", "channel", "country", "merchant_category", "decided_at", "action"), "VARCHAR"),
    "score": "DOUBLE",
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


def decision(transaction_id: str = "t1", arrived_at: float = AS_OF - 2 * DAY, **given: Any) -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "card_token": "card",
        "terminal_id": "shop",
        "occurred_at": rfc3339(arrived_at - 1),
        "arrived_at": rfc3339(arrived_at),
        "decided_at": rfc3339(arrived_at + 1),
        "amount_minor": 1250,
        "currency": "EUR",
        "action": "approve",
        "contract": "abc",
        "degraded": False,
        "features": {"transaction_amount": 1250, "card_mean_24h": None},
        **given,
    }


def label(transaction_id: str = "t1", known_at: float = AS_OF - DAY, **given: Any) -> dict[str, Any]:
    moment = rfc3339(known_at)
    plain = {"transaction_id": transaction_id, "is_fraud": True, "source": "review"}
    return {**plain, "labelled_at": moment, "known_at": moment, **given}


class Archive:
    """Documents in folders by their day, as Firehose writes them."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._files = folder, itertools.count()

    def write(self, name: str, documents: Iterable[Row], at: float = AS_OF - DAY) -> None:
        folder = self._folder / name / f"dt={rfc3339(at)[:10]}"
        folder.mkdir(parents=True, exist_ok=True)
        with gzip.open(folder / f"part-{next(self._files)}.gz", "wt", encoding="utf-8") as file:
            file.writelines(json.dumps(document) + "\n" for document in documents)

    def query(self) -> list[dict[str, Any]]:
        with duckdb.connect() as connection:
            for name, columns in (("decisions", DECISIONS), ("labels", LABELS)):
                connection.execute(f"CREATE VIEW {name} AS {self._rows(name, columns)}")
            found = connection.sql(dataset_query.select(TEMPLATE, AS_OF, DAYS))
            return [dict(zip(found.columns, row, strict=True)) for row in found.fetchall()]

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
    return Archive(tmp_path)


def test_query_gives_what_was_served_with_the_verdict_that_came(archive: Archive) -> None:
    archive.write("decisions", [decision()])
    archive.write("labels", [label()])

    (row,) = archive.query()
    assert (row["transaction_id"], row["amount_minor"], row["is_fraud"]) == ("t1", 1250, True)
    assert row["features"] == {"transaction_amount": 1250.0, "card_mean_24h": None}
    assert row["known_at"] == row["first_fraud_at"] == rfc3339(AS_OF - DAY)
    assert {row[name] for name in ("channel", "country", "merchant_category", "score", "model_package")} == {None}


def test_query_columns_are_those_that_the_examination_reads(archive: Archive) -> None:
    from model import served

    archive.write("decisions", [decision()])

    assert served._COLUMNS.keys() <= archive.query()[0].keys()


def test_query_transaction_without_a_verdict_has_none(archive: Archive) -> None:
    archive.write("decisions", [decision()])

    (row,) = archive.query()
    assert (row["is_fraud"], row["known_at"], row["first_fraud_at"]) == (None, None, None)


def test_query_copies_of_a_decision_are_one_row_and_the_first_stands(archive: Archive) -> None:
    first = decision(action="block")
    later = decision(action="approve", decided_at=rfc3339(AS_OF - DAY))
    archive.write("decisions", [later, first, first])
    archive.write("decisions", [first], at=AS_OF - 5 * DAY)
    archive.write("labels", [label(), label()])

    (row,) = archive.query()
    assert row["action"] == "block"


def test_query_verdict_after_the_moment_is_not_looked_at(archive: Archive) -> None:
    archive.write("decisions", [decision("early"), decision("late")])
    archive.write("labels", [label("early", AS_OF), label("late", AS_OF + 0.001)], at=AS_OF)
    archive.write("labels", [label("early", AS_OF + 1, is_fraud=False)], at=AS_OF)

    assert {row["transaction_id"]: row["is_fraud"] for row in archive.query()} == {"early": True, "late": None}


def test_query_verdict_on_an_unknown_transaction_is_left_out(archive: Archive) -> None:
    archive.write("decisions", [decision()])
    archive.write("labels", [label("never-seen")])

    assert [(row["transaction_id"], row["is_fraud"]) for row in archive.query()] == [("t1", None)]


def test_query_decision_that_arrived_after_the_moment_is_not_read(archive: Archive) -> None:
    archive.write("decisions", [decision("at", AS_OF), decision("after", AS_OF + 0.001)], at=AS_OF)

    assert [row["transaction_id"] for row in archive.query()] == ["at"]


def test_query_transaction_older_than_asked_for_is_not_read_though_it_arrived_since(archive: Archive) -> None:
    oldest = rfc3339(AS_OF - DAYS * DAY)
    before = rfc3339(AS_OF - DAYS * DAY - 0.001)
    archive.write("decisions", [decision("at", occurred_at=oldest), decision("before", occurred_at=before)])

    assert [row["transaction_id"] for row in archive.query()] == ["at"]


@pytest.mark.parametrize(("days", "rows"), [(-DAYS - 2, 0), (-DAYS - 1, 1), (0, 1), (1, 1), (2, 0)])
def test_query_reads_the_partitions_around_its_days_and_no_other(archive: Archive, days: int, rows: int) -> None:
    archive.write("decisions", [decision()], at=AS_OF + days * DAY)

    assert len(archive.query()) == rows


@pytest.mark.parametrize(("days", "is_fraud"), [(-DAYS - 2, None), (-DAYS - 1, True), (1, True), (2, None)])
def test_query_reads_verdicts_of_the_same_partitions(archive: Archive, days: int, is_fraud: bool | None) -> None:
    archive.write("decisions", [decision()])
    archive.write("labels", [label()], at=AS_OF + days * DAY)

    assert [row["is_fraud"] for row in archive.query()] == [is_fraud]


def test_query_fraud_was_first_said_by_the_earliest_verdict_that_said_so(archive: Archive) -> None:
    archive.write("decisions", [decision(name) for name in ("twice", "withdrawn", "cleared")])
    archive.write("labels", [label("twice", AS_OF - 2 * DAY), label("twice", AS_OF - DAY, source="chargeback")])
    archive.write("labels", [label("withdrawn", AS_OF - 2 * DAY), label("withdrawn", AS_OF - DAY, is_fraud=False)])
    archive.write("labels", [label("cleared", AS_OF - 2 * DAY, is_fraud=False)])

    found = {
        row["transaction_id"]: (row["is_fraud"], row["known_at"], row["first_fraud_at"]) for row in archive.query()
    }
    said, stood = rfc3339(AS_OF - 2 * DAY), rfc3339(AS_OF - DAY)
    assert found == {"twice": (True, stood, said), "withdrawn": (False, stood, said), "cleared": (False, said, None)}


def test_query_of_copies_of_a_verdict_takes_the_one_that_was_known_first(archive: Archive) -> None:
    archive.write("decisions", [decision()])
    labelled_at = rfc3339(AS_OF - DAY)
    archive.write("labels", [label(known_at=at, labelled_at=labelled_at) for at in (AS_OF - DAY, AS_OF - DAY - 60)])

    assert [row["known_at"] for row in archive.query()] == [rfc3339(AS_OF - DAY - 60)]


def standing(verdicts: Iterable[Label]) -> Label | None:
    stands: Label | None = None
    for each in verdicts:
        stands = each if each.supersedes(stands) else stands
    return stands


VERDICTS = st.builds(
    lambda is_fraud, source, minute: Label(
        is_fraud, source, (minute * 60 + int(AS_OF)) * 1000, minute * 60 + int(AS_OF)
    ),
    st.booleans(),
    st.sampled_from(Source),
    st.integers(-4, 1),
)


@given(st.lists(st.lists(VERDICTS, max_size=5), min_size=1, max_size=30))
def test_query_verdict_that_stands_is_the_one_that_supersedes_the_others(
    tmp_path_factory: pytest.TempPathFactory, drawn: list[list[Label]]
) -> None:
    archive = Archive(tmp_path_factory.mktemp("archive"))
    archive.write("decisions", [decision(f"t{number}") for number in range(len(drawn))])
    for number, verdicts in enumerate(drawn):
        archive.write("labels", [as_document(f"t{number}", each) for each in verdicts])

    found = {row["transaction_id"]: (row["is_fraud"], row["known_at"]) for row in archive.query()}
    expected = [standing(each for each in verdicts if each.known_at <= AS_OF) for verdicts in drawn]
    assert found == {
        f"t{number}": (each.is_fraud, rfc3339(each.known_at)) if each else (None, None)
        for number, each in enumerate(expected)
    }


def as_document(transaction_id: str, verdict: Label) -> dict[str, Any]:
    return label(
        transaction_id,
        verdict.known_at,
        is_fraud=verdict.is_fraud,
        source=verdict.source.value,
        labelled_at=rfc3339(verdict.labelled_at / 1000),
    )


# --- One text for both engines ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("dialect", ["athena", "trino"])
def test_query_means_the_same_to_duckdb_and_to(dialect: str) -> None:
    statement = dataset_query.select(TEMPLATE, AS_OF, DAYS)

    assert sqlglot.parse_one(statement, dialect="duckdb") == sqlglot.parse_one(statement, dialect=dialect)
    translated = sqlglot.transpile(statement, read="duckdb", write=dialect)
    assert translated == sqlglot.transpile(statement, read=dialect, write=dialect)


def test_query_calls_only_functions_that_both_engines_have() -> None:
    parsed = sqlglot.parse_one(dataset_query.select(TEMPLATE, AS_OF, DAYS), dialect="trino")

    called = {each.sql_name() for each in parsed.find_all(sqlglot.exp.Func)}
    # sqlglot counts operators, and IF, the arm of a CASE, among functions; what no dialect knows would be ANONYMOUS.
    assert called - {"AND", "OR", "CASE", "IF"} == {"ROW_NUMBER", "MIN"}
