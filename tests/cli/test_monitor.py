"""`fraud monitor`: looks and refreshes; the state machine is a fake, table and archive are real."""

from __future__ import annotations

import json
import webbrowser
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner, Result

from cli import machine as machines
from cli import monitor_screen, watching
from cli.main import app
from cli.monitor_report import LISTED
from cli.target import Target
from fraud import monitoring_task
from fraud.monitoring import Outcome
from fraud.retraining import Said
from tests.cli.monitoring_stack import (
    AMOUNTS_MOVED,
    EXECUTION,
    FIELD_VANISHED,
    NOON,
    PACKAGE,
    FakeMachine,
    FakeStack,
    archive,
    refreshed,
    serve,
    watched,
    write,
    write_document,
)
from tests.fakes.monitoring import findings_document

PATH = [
    ("Task", "Choose the window"),
    ("Choice", "Is there anything to look at?"),
    ("Task", "Look at the window"),
    ("Task", "Look at the window"),
    ("Task", "Judge the window"),
    ("Succeed", "Violations found"),
]


@pytest.fixture
def machine(stack: Target, waits: list[float]) -> FakeMachine:
    fake, real = FakeMachine(), stack.client
    fakes = {"stepfunctions": fake, "cloudformation": FakeStack()}
    stack.__dict__["client"] = lambda name, **config: fakes.get(name) or real(name, **config)
    stack.outputs["DriftMachineArn"] = "arn:drift"
    stack.outputs["MonitoringMachineArn"] = "arn:monitoring"
    return fake


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Executions get the names that the records have."""

    def begin(target: Target, output: str, kind: str, request: Any) -> tuple[str, str]:
        target.client("stepfunctions").start_execution(
            stateMachineArn=target.output(output), name=f"{kind}-1", input=json.dumps(request)
        )
        return f"{kind}-1", f"{EXECUTION}{kind}-1"

    monkeypatch.setattr("cli.machine.begin", begin)


@pytest.fixture
def noon(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is an hour after the last look."""
    monkeypatch.setattr("time.time", lambda: NOON + 3_900)


def call(runner: CliRunner, *words: str) -> Result:
    return runner.invoke(app, ["monitor", *words], env={"COLUMNS": "200"})


def ending(word: str, sentence: str) -> dict[str, Any]:
    output = {"answer": {"next": word, "sentence": sentence}}
    return {"status": "SUCCEEDED", "output": json.dumps(output)}


def asked(machine: FakeMachine) -> dict[str, Any]:
    request: dict[str, Any] = json.loads(machine.started["input"])
    monitoring_task.request(request)
    return request


# --- Run: what is asked ---------------------------------------------------------------------------------------------


def test_run_gives_the_machine_plan_window_and_who_asks(
    runner: CliRunner, machine: FakeMachine, tmp_path: Path
) -> None:
    plan = tmp_path / "plan.json"
    plan.write_text('{"least_psi": 0.3, "fewest_rows": 500}')
    words = ("--set", "least_psi=0.2", "--set", "fairness=country,channel", "--until", "2026-03-02T01:00:00+01:00")
    result = call(runner, "run", "--plan", str(plan), "--window", "2d", *words)
    assert result.exit_code == 0 and "fraud monitor status" in result.output
    request = asked(machine)
    assert request["plan"] == {
        "least_psi": 0.2, "fewest_rows": 500, "window_hours": 48, "fairness": ["country", "channel"],
    }  # fmt: skip
    assert request["until"] == "2026-03-02T00:00:00.000Z" and "since" not in request
    assert request["trigger"] == "person" and request["started_by"]
    assert machine.started["stateMachineArn"] == "arn:drift"


def test_run_takes_a_date_as_its_begin_in_utc(runner: CliRunner, machine: FakeMachine) -> None:
    assert call(runner, "run", "--since", "2026-03-01").exit_code == 0
    assert asked(machine)["since"] == "2026-03-01T00:00:00.000Z"


