"""`fraud rollout`: starting and looking; the state machine is a fake, the table is real."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from msgspec.structs import replace
from typer.testing import CliRunner

from cli import rollout as commands
from cli import rollout_record
from cli.errors import CommandError
from cli.rollout import basis_points, later
from cli.rollout_record import is_over, latency, passes, patiently, shadow_sums
from cli.target import Target
from fraud.rollout import Event, Rollout, Stage
from tests.cli.rollout_stack import CALLER, PROMOTED, ROLLED_BACK, call, pretend, told_in_one_line, unfold, write
from tests.cli.test_rollout_screen import ARN, ASKED, CANARY

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:rollout:"
COMMANDS = ("start", "status", "watch", "history", "approve", "reject", "pause", "resume", "abort")
pytestmark = pytest.mark.usefixtures("waits")


class FakeMachine:
    """The state machine: remembers what is started, and says what became of it; `on_start` may write a record."""

    def __init__(self) -> None:
        self.started: dict[str, Any] = {}
        self.found: list[dict[str, Any] | str] = [{"status": "RUNNING"}]
        self.on_start: Callable[[str], None] = lambda name: None

    def start_execution(self, **request: str) -> dict[str, str]:
        self.started = request
        self.on_start(request["name"])
        return {"executionArn": EXECUTION + request["name"]}

    def describe_execution(self, **request: str) -> dict[str, Any]:
        assert request["executionArn"].startswith(EXECUTION + "rollout-")
        answer = self.found.pop(0) if len(self.found) > 1 else self.found[0]
        if isinstance(answer, str):
            raise ClientError({"Error": {"Code": answer}}, "DescribeExecution")
        return answer


class FakeStack:
    """CloudFormation: the stack's default plan."""

    def __init__(self) -> None:
        self.plan: str | None = None

    def describe_stacks(self, StackName: str) -> dict[str, Any]:  # noqa: N803
        given = [] if self.plan is None else [{"ParameterKey": "RolloutPlan", "ParameterValue": self.plan}]
        return {"Stacks": [{"StackName": StackName, "Parameters": given}]}


@pytest.fixture
def defaults(rolled: Target) -> FakeStack:
    fake = FakeStack()
    pretend(rolled, "cloudformation", fake)
    return fake


@pytest.fixture
def machine(rolled: Target, defaults: FakeStack) -> FakeMachine:
    fake = FakeMachine()
    pretend(rolled, "stepfunctions", fake)
    return fake


def count(stack: Target, pk: str, sk: str, **sums: int) -> None:
    numbers = {name: {"N": str(value)} for name, value in sums.items()}
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item={"pk": {"S": pk}, "sk": {"S": sk}, **numbers})


# --- Help -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_every_command_shows_examples(runner: CliRunner, command: str) -> None:
    result = call(runner, command, "--help")
    assert result.exit_code == 0
    assert "Examples" in result.stdout and f"fraud rollout {command}" in result.stdout and "--json" in result.stdout


def test_help_lists_the_commands_in_the_order_of_their_use(runner: CliRunner) -> None:
    lines = call(runner, "--help").stdout.splitlines()
    first_words = [line.strip("│ ").partition(" ")[0] for line in lines]
    assert [word for word in first_words if word in COMMANDS] == list(COMMANDS)


# --- Start ----------------------------------------------------------------------------------------------------------


def test_start_of_nothing_chosen_asks_for_nothing(rolled: Target, machine: FakeMachine, runner: CliRunner) -> None:
    machine.on_start = lambda name: write(rolled, replace(CANARY, rollout_id=name))
    result = call(runner, "start")
    assert result.exit_code == 0
    assert json.loads(machine.started["input"]) == {"started_by": CALLER}
    assert machine.started["stateMachineArn"] == "arn:machine"
    assert f"Rollout {machine.started['name']}; follow it: fraud rollout watch" in result.stdout
    assert "The challenger gets 5 % of the cards." in result.stdout


