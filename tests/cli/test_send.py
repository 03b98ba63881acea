"""`fraud send` and `fraud labels send`, from a file to the stream and the queue."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from cli.target import Target
from cli.transaction_events import card_token
from tests.cli.conftest import messages_of, records_of
from tests.cli.test_transactions_file import HANDBOOK_ROWS, write


@pytest.fixture
def handbook(tmp_path: Path) -> str:
    return str(write(tmp_path / "t.csv", HANDBOOK_ROWS))


def test_send_file_puts_one_record_per_row_keyed_by_the_hashed_card(
    stack: Target, runner: CliRunner, handbook: str
) -> None:
    result = runner.invoke(app, ["send", handbook, "--card-key", "k", "--json"])
    assert result.exit_code == 0
    assert json.loads(result.stdout)["sent"] == 2
    records = records_of(stack)
    assert [json.loads(record["Data"])["transaction_id"] for record in records] == ["7", "8"]
    assert [record["PartitionKey"] for record in records] == [card_token("596", "k"), card_token("4961", "k")]
    assert all(b"596" not in record["Data"] for record in records[:1])


def test_send_limit_and_rebase_shift_only_what_is_sent(stack: Target, runner: CliRunner, handbook: str) -> None:
    runner.invoke(app, ["send", handbook, "--limit", "1", "--rebase"], catch_exceptions=False)
    (record,) = records_of(stack)
    assert json.loads(record["Data"])["occurred_at"] > "2020"


def test_send_simulation_is_saved_and_labelled(stack: Target, runner: CliRunner, tmp_path: Path) -> None:
    saved = tmp_path / "simulated.parquet"
    sent = runner.invoke(app, ["send", "--simulate", "60", "--seed", "1", "--save", str(saved), "--json"])
    assert json.loads(sent.stdout)["sent"] == len(records_of(stack)) == 60
    labelled = runner.invoke(app, ["labels", "send", "--from-transactions", str(saved), "--all", "--json"])
    assert json.loads(labelled.stdout)["sent"] == len(messages_of(stack)) == 60


@pytest.mark.parametrize("arguments", [["send"], ["send", "t.csv", "--simulate", "5"], ["labels", "send"]])
def test_send_without_one_source_is_a_usage_error(stack: Target, runner: CliRunner, arguments: list[str]) -> None:
    assert runner.invoke(app, arguments).exit_code == 2


def test_send_absent_file_is_one_line(stack: Target, runner: CliRunner) -> None:
    result = runner.invoke(app, ["send", "none.csv"])
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.strip() == "Error: No such file: none.csv"


def test_labels_of_transactions_are_chargebacks_for_the_frauds(stack: Target, runner: CliRunner, handbook: str) -> None:
    result = runner.invoke(app, ["labels", "send", "--from-transactions", handbook, "--delay", "2d", "--json"])
    assert json.loads(result.stdout)["sent"] == 1
    assert [json.loads(body) for body in messages_of(stack)] == [
        {
            "schema_version": 1,
            "transaction_id": "8",
            "is_fraud": True,
            "source": "chargeback",
            "labelled_at": "2018-04-03T00:02:10.000Z",
        }
    ]


def test_labels_file_is_sent_as_it_is(stack: Target, runner: CliRunner, tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("transaction_id,is_fraud,source,labelled_at\na,0,review,2026-05-01\n")
    assert runner.invoke(app, ["labels", "send", str(path)]).exit_code == 0
    assert json.loads(messages_of(stack)[0])["labelled_at"] == "2026-05-01T00:00:00.000Z"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["labels", "send", "--from-transactions", "{file}", "--delay", "soon"], "no duration"),
        (["labels", "send", "{file}"], "row 1 has no transaction_id"),
    ],
)
def test_labels_that_cannot_be_read_are_refused(
    stack: Target, runner: CliRunner, handbook: str, arguments: list[str], message: str
) -> None:
    result = runner.invoke(app, [argument.format(file=handbook) for argument in arguments])
    assert result.exit_code == 1
    assert message in " ".join(result.stderr.split())