def test_run_takes_one_group_as_a_list(runner: CliRunner, machine: FakeMachine) -> None:
    assert call(runner, "run", "--set", "fairness=channel").exit_code == 0
    assert asked(machine)["plan"] == {"fairness": ["channel"]}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--window", "36h"), "whole days"),
        (("--window", "90m"), "whole days"),
        (("--window", "soon"), "no duration"),
        (("--set", "alpha=2"), "plan.alpha must lie between"),
        (("--set", "alpha"), "NAME=VALUE"),
        (("--set", "alfa=0.1"), "alfa"),
        (("--since", "yesterday"), "2026-03-01T12:00:00Z"),
        (("--since", "2026-03-02", "--until", "2026-03-01"), "ends before it begins"),
    ],
)
def test_run_that_is_asked_wrongly_starts_nothing(
    runner: CliRunner, machine: FakeMachine, words: tuple[str, ...], told: str
) -> None:
    result = call(runner, "run", *words)
    assert result.exit_code == 1 and told in result.stderr
    assert machine.started == {}


def test_run_takes_no_two_begins(runner: CliRunner, machine: FakeMachine) -> None:
    assert call(runner, "run", "--window", "24h", "--since", "2026-03-01").exit_code == 2
    assert machine.started == {}


def test_run_as_json_says_what_began(runner: CliRunner, machine: FakeMachine) -> None:
    found = json.loads(call(runner, "run", "--json").stdout)
    assert found == {"run_id": machine.started["name"], "execution": EXECUTION + machine.started["name"]}


# --- Run: what came of it -------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("named")
def test_watched_run_tells_its_states_once_and_no_questions(
    stack: Target, runner: CliRunner, machine: FakeMachine
) -> None:
    machine.path, machine.end = PATH, ending("quiet", "Nothing changed.")
    write(stack, watched())
    result = call(runner, "run", "--watch")
    assert result.exit_code == 0 and "✔ Nothing changed." in result.stdout
    assert [line.split(maxsplit=2)[2] for line in result.stderr.splitlines()] == [
        "Choose the window", "Look at the window", "Judge the window",
    ]  # fmt: skip


@pytest.mark.usefixtures("named")
def test_watched_run_with_violations_shows_them_and_ends_with_1(
    stack: Target, runner: CliRunner, machine: FakeMachine
) -> None:
    machine.path, machine.end = PATH, ending("violated", "2 violated.")
    write(stack, watched(AMOUNTS_MOVED, FIELD_VANISHED))
    result = call(runner, "run", "--watch")
    assert result.exit_code == 1
    text = result.stdout
    assert AMOUNTS_MOVED.sentence in text and FIELD_VANISHED.sentence in text
    assert "0.431" in text and "a new model is learned" in text and "people are called" in text
    assert "fraud monitor report --open" in text


