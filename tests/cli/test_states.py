"""`fraud states rebuild`: what stands in its way, what it writes, and what it leaves alone."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import backfill, states
from cli.errors import CommandError
from cli.main import app
from cli.target import Target
from fraud.aws import entity_items

DAYS = {"ArchiveRetentionDays": 1827, "EntityRetentionDays": 90}
NOW = datetime.now(UTC)


def decision(key: str, card: str, age: timedelta = timedelta()) -> dict[str, Any]:
    moment = (NOW - age - timedelta(minutes=1)).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return {
        "transaction_id": key,
        "card_token": card,
        "terminal_id": f"t-{card}",
        "amount_minor": 1000,
        "occurred_at": moment,
        "arrived_at": moment,
    }


def archive(
    stack: Target, documents: list[dict[str, Any]], bucket: str = "archive", prefix: str = "decisions/"
) -> None:
    lines = "\n".join(map(json.dumps, documents)).encode()
    stack.client("s3").put_object(
        Bucket=bucket, Key=f"{prefix}dt=2026-05-01/{len(lines)}.gz", Body=gzip.compress(lines)
    )


def decide(stack: Target, document: dict[str, Any], **more: Any) -> None:
    item = {"transaction_id": {"S": document["transaction_id"]}, "arrived_at": {"S": document["arrived_at"]}, **more}
    stack.client("dynamodb").put_item(TableName="DecisionTable", Item=item)


def entities(stack: Target) -> dict[str, Any]:
    items = stack.client("dynamodb").scan(TableName="EntityTable")["Items"]
    return {item["entity"]["S"]: item for item in items}


@pytest.fixture
def paused(stack: Target, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setattr(states, "running", lambda target: iter(()))
    monkeypatch.setattr(states, "retention", lambda target: DAYS)
    return stack


def rebuild(runner: CliRunner, *words: str) -> dict[str, Any]:
    result = runner.invoke(app, ["states", "rebuild", "--json", *words], catch_exceptions=False)
    assert result.exit_code == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


def test_rebuild_writes_what_differs_once_and_dry_run_nothing(paused: Target, runner: CliRunner) -> None:
    archive(paused, [decision("1", "a"), decision("2", "b"), decision("1", "a")])
    dry = rebuild(runner, "--dry-run")
    assert (dry["decisions"], dry["written"], dry["equal"], entities(paused)) == (2, 4, 0, {})

    assert rebuild(runner)["written"] == 4

    assert set(entities(paused)) == {"card#a", "card#b", "terminal#t-a", "terminal#t-b"}
    again = rebuild(runner)
    assert (again["written"], again["equal"]) == (0, 4)
    assert {item["version"]["N"] for item in entities(paused).values()} == {"1"}


def test_rebuild_replaces_states_of_another_version_and_leaves_strangers_alone(
    paused: Target, runner: CliRunner
) -> None:
    for key in ("card#a", "card#z", "label#9"):
        state = {"state": {"B": b"of another version"}} if key != "label#9" else {}
        item = {"entity": {"S": key}, "version": {"N": "7"}, **state}
        paused.client("dynamodb").put_item(TableName="EntityTable", Item=item)
    archive(paused, [decision("1", "a")])

    result = rebuild(runner)

    assert (result["written"], result["unknown"]) == (2, 1)
    found = entities(paused)
    assert found["card#a"]["version"]["N"] == "8"
    assert entity_items.decode(found["card#a"], NOW.timestamp()).state.first_at is not None
    assert found["card#z"]["state"]["B"] == b"of another version"


def test_rebuild_takes_other_archives_in_and_brings_nobody_back(paused: Target, runner: CliRunner) -> None:
    place = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    paused.client("s3").create_bucket(Bucket="old", **place)
    archive(paused, [decision("1", "a")])
    archive(paused, [decision("2", "b"), decision("3", "idle", timedelta(days=91))], bucket="old")

    result = rebuild(runner, "--archive", "old")

    assert (result["decisions"], result["written"], result["expired"]) == (3, 4, 2)
    assert "card#b" in entities(paused)


@pytest.mark.parametrize(
    ("more", "archived", "sentence"),
    [
        ({}, True, "1 decisions are not counted at their terminals yet"),
        ({"projected": {"BOOL": True}}, False, "1 decisions are not in the archive yet"),
        (
            {"projected": {"BOOL": True}, "label": {"M": {"is_fraud": {"BOOL": True}}}},
            True,
            "1 labels are not in the archive yet",
        ),
    ],
)
def test_rebuild_before_everything_is_told_is_refused(
    paused: Target, runner: CliRunner, more: dict[str, Any], archived: bool, sentence: str
) -> None:
    decide(paused, decision("1", "a"), **more)
    archive(paused, [decision("1" if archived else "2", "a")])

    result = runner.invoke(app, ["states", "rebuild"])

    assert result.exit_code == 1
    assert sentence in " ".join(result.stderr.split())
    assert entities(paused) == {}
    [obstacle] = rebuild(runner, "--dry-run")["obstacles"]
    assert obstacle.startswith(sentence)


def test_what_the_archive_has_dropped_by_its_age_is_not_missed(paused: Target, runner: CliRunner) -> None:
    decide(paused, decision("1", "a", timedelta(days=1828)), projected={"BOOL": True})
    assert rebuild(runner)["obstacles"] == []


def test_state_that_somebody_else_wrote_is_not_overwritten(paused: Target) -> None:
    document = decision("1", "a")
    dataset = states._dataset([document], [])
    before = backfill.stored(paused)
    item = {"entity": {"S": "card#a"}, "version": {"N": "1"}, "state": {"B": b"newer"}}
    paused.client("dynamodb").put_item(TableName="EntityTable", Item=item)

    with pytest.raises(CommandError, match="1 states were written by somebody else"):
        backfill.replace(paused, dict(backfill.states(dataset)), before, 90)

    assert entities(paused)["card#a"]["state"]["B"] == b"newer"
