"""`fraud replay-quarantine`: what goes back where, and what stays."""

import base64
import io
import json
from datetime import datetime
from typing import Any

import msgspec
import pytest
from typer.testing import CliRunner

from cli.errors import CommandError
from cli.main import app
from cli.producer import Record
from cli.quarantine_objects import poison, read
from cli.target import Target
from fraud import intake
from fraud.aws.quarantine import S3Quarantine, as_line
from fraud.intake import StreamRecord
from fraud.ports import Rejected
from tests.cli.conftest import messages_of, records_of

POISON_KEY = "poison/transactions/dt=2026-05-01/1-ab.jsonl"
LABEL_KEY = "poison/labels/dt=2026-05-01/1-ab.jsonl"
FAILED_KEY = "aws/lambda/uuid/shard/2026/05/01/x"


PAN = "4111111111111111"
CARD = b'{"card_token":"c"}'


def rejected(payload: bytes, source: str = "transactions", record_id: str = "1") -> Rejected:
    if source == "transactions":
        return intake.reject(StreamRecord(record_id, 1.5e9, payload), "not_json", "no JSON")
    return Rejected(source, "not_json", "no JSON", record_id, 1.5e9, payload)


def line(payload: bytes, source: str = "transactions", record_id: str = "1") -> str:
    """A line as the functions write it."""
    return msgspec.json.encode(as_line(rejected(payload, source, record_id))).decode()


def failed(*records: dict[str, Any], as_text: bool = True) -> bytes:
    """As Lambda writes it: the whole event, as text or as an object."""
    event = {"Records": records}
    return json.dumps({"version": "1.0", "payload": json.dumps(event) if as_text else event}).encode()


def stream_record(key: str, data: bytes, number: str = "1") -> dict[str, Any]:
    return {"kinesis": {"partitionKey": key, "data": base64.b64encode(data).decode(), "sequenceNumber": number}}


def table_record(number: str = "1") -> dict[str, Any]:
    return {"eventName": "INSERT", "dynamodb": {"SequenceNumber": number}}


def put(stack: Target, key: str, body: bytes) -> None:
    stack.client("s3").put_object(Bucket="quarantine", Key=key, Body=body)


def keys(stack: Target) -> list[str]:
    listed = stack.client("s3").list_objects_v2(Bucket="quarantine")
    return [each["Key"] for each in listed.get("Contents", [])]


def versions(stack: Target) -> list[str]:
    """Every version that still exists, by key."""
    listed = stack.client("s3").list_object_versions(Bucket="quarantine")
    return [each["Key"] for each in (*listed.get("Versions", []), *listed.get("DeleteMarkers", []))]


def body_of(stack: Target, key: str) -> bytes:
    return bytes(stack.client("s3").get_object(Bucket="quarantine", Key=key)["Body"].read())


def test_poison_goes_back_under_its_card_or_its_own_number() -> None:
    lines = [line(CARD), line(b"garbage", record_id="2"), line(b'{"card_token":""}', record_id="3")]
    assert poison(lines).records == [
        Record("c", CARD),
        Record("2", b"garbage"),
        Record("3", b'{"card_token":""}'),
    ]


@pytest.mark.parametrize(
    "payload", [b"", "caf\u00e9 \u2028 \x85 \x1c".encode(), b"the word [PAN] itself", b"x" * 16384]
)
def test_poison_that_is_whole_goes_back_as_the_bytes_it_was(stack: Target, payload: bytes) -> None:
    S3Quarantine(stack.client("s3"), "quarantine").put([rejected(payload)])
    (key,) = keys(stack)
    assert [record.data for record in read(key, body_of(stack, key)).records] == [payload]


@pytest.mark.parametrize(
    "payload", [b"\xff\xfe", b"x" * 16385, f'{{"note":"{PAN}"}}'.encode()], ids=["bytes", "long", "pan"]
)
def test_poison_that_is_not_whole_is_not_replayed_and_stays(stack: Target, runner: CliRunner, payload: bytes) -> None:
    S3Quarantine(stack.client("s3"), "quarantine").put(
        [rejected(payload, record_id="1"), rejected(CARD, record_id="2")]
    )
    (key,) = keys(stack)
    totals = json.loads(runner.invoke(app, ["replay-quarantine", "--json"], catch_exceptions=False).stdout)
    assert (totals["transactions"], totals["kept"]) == (1, 1)
    assert [each["Data"] for each in records_of(stack)] == [CARD]
    assert body_of(stack, key).decode() == line(payload) + "\n"
    assert PAN.encode() not in body_of(stack, "replayed/" + key)


@pytest.mark.parametrize("as_text", [True, False])
def test_failed_batch_of_the_stream_keeps_keys_and_order(as_text: bool) -> None:
    contents = read(FAILED_KEY, failed(stream_record("c", b"1"), stream_record("c", b"2"), as_text=as_text))
    assert (contents.destination, contents.records) == ("stream", [Record("c", b"1"), Record("c", b"2")])