@pytest.mark.usefixtures("named")
def test_watched_run_as_json_is_one_document(stack: Target, runner: CliRunner, machine: FakeMachine) -> None:
    machine.path, machine.end = PATH, ending("violated", "1 violated.")
    write(stack, watched(AMOUNTS_MOVED))
    result = call(runner, "run", "--watch", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (found["run_id"], found["outcome"], found["sentence"]) == ("drift-1", "violated", "1 violated.")
    assert found["look"]["findings"][0]["name"] == "amount_ratio"


@pytest.mark.usefixtures("named")
def test_watched_run_of_an_older_window_reads_its_findings_from_the_archive(
    stack: Target, runner: CliRunner, machine: FakeMachine
) -> None:
    """The record keeps the window that ended last."""
    machine.path, machine.end = PATH, ending("violated", "1 violated.")
    write(stack, watched(run_id="drift-2"))
    found = findings_document(FIELD_VANISHED, since="2026-02-01T00:00:00Z", rows=7)
    archive(stack, "drift-1", "monitoring.json", found)
    look = json.loads(call(runner, "run", "--watch", "--json").stdout)["look"]
    assert (look["run_id"], look["rows"], look["violations"]["data"]) == ("drift-1", 7, 1)
    assert look["since"] == 1_769_904_000


@pytest.mark.usefixtures("named")
@pytest.mark.parametrize(
    ("word", "sentence", "next_step"),
    [
        ("nothing", "Nothing arrived.", "fraud status"),
        ("no_model", "No model serves yet.", "fraud rollout start"),
        ("no_baseline", "A baseline is asked for.", "fraud monitor run --watch"),
    ],
)
def test_watched_run_without_a_look_says_why_and_what_to_type(
    stack: Target, runner: CliRunner, machine: FakeMachine, word: str, sentence: str, next_step: str
) -> None:
    machine.path, machine.end = PATH[:1], ending(word, sentence)
    write(stack, watched(AMOUNTS_MOVED, run_id="another"))
    result = call(runner, "run", "--watch")
    assert result.exit_code == 0
    assert sentence in result.stdout and next_step in result.stdout
    assert AMOUNTS_MOVED.sentence not in result.stdout


@pytest.mark.usefixtures("named")
def test_watched_run_that_fails_says_why(runner: CliRunner, machine: FakeMachine) -> None:
    machine.path, machine.end = PATH[:1], {"status": "FAILED", "cause": "The job could not read the window."}
    result = call(runner, "run", "--watch")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == "Error: The job could not read the window."
    machine.looks = 0
    assert json.loads(call(runner, "run", "--watch", "--json").stdout)["outcome"] == "failed"


@pytest.mark.usefixtures("named")
def test_watched_run_is_left_alone_after_ctrl_c(
    runner: CliRunner, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.path = PATH

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    result = call(runner, "run", "--watch")
    assert result.exit_code == 130 and "fraud monitor status" in result.stderr


@pytest.mark.usefixtures("named")
def test_watched_run_that_is_not_known_everywhere_yet_is_waited_for(runner: CliRunner, machine: FakeMachine) -> None:
    machine.end = ending("quiet", "Nothing changed.")
    assert call(runner, "run", "--watch").exit_code == 0


def test_states_have_the_time_at_which_they_were_entered_first(stack: Target, machine: FakeMachine) -> None:
    machine.path, machine.looks = PATH, len(PATH)
    found = [(at - NOON, name) for at, name in machines.entered(stack, EXECUTION)]
    assert found == [(0, "Choose the window"), (2, "Look at the window"), (4, "Judge the window")]


# --- Refresh --------------------------------------------------------------------------------------------------------


def test_refresh_asks_for_a_new_baseline_only_when_told(runner: CliRunner, machine: FakeMachine) -> None:
    assert call(runner, "refresh").exit_code == 0
    assert asked(machine)["plan"] == {}
    assert call(runner, "refresh", "--rebaseline", "--set", "reference_days=56").exit_code == 0
    assert asked(machine)["plan"] == {"reference_days": 56, "rebaseline": True}
    assert machine.started["stateMachineArn"] == "arn:monitoring"


@pytest.mark.usefixtures("named", "machine")
def test_watched_refresh_tells_its_story_and_the_schedules(stack: Target, runner: CliRunner) -> None:
    write(stack, refreshed())
    result = call(runner, "refresh", "--watch")
    assert result.exit_code == 0
    told = [line.split(maxsplit=2)[2] for line in result.stderr.splitlines()]
    assert told == ["The champion is version 8.", "A baseline was made."]
    assert "slot a" in result.stdout and "closed to new customers" in result.stdout


@pytest.mark.usefixtures("named")
def test_watched_refresh_tells_each_event_once_as_it_comes(
    stack: Target, runner: CliRunner, machine: FakeMachine, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine.path = PATH[:3]
    stories = iter([("One.", "Two."), ("Two.", "Three.")])

    def go_on(seconds: float = 0.0) -> None:
        """The record forgets its oldest events."""
        events = tuple(Said(NOON, each) for each in next(stories))
        write(stack, msgspec.structs.replace(refreshed(), events=events))

    go_on()
    monkeypatch.setattr("time.sleep", lambda seconds: go_on() if machine.looks == 1 else None)
    result = call(runner, "refresh", "--watch")
    assert [line.split()[-1] for line in result.stderr.splitlines()] == ["One.", "Two.", "Three."]


def test_events_that_the_record_forgot_altogether_hide_none_of_the_new_ones() -> None:
    one, two = machines.Step(NOON, "One."), machines.Step(NOON, "Two.")
    assert watching.later([two], [one]) == [two]


@pytest.mark.usefixtures("named")
def test_watched_refresh_beside_another_says_so_and_tells_nothing_of_that(
    stack: Target, runner: CliRunner, machine: FakeMachine
) -> None:
    write(stack, refreshed(run_id="another"))
    machine.end = ending("under_way", "Refresh another is under way.")
    result = call(runner, "refresh", "--watch")
    assert result.exit_code == 0
    assert result.stdout == "Refresh monitoring-1; follow it: fraud monitor status\n✔ Refresh another is under way.\n"
    assert result.stderr == ""


@pytest.mark.usefixtures("named")
def test_watched_refresh_that_finds_silence_fails(stack: Target, runner: CliRunner, machine: FakeMachine) -> None:
    write(stack, refreshed(is_alive=False))
    machine.end = {"status": "FAILED", "cause": "Monitoring is silent."}
    result = call(runner, "refresh", "--watch", "--json")
    found = json.loads(result.stdout)
    assert result.exit_code == 1
    assert (found["outcome"], found["sentence"]) == ("failed", "Monitoring is silent.")
    assert found["refresh"]["is_alive"] is False


# --- Status ---------------------------------------------------------------------------------------------------------


def test_status_before_a_model_says_that_first(stack: Target, runner: CliRunner) -> None:
    text = call(runner, "status").stdout
    assert "No model serves yet" in text and "fraud rollout start" in text
    assert json.loads(call(runner, "status", "--json").stdout) == {"refresh": None, "look": None}


def test_status_before_the_first_look_says_what_to_type(stack: Target, runner: CliRunner) -> None:
    serve(stack)
    text = call(runner, "status").stdout
    assert "no window was ever looked at" in text
    assert "fraud monitor refresh --watch" in text and "fraud monitor run --watch" in text


@pytest.mark.usefixtures("noon")
def test_status_shows_baseline_schedules_and_the_last_look(stack: Target, runner: CliRunner) -> None:
    serve(stack)
    write(stack, refreshed())
    write(stack, watched(AMOUNTS_MOVED, FIELD_VANISHED))
    text = call(runner, "status").stdout
    lines = [" ".join(line.split()) for line in text.splitlines()]
    assert "of version 8" in lines
    assert "slot b ✔ scheduled" in lines
    refused = "slot a · refused: Model Monitor is closed to new customers; the application's own looks cover it"
    assert refused in lines
    assert "alive yes: The last look is 2 h old." in lines
    assert FIELD_VANISHED.sentence in text
    assert "window (UTC) 2026-02-28 12:00 to 2026-03-01 12:00" in lines
    assert lines[-1] == "→ What was found, with pictures: fraud monitor report --open"


@pytest.mark.usefixtures("noon")
def test_status_of_monitoring_as_it_should_be_asks_for_nothing(stack: Target, runner: CliRunner) -> None:
    serve(stack)
    write(stack, refreshed())
    write(stack, watched())
    assert "→" not in call(runner, "status").stdout


@pytest.mark.parametrize(
    ("changes", "serving", "now", "hint"),
    [
        ({}, PACKAGE, NOON + 3 * 86_400, "its schedule on"),
        ({}, f"{PACKAGE}1", NOON, "version 81: fraud monitor refresh"),
        ({"is_alive": False}, PACKAGE, NOON, "Monitoring is silent"),
        ({"baseline": None}, PACKAGE, NOON, "There is no baseline"),
    ],
)
def test_following_says_what_is_wrong(changes: dict[str, Any], serving: str, now: float, hint: str) -> None:
    [told] = monitor_screen.following(refreshed(**changes), watched(), serving, now)
    assert hint in told


def test_following_a_refresh_under_way_nothing_is_asked_for_twice() -> None:
    under_way = msgspec.structs.replace(refreshed(baseline=None), ended_at=0.0, outcome=None)
    assert list(monitor_screen.following(under_way, watched(), PACKAGE, NOON)) == []
    assert monitor_screen.refresh_words(under_way, NOON).startswith("under way")


def test_refresh_words_say_how_it_ended_who_asked_and_why() -> None:
    failed = msgspec.structs.replace(refreshed(), outcome=Outcome.FAILED, sentence="The job failed.")
    assert monitor_screen.refresh_words(failed, NOON) == "failed (12:00:00, asked for by person ada): The job failed."


@pytest.mark.parametrize("key", ["refresh", "watch"])
def test_record_of_another_release_is_told_in_a_sentence(stack: Target, runner: CliRunner, key: str) -> None:
    write_document(stack, key, '{"run_id": 1}')
    result = call(runner, "status")
    assert result.exit_code == 1 and "Another release" in result.stderr


def test_violations_beyond_those_of_the_record_are_counted(stack: Target, runner: CliRunner) -> None:
    serve(stack)
    write(stack, watched(AMOUNTS_MOVED, violations={"drift": 61, "quality": 0, "data": 0}))
    assert "and 60 more: fraud monitor report" in call(runner, "status").stdout


# --- Report ---------------------------------------------------------------------------------------------------------


def test_report_of_the_last_look_is_written_and_opened(
    stack: Target, runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    opened: list[str] = []

    def browse(uri: str) -> bool:
        opened.append(uri)
        return True

    monkeypatch.setattr(webbrowser, "open", browse)
    write(stack, watched())
    archive(stack, "drift-1", "report.html", b"<html>")
    result = call(runner, "report", "--open")
    path = tmp_path / ".fraud" / "drift-1.html"
    assert result.exit_code == 0 and str(path) in result.stdout
    assert path.read_bytes() == b"<html>" and opened == [path.as_uri()]


def test_report_of_a_run_goes_where_it_is_told(stack: Target, runner: CliRunner, tmp_path: Path) -> None:
    archive(stack, "older", "report.html", b"<html>")
    path = tmp_path / "deep" / "report.html"
    found = json.loads(call(runner, "report", "--window", "older", "--output", str(path), "--json").stdout)
    uri = "s3://archive/monitoring/windows/older/findings/"
    assert found == {"run_id": "older", "uri": uri, "file": str(path)}
    assert path.read_bytes() == b"<html>"


def test_report_where_no_browser_is_says_where_the_file_is(
    stack: Target, runner: CliRunner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(webbrowser, "open", lambda uri: False)
    archive(stack, "older", "report.html", b"<html>")
    path = tmp_path / "report.html"
    result = call(runner, "report", "--window", "older", "--output", str(path), "--open")
    assert result.exit_code == 1 and f"open {path} yourself" in result.stderr


@pytest.mark.parametrize(
    ("words", "told"), [((), "fraud monitor run"), (("--window", "unheard-of"), "fraud monitor report --list")]
)
def test_report_that_is_not_there_says_what_to_do(
    stack: Target, runner: CliRunner, words: tuple[str, ...], told: str
) -> None:
    result = call(runner, "report", *words)
    assert result.exit_code == 1 and told in result.stderr


def test_report_into_a_directory_is_told_in_a_sentence(stack: Target, runner: CliRunner, tmp_path: Path) -> None:
    archive(stack, "older", "report.html", b"<html>")
    result = call(runner, "report", "--window", "older", "--output", str(tmp_path))
    assert result.exit_code == 1 and "cannot be written" in result.stderr


def test_report_list_has_the_newest_looks_that_left_one(stack: Target, runner: CliRunner) -> None:
    """Names say nothing of a look's age."""
    days = [11, 3, 12, 1, 7, 2, 10, 5, 8, 4, 9, 6]
    written = {f"run-{place:02}/findings/report.html": day for place, day in enumerate(days)}
    pages = FakePages({**written, "unfinished/findings/monitoring.json": 28, "run-00/dataset/part": 28})
    real = stack.client
    stack.__dict__["client"] = lambda name, **config: pages if name == "s3" else real(name, **config)
    found = json.loads(call(runner, "report", "--list", "--json").stdout)
    assert [int(each["written_at"][8:10]) for each in found] == sorted(days, reverse=True)[:LISTED]
    assert [each["run_id"] for each in found][:2] == ["run-02", "run-00"]
    text = call(runner, "report", "--list").stdout
    assert text.index("run-02") < text.index("run-00") and "2026-03-12 00:00" in text


def test_report_list_before_the_first_look_says_what_to_type(stack: Target, runner: CliRunner) -> None:
    assert "fraud monitor run" in call(runner, "report", "--list").stdout
    assert json.loads(call(runner, "report", "--list", "--json").stdout) == []


class FakePages:
    """S3: objects of the archive, each with its day in March 2026, one to a page."""

    def __init__(self, days: dict[str, int]) -> None:
        self.days = days

    def get_paginator(self, operation: str) -> FakePages:
        assert operation == "list_objects_v2"
        return self

    def paginate(self, *, Bucket: str, Prefix: str) -> Iterator[dict[str, Any]]:  # noqa: N803
        assert Bucket == "archive"
        for key, day in self.days.items():
            yield {"Contents": [{"Key": Prefix + key, "LastModified": datetime(2026, 3, day, tzinfo=UTC)}]}


@pytest.mark.parametrize("command", ["run", "refresh", "status", "report"])
def test_help_shows_examples(runner: CliRunner, command: str) -> None:
    text = call(runner, command, "--help").stdout
    assert "Examples" in text and f"fraud monitor {command}" in text
