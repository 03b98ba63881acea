"""Labels: what is accepted, why the rest is not, and which verdict stands."""

import json
from itertools import combinations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import label
from fraud.errors import InvalidLabel
from fraud.label import Label, Source
from tests.fakes import samples
from tests.fakes.samples import NOW, PAN


def parse(data: bytes, arrived_at: float = NOW + 60) -> tuple[str, Label]:
    return label.parse(data, arrived_at=arrived_at)


def body(**fields: Any) -> bytes:
    return samples.label_message(1, **fields).payload


def test_parse_complete_label_is_accepted() -> None:
    assert parse(body()) == ("t1", Label(True, Source.CHARGEBACK, NOW * 1000, NOW))


def test_parse_verdict_is_never_known_before_it_was_given_nor_after_it_arrived() -> None:
    assert parse(body(at=NOW + 200), arrived_at=NOW)[1].known_at == NOW
    assert parse(body(at=NOW - 200), arrived_at=NOW)[1].known_at == NOW - 200


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"schema_version": 2}, "unknown_schema_version"),
        ({"transaction_id": PAN}, "card_number"),
        ({"transaction_id": "a b"}, "invalid_document"),
        ({"is_fraud": "yes"}, "invalid_document"),
        ({"is_fraud": 1}, "invalid_document"),
        ({"source": "rumour"}, "invalid_document"),
        ({"labelled_at": "2025-06-15T12:00:00"}, "invalid_labelled_at"),
        ({"labelled_at": "0001-01-01T00:00:00+14:00"}, "invalid_labelled_at"),
        ({"labelled_at": "9999-12-31T23:59:59.999999Z"}, "from_the_future"),
    ],
)
def test_parse_invalid_field_is_refused_with_its_reason(fields: dict[str, Any], reason: str) -> None:
    document = json.loads(body()) | fields
    with pytest.raises(InvalidLabel) as caught:
        parse(json.dumps(document).encode())
    assert caught.value.reason == reason
    assert PAN not in str(caught.value)


@given(st.binary(max_size=100) | st.sampled_from([b"[" * 5000, b'{"x":' + b"[" * 5000, b"x" * 20_000]))
def test_parse_any_bytes_are_refused_never_more(data: bytes) -> None:
    with pytest.raises(InvalidLabel):
        parse(data)


def test_supersedes_any_two_verdicts_exactly_one_stands() -> None:
    verdicts = [Label(fraud, source, at, NOW) for fraud in (True, False) for source in Source for at in (1, 2)]
    assert all(one.supersedes(other) != other.supersedes(one) for one, other in combinations(verdicts, 2))
    assert not any(each.supersedes(each) for each in verdicts)
    assert all(each.supersedes(None) for each in verdicts)


def test_supersedes_later_verdict_stands_whatever_it_says() -> None:
    assert Label(False, Source.REVIEW, 2, NOW).supersedes(Label(True, Source.CHARGEBACK, 1, NOW))