def test_start_sends_the_plan_of_the_file_and_what_options_chose_instead(
    machine: FakeMachine, runner: CliRunner, tmp_path: Path
) -> None:
    (tmp_path / "plan.json").write_text('{"bake_seconds": 60, "gates": {"block_rate": 0.02}}')
    options = (
        "--plan", str(tmp_path / "plan.json"), "--step", "1%", "--step", "25 %", "--bake", "15m", "--shadow", "0s",
        "--soak", "1h", "--approval", "before-full", "--instance-type", "ml.c5.large", "--instance-count", "2",
    )  # fmt: skip
    call(runner, "start", ARN, *options)
    assert json.loads(machine.started["input"]) == {
        "model_package_arn": ARN,
        "started_by": CALLER,
        "plan": {
            "steps_bps": [100, 2500],
            "shadow_seconds": 0,
            "bake_seconds": 900,
            "soak_seconds": 3600,
            "approval": "before_full",
            "instance_type": "ml.c5.large",
            "instance_count": 2,
            "gates": {"block_rate": 0.02},
        },
    }


@pytest.mark.parametrize(
    ("plan", "options", "words"),
    [
        (None, ["--step", "50%", "--step", "5%"], "must ascend"),
        (None, ["--step", "5"], "'5' is no share of cards"),
        (None, ["--bake", "soon"], "'soon' is no duration"),
        (None, ["--soak", "5h"], "plan.deadline_seconds must be above"),
        (None, ["--instance-type", "t2.nano"], "neither an ml. type nor"),
        (None, ["latest"], "'latest' is neither the number nor the ARN"),
        ('{"bakes": 1}', [], "unknown field `bakes`"),
        ('{"gates": {"block_rate": 2}}', [], "gates.block_rate must lie between"),
        ("[]", [], "holds no JSON object"),
        ("{", [], "is no JSON"),
    ],
)
def test_start_by_a_wrong_plan_starts_nothing(
    machine: FakeMachine, runner: CliRunner, tmp_path: Path, plan: str | None, options: list[str], words: str
) -> None:
    if plan is not None:
        (tmp_path / "plan.json").write_text(plan)
        options = [*options, "--plan", str(tmp_path / "plan.json")]
    told_in_one_line(call(runner, "start", *options), words)
    assert machine.started == {}


def test_start_holds_the_plan_against_the_stacks_defaults(
    machine: FakeMachine, defaults: FakeStack, runner: CliRunner
) -> None:
    defaults.plan = '{"deadline_seconds": 36000, "look_seconds": 600}'
    assert call(runner, "start", "--soak", "5h").exit_code == 0
    assert json.loads(machine.started["input"])["plan"] == {"soak_seconds": 18_000}
    told_in_one_line(call(runner, "start", "--soak", "11h"), "plan.deadline_seconds must be above")
    defaults.plan = "{,}"
    told_in_one_line(call(runner, "start"), "The stack's parameter RolloutPlan is no JSON")


def test_start_finds_a_version_by_its_number(rolled: Target, machine: FakeMachine, runner: CliRunner) -> None:
    sagemaker = rolled.client("sagemaker")
    sagemaker.create_model_package_group(ModelPackageGroupName="fraud-models")
    arns = [sagemaker.create_model_package(ModelPackageGroupName="fraud-models")["ModelPackageArn"] for _ in range(2)]
    call(runner, "start", "1")
    assert json.loads(machine.started["input"])["model_package_arn"] == arns[0]
    told_in_one_line(call(runner, "start", "9"), "no version 9 of fraud-models; the newest are: 1, 2.")


def test_start_with_nothing_to_roll_out_says_so(machine: FakeMachine, runner: CliRunner) -> None:
    answer = {"next": "nothing", "sentence": "Version 7 serves already."}
    machine.found = ["ExecutionDoesNotExist", {"status": "SUCCEEDED", "output": json.dumps({"answer": answer})}]
    result = call(runner, "start", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout) == {
        "rollout_id": machine.started["name"],
        "execution": EXECUTION + machine.started["name"],
        "state": "nothing",
        "sentence": "Version 7 serves already.",
    }


