"""The archive as tables: what is archived can be queried, without a crawler, within bounds."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot.optimizer.qualify import qualify

from fraud import dataset_query, features
from fraud.aws import decision_items
from fraud.decision import Action
from fraud.services import labelling
from tests.fakes.samples import NOW, accepted, decision, label_message, parse_label

Resources = dict[str, dict[str, Any]]
QUERY = Path(__file__).parents[2] / "model" / "sql" / "training_set.sql"


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


HOLDS: Mapping[str, Callable[[Any], bool]] = {
    "string": is_text,
    "bigint": lambda value: isinstance(value, int) and not isinstance(value, bool),
    "double": is_number,
    "boolean": lambda value: isinstance(value, bool),
    "array<string>": lambda value: isinstance(value, list) and all(map(is_text, value)),
    "map<string,double>": lambda value: (
        isinstance(value, dict) and all(each is None or is_number(each) for each in value.values())
    ),
}
"""Whether a column of a type can hold what was read from JSON."""


@pytest.fixture
def tables(of_type: Callable[[str], Resources]) -> Resources:
    """What the tables are made of, by their names."""
    found = [each["Properties"]["TableInput"] for each in of_type("AWS::Glue::Table").values()]
    return {each["Name"]: each for each in found}


@pytest.fixture
def work_group(template: dict[str, Any]) -> dict[str, Any]:
    configuration: dict[str, Any] = template["Resources"]["QueryWorkGroup"]["Properties"]["WorkGroupConfiguration"]
    return configuration


def columns(table: dict[str, Any]) -> dict[str, str]:
    return {each["Name"]: each["Type"] for each in table["StorageDescriptor"]["Columns"]}


def archived_decision() -> dict[str, Any]:
    """The document of a decision that has whatever one may have."""
    fields = {"channel": "online", "merchant_category": "5411", "country": "DE"}
    made = decision(
        accepted(arrived_at=NOW - 3_600, **fields),
        action=Action.REVIEW,
        reasons=("score",),
        score=0.75,
        model_package="arn:package/7",
        features=[None, *map(float, range(1, len(features.NAMES)))],
    )
    return as_archived(decision_items.decode(decision_items.encode(made, retention_days=1), "1").document)


def as_archived(document: Mapping[str, Any]) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(document))
    return read


def unlike(table: dict[str, Any], document: dict[str, Any]) -> list[str]:
    """Columns that cannot hold what the document has for them."""
    return [name for name, kind in columns(table).items() if not HOLDS[kind](document[name])]


def test_the_columns_of_decisions_are_what_is_archived_of_one(tables: Resources) -> None:
    document = archived_decision()
    assert sorted(columns(tables["decisions"])) == sorted(document)
    assert unlike(tables["decisions"], document) == []


def test_the_columns_of_labels_are_what_is_archived_of_one(tables: Resources) -> None:
    document = as_archived(labelling._archived(*parse_label(label_message(1))))
    assert sorted(columns(tables["labels"])) == sorted(document)
    assert unlike(tables["labels"], document) == []


def test_features_and_columns_are_in_lower_case_as_the_reader_of_json_makes_them(tables: Resources) -> None:
    names = [*features.NAMES, *columns(tables["decisions"]), *columns(tables["labels"])]
    assert [name for name in names if name != name.lower()] == []


def test_the_query_of_a_data_set_reads_columns_that_there_are(tables: Resources) -> None:
    schema = {name: {**columns(table), "dt": "string"} for name, table in tables.items()}
    select = dataset_query.select(QUERY.read_text(encoding="utf-8"), as_of=NOW, days=90)
    qualify(sqlglot.parse_one(select, dialect="athena"), schema=schema, dialect="athena")


def test_a_table_lies_where_its_archive_is_delivered(tables: Resources, of_type: Callable[[str], Resources]) -> None:
    streams = [each["Properties"] for each in of_type("AWS::KinesisFirehose::DeliveryStream").values()]
    delivered = {each["ExtendedS3DestinationConfiguration"]["Prefix"] for each in streams}
    assert delivered == {f"{name}/dt=!{{timestamp:yyyy-MM-dd}}/" for name in tables}
    for name, table in tables.items():
        assert table["StorageDescriptor"]["Location"] == {"Fn::Sub": f"s3://${{ArchiveBucket}}/{name}/"}
        # In Fn::Sub, ${!dt} is ${dt} as it stands.
        template = {"Fn::Sub": f"s3://${{ArchiveBucket}}/{name}/dt=${{!dt}}/"}
        assert table["Parameters"]["storage.location.template"] == template


def test_days_follow_from_the_calendar_so_that_nothing_has_to_crawl(tables: Resources) -> None:
    for table in tables.values():
        assert [(each["Name"], each["Type"]) for each in table["PartitionKeys"]] == [("dt", "string")]
        settings = table["Parameters"]
        assert (settings["projection.enabled"], settings["projection.dt.type"]) == ("true", "date")
        assert settings["projection.dt.format"] == "yyyy-MM-dd"
        first, last = settings["projection.dt.range"].split(",")
        assert date.fromisoformat(first) < date(2025, 1, 1) and last == "NOW"


def test_an_archive_is_read_as_compressed_json_line_by_line(tables: Resources) -> None:
    for table in tables.values():
        storage = table["StorageDescriptor"]
        assert storage["InputFormat"] == "org.apache.hadoop.mapred.TextInputFormat"
        assert storage["SerdeInfo"] == {
            "SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe",
            # One line that was cut short must not keep all the others from being read.
            "Parameters": {"ignore.malformed.json": "true"},
        }


def test_a_database_is_named_after_the_stack_in_characters_that_athena_takes(template: dict[str, Any]) -> None:
    name = template["Resources"]["ArchiveDatabase"]["Properties"]["DatabaseInput"]["Name"]
    assert name == {"Fn::Join": ["_", {"Fn::Split": ["-", {"Ref": "AWS::StackName"}]}]}


def test_results_of_queries_go_where_the_workgroup_says_and_nowhere_else(work_group: dict[str, Any]) -> None:
    assert work_group["EnforceWorkGroupConfiguration"] is True
    results = work_group["ResultConfiguration"]
    assert results["OutputLocation"] == {"Fn::Sub": "s3://${ArchiveBucket}/queries/"}
    assert results["EncryptionConfiguration"]["EncryptionOption"] == "SSE_KMS"
    assert results["ExpectedBucketOwner"] == {"Ref": "AWS::AccountId"}


def test_a_query_is_ended_before_it_costs_much_and_runs_on_a_known_engine(work_group: dict[str, Any]) -> None:
    assert work_group["BytesScannedCutoffPerQuery"] == 1024**4
    assert work_group["EngineVersion"] == {"SelectedEngineVersion": "Athena engine version 3"}


def test_a_workgroup_goes_with_the_stack_although_it_has_a_history_of_queries(template: dict[str, Any]) -> None:
    assert template["Resources"]["QueryWorkGroup"]["Properties"]["RecursiveDeleteOption"] is True
