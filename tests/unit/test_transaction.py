"""The only way in: what is accepted, why the rest is not, and that no refusal repeats what was sent."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import transaction
from fraud.errors import InvalidTransaction
from tests.fakes import samples
from tests.fakes.samples import NOW, PAN


def parse(data: bytes, arrived_at: float = NOW) -> transaction.Accepted:
    return transaction.parse(data, sequence_number="1", arrived_at=arrived_at)


def refusal(data: bytes) -> InvalidTransaction:
    with pytest.raises(InvalidTransaction) as caught:
        parse(data)
    return caught.value


def test_parse_complete_event_is_accepted() -> None:
    accepted = parse(samples.payload(channel="pos", merchant_category="5411", country="DE", at=NOW + 0.75))
    assert accepted.transaction.channel == "pos"
    assert (accepted.at, accepted.amount_minor, accepted.flags) == (NOW, 1000, ())


def test_parse_unknown_extra_fields_are_ignored() -> None:
    assert parse(samples.payload(loyalty={"points": [1, 2]})).payload_hash == parse(samples.payload()).payload_hash


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"amount_minor": 0}, "invalid_amount_minor"),
        ({"amount_minor": -5}, "invalid_amount_minor"),
        ({"amount_minor": 10**12 + 1}, "invalid_amount_minor"),
        ({"amount_minor": 10**30}, "invalid_amount_minor"),
        ({"amount_minor": 12.5}, "invalid_amount_minor"),
        ({"amount_minor": "1000"}, "invalid_amount_minor"),
        ({"amount_minor": True}, "invalid_amount_minor"),
        ({"amount_minor": None}, "invalid_amount_minor"),
        ({"currency": "eur"}, "invalid_currency"),
        ({"currency": "EURO"}, "invalid_currency"),
        ({"currency": "EUR\n"}, "invalid_currency"),
        ({"transaction_id": ""}, "invalid_transaction_id"),
        ({"transaction_id": "t" * 65}, "invalid_transaction_id"),
        ({"transaction_id": "a b"}, "invalid_transaction_id"),
        ({"card_token": "ü"}, "invalid_card_token"),
        ({"terminal_id": "a#b"}, "invalid_terminal_id"),
        ({"occurred_at": "yesterday"}, "invalid_occurred_at"),
        ({"occurred_at": "2025-06-15T12:00:00"}, "invalid_occurred_at"),
        ({"occurred_at": "1969-12-31T23:59:59Z"}, "invalid_occurred_at"),
        ({"occurred_at": "0001-01-01T00:00:00+14:00"}, "invalid_occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59.999999Z"}, "invalid_occurred_at"),
        ({"occurred_at": "9999-12-31T23:59:59-14:00"}, "invalid_occurred_at"),
        ({"channel": "A T M"}, "invalid_channel"),
        ({"merchant_category": "54111"}, "invalid_merchant_category"),
        ({"country": "DEU"}, "invalid_country"),
        ({"schema_version": 2}, "unknown_schema_version"),
        ({"schema_version": 2, "amount_minor": "12.50"}, "unknown_schema_version"),
        ({"schema_version": "1"}, "invalid_schema_version"),
        ({"transaction_id": PAN}, "card_number"),
        ({"card_token": PAN}, "card_number"),
        ({"terminal_id": PAN}, "card_number"),
        ({"channel": PAN}, "card_number"),
    ],
)
def test_parse_invalid_field_is_refused_with_its_reason(fields: dict[str, Any], reason: str) -> None:
    assert refusal(samples.payload(**fields)).reason == reason


@pytest.mark.parametrize("field", [*list(samples.event())[1:]])
def test_parse_missing_field_is_refused_by_name(field: str) -> None:
    event = samples.event()
    del event[field]
    assert refusal(json.dumps(event).encode()).reason == f"missing_{field}"


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not_json"),
        (b"{", "not_json"),
        (b"\xff\xfe", "not_json"),
        (b'{"amount_minor": NaN}', "not_json"),
        (samples.payload(currency="\ud800"), "not_json"),
        (b"[]", "invalid_document"),
        (b"null", "invalid_document"),
        (b"5", "invalid_document"),
        (samples.payload()[:-1] + b', "x": ' + b"[" * 5000 + b"]" * 5000 + b"}", "too_deep"),
        (b"[" * 5000, "invalid_document"),
        (samples.payload(note="x" * transaction.LARGEST_PAYLOAD), "too_large"),
    ],
)
def test_parse_document_that_is_none_is_refused(data: bytes, reason: str) -> None:
    assert refusal(data).reason == reason


@given(st.binary(max_size=200) | st.builds(lambda text: text.encode(), st.text(max_size=200)))
def test_parse_any_bytes_are_accepted_or_refused_never_more(data: bytes) -> None:
    with pytest.raises(InvalidTransaction):
        parse(data)


@given(
    st.dictionaries(
        st.sampled_from(list(samples.event())),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
            lambda each: st.lists(each, max_size=3),
            max_leaves=4,
        ),
        min_size=1,
    )
)
def test_parse_any_values_are_accepted_or_refused_never_more(fields: dict[str, Any]) -> None:
    try:
        accepted = parse(samples.payload(**fields))
    except InvalidTransaction:
        return
    assert transaction.rfc3339(accepted.transaction.occurred_at.timestamp())


@pytest.mark.parametrize("pan", [PAN, "4111 1111 1111 1111", "4111-1111-1111-1111"])
@pytest.mark.parametrize("field", [*samples.event(), "channel", "merchant_category", "country"])
def test_parse_card_number_in_any_field_is_refused_without_being_told(field: str, pan: str) -> None:
    """Fault 34."""
    told = str(refusal(samples.payload(**{field: pan})))
    assert "1111" not in told


def test_parse_event_ahead_of_its_arrival_is_flagged_and_clamped() -> None:
    accepted = parse(samples.payload(at=NOW + 301), arrived_at=NOW)
    assert (accepted.at, accepted.flags) == (NOW, ("from_the_future",))


def test_parse_event_within_the_tolerance_keeps_its_time() -> None:
    accepted = parse(samples.payload(at=NOW + 300), arrived_at=NOW)
    assert (accepted.at, accepted.flags) == (NOW + 300, ())


def test_parse_event_years_late_keeps_its_time() -> None:
    assert parse(samples.payload(at=NOW - 10**8)).at == NOW - 10**8


def test_payload_hash_other_content_differs_and_spelling_does_not() -> None:
    plain = parse(samples.payload())
    respelled = parse(json.dumps(samples.event(), indent=2).encode())
    assert plain.payload_hash == respelled.payload_hash
    assert plain.payload_hash != parse(samples.payload(amount_minor=1001)).payload_hash


def test_rfc3339_time_is_written_with_milliseconds_in_utc() -> None:
    assert transaction.rfc3339(NOW + 0.25) == "2025-06-15T15:06:40.250Z"
