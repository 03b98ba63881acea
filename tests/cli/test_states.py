"""`fraud states rebuild`: what stands in its way, what it writes, and what it leaves alone."""

import gzip
import json
from datetime import UTC, datetime, timedelta
from types import ModuleType
from typing import Any

import pytest
from typer.testing import CliRunner

from cli import archived, backfill, states
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


def keep(stack: Target, key: str, data: bytes, **more: Any) -> None:
    item = {"entity": {"S": key}, "version": {"N": "7"}, "state": {"B": data}, **more}
    stack.client("dynamodb").put_item(TableName="EntityTable", Item=item)


def in_days(days: int) -> dict[str, str]:
    return {"N": str(int((NOW + timedelta(days=days)).timestamp()))}


def of_another_version(stack: Target, key: str) -> bytes:
    """The state that stands in an item, as code of another version would have written it."""
    data = bytearray(entities(stack)[key]["state"]["B"])
    assert data[1] == entity_items.STATE_VERSION
    data[1] += 1
    return bytes(data)


def test_rebuild_replaces_states_of_another_version_and_leaves_strangers_alone(
    paused: Target, runner: CliRunner
) -> None:
    archive(paused, [decision("1", "a")])
    rebuild(runner)
    ours = entities(paused)["card#a"]["state"]["B"]
    keep(paused, "card#a", of_another_version(paused, "card#a"))
    keep(paused, "card#z", ours)
    waiting = {"entity": {"S": "label#9"}, "version": {"N": "7"}}
    paused.client("dynamodb").put_item(TableName="EntityTable", Item=waiting)

    result = rebuild(runner)

    assert (result["written"], result["equal"], result["unknown"]) == (1, 1, 1)
    found = entities(paused)
    assert (found["card#a"]["version"]["N"], found["card#a"]["state"]["B"]) == ("8", ours)
    assert (found["card#z"]["version"]["N"], found["card#z"]["state"]["B"]) == ("7", ours)
    assert found["label#9"] == waiting


def test_state_that_a_label_has_prolonged_is_rebuilt_and_one_that_has_expired_is_not(
    paused: Target, runner: CliRunner
) -> None:
    archive(paused, [decision("1", "a", timedelta(days=91))])
    keep(paused, "terminal#t-a", b"of another version", expires_at=in_days(85))
    keep(paused, "card#a", b"of another version", expires_at=in_days(-1))

    result = rebuild(runner)

    assert (result["written"], result["expired"]) == (1, 1)
    found = entities(paused)
    assert entity_items.decode(found["terminal#t-a"], NOW.timestamp()).state.first_at is not None
    assert found["card#a"]["state"]["B"] == b"of another version"


@pytest.mark.parametrize("words", [(), ("--dry-run",)])
def test_live_state_of_another_version_that_no_archive_knows_is_in_the_way(
    paused: Target, runner: CliRunner, words: tuple[str, ...]
) -> None:
    archive(paused, [decision("1", "a")])
    rebuild(runner)
    keep(paused, "card#z", of_another_version(paused, "card#a"))
    keep(paused, "card#y", b"of another version", expires_at=in_days(-1))

    result = runner.invoke(app, ["states", "rebuild", *words])

    assert result.exit_code == (0 if words else 1)
    assert "1 states are of another version and in no archive" in " ".join(result.stderr.split())


def test_forget_removes_what_is_in_the_way_and_no_more(paused: Target, runner: CliRunner) -> None:
    archive(paused, [decision("1", "a")])
    rebuild(runner)
    ours = entities(paused)["card#a"]["state"]["B"]
    keep(paused, "card#y", ours)
    keep(paused, "card#z", b"of another version", expires_at=in_days(1))
    dry = rebuild(runner, "--forget", "--dry-run")
    assert (dry["removed"], dry["unknown"], dry["obstacles"]) == (1, 1, [])
    assert "card#z" in entities(paused)

    assert rebuild(runner, "--forget")["removed"] == 1

    assert set(entities(paused)) == {"card#a", "terminal#t-a", "card#y"}


def test_rebuild_takes_other_archives_in_and_brings_nobody_back(paused: Target, runner: CliRunner) -> None:
    place = {"CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}}
    paused.client("s3").create_bucket(Bucket="old", **place)
    archive(paused, [decision("1", "a")])
    archive(paused, [decision("2", "b"), decision("3", "idle", timedelta(days=91))], bucket="old")

    result = rebuild(runner, "--archive", "old")

    assert (result["decisions"], result["written"], result["expired"]) == (3, 4, 2)
    assert "card#b" in entities(paused)


@pytest.mark.parametrize(
    ("more", "told", "sentence"),
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
    paused: Target, runner: CliRunner, more: dict[str, Any], told: bool, sentence: str
) -> None:
    decide(paused, decision("1", "a"), **more)
    archive(paused, [decision("1" if told else "2", "a")])

    result = runner.invoke(app, ["states", "rebuild"])

    assert result.exit_code == 1
    assert sentence in " ".join(result.stderr.split())
    assert entities(paused) == {}
    [obstacle] = rebuild(runner, "--dry-run")["obstacles"]
    assert obstacle.startswith(sentence)


def test_what_the_archive_has_dropped_by_its_age_is_not_missed(paused: Target, runner: CliRunner) -> None:
    decide(paused, decision("1", "a", timedelta(days=1828)), projected={"BOOL": True})
    assert rebuild(runner)["obstacles"] == []


@pytest.mark.parametrize(("module", "name"), [(archived, "decisions"), (states, "_dataset")])
def test_state_that_a_synchronous_request_writes_meanwhile_is_not_overwritten(
    paused: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str
) -> None:
    archive(paused, [decision("1", "a")])
    keep(paused, "terminal#t-a", b"of another version")
    go_on = getattr(module, name)

    def interrupted(*arguments: Any) -> Any:
        keep(paused, "card#a", b"newer")
        keep(paused, "terminal#t-a", b"newer", version={"N": "8"})
        return go_on(*arguments)

    monkeypatch.setattr(module, name, interrupted)

    result = runner.invoke(app, ["states", "rebuild"])

    assert result.exit_code == 1
    assert "2 states were written by somebody else" in result.stderr
    assert {item["state"]["B"] for item in entities(paused).values()} == {b"newer"}


def test_state_that_somebody_wrote_since_it_was_read_is_not_removed(paused: Target) -> None:
    keep(paused, "card#z", b"of another version")
    before = backfill.stored(paused)
    keep(paused, "card#z", b"newer", version={"N": "8"})

    with pytest.raises(CommandError, match="1 states were written by somebody else"):
        backfill.remove(paused, {"card#z"}, before)

    assert entities(paused)["card#z"]["state"]["B"] == b"newer"