@pytest.mark.parametrize(
    ("ended", "words"),
    [
        ({"status": "FAILED", "error": "Refused", "cause": "Version 7 is not approved."}, "Version 7 is not approved."),
        ({"status": "TIMED_OUT"}, "ended at once: timed_out"),
        (
            {
                "status": "SUCCEEDED",
                "output": json.dumps({"answer": {"next": "under_way", "sentence": "Another is under way."}}),
            },
            "Another is under way.",
        ),
    ],
)
def test_start_that_was_refused_is_one_line(
    machine: FakeMachine, runner: CliRunner, ended: dict[str, str], words: str
) -> None:
    machine.found = [ended]
    told_in_one_line(call(runner, "start"), words)


def test_start_that_is_not_heard_of_ends_all_the_same(
    rolled: Target, machine: FakeMachine, runner: CliRunner, waits: list[float]
) -> None:
    write(rolled, replace(CANARY, rollout_id="an earlier one"))
    result = call(runner, "start", "--json")
    assert (result.exit_code, json.loads(result.stdout)["state"]) == (0, "pending")
    assert sum(waits) == commands.LONGEST_START


def test_start_watched_that_is_not_heard_of_is_no_success(machine: FakeMachine, runner: CliRunner) -> None:
    assert call(runner, "start", "--watch").exit_code == 1


def test_start_watched_goes_on_to_the_end(rolled: Target, machine: FakeMachine, runner: CliRunner) -> None:
    machine.on_start = lambda name: write(rolled, replace(PROMOTED, rollout_id=name))
    result = call(runner, "start", "--watch")
    assert result.exit_code == 0
    assert result.stdout.splitlines()[-1].endswith("+00:00 The challenger gets 5 % of the cards.")


@pytest.mark.parametrize(("share", "points"), [("5%", 500), (" 0.25 % ", 25), ("0.01%", 1), ("100%", 10_000)])
def test_basis_points_of_a_percentage(share: str, points: int) -> None:
    assert basis_points(share) == points


@pytest.mark.parametrize("share", ["", "%", "5", "0.001%", "five%", "NaN%", "Infinity%"])
def test_basis_points_of_anything_else_are_refused(share: str) -> None:
    with pytest.raises(CommandError, match="no share of cards"):
        basis_points(share)


# --- Look -----------------------------------------------------------------------------------------------------------


def test_status_without_a_rollout_says_how_to_start_one(rolled: Target, runner: CliRunner) -> None:
    assert "fraud rollout start" in call(runner, "status").stdout
    assert json.loads(call(runner, "status", "--json").stdout) == {"rollout": None}


def test_status_json_has_record_and_counters_and_no_token(rolled: Target, runner: CliRunner) -> None:
    write(rolled, ASKED)
    count(rolled, "counters#4", "b#000", transactions=3, block=1)
    count(rolled, "counters#4", "b#001", transactions=2)
    count(rolled, "counters#3", "b#000", transactions=100)
    result = call(runner, "status", "--json")
    facts = json.loads(result.stdout)
    assert facts["rollout"]["stage"] == "approval" and facts["rollout"]["share_bps"] == 5_000
    assert facts["rollout"]["approval"]["request_id"] == "q" and "secret" not in result.stdout
    assert (facts["arms"]["b"]["transactions"], facts["arms"]["b"]["block"]) == (5, 1)
    assert facts["shadow"] is None and facts["routing"]["status"] == "no model"


