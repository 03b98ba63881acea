"""Rows become events: amounts, times, hashed cards, labels."""

from datetime import UTC, datetime, timedelta

import pytest

from cli.errors import CommandError
from cli.transaction_events import Conversion, card_token, minor_units, moment, shift_to, truth

ROW = {
    "transaction_id": 7,
    "occurred_at": datetime(2018, 4, 1, 0, 0, 31),
    "card": 596,
    "terminal_id": 3156,
    "amount": 57.16,
    "is_fraud": 1,
}


def test_transaction_event_of_a_handbook_row() -> None:
    event = Conversion(card_key="k").transaction(ROW)
    assert event == {
        "schema_version": 1,
        "transaction_id": "7",
        "occurred_at": "2018-04-01T00:00:31.000Z",
        "card_token": card_token("596", "k"),
        "terminal_id": "3156",
        "amount_minor": 5716,
        "currency": "EUR",
    }


def test_transaction_event_keeps_token_and_minor_units_that_are_there() -> None:
    row = {name: value for name, value in ROW.items() if name not in ("card", "amount")}
    given = {"card_token": "t", "amount_minor": "12", "currency": "JPY", "channel": "pos"}
    event = Conversion().transaction(row | given)
    assert (event["card_token"], event["amount_minor"], event["currency"], event["channel"]) == ("t", 12, "JPY", "pos")


def test_card_token_depends_on_the_key_and_hides_the_card() -> None:
    token = card_token("4111111111111111", "k")
    assert token != card_token("4111111111111111", "other")
    assert len(token) == 64 and "4111" not in token


@pytest.mark.parametrize(
    ("amount", "currency", "minor"),
    [("57.16", "EUR", 5716), (0.29, "EUR", 29), (1.005, "EUR", 101), ("120", "JPY", 120), ("1.2345", "KWD", 1235)],
)
def test_minor_units_follow_the_currency(amount: object, currency: str, minor: int) -> None:
    assert minor_units(amount, currency) == minor


@pytest.mark.parametrize(
    "value",
    ["2018-04-01T00:00:31Z", "2018-04-01 00:00:31", "2018-04-01T02:00:31+02:00", 1522540831, 1522540831000,
     datetime(2018, 4, 1, 0, 0, 31)],
)  # fmt: skip
def test_moment_reads_every_common_form(value: object) -> None:
    assert moment(value) == datetime(2018, 4, 1, 0, 0, 31, tzinfo=UTC)


def test_shift_brings_the_last_transaction_to_now_and_keeps_spacing() -> None:
    now = datetime(2026, 5, 1, 12, tzinfo=UTC)
    rows = [ROW, ROW | {"occurred_at": "2018-04-01T01:00:31Z"}, ROW]
    conversion = Conversion(shift=shift_to(now, rows))
    assert [event["occurred_at"] for event in conversion.transactions(rows)] == [
        "2026-05-01T11:00:00.000Z",
        "2026-05-01T12:00:00.000Z",
        "2026-05-01T11:00:00.000Z",
    ]


def test_shift_of_nothing_is_refused() -> None:
    with pytest.raises(CommandError, match="no transactions"):
        shift_to(datetime.now(UTC), [])


def test_label_event_is_a_chargeback_for_fraud_and_a_review_otherwise() -> None:
    fraud, genuine = Conversion().labels([ROW, ROW | {"is_fraud": 0}], timedelta(days=7))
    assert fraud == {
        "schema_version": 1,
        "transaction_id": "7",
        "is_fraud": True,
        "source": "chargeback",
        "labelled_at": "2018-04-08T00:00:31.000Z",
    }
    assert (genuine["is_fraud"], genuine["source"]) == (False, "review")


@pytest.mark.parametrize(
    ("change", "message"),
    [({"amount": "abc"}, "Row 2 cannot be read"), ({"occurred_at": "soon"}, "Row 2 cannot be read: .*soon")],
)
def test_unreadable_row_is_named(change: dict[str, object], message: str) -> None:
    with pytest.raises(CommandError, match=message):
        list(Conversion().transactions([ROW, ROW | change]))


def test_row_without_a_field_is_named() -> None:
    with pytest.raises(CommandError, match="Row 1 has no terminal_id"):
        list(Conversion().transactions([{k: v for k, v in ROW.items() if k != "terminal_id"}]))


@pytest.mark.parametrize(("value", "expected"), [(1, True), ("1", True), ("True", True), (0, False), ("false", False)])
def test_truth_of_a_column(value: object, expected: bool) -> None:
    assert truth(value) is expected
