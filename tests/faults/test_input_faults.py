"""Rows 7 to 9, 13, 14 and 34 of the fault table: whatever is sent, the shard moves on and no number leaks."""

import json
from typing import Any

import pytest

from fraud import features
from fraud.aws import decision_items
from fraud.errors import StoreUnavailable
from tests.fakes import history, samples
from tests.fakes.functions import Functions, golden, kinesis_event
from tests.fakes.samples import NOW, PAN, payload, record
from tests.fakes.world import World, in_memory

HOUR, DAY = 3600, 86400


def reasons(world: World) -> list[str]:
    return list(world.stores.quarantined().values())


NESTED = payload("t2")[:-1] + b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}"


@pytest.mark.parametrize(
    "bad", [b"", b"{", b"plain text", b"\xff\xfe\x00", b"[]", b"\x1f\x8b\x08", b"[" * 9000, NESTED]
)
def test_fault_07_record_that_is_no_document_is_quarantined_and_its_siblings_decided(world: World, bad: bytes) -> None:
    records = [record(1, payload()), record(2, bad), record(3, payload("t3"))]
    assert world.score(records) == []
    assert len(reasons(world)) == 1
    history.check(world, records)


def test_fault_07_bad_base64_is_quarantined_and_its_siblings_decided(functions: Functions) -> None:
    event = kinesis_event(payload(), b"", payload("t3"))
    event["Records"][1]["kinesis"]["data"] = "not base64!"
    assert functions.invoke("score_transactions", event) == []
    assert set(functions.stores.decided()) == {"t1", "t3"}
    assert list(functions.stores.quarantined().values()) == ["not_json"]


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("amount_minor", "NaN", "not_json"),
        ("amount_minor", "Infinity", "not_json"),
        ("amount_minor", "-1", "invalid_amount_minor"),
        ("amount_minor", "0", "invalid_amount_minor"),
        ("amount_minor", "1000000000001", "invalid_amount_minor"),
        ("amount_minor", "1e400", "invalid_amount_minor"),
        ("currency", '"EURO"', "invalid_currency"),
        ("currency", '"€"', "invalid_currency"),
        ("currency", "null", "invalid_currency"),
    ],
)
def test_fault_08_value_out_of_range_is_quarantined_with_its_reason(field: str, value: str, reason: str) -> None:
    world = in_memory()
    bad = json.dumps(samples.event() | {field: "@"}).replace('"@"', value).encode()
    records = [record(1, bad), record(2, payload("t2"))]
    assert world.score(records) == []
    assert reasons(world) == [reason]
    history.check(world, records)


@pytest.mark.parametrize("occurred_at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999Z"])
def test_fault_08_date_that_cannot_be_written_is_quarantined(world: World, occurred_at: str) -> None:
    records = [record(1, payload(occurred_at=occurred_at)), record(2, payload("t2"))]
    assert world.score(records) == []
    assert reasons(world) == ["invalid_occurred_at"]
    history.check(world, records)


def test_fault_09_future_schema_is_quarantined_and_counted_for_the_alarm(functions: Functions) -> None:
    assert functions.score(payload(), payload("t2", schema_version=2, amount_minor={"value": "10.00"})) == []
    assert list(functions.stores.quarantined().values()) == ["unknown_schema_version"]
    assert functions.metric("Quarantined") == 1


def test_fault_09_quarantined_future_schema_can_be_replayed_to_the_letter(functions: Functions) -> None:
    newer = payload("t2", schema_version=2, amount_minor={"value": "10.00"})
    functions.score(newer)
    [body] = functions.stores.quarantine_objects().values()
    line = json.loads(body)
    assert line["replayable"] and line["payload"].encode() == newer


def served(world: World, transaction_id: str) -> dict[str, float | None]:
    decision = next(each for report in world.reports for each in report.decided if _id(each) == transaction_id)
    return dict(zip(features.NAMES, decision.features, strict=True))


def _id(decision: Any) -> str:
    transaction_id: str = decision.accepted.transaction.transaction_id
    return transaction_id


def test_fault_13_events_out_of_order_see_what_came_before_them_only() -> None:
    world = in_memory()
    times = {"t1": NOW - 2 * DAY, "t2": NOW, "t3": NOW - DAY}
    world.score([record(number, payload(key, at=at)) for number, (key, at) in enumerate(times.items())])
    assert served(world, "t3")["card_count_24h"] == 0
    assert served(world, "t3")["card_count_7d"] == 1
    assert world.spent("c1") == (3, 3000)


def test_fault_13_late_event_has_no_negative_age() -> None:
    world = in_memory()
    world.score([record(1, payload("t1")), record(2, payload("t2", at=NOW - HOUR))])
    ages = {name: value for name, value in served(world, "t2").items() if "seconds_since" in name}
    assert ages == {"card_seconds_since_last": 0, "card_seconds_since_first": 0}


def test_fault_14_event_from_the_future_is_flagged_and_clamped_to_its_arrival() -> None:
    world = in_memory()
    world.score([record(1, payload("t1", at=NOW + 2 * DAY)), record(2, payload("t2"))])
    [first, _] = world.reports[0].decided
    assert (first.accepted.flags, first.accepted.at) == (("from_the_future",), NOW)
    state = world.stores.entity("card#c1")
    assert state is not None and state.watermark == NOW
    assert served(world, "t2")["card_count_15m"] == 1