def test_status_json_sums_the_shadow(rolled: Target, runner: CliRunner) -> None:
    write(rolled, replace(CANARY, stage=Stage.SHADOW, step=None))
    count(rolled, "shadow#4", "pairs#000", transactions=3, both_block=1)
    count(rolled, "shadow#4", "pairs#001", transactions=4, unanswered=1)
    count(rolled, "shadow#4", "latency#challenger", c0=1, c4=1, total_us=7_000)
    shadow = json.loads(call(runner, "status", "--json").stdout)["shadow"]
    assert (shadow["transactions"], shadow["both_block"], shadow["unanswered"]) == (7, 1, 1)
    assert shadow["latency"] == {"challenger": {"calls": 2, "mean_ms": 3.5, "p99_ms": 4.0}}


def test_status_for_people_shows_the_screen(rolled: Target, runner: CliRunner) -> None:
    write(rolled, CANARY)
    count(rolled, "counters#4", "b#000", transactions=1_000, block=10)
    words = " ".join(call(runner, "status").stdout.split())
    assert "◌ Canary version 7 in slot b" in words and "challenger (slot b) 1,000 1 %" in words


def test_status_of_a_record_of_another_release_is_one_line(rolled: Target, runner: CliRunner) -> None:
    key = {"pk": {"S": "rollout"}, "sk": {"S": "current"}}
    rolled.client("dynamodb").put_item(TableName="RolloutTable", Item={**key, "document": {"S": '{"rollout_id": 1}'}})
    told_in_one_line(call(runner, "status"), "Another release of this project wrote the rollout's record")