def test_failed_batch_of_the_decision_stream_is_one_event_for_the_projector() -> None:
    contents = read(FAILED_KEY, failed(table_record()))
    assert contents.destination == "function"
    assert json.loads(contents.records[0].data) == {"Records": [table_record()]}


@pytest.mark.parametrize("key", [POISON_KEY, FAILED_KEY])
def test_unreadable_object_is_named(key: str) -> None:
    with pytest.raises(CommandError, match=key):
        read(key, b'{"neither": 1}')


def test_replay_gives_everything_back_and_moves_the_objects(stack: Target, runner: CliRunner) -> None:
    """Fault 11: the record that exhausted its retries is in the stream again."""
    put(stack, POISON_KEY, line(CARD).encode())
    put(stack, LABEL_KEY, line(b'{"x":1}', source="labels").encode())
    put(stack, FAILED_KEY, failed(stream_record("k", b"whole")))
    totals = json.loads(runner.invoke(app, ["replay-quarantine", "--json"], catch_exceptions=False).stdout)
    assert (totals["transactions"], totals["labels"], totals["objects"]) == (2, 1, 3)
    assert {(each["PartitionKey"], each["Data"]) for each in records_of(stack)} == {
        ("c", CARD),
        ("k", b"whole"),
    }
    assert messages_of(stack) == ['{"x":1}']
    assert keys(stack) == sorted("replayed/" + key for key in (POISON_KEY, LABEL_KEY, FAILED_KEY))


def test_replay_of_a_batch_that_lambda_gave_up_on_leaves_only_its_numbers(stack: Target, runner: CliRunner) -> None:
    """What Lambda wrote is not masked: it may hold a card number."""
    put(stack, FAILED_KEY, b"an earlier version " + PAN.encode())
    put(stack, FAILED_KEY, failed(stream_record("k", PAN.encode(), "7"), stream_record("k", b"2", "8")))
    put(stack, FAILED_KEY + "-other", b"stays")
    arguments = ["replay-quarantine", "--prefix", FAILED_KEY, "--limit", "1"]
    assert runner.invoke(app, arguments, catch_exceptions=False).exit_code == 0
    assert versions(stack) == [FAILED_KEY + "-other", "replayed/" + FAILED_KEY]
    receipt = json.loads(body_of(stack, "replayed/" + FAILED_KEY))
    assert datetime.fromisoformat(receipt.pop("replayed_at")).tzinfo is not None
    assert receipt == {"key": FAILED_KEY, "destination": "stream", "count": 2, "sequence_numbers": ["7", "8"]}


def test_replay_dry_run_changes_nothing(stack: Target, runner: CliRunner) -> None:
    put(stack, POISON_KEY, line(b"x").encode())
    result = runner.invoke(app, ["replay-quarantine", "--dry-run", "--json"])
    assert json.loads(result.stdout)["transactions"] == 1
    assert (keys(stack), records_of(stack)) == ([POISON_KEY], [])


def test_replay_that_is_not_accepted_leaves_the_object(
    stack: Target, runner: CliRunner, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(stack, POISON_KEY, line(b"x").encode())

    def refuse(*_: object) -> None:
        raise CommandError("Refused")

    monkeypatch.setattr("cli.quarantine.replayer", lambda target: refuse)
    assert runner.invoke(app, ["replay-quarantine"]).exit_code == 1
    assert keys(stack) == [POISON_KEY]


def test_replay_prefix_takes_only_what_lies_under_it(stack: Target, runner: CliRunner) -> None:
    put(stack, POISON_KEY, line(b"x").encode())
    put(stack, "replayed/" + POISON_KEY, line(b"old").encode())
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
    put(stack, FAILED_KEY, failed(table_record()))
    fake = pretend_lambda(stack, {})
    totals = json.loads(runner.invoke(app, ["replay-quarantine", "--json"]).stdout)
    assert totals["projections"] == 1
    assert [json.loads(payload) for payload in fake.payloads] == [{"Records": [table_record()]}]
    assert keys(stack) == ["replayed/" + FAILED_KEY]


@pytest.mark.parametrize("answer", [{"FunctionError": "Unhandled"}, {"failures": [{"itemIdentifier": "1"}]}])
def test_replay_that_the_projector_fails_again_leaves_the_object(
    stack: Target, runner: CliRunner, answer: dict[str, Any]
) -> None:
    put(stack, FAILED_KEY, failed(table_record()))
    pretend_lambda(stack, answer)
    result = runner.invoke(app, ["replay-quarantine"])
    assert result.exit_code == 1 and "failed again" in result.stderr
    assert keys(stack) == [FAILED_KEY]
