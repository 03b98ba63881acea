"""`fraud replay-quarantine`: what goes back where, and what stays."""

import base64
import io
import json
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.errors import CommandError
from cli.main import app
from cli.producer import Record
from cli.quarantine import poison, read
from cli.target import Target
from tests.cli.conftest import messages_of, records_of

POISON_KEY = "poison/transactions/dt=2026-05-01/1-ab.jsonl"
LABEL_KEY = "poison/labels/dt=2026-05-01/1-ab.jsonl"
FAILED_KEY = "aws/lambda/uuid/shard/2026/05/01/x"


def line(payload: str, **changes: Any) -> str:
    document = {
        "source": "transactions",
        "reason": "not_json",
        "detail": "",
        "record_id": "1",
        "encoding": "utf-8",
        "payload": payload,
        "complete": True,
    }
    return json.dumps(document | changes)


def failed(*records: dict[str, Any]) -> bytes:
    """As Lambda writes it: the whole event as text."""
    return json.dumps({"version": "1.0", "payload": json.dumps({"Records": records})}).encode()


def stream_record(key: str, data: bytes) -> dict[str, Any]:
    return {"kinesis": {"partitionKey": key, "data": base64.b64encode(data).decode(), "sequenceNumber": "1"}}


def put(stack: Target, key: str, body: bytes) -> None:
    stack.client("s3").put_object(Bucket="quarantine", Key=key, Body=body)


def keys(stack: Target) -> list[str]:
    listed = stack.client("s3").list_objects_v2(Bucket="quarantine")
    return [each["Key"] for each in listed.get("Contents", [])]


def test_poison_goes_back_under_its_card_or_on_any_shard() -> None:
    first, second, third = poison([line('{"card_token":"c"}'), line("garbage"), line("more")]).records
    assert first == Record("c", b'{"card_token":"c"}')
    assert (second.data, third.data) == (b"garbage", b"more")
    assert second.key != third.key


def test_poison_in_base64_goes_back_as_the_bytes_it_was() -> None:
    contents = poison([line(base64.b64encode(b"\xff").decode(), encoding="base64")])
    assert [record.data for record in contents.records] == [b"\xff"]


@pytest.mark.parametrize("bad", [line("x [PAN] y"), line("x", complete=False)])
def test_poison_masked_or_cut_is_kept(bad: str) -> None:
    contents = poison([bad, line("x")])
    assert (contents.kept, len(contents.records)) == ([bad], 1)


def test_failed_batch_of_the_stream_keeps_keys_and_order() -> None:
    contents = read(FAILED_KEY, failed(stream_record("c", b"1"), stream_record("c", b"2")))
    assert (contents.destination, contents.records) == ("stream", [Record("c", b"1"), Record("c", b"2")])


def test_failed_batch_of_the_decision_stream_is_one_event_for_the_projector() -> None:
    body = failed({"eventName": "INSERT", "dynamodb": {}})
    contents = read(FAILED_KEY, body)
    assert contents.destination == "function"
    assert json.loads(contents.records[0].data) == {"Records": [{"eventName": "INSERT", "dynamodb": {}}]}


@pytest.mark.parametrize("key", [POISON_KEY, FAILED_KEY])
def test_unreadable_object_is_named(key: str) -> None:
    with pytest.raises(CommandError, match=key):
        read(key, b'{"neither": 1}')


def test_replay_gives_everything_back_and_moves_the_objects(stack: Target, runner: CliRunner) -> None:
    """Fault 11: the record that exhausted its retries is in the stream again."""
    put(stack, POISON_KEY, line('{"card_token":"c"}').encode())
    put(stack, LABEL_KEY, line('{"x":1}', source="labels").encode())
    put(stack, FAILED_KEY, failed(stream_record("k", b"whole")))
    totals = json.loads(runner.invoke(app, ["replay-quarantine", "--json"], catch_exceptions=False).stdout)
    assert (totals["transactions"], totals["labels"], totals["objects"]) == (2, 1, 3)
    assert {(each["PartitionKey"], each["Data"]) for each in records_of(stack)} == {
        ("c", b'{"card_token":"c"}'),
        ("k", b"whole"),
    }
    assert messages_of(stack) == ['{"x":1}']
    assert keys(stack) == sorted("replayed/" + key for key in (POISON_KEY, LABEL_KEY, FAILED_KEY))