def test_fault_14_event_from_the_future_is_projected_at_its_arrival() -> None:
    decision = samples.decision(samples.accepted(at=NOW + 2 * DAY, arrived_at=NOW))
    assert decision_items.decode(decision_items.encode(decision, 1), "1").at == NOW


def test_fault_14_event_days_late_folds_into_its_own_tile() -> None:
    world = in_memory()
    world.score([record(1, payload("t1")), record(2, payload("t2", at=NOW - 3 * DAY)), record(3, payload("t3"))])
    assert served(world, "t3")["card_count_24h"] == 1
    assert served(world, "t3")["card_count_7d"] == 2
    assert not world.reports[0].decided[1].accepted.flags


def test_fault_14_clock_skew_does_not_touch_deduplication(world: World) -> None:
    records = [
        record(1, payload(at=NOW + 2 * DAY)),
        record(2, payload(at=NOW + 2 * DAY), arrived_at=NOW + 60),
        record(3, payload("t3", at=NOW - 40 * DAY)),
        record(4, payload("t3", at=NOW - 40 * DAY), arrived_at=NOW + 60),
    ]
    assert world.score(records[::2]) == []
    assert world.score(records[1::2]) == []
    assert world.reports[1].repeated == 2
    assert set(world.stores.decided()) == {"t1", "t3"}


GROUPED = "4111-1111-1111-1111"
FIELDS = [*samples.event(), "channel", "merchant_category", "country"]


def test_fault_34_card_number_in_any_field_is_nowhere(functions: Functions) -> None:
    bad = [json.dumps(samples.event() | {field: pan}).encode() for field in FIELDS for pan in (PAN, GROUPED, int(PAN))]
    assert functions.score(payload("good"), *bad) == []
    assert set(functions.stores.decided()) == {"good"}
    assert len(functions.stores.quarantined()) == len(bad)
    assert_nowhere(functions)


def test_fault_34_card_number_in_a_bad_record_is_nowhere(functions: Functions) -> None:
    bad = [
        f"{PAN}".encode(),
        f"card {PAN} 12/27".encode(),
        f"12/27 {PAN}".encode(),
        f'{{"{PAN}": 1}}'.encode(),
        payload(note=f"2 {GROUPED}", currency="bad"),
        payload(schema_version=2, pan=PAN),
        payload(note=[PAN, PAN], amount_minor=-1),
    ]
    assert functions.score(*bad) == []
    assert len(functions.stores.quarantined()) == len(bad)
    assert_nowhere(functions)


def test_fault_34_card_number_as_partition_key_is_nowhere(functions: Functions) -> None:
    assert functions.score(payload(), b"{", key=PAN) == []
    assert_nowhere(functions)


def test_fault_34_card_number_in_an_unknown_field_is_not_kept(functions: Functions) -> None:
    assert functions.score(payload(note=PAN)) == []
    assert set(functions.stores.decided()) == {"t1"}
    assert_nowhere(functions)


def test_fault_34_card_number_in_any_field_of_a_label_is_nowhere(functions: Functions) -> None:
    event = golden("sqs_labels")
    [message] = event["Records"]
    label = json.loads(message["body"])
    event["Records"] = [
        message | {"messageId": f"{number}", "body": json.dumps(label | {field: PAN})}
        for number, field in enumerate(label)
    ]
    assert functions.invoke("record_labels", event) == []
    assert len(functions.stores.quarantined()) == len(label)
    assert_nowhere(functions)


def test_fault_34_exception_of_a_store_tells_no_item(functions: Functions) -> None:
    functions.stores.dynamodb.delete_table(TableName="decisions")
    with pytest.raises(StoreUnavailable) as caught:
        functions.stores.ports().decisions.commit([samples.commit(samples.decision())])
    assert str(caught.value) == "TransactWriteItems: ResourceNotFoundException"
    assert caught.value.__cause__ is None and caught.value.__suppress_context__


def test_fault_34_no_card_terminal_or_payload_is_in_any_log_line_or_metric(functions: Functions) -> None:
    event = payload("a-transaction", card="secret-card", terminal_id="secret-terminal")
    other = payload("a-transaction", card="secret-card", amount_minor=3)
    assert functions.score(event, event, other, b"secret-payload") == []
    functions.invoke("project_decisions", golden("dynamodb_decisions"))
    label = golden("sqs_labels")
    label["Records"][0]["body"] = label["Records"][0]["body"].replace("t1", "a-transaction")
    functions.invoke("record_labels", label)
    assert functions.lines()
    assert "secret" not in functions.log.getvalue()


def assert_nowhere(functions: Functions) -> None:
    """In no log line, metric, quarantine object, archive or table."""
    stores = functions.stores
    tables = [stores.dynamodb.scan(TableName=table)["Items"] for table in ("decisions", "entities", "rollouts")]
    found = " ".join(map(str, [functions.log.getvalue(), stores.quarantine_objects(), tables]))
    assert PAN[:12] not in found.replace("-", "").replace(" ", "")
