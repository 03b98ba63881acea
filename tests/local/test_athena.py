"""Athena on the running stack: tables as they declare themselves, results where they are said to be, UNLOAD."""

import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from botocore.exceptions import ClientError

from fraud import dataset_query
from local.athena.tables import duck_type
from tests.local.conftest import ROOT, STACK, Running, eventually, start
from tests.local.lake import Lake

COLUMNS = {
    "id": "string",
    "score": "double",
    "count": "bigint",
    "degraded": "boolean",
    "features": "map<string,double>",
    "reasons": "array<string>",
}


@pytest.fixture
def lake(stack: Running, outputs: dict[str, str]) -> Lake:
    return Lake(stack, outputs)


# --- Tables ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("declared", "expected"),
    [
        ("string", "VARCHAR"),
        ("varchar(10)", "VARCHAR"),
        ("Decimal(12,2)", "DECIMAL(12,2)"),
        ("array<string>", "VARCHAR[]"),
        ("map<string,double>", "MAP(VARCHAR, DOUBLE)"),
        (
            "map<string,array<struct<a:int,b:map<string,date>>>>",
            'MAP(VARCHAR, STRUCT("a" INTEGER, "b" MAP(VARCHAR, DATE))[])',
        ),
    ],
)
def test_a_type_of_hive_has_a_name_in_duckdb(declared: str, expected: str) -> None:
    assert duck_type(declared) == expected


@pytest.mark.parametrize("declared", ["uniontype<int,string>", "map<string", ""])
def test_an_unknown_type_is_refused(declared: str) -> None:
    with pytest.raises(ValueError, match="HIVE_UNSUPPORTED_FORMAT"):
        duck_type(declared)


@pytest.mark.parametrize("serde", ["org.openx.data.jsonserde.JsonSerDe", "org.apache.hive.hcatalog.data.JsonSerDe"])
def test_a_json_table_has_the_columns_it_declares(lake: Lake, serde: str) -> None:
    lake.table(COLUMNS, serde=serde)
    lake.put("a.gz", {"id": "a", "score": 1, "count": 2, "features": {"x": 1, "y": None}, "reasons": ["r"], "more": {}})
    lake.put("b", {"id": "b", "degraded": True, "features": {"another": 0.5}})
    query = "SELECT id, score, count, degraded, features['x'], cardinality(features), reasons[1] FROM rows ORDER BY id"
    assert lake.rows(query) == [["a", "1.0", "2", None, "1.0", "2", "r"], ["b", None, None, "true", None, "1", None]]


def test_a_value_that_its_column_cannot_take_is_null(lake: Lake) -> None:
    lake.table(COLUMNS)
    lake.put("a", {"id": 5, "score": "high", "count": {}, "degraded": "perhaps", "features": [1], "reasons": "no"})
    assert lake.rows("SELECT * FROM rows") == [["5", None, None, None, None, None]]


def test_a_line_that_is_no_document_is_a_row_of_nulls(lake: Lake) -> None:
    lake.table(COLUMNS)
    lake.put("a", {"id": "a"}, "plain text", "5")
    assert lake.rows("SELECT id FROM rows ORDER BY id NULLS LAST") == [["a"], [None], [None]]


def test_a_broken_document_fails_the_query_unless_the_table_ignores_it(lake: Lake) -> None:
    lake.table(COLUMNS)
    lake.put("a", {"id": "a"}, '{"id": "b"')
    assert "Row is not a valid JSON Object" in lake.refusal("SELECT id FROM rows")


def test_a_broken_document_is_a_row_of_nulls_where_the_table_ignores_it(lake: Lake) -> None:
    lake.table(COLUMNS, **{"ignore.malformed.json": "TRUE"})
    lake.put("a", {"id": "a"}, '{"id": "b"')
    assert lake.rows("SELECT id FROM rows ORDER BY id NULLS LAST") == [["a"], [None]]


def test_a_serde_parameter_that_is_not_known_is_refused(lake: Lake) -> None:
    lake.table(COLUMNS, **{"mapping.id": "ID"})
    lake.put("a", {"ID": "a"})
    assert "mapping.id" in lake.refusal("SELECT id FROM rows")