def test_replay_leaves_what_cannot_be_replayed(stack: Target, runner: CliRunner) -> None:
    put(stack, POISON_KEY, "\n".join([line("good"), line("[PAN]")]).encode())
    totals = json.loads(runner.invoke(app, ["replay-quarantine", "--json"]).stdout)
    assert (totals["transactions"], totals["kept"]) == (1, 1)
    rest = stack.client("s3").get_object(Bucket="quarantine", Key=POISON_KEY)["Body"].read()
    assert rest.decode() == line("[PAN]") + "\n"


def test_replay_dry_run_changes_nothing(stack: Target, runner: CliRunner) -> None:
    put(stack, POISON_KEY, line("x").encode())
    result = runner.invoke(app, ["replay-quarantine", "--dry-run", "--json"])
    assert json.loads(result.stdout)["transactions"] == 1
    assert (keys(stack), records_of(stack)) == ([POISON_KEY], [])


def test_replay_that_is_not_accepted_leaves_the_object(
    stack: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stack, POISON_KEY, line("x").encode())

    def refuse(*_: object) -> None:
        raise CommandError("Refused")

    monkeypatch.setattr("cli.quarantine.replayer", lambda target: refuse)
    assert runner.invoke(app, ["replay-quarantine"]).exit_code == 1
    assert keys(stack) == [POISON_KEY]


def test_replay_prefix_takes_only_what_lies_under_it(stack: Target, runner: CliRunner) -> None:
    put(stack, POISON_KEY, line("x").encode())
    put(stack, "replayed/" + POISON_KEY, line("old").encode())
    arguments = ["replay-quarantine", "--prefix", "poison/labels/", "--prefix", "replayed/", "--json"]
    assert json.loads(runner.invoke(app, arguments).stdout)["objects"] == 0


class FakeLambda:
    """Answers every invocation with the same document."""

    def __init__(self, answer: dict[str, Any]) -> None:
        self.answer = answer
        self.payloads: list[bytes] = []

    def invoke(self, **request: Any) -> dict[str, Any]:
        assert request["FunctionName"] == "project"
        self.payloads.append(request["Payload"])
        document = json.dumps({"batchItemFailures": self.answer.pop("failures", [])}).encode()
        return {"Payload": io.BytesIO(document), **self.answer}


def pretend_lambda(stack: Target, answer: dict[str, Any]) -> FakeLambda:
    fake, real = FakeLambda(answer), stack.client
    stack.__dict__["client"] = lambda name, **config: fake if name == "lambda" else real(name, **config)
    return fake


def test_replay_of_the_decision_stream_invokes_the_projector_with_the_whole_event(
    stack: Target, runner: CliRunner
) -> None:
    """Fault 36: late, from its on-failure copy."""
    put(stack, FAILED_KEY, failed({"eventName": "INSERT", "dynamodb": {}}))
    fake = pretend_lambda(stack, {})
    totals = json.loads(runner.invoke(app, ["replay-quarantine", "--json"]).stdout)
    assert totals["projections"] == 1
    assert [json.loads(payload) for payload in fake.payloads] == [
        {"Records": [{"eventName": "INSERT", "dynamodb": {}}]}
    ]
    assert keys(stack) == ["replayed/" + FAILED_KEY]


@pytest.mark.parametrize("answer", [{"FunctionError": "Unhandled"}, {"failures": [{"itemIdentifier": "1"}]}])
def test_replay_that_the_projector_fails_again_leaves_the_object(
    stack: Target, runner: CliRunner, answer: dict[str, Any]
) -> None:
    put(stack, FAILED_KEY, failed({"eventName": "INSERT", "dynamodb": {}}))
    pretend_lambda(stack, answer)
    result = runner.invoke(app, ["replay-quarantine"])
    assert result.exit_code == 1 and "failed again" in result.stderr
    assert keys(stack) == [FAILED_KEY]
