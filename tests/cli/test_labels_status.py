"""`fraud labels status`: verdicts of the last look, and the queue as it is."""

from __future__ import annotations

import json

import pytest
from msgspec.structs import replace
from typer.testing import CliRunner

from cli.main import app
from cli.target import Target
from tests.cli.monitoring_stack import LABELS, NOON, watched, write


def shown(runner: CliRunner) -> list[str]:
    result = runner.invoke(app, ["labels", "status"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    return [" ".join(line.split()) for line in result.stdout.splitlines()]


@pytest.fixture
def evening(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is 18:00 on the day of the newest verdict."""
    monkeypatch.setattr("time.time", lambda: NOON + 6 * 3_600)


@pytest.mark.usefixtures("evening")
def test_labels_status_keeps_reviews_and_chargebacks_apart(stack: Target, runner: CliRunner) -> None:
    write(stack, watched())
    lines = shown(runner)
    assert "chargeback 41 2" in lines and "review 17 203" in lines
    assert "sources that disagree on 3 transactions" in lines
    assert "of these, without a verdict 12,082, which count as genuine" in lines
    assert "newest verdict 06:00:00 UTC, 12 h ago" in lines


def test_labels_status_shows_how_soon_frauds_are_known_in_order_of_days(stack: Target, runner: CliRunner) -> None:
    write(stack, watched())
    curve = [line for line in shown(runner) if line.startswith("within")]
    assert [line.split()[1] for line in curve] == ["1", "7", "14"]
    assert curve[1].endswith("██████████░░░░░░░░░░ 50 %")


def test_labels_status_tells_of_weights_only_where_releases_have_some(stack: Target, runner: CliRunner) -> None:
    write(stack, watched())
    assert any(line.startswith("mean weight 1.25") for line in shown(runner))
    write(stack, watched(labels=replace(LABELS, weight=1.0)))
    assert not any("weight" in line for line in shown(runner))


def test_labels_status_before_the_first_look_still_shows_the_queue(stack: Target, runner: CliRunner) -> None:
    stack.client("sqs").send_message(QueueUrl=stack.output("LabelQueueUrl"), MessageBody="x")
    lines = shown(runner)
    assert "labels in the queue 1" in lines
    assert any("fraud monitor run --watch" in line for line in lines)


def test_labels_status_of_an_empty_window_says_so(stack: Target, runner: CliRunner) -> None:
    write(stack, watched(labels=None))
    assert any("had no decisions" in line for line in shown(runner))


def test_labels_status_without_any_verdict_shows_no_age(stack: Target, runner: CliRunner) -> None:
    write(stack, watched(labels=replace(LABELS, newest_known_at="", known_after={})))
    lines = shown(runner)
    assert "newest verdict –" in lines and not any(line.startswith("within") for line in lines)


def test_labels_status_of_dead_labels_points_at_the_replay(stack: Target, runner: CliRunner) -> None:
    assert not any("replay" in line for line in shown(runner))
    stack.client("sqs").send_message(QueueUrl=stack.output("LabelDeadLetterQueueUrl"), MessageBody="x")
    lines = shown(runner)
    assert "that could not be recorded 1" in lines and any("fraud replay-quarantine" in line for line in lines)


def test_labels_status_as_json_is_complete(stack: Target, runner: CliRunner) -> None:
    nothing = json.loads(runner.invoke(app, ["labels", "status", "--json"]).stdout)
    assert nothing == {
        "waiting": {"labels": 0, "dead_labels": 0}, "run_id": None, "looked_at": None, "labels": None,
    }  # fmt: skip
    write(stack, watched())
    found = json.loads(runner.invoke(app, ["labels", "status", "--json"]).stdout)
    assert (found["run_id"], found["looked_at"]) == ("drift-1", NOON + 300)
    assert found["labels"]["by_source"]["review"] == {"frauds": 17, "genuine": 203}


def test_labels_status_help_shows_examples(runner: CliRunner) -> None:
    assert "fraud labels status" in runner.invoke(app, ["labels", "status", "--help"]).stdout
