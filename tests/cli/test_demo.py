"""The parts of `fraud demo` that can be shown without running it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli import backfill, demo, demo_report, demo_rollout, deploy, training
from cli.errors import CommandError
from cli.main import app
from cli.summary import Fraud, Percentiles, Summary
from cli.target import Target
from fraud.aws import entity_items, routing_items
from model import dataset
from model.simulator import label_events
from tests.cli.conftest import messages_of
from tests.fakes import samples

SUMMARY = Summary(
    sent=100,
    decided=99,
    quarantined=1,
    lost=0,
    actions={"approve": 90, "review": 5, "block": 4},
    degraded=0,
    fraud=Fraud(count=6, blocked=3, reviewed=2, value=60_000, value_saved=45_000, genuine_blocked=1),
    capacity=1,
    precision_at_capacity=1.0,
    per_second=512.3,
    latency=Percentiles(50.0, 400.0),
    handler=None,
)


def test_draw_streams_exactly_what_was_asked_and_knows_every_label_by_now() -> None:
    past, future = demo.draw(2000, 7)
    assert len(future.transactions) >= 2000
    assert past.transactions["occurred_at"][-1].as_py() < future.transactions["occurred_at"][0].as_py()
    assert max(future.labels["labelled_at"].to_pylist()) < datetime.now(UTC)


@pytest.mark.parametrize("total", [0, 3, 5, 8001])
def test_slices_cover_every_row_once(total: int) -> None:
    covered = [row for start, end in demo.slices(total) for row in range(start, end)]
    assert covered == list(range(total))


def test_labels_follow_in_the_order_they_become_known(stack: Target) -> None:
    _, future = demo.draw(2000, 7)
    labels = demo.Labels(stack, future)
    ids = set(future.transactions["transaction_id"].to_pylist())
    due = [event for event in label_events(future.labels) if event["transaction_id"] in ids]
    labels.send_until(datetime.fromisoformat(str(due[3]["labelled_at"])))
    assert labels.sent == 4
    labels.send_until(datetime.now(UTC))
    assert labels.sent == len(due) == len(messages_of(stack))


def test_backfill_writes_states_that_the_functions_read(stack: Target) -> None:
    past, _ = demo.draw(2000, 7)
    small = past.transactions.slice(0, 50)
    states = dataset.assemble(small, past.labels.slice(0, 0), datetime.now(UTC))
    backfill.backfill(stack, states)
    key, expected = next((f"card#{token}", state) for token, state in states.cards.items())
    item = stack.client("dynamodb").get_item(TableName="EntityTable", Key={"entity": {"S": key}})["Item"]
    assert entity_items.decode(item, datetime.now(UTC).timestamp()).state == expected


def test_prepare_stack_with_a_model_keeps_it(stack: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo, "first_model", lambda *_, **__: pytest.fail("it trains another model"))
    item = routing_items.encode(samples.routing())
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item=item)
    past, _ = demo.draw(2000, 7)
    assert demo.prepare(stack, past, is_new=False) is None


@pytest.mark.parametrize("is_new", [True, False])
def test_first_model_is_approved_and_rolled_out_by_the_event_of_that(
    stack: Target, monkeypatch: pytest.MonkeyPatch, is_new: bool
) -> None:
    done: list[tuple[object, ...]] = []
    monkeypatch.setattr(training, "fit", lambda learned, out: {"average_precision": 0.5})
    monkeypatch.setattr(backfill, "backfill", lambda target, learned: done.append(("backfilled",)))
    monkeypatch.setattr(deploy, "registry", lambda target: "the registry")

    def enlist(at: object, out: Path, approve: bool) -> str:
        done.append((at, out, approve))
        return "the package"

    def last_rollout(target: Target) -> str:
        done.append(("looked",))
        return "the last"

    monkeypatch.setattr(deploy, "enlist", enlist)
    monkeypatch.setattr(deploy, "last_rollout", last_rollout)
    monkeypatch.setattr(
        deploy,
        "roll_out",
        lambda target, package, progress, before, *, by_event, every: done.append(
            (package, before, by_event, every < 1)
        ),
    )
    past, _ = demo.draw(2000, 7)
    learned = demo.first_model(stack, past, is_new=is_new)
    assert learned.transaction_ids == past.transactions["transaction_id"].to_pylist()
    rolled_out = [("looked",), ("the registry", demo.OUT, True), ("the package", "the last", True, True)]
    assert done == ([("backfilled",)] if is_new else []) + rolled_out


def test_demo_without_a_word_plays_the_whole_and_with_rollout_that_only(
    runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    played: list[tuple[object, ...]] = []
    monkeypatch.setattr(demo, "run", lambda *given: played.append(given))
    monkeypatch.setattr(demo_rollout, "play", lambda *given: played.append(given))
    runner.invoke(app, ["demo", "--transactions", "5000", "--json"], catch_exceptions=False)
    runner.invoke(app, ["demo", "rollout", "--seed", "9"], catch_exceptions=False)
    assert played == [(5000, Path("template.yaml"), 7, True), (Path("template.yaml"), 9, False)]


def test_report_shows_each_number_once(capsys: pytest.CaptureFixture[str]) -> None:
    demo_report.tell(SUMMARY, 120.0, as_json=False)
    shown = capsys.readouterr().out
    for words in ("Nothing lost", "450.00 EUR", "75%", "3 blocked, 2 sent to review", "512 a second", "p99 400 ms"):
        assert words in shown


def test_report_of_a_loss_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    lossy = Summary(**{name: getattr(SUMMARY, name) for name in Summary.__slots__} | {"lost": 1})
    with pytest.raises(CommandError, match="1 transactions are neither decided nor in quarantine"):
        demo_report.tell(lossy, 120.0, as_json=True)