def test_an_empty_table_has_its_columns_maps_among_them(lake: Lake) -> None:
    lake.table(COLUMNS, ("dt",))
    assert lake.rows("SELECT id, cardinality(features), reasons[1] FROM rows WHERE dt > '2026'") == []


def test_partitions_come_from_the_path_and_what_lies_outside_is_not_read(lake: Lake) -> None:
    lake.table(COLUMNS, ("dt",))
    for day in ("2026-01-05", "2026-01-06", "2026-01-07"):
        lake.put(f"dt={day}/a.gz", {"id": day[-1], "dt": "told otherwise"})
    lake.put("a", {"id": "outside"})
    query = "SELECT id, dt FROM rows WHERE dt BETWEEN '2026-01-06' AND '2026-01-07' ORDER BY dt"
    assert lake.rows(query) == [["6", "2026-01-06"], ["7", "2026-01-07"]]


# --- Queries --------------------------------------------------------------------------------------------------------


def test_results_lie_where_the_execution_says(lake: Lake) -> None:
    execution = lake.run("SELECT 1 AS one, 'a,b' AS two", ResultConfiguration={"OutputLocation": "s3://elsewhere/"})
    address = execution["ResultConfiguration"]["OutputLocation"]
    assert address == f"s3://{lake.bucket}/results/{execution['QueryExecutionId']}.csv"
    assert lake.text(address).splitlines() == ["one,two", '1,"a,b"']


def test_a_client_chooses_the_location_in_a_workgroup_without_one(lake: Lake) -> None:
    location = {"OutputLocation": f"s3://{lake.bucket}/{lake.prefix}-results"}
    execution = lake.run("SELECT 1", WorkGroup="primary", ResultConfiguration=location)
    assert lake.keys(f"{lake.prefix}-results/") == [f"{lake.prefix}-results/{execution['QueryExecutionId']}.csv"]


def test_an_unknown_workgroup_is_refused(lake: Lake) -> None:
    with pytest.raises(ClientError, match="not found"):
        lake.start("SELECT 1", WorkGroup="nobodys")


def test_a_token_starts_one_query(lake: Lake) -> None:
    token = uuid.uuid4().hex
    first = lake.start("SELECT 1", ClientRequestToken=token)
    assert lake.start("SELECT 1", ClientRequestToken=token) == first
    assert lake.start("SELECT 1") != first
    with pytest.raises(ClientError, match="Idempotent parameters do not match"):
        lake.start("SELECT 2", ClientRequestToken=token)


ENDLESS = "SELECT sum(a.range * b.range) AS total FROM range(10000000) a, range(10000000) b"


def test_a_query_that_is_stopped_stays_so_and_writes_nothing(lake: Lake) -> None:
    query = lake.start(f"UNLOAD ({ENDLESS}) TO 's3://{lake.bucket}/{lake.prefix}/out/' WITH (format = 'PARQUET')")
    lake.athena.stop_query_execution(QueryExecutionId=query)
    eventually(lambda: lake.ended(query)["Statistics"]["TotalExecutionTimeInMillis"])
    assert lake.ended(query)["Status"]["State"] == "CANCELLED"
    assert lake.keys(f"{lake.prefix}/out/") == []


def test_a_laptop_ends_although_a_query_runs() -> None:
    own = start(STACK, "with-a-query")
    Lake(own, own.outputs).start(ENDLESS)
    assert own.stop() == 0


# --- UNLOAD ---------------------------------------------------------------------------------------------------------


def unload(lake: Lake, select: str, options: str = "format = 'PARQUET', compression = 'SNAPPY'") -> str:
    return f"UNLOAD (\n{select}\n) TO 's3://{lake.bucket}/{lake.prefix}-out/' WITH ({options})"