def test_watch_tells_each_event_once_and_ends_with_the_promotion(
    rolled: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    second = replace(CANARY, step=2).told(2e9, "The challenger gets 25 % of the cards.")
    last = replace(second, stage=Stage.PROMOTED, released=True).told(2e9 + 1, "Promoted.")
    unfold(monkeypatch, rolled, CANARY, CANARY, second, last)
    result = call(runner, "watch")
    assert result.exit_code == 0
    assert [row.split(" ", 1)[1] for row in result.stdout.splitlines()] == [
        "The challenger gets 5 % of the cards.",
        "The challenger gets 25 % of the cards.",
        "Promoted.",
    ]


def test_watch_json_is_a_document_per_line(rolled: Target, runner: CliRunner) -> None:
    write(rolled, ROLLED_BACK)
    result = call(runner, "watch", "--json")
    assert result.exit_code == 1
    assert json.loads(result.stdout) == {
        "rollout_id": "rollout-1",
        "stage": "rolled_back",
        "share_bps": 0,
        "at": CANARY.events[0].at,
        "sentence": "The challenger gets 5 % of the cards.",
    }


def test_watch_ends_with_its_rollout_when_another_took_the_place(
    rolled: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(rolled, ROLLED_BACK, "rollouts", "2026#rollout-1")
    unfold(monkeypatch, rolled, CANARY, replace(CANARY, rollout_id="rollout-2"))
    result = call(runner, "watch")
    assert (result.exit_code, result.stderr) == (1, "")


def test_watch_of_a_lost_rollout_is_one_line(
    rolled: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfold(monkeypatch, rolled, CANARY, replace(CANARY, rollout_id="rollout-2"))
    told_in_one_line(call(runner, "watch"), "The record of rollout rollout-1 is gone")


def test_watch_without_a_rollout_says_how_to_start_one(rolled: Target, runner: CliRunner) -> None:
    told_in_one_line(call(runner, "watch"), "fraud rollout start")


def test_watch_interrupted_says_that_the_rollout_goes_on(
    rolled: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    write(rolled, CANARY)
    monkeypatch.setattr("time.sleep", interrupt)
    result = call(runner, "watch")
    assert result.exit_code == 130
    assert "goes on" in result.stderr


def test_watch_on_a_terminal_draws_the_screen(
    rolled: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    unfold(monkeypatch, rolled, CANARY, PROMOTED)
    result = call(runner, "watch", env={"FORCE_COLOR": "1"})
    assert result.exit_code == 0
    assert "Canary" in result.stdout and "Promoted" in result.stdout and "\x1b[" in result.stdout


def test_watch_survives_a_lost_connection(rolled: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch) -> None:
    write(rolled, PROMOTED)
    failures = [EndpointConnectionError(endpoint_url="http://x")] * 2
    read = rollout_record.look

    def look(target: Target, rollout_id: str) -> rollout_record.Observed:
        if failures:
            raise failures.pop()
        return read(target, rollout_id)

    monkeypatch.setattr("cli.rollout_record.look", look)
    result = call(runner, "watch")
    assert result.exit_code == 0
    assert result.stderr.count("trying again") == 2


def refused(code: str, status: int = 400) -> ClientError:
    return ClientError({"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}, "GetItem")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("error", "tried"),
    [
        (EndpointConnectionError(endpoint_url="http://x"), rollout_record.TRIES),
        (refused("InternalServerError", 500), rollout_record.TRIES),
        (refused("ThrottlingException"), rollout_record.TRIES),
        (refused("AccessDeniedException"), 1),
    ],
)
def test_patiently_tries_again_only_what_may_pass_and_not_for_ever(
    error: Exception, tried: int, waits: list[float]
) -> None:
    calls = []

    def read() -> None:
        calls.append(1)
        raise error

    with pytest.raises(type(error)):
        patiently(read, 1)
    assert (len(calls), len(waits)) == (tried, tried - 1)
    assert passes(error) is (tried > 1)


@pytest.mark.parametrize(
    ("rollout", "over"),
    [
        (CANARY, False),
        (replace(CANARY, lease_until=1.0), False),
        (replace(PROMOTED, released=False, lease_until=5.0), False),
        (replace(PROMOTED, released=False, lease_until=1.0), True),
        (ROLLED_BACK, True),
    ],
)
def test_rollout_is_over_when_its_lock_is_free_or_nobody_is_left_to_free_it(rollout: Rollout, over: bool) -> None:
    assert is_over(rollout, 3.0) is over


def test_later_events_follow_the_one_told_last() -> None:
    first, second, third = (Event(at=at, sentence="x") for at in (1.0, 2.0, 3.0))
    assert later([first, second, third], first) == [second, third]
    assert later([first, second], second) == []
    assert later([second, third], first) == [second, third]


def test_latency_of_a_histogram_is_its_mean_and_the_edge_that_99_of_100_are_below() -> None:
    fast = {"c0": 99, "c8": 1, "total_us": 300_000}
    assert latency(fast) == {"calls": 100, "mean_ms": 3.0, "p99_ms": 2.0}
    assert latency({**fast, "c0": 98})["p99_ms"] == 8.0
    assert latency({"c60": 1})["p99_ms"] is None
    assert latency({})["mean_ms"] is None


def test_shadow_sums_of_nothing_are_empty() -> None:
    assert shadow_sums([]) == {}


# --- History --------------------------------------------------------------------------------------------------------


def test_history_is_newest_first_and_limited(rolled: Target, runner: CliRunner) -> None:
    for number in range(5):
        outcome = replace(PROMOTED if number % 2 else ROLLED_BACK, rollout_id=f"rollout-{number}")
        write(rolled, outcome, "rollouts", f"2026-05-0{number + 1}T10:00:00Z#rollout-{number}")
    rows = json.loads(call(runner, "history", "--limit", "2", "--json").stdout)
    assert [row["rollout_id"] for row in rows] == ["rollout-4", "rollout-3"]
    assert [row["outcome"] for row in rows] == ["rolled_back", "promoted"]
    assert [row["share_reached_bps"] for row in rows] == [500, 10_000]
    assert (rows[0]["reason"], rows[0]["seconds"]) == ("It blocks too much.", 2_000.0)


def test_history_for_people_is_a_table(rolled: Target, runner: CliRunner) -> None:
    assert "No rollout is over yet" in call(runner, "history").stdout
    write(rolled, ROLLED_BACK, "rollouts", "2026#rollout-1")
    assert "✖ Rolled back: It" in call(runner, "history").stdout
