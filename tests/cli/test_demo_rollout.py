"""`fraud demo rollout`: what is held against a challenger's treatment, the traffic meanwhile, and what is told."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace as altered
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pyarrow as pa
import pytest
from msgspec.structs import replace

from cli import demo, demo_challengers, demo_rollout, deploy, outcomes, rollout_machine, rollout_record, sinks
from cli.demo_challengers import Challenger
from cli.demo_rollout import PLAN, Played
from cli.errors import CommandError
from cli.target import Target
from fraud import rollout_plan
from fraud.aws import routing_items
from fraud.rollout import Event, Rollout, Stage
from tests.cli.conftest import records_of
from tests.cli.rollout_stack import pretend, write
from tests.fakes import samples
from tests.fakes.rollouts import rollout

GOOD, BAD = Challenger("is good", True, b""), Challenger("is slow", False, b"")
PROMOTED = rollout(stage=Stage.PROMOTED, step=2, released=True)
ROLLED_BACK = rollout(
    stage=Stage.ROLLED_BACK,
    step=0,
    plan=rollout_plan.parse(PLAN),
    reason="It is slow.",
    verified=True,
    released=True,
)
TAKEN_OVER, STOPPED = Played(GOOD, PROMOTED, 31.25, True), Played(BAD, ROLLED_BACK, 12.0, True)
ARN = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/2"


def rows(count: int) -> pa.Table:
    """Transactions as the simulator makes them."""
    past, _ = demo.draw(2000, 7)
    return past.transactions.slice(0, count)


def wait_for_traffic() -> None:
    """Until it ends of itself."""
    for each in threading.enumerate():
        if each.name == "traffic":
            each.join(10)


# --- As they deserve --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("played", "deserved"),
    [
        (TAKEN_OVER, True),
        (STOPPED, True),
        (altered(TAKEN_OVER, challenger=BAD), False),
        (altered(STOPPED, challenger=GOOD), False),
        (altered(STOPPED, rollout=replace(ROLLED_BACK, verified=False)), False),
        (altered(STOPPED, champion_kept=False), False),
    ],
)
def test_played_is_as_deserved_when_the_outcome_is_right_and_the_champion_was_left_alone(
    played: Played, deserved: bool
) -> None:
    assert played.as_deserved is deserved


def test_plan_is_one_that_can_be_followed() -> None:
    assert rollout_plan.parse(PLAN).shares == (2_000, 5_000, 10_000)
    assert "50 %" in rollout_plan.estimate(rollout_plan.parse(PLAN), demo_rollout.RATE)


def test_tell_shows_who_was_promoted_who_was_not_and_why(capsys: pytest.CaptureFixture[str]) -> None:
    demo_rollout.tell([STOPPED, TAKEN_OVER], 5_000, 5_000, 100.0, as_json=False)
    shown = capsys.readouterr().out
    for words in (
        "rolled back  a challenger that is slow, at 20 %, 12 s",
        "It is slow.",
        "promoted  a challenger that is good, at 100 %, 31 s",
        "never updated",
        "5,000",
    ):
        assert words in shown


def test_tell_json_has_a_row_for_each_challenger(capsys: pytest.CaptureFixture[str]) -> None:
    demo_rollout.tell([STOPPED], 5_000, 5_000, 100.0, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "challengers": [
            {
                "challenger": "is slow",
                "outcome": "rolled_back",
                "reason": "It is slow.",
                "share_reached_bps": 2_000,
                "verified": True,
                "champion_kept": True,
                "seconds": 12.0,
            }
        ],
        "sent": 5_000,
        "decided": 5_000,
        "seconds": 100.0,
    }


def test_tell_of_a_bad_one_promoted_is_an_error_that_names_it(capsys: pytest.CaptureFixture[str]) -> None:
    wrong = [altered(TAKEN_OVER, challenger=BAD), altered(STOPPED, challenger=GOOD), STOPPED]
    with pytest.raises(CommandError, match=r"^Not treated as it deserves: a challenger that is slow; that is good\.$"):
        demo_rollout.tell(wrong, 1, 1, 1.0, as_json=True)


@pytest.mark.parametrize("decided", [4_999, 5_001])
def test_tell_of_a_loss_or_a_double_is_an_error(capsys: pytest.CaptureFixture[str], decided: int) -> None:
    with pytest.raises(CommandError, match=f"5,000 transactions were put and {decided:,} decided: that is a bug."):
        demo_rollout.tell([TAKEN_OVER], 5_000, decided, 1.0, as_json=True)


def test_tell_of_an_updated_champion_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(CommandError):
        demo_rollout.tell([altered(STOPPED, champion_kept=False)], 1, 1, 1.0, as_json=False)
    assert "UPDATED" in capsys.readouterr().out


# --- Traffic ----------------------------------------------------------------------------------------------------------


def test_traffic_comes_once_each_and_ends_when_it_is_used_up(stack: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_rollout, "RATE", 5_000.0)
    wanted = rows(40)
    with demo_rollout.traffic(stack, wanted) as sent:
        wait_for_traffic()
    ids = [json.loads(each["Data"])["transaction_id"] for each in records_of(stack)]
    assert (sent(), sorted(ids)) == (40, sorted(wanted["transaction_id"].to_pylist()))


def test_traffic_flows_during_the_block_and_all_of_it_is_counted(
    stack: Target, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_rollout, "RATE", 5_000.0)
    with demo_rollout.traffic(stack, rows(200)) as sent:
        deadline = time.monotonic() + 10
        while sent() < 30 and time.monotonic() < deadline:
            time.sleep(0.005)
    assert sent() == len(records_of(stack)) >= 30


def test_traffic_that_fails_is_told_after_the_block(stack: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(target: Target) -> Any:
        def put(records: Any) -> Any:
            raise CommandError("no stream")

        return put

    monkeypatch.setattr(sinks, "stream_sink", refuse)
    traffic = demo_rollout.traffic(stack, rows(10))
    sent = traffic.__enter__()
    wait_for_traffic()
    with pytest.raises(CommandError, match="no stream"):
        traffic.__exit__(None, None, None)
    assert sent() == 0


# --- One after the other ----------------------------------------------------------------------------------------------


class Endpoints:
    """SageMaker: one endpoint, updated when told to."""

    def __init__(self) -> None:
        self.configuration = "fraud-a-v1-0"
        self.asked: list[str] = []

    def describe_endpoint(self, EndpointName: str) -> dict[str, Any]:  # noqa: N803
        self.asked.append(EndpointName)
        return {"EndpointConfigName": self.configuration, "CreationTime": 1, "LastModifiedTime": 2}


@pytest.fixture
def endpoints(stack: Target, monkeypatch: pytest.MonkeyPatch) -> Endpoints:
    """A champion in slot a, and a registry that registers anything."""
    fake, real = Endpoints(), stack.client
    stack.__dict__["client"] = lambda name, **config: fake if name == "sagemaker" else real(name, **config)
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item=routing_items.encode(samples.routing()))
    monkeypatch.setattr(deploy, "registry", lambda target: SimpleNamespace(register=lambda archive, approved: ARN))
    monkeypatch.setattr(demo_rollout, "_wait_until_quiet", lambda target: None)
    return fake


def unfold(monkeypatch: pytest.MonkeyPatch, *records: Rollout) -> None:
    """The approval starts a rollout, and each look finds the next record."""
    monkeypatch.setattr(deploy, "begun", lambda *_: records[0])
    monkeypatch.setattr(rollout_record, "looks", lambda *_: iter([SimpleNamespace(rollout=each) for each in records]))


def story(*sentences: str) -> tuple[Event, ...]:
    return tuple(Event(at=1.0, sentence=each) for each in sentences)


def test_play_one_follows_the_rollout_and_tells_each_step_once(
    stack: Target, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    unfold(
        monkeypatch,
        replace(ROLLED_BACK, stage=Stage.SHADOW, events=story("One.")),
        replace(ROLLED_BACK, events=story("One.", "Two.", "Three.")),
    )
    played = demo_rollout._play(stack, BAD)
    assert (played.rollout.stage, played.champion_kept, played.as_deserved) == (Stage.ROLLED_BACK, True, True)
    assert set(endpoints.asked) == {"fraud-a"}
    told = capsys.readouterr().err
    assert [told.count(each) for each in ("One.", "Two.", "Three.")] == [1, 1, 1]


def test_play_one_notices_an_update_of_the_champions_endpoint(
    stack: Target, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    def looks(*_: object) -> Iterator[SimpleNamespace]:
        endpoints.configuration = "fraud-a-v2-0"
        yield SimpleNamespace(rollout=ROLLED_BACK)

    unfold(monkeypatch, ROLLED_BACK)
    monkeypatch.setattr(rollout_record, "looks", looks)
    assert not demo_rollout._play(stack, BAD).champion_kept


def test_play_one_whose_approval_starts_nothing_is_an_error(
    stack: Target, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deploy, "begun", lambda *_: None)
    monkeypatch.setattr(rollout_machine, "last_word", lambda _: "The plan is none.")
    with pytest.raises(CommandError, match=f"^The approval of {ARN} started no rollout: The plan is none.$"):
        demo_rollout._play(stack, BAD)


def test_play_registers_only_when_the_alarms_are_quiet_and_knows_the_rollout_before(
    stack: Target, endpoints: Endpoints, monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[object] = []

    def register(archive: bytes, approved: bool) -> str:
        happened.append("registered")
        return ARN

    def begun(target: Target, package: str, before: str | None, within: float, every: float) -> Rollout:
        happened.append((package, before))
        return ROLLED_BACK

    write(stack, replace(ROLLED_BACK, rollout_id="the last"))
    unfold(monkeypatch, ROLLED_BACK)
    monkeypatch.setattr(deploy, "registry", lambda target: SimpleNamespace(register=register))
    monkeypatch.setattr(demo_rollout, "_wait_until_quiet", lambda target: happened.append("quiet"))
    monkeypatch.setattr(deploy, "begun", begun)
    demo_rollout._play(stack, BAD)
    assert happened == ["quiet", "registered", (ARN, "the last")]


class Alarms:
    """CloudWatch: an alarm of a slot is in ALARM for so many looks."""

    def __init__(self, looks: int) -> None:
        self.looks = looks

    def describe_alarms(self, **request: str) -> dict[str, Any]:
        assert request == {"AlarmNamePrefix": "fraud-slot-", "StateValue": "ALARM"}
        self.looks -= 1
        return {"MetricAlarms": [{"AlarmName": "fraud-slot-b-errors"}] if self.looks >= 0 else []}


@pytest.mark.parametrize("looks", [0, 3, demo_rollout.LONGEST_ALARM - 1])
def test_wait_until_quiet_ends_with_the_alarm(stack: Target, waits: list[float], looks: int) -> None:
    pretend(stack, "cloudwatch", Alarms(looks))
    demo_rollout._wait_until_quiet(stack)
    assert sum(waits) == looks + 1


def test_wait_until_quiet_is_not_for_ever(stack: Target, waits: list[float]) -> None:
    pretend(stack, "cloudwatch", Alarms(10_000))
    with pytest.raises(CommandError, match=r"^An alarm of a slot stays in ALARM: see `fraud status`\.$"):
        demo_rollout._wait_until_quiet(stack)
    assert sum(waits) == demo_rollout.LONGEST_ALARM


@pytest.fixture
def laptops(stack: Target, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, str]]:
    """The parameters of every stack that is started."""
    asked: list[dict[str, str]] = []

    @contextmanager
    def laptop(template: Path, parameters: dict[str, str]) -> Iterator[Target]:
        asked.append(parameters)
        yield stack

    monkeypatch.setattr(demo_rollout, "laptop", laptop)
    monkeypatch.setattr(demo, "end_in_good_order", lambda: None)
    return asked


def test_play_beside_a_running_stack_is_refused_and_leaves_it_alone(
    laptops: list[dict[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(demo_rollout, "running_laptop", lambda: {"stack_name": "fraud"})
    with pytest.raises(CommandError, match="A stack runs here already, with a plan of its own: end it, and run this"):
        demo_rollout.play(Path("template.yaml"), 7, as_json=False)
    assert laptops == []


def test_play_starts_a_stack_with_its_plan_and_plays_every_challenger(
    stack: Target, laptops: list[dict[str, str]], waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    @contextmanager
    def traffic(target: Target, rows: pa.Table) -> Iterator[Any]:
        yield lambda: 5_000

    past, future = demo.draw(2000, 7)
    outcome = {GOOD: TAKEN_OVER, BAD: STOPPED}
    told: list[tuple[object, ...]] = []
    monkeypatch.setattr(demo_rollout, "running_laptop", lambda: None)
    monkeypatch.setattr(demo, "draw", lambda transactions, seed: (past, future))
    monkeypatch.setattr(demo, "first_model", lambda target, past, *, is_new: "the dataset")
    monkeypatch.setattr(demo_challengers, "challengers", lambda dataset, out: [BAD, GOOD])
    monkeypatch.setattr(demo_rollout, "traffic", traffic)
    monkeypatch.setattr(demo_rollout, "_play", lambda target, challenger: outcome[challenger])
    monkeypatch.setattr(outcomes, "wait_until_settled", lambda target, count: None)
    monkeypatch.setattr(outcomes, "decided", lambda target: 4_999)
    monkeypatch.setattr(demo_rollout, "tell", lambda *given: told.append(given))
    demo_rollout.play(Path("template.yaml"), 7, as_json=True)
    [parameters] = laptops
    assert json.loads(parameters["RolloutPlan"]) == PLAN
    [(played, sent, decided, _, as_json)] = told
    assert (played, sent, decided, as_json) == ([STOPPED, TAKEN_OVER], 5_000, 4_999, True)
    assert waits == [demo_rollout.FLOWING]