def test_unload_writes_rows_with_their_maps_as_parquet(lake: Lake) -> None:
    lake.table(COLUMNS)
    lake.put("a", {"id": "a", "features": {"x": 1, "y": 2.5}, "reasons": ["r"]}, {"id": "b"})
    execution = lake.run(unload(lake, "SELECT id, features, reasons FROM rows ORDER BY id -- all of them"))
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    table = lake.parquet(f"{lake.prefix}-out/")
    assert table.schema.field("features").type == pa.map_(pa.string(), pa.float64())
    assert table.to_pylist() == [
        {"id": "a", "features": [("x", 1.0), ("y", 2.5)], "reasons": ["r"]},
        {"id": "b", "features": None, "reasons": None},
    ]
    location = execution["ResultConfiguration"]["OutputLocation"]
    assert location == f"s3://{lake.bucket}/results/{execution['QueryExecutionId']}"
    (written,) = lake.text(f"{location}-manifest.csv").split()
    assert [written] == [f"s3://{lake.bucket}/{key}" for key in lake.keys(f"{lake.prefix}-out/")]


def test_unload_of_nothing_writes_nothing(lake: Lake) -> None:
    lake.table(COLUMNS)
    execution = lake.run(unload(lake, "SELECT id, features FROM rows"))
    assert (execution["Status"]["State"], lake.keys(f"{lake.prefix}-out/")) == ("SUCCEEDED", [])


def test_unload_to_an_address_that_holds_something_fails(lake: Lake) -> None:
    assert lake.run(unload(lake, "SELECT 1 AS one"))["Status"]["State"] == "SUCCEEDED"
    assert "HIVE_PATH_ALREADY_EXISTS" in lake.refusal(unload(lake, "SELECT 1 AS one"))
    assert len(lake.keys(f"{lake.prefix}-out/")) == 1


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ("format = 'ORC'", "ORC"),
        ("compression = 'SNAPPY'", "PARQUET only"),
        ("format = 'PARQUET', compression = 'LZO'", "LZO"),
        ("format = 'PARQUET', partitioned_by = ARRAY['id']", "name = 'text'"),
        ("format = 'PARQUET', field_delimiter = ','", "field_delimiter"),
    ],
)
def test_unload_refuses_what_it_cannot_write(lake: Lake, options: str, named: str) -> None:
    assert named in lake.refusal(unload(lake, "SELECT 1 AS one", options))


# --- The application's own query ------------------------------------------------------------------------------------


def decided(name: str, **changes: Any) -> dict[str, Any]:
    moments = dict.fromkeys(("occurred_at", "arrived_at", "decided_at"), "2026-01-05T12:00:00Z")
    return {"transaction_id": name, "features": {"amount": 1.0}, "amount_minor": 5, "slot": "a", **moments, **changes}


def test_the_training_set_is_unloaded_of_the_archive(lake: Lake, outputs: dict[str, str]) -> None:
    template = Path(ROOT, "model/sql/training_set.sql").read_text()
    twice = decided("twice", decided_at="2026-01-05T13:00:00Z", features={"amount": 2.0})
    lake.put("dt=2026-01-05/a.gz", decided("plain"), decided("twice"), twice, decided("fraud"), below="decisions")
    lake.put("dt=2025-11-05/a.gz", decided("old", occurred_at="2025-11-05T12:00:00Z"), below="decisions")
    verdict = {"transaction_id": "fraud", "source": "review", "known_at": "2026-01-08T00:00:00Z"}
    first = {**verdict, "is_fraud": False, "labelled_at": "2026-01-07T00:00:00Z"}
    last = {**verdict, "is_fraud": True, "labelled_at": "2026-01-08T00:00:00Z"}
    lake.put("dt=2026-01-08/a.gz", first, last, below="labels")
    select = dataset_query.select(template, datetime(2026, 1, 20, tzinfo=UTC).timestamp(), 28)
    statement = dataset_query.unload(select, f"s3://{lake.bucket}/{lake.prefix}/")
    execution = lake.run(statement, outputs["Database"])
    assert execution["Status"]["State"] == "SUCCEEDED", execution["Status"]
    rows = {row["transaction_id"]: row for row in lake.parquet(f"{lake.prefix}/").to_pylist()}
    assert {name: row["is_fraud"] for name, row in rows.items()} == {"plain": None, "twice": None, "fraud": True}
    assert rows["twice"]["features"] == [("amount", 1.0)]
    assert (rows["plain"]["amount_minor"], rows["fraud"]["known_at"]) == (5, "2026-01-08T00:00:00Z")
