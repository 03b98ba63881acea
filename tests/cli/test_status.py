"""`fraud status`: routing, counters, what waits, what is quarantined."""

import json
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.status import served, tally
from cli.target import Target
from tests.cli.monitoring_stack import AMOUNTS_MOVED, FIELD_VANISHED, refreshed, watched, write
from tests.cli.test_rollout_screen import CANARY

ROUTING = {
    "pk": "routing",
    "sk": "routing",
    "epoch": 3,
    "status": "rolling_out",
    "champion": "a",
    "challenger": "b",
    "share_bps": 500,
    "slots": {"a": {"model_package": "arn:a"}, "b": {"model_package": "arn:b"}},
}


def counters(slot: str, bucket: int, **sums: int) -> dict[str, Any]:
    return {"pk": "counters#3", "sk": f"{slot}#{bucket:03}", **sums}


def test_tally_sums_the_buckets_by_slot_and_altogether() -> None:
    items = [
        counters("a", 0, transactions=10, approve=8, review=1, block=1),
        counters("a", 1, transactions=5, approve=5),
        counters("none", 0, transactions=5, approve=5, degraded=5),
    ]
    sums = tally(items)
    assert (sums["transactions"], sums["approve"], sums["degraded_share"]) == (20, 18, 0.25)
    assert sums["by_slot"]["a"]["transactions"] == 15


def test_tally_of_nothing_has_no_share() -> None:
    assert tally([])["degraded_share"] is None


def test_served_tells_champion_and_challenger() -> None:
    assert served(ROUTING)["model_package"] == "arn:a"
    assert served(ROUTING)["challenger_share"] == 0.05


def test_served_without_a_routing_item_is_no_model() -> None:
    assert served(None)["status"] == "no model"


def fill(stack: Target) -> None:
    tables = stack.session.resource("dynamodb")
    tables.Table("RolloutTable").put_item(Item=ROUTING)
    tables.Table("RolloutTable").put_item(Item=counters("a", 0, transactions=4, approve=4))
    stack.client("sqs").send_message(QueueUrl=stack.output("LabelQueueUrl"), MessageBody="x")
    for key in ("poison/transactions/x.jsonl", "aws/lambda/y", "replayed/poison/z"):
        stack.client("s3").put_object(Bucket="quarantine", Key=key, Body=b"")


def test_status_json_is_complete(stack: Target, runner: CliRunner) -> None:
    fill(stack)
    facts = json.loads(runner.invoke(app, ["status", "--json"]).stdout)
    assert facts["routing"]["champion"] == "a"
    assert facts["endpoints"] == {"a": None, "b": None}
    assert facts["waiting"] == {"labels": 1, "dead_labels": 0, "stream_behind_ms": None}
    assert facts["decisions"]["approve"] == 4
    assert facts["quarantine"] == {"poison/": 1, "aws/lambda/": 1}


def test_status_for_people_points_at_the_replay(stack: Target, runner: CliRunner) -> None:
    fill(stack)
    result = runner.invoke(app, ["status"])
    assert result.exit_code == 0
    assert "fraud replay-quarantine" in result.stdout and "rolling_out" in result.stdout


@pytest.mark.parametrize(
    ("released", "told", "line"),
    [
        (False, {"stage": "canary", "share": 0.05, "version": 7}, "version 7, canary, 5.00% of the cards"),
        (True, None, "rollout –"),
    ],
)
def test_status_tells_of_a_rollout_only_while_it_is_under_way(
    stack: Target, runner: CliRunner, released: bool, told: dict[str, Any] | None, line: str
) -> None:
    document = msgspec.json.encode(msgspec.structs.replace(CANARY, released=released)).decode()
    item = {"pk": "rollout", "sk": "current", "document": document}
    stack.session.resource("dynamodb").Table("RolloutTable").put_item(Item=item)
    assert json.loads(runner.invoke(app, ["status", "--json"]).stdout)["rollout"] == told
    assert line in " ".join(runner.invoke(app, ["status"]).stdout.split())


def monitoring_lines(runner: CliRunner) -> dict[str, str]:
    """What `fraud status` says of monitoring, by name."""
    result = runner.invoke(app, ["status"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    _, _, rest = result.stdout.partition("Monitoring\n")
    section = rest.partition("Quarantine\n")[0]
    rows = (line.strip().partition("  ") for line in section.splitlines())
    return {name: value.strip() for name, _, value in rows}


def test_status_before_monitoring_says_what_to_type(stack: Target, runner: CliRunner) -> None:
    found = json.loads(runner.invoke(app, ["status", "--json"]).stdout)["monitoring"]
    assert found == {"baseline": None, "schedules": [], "is_alive": None, "liveness": "", "last_look": None}
    lines = monitoring_lines(runner)
    assert "fraud monitor refresh" in lines["baseline"] and "fraud monitor run" in lines["last look"]
    assert lines["monitoring"] == "not checked yet"


def test_status_shows_what_watches_and_why_model_monitor_does_not(stack: Target, runner: CliRunner) -> None:
    write(stack, refreshed())
    write(stack, watched())
    lines = monitoring_lines(runner)
    assert lines["baseline"].startswith("of version 8, made ")
    refused = "refused: Model Monitor is closed to new customers; the application's own looks cover it"
    assert lines["Model Monitor, slot a"] == refused
    assert lines["Model Monitor, slot b"] == "scheduled"
    assert lines["last look"].endswith("nothing changed")
    assert lines["monitoring"] == "alive: The last look is 2 h old."


def test_status_tells_of_violations_and_of_silence(stack: Target, runner: CliRunner) -> None:
    write(stack, refreshed(is_alive=False, liveness="No look for two days [schedule off]."))
    write(stack, watched(AMOUNTS_MOVED, FIELD_VANISHED))
    lines = monitoring_lines(runner)
    assert lines["last look"].endswith("VIOLATIONS: 1 of drift, 1 of data: fraud monitor status")
    assert lines["monitoring"] == "SILENT: No look for two days [schedule off]."
    found = json.loads(runner.invoke(app, ["status", "--json"]).stdout)["monitoring"]
    assert found["last_look"]["violations"] == {"drift": 1, "quality": 0, "data": 1, "upkeep": 0}
    assert found["schedules"][0]["status"] == "refused" and found["is_alive"] is False
