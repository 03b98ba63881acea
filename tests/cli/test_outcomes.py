"""Reading back what became of transactions."""

import json

import pytest

from cli import outcomes
from cli.errors import CommandError
from cli.target import Target
from tests.cli.test_explain import DECISION
from tests.cli.test_quarantine import FAILED_KEY, LABEL_KEY, POISON_KEY, failed, line, put, stream_record, table_record
from tests.cli.test_status import counters


def count(stack: Target, epoch: int, transactions: int) -> None:
    item = counters("a", 0, transactions=transactions) | {"pk": f"counters#{epoch}"}
    stack.session.resource("dynamodb").Table("RolloutTable").put_item(Item=item)


def test_decided_counts_every_epoch_until_now(stack: Target) -> None:
    routing = {"pk": "routing", "sk": "routing", "epoch": 1}
    stack.session.resource("dynamodb").Table("RolloutTable").put_item(Item=routing)
    count(stack, 0, 3)
    count(stack, 1, 4)
    assert outcomes.decided(stack) == 7


def test_quarantined_counts_transactions_of_both_kinds_and_no_labels(stack: Target) -> None:
    put(stack, POISON_KEY, "\n".join([line(b"x"), line(b"\xff")]).encode())
    put(stack, LABEL_KEY, line(b"x", source="labels").encode())
    put(stack, FAILED_KEY, failed(stream_record("k", b"1")))
    put(stack, FAILED_KEY + "2", failed(table_record()))
    assert outcomes.quarantined(stack) == 3


def test_outcomes_hold_decisions_against_the_truth(stack: Target) -> None:
    stack.client("dynamodb").put_item(TableName="DecisionTable", Item=DECISION)
    found = outcomes.outcomes(stack, {"t1": True, "t2": False})
    assert list(found) == ["t1"]
    assert found["t1"].is_fraud and found["t1"].action == "review"
    assert found["t1"].decided_at - found["t1"].arrived_at == pytest.approx(0.084, abs=1e-6)


def test_wait_until_settled_ends_when_all_are_decided_or_quarantined(stack: Target) -> None:
    count(stack, 0, 3)
    put(stack, POISON_KEY, line(b"x").encode())
    outcomes.wait_until_settled(stack, 4)


def test_wait_until_settled_gives_up_when_nothing_moves(stack: Target, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outcomes, "PATIENCE", -1.0)
    with pytest.raises(CommandError, match="0 of 4 transactions are decided, and nothing moved"):
        outcomes.wait_until_settled(stack, 4)


def test_wait_until_labelled_ends_with_an_empty_queue(stack: Target) -> None:
    outcomes.wait_until_labelled(stack)


@pytest.mark.parametrize(
    ("message", "values"),
    [
        (json.dumps({"_aws": {}, "ScoringDuration": [12.5]}), [12.5]),
        (json.dumps({"ScoringDuration": 3}), [3.0]),
        ('REPORT "ScoringDuration" is not here', []),
        ("START", []),
    ],
)
def test_values_are_read_from_embedded_metrics_only(message: str, values: list[float]) -> None:
    assert outcomes.values_in(message, "ScoringDuration") == values
