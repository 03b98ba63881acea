"""The feature table: names, each measure with literals, and what a window may and may not see."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import entities, features, windows
from fraud.entities import CARD, DAY, HOUR, TERMINAL
from fraud.windows import EntityState
from tests.fakes import samples
from tests.fakes.samples import NOW

NEW_CARD, NEW_TERMINAL = windows.empty(CARD), windows.empty(TERMINAL)


def row(
    at: int = NOW, amount: int = 1000, card: EntityState = NEW_CARD, terminal: EntityState = NEW_TERMINAL
) -> dict[str, float | None]:
    event = samples.accepted(at=at, amount_minor=amount)
    return dict(zip(features.NAMES, features.values(event, card, terminal), strict=True))


def spent(*events: tuple[int, int]) -> EntityState:
    card = NEW_CARD
    for at, amount in events:
        card = entities.spend(card, at, amount)
    return card


def test_names_are_derived_and_unique() -> None:
    assert features.NAMES[:4] == ("transaction_amount", "transaction_hour", "transaction_weekday", "card_count_15m")
    assert len(set(features.NAMES)) == len(features.NAMES) == len(features.TABLE)


def test_transaction_measures_follow_the_event_alone() -> None:
    found = row(amount=1234)
    assert (found["transaction_amount"], found["transaction_hour"]) == (1234, 15)
    assert found["transaction_weekday"] == 6


def test_new_card_and_terminal_count_zero_and_know_nothing_else() -> None:
    found = row()
    counts = {name: value for name, value in found.items() if value is not None and not name.startswith("transaction")}
    assert set(counts.values()) == {0}
    assert all(features.BY_NAME[name].unit in ("transactions", "frauds", features.MINOR) for name in counts)
    assert found["card_seconds_since_last"] is None
    assert found["terminal_fraud_share_30d"] is None


def test_card_counts_tell_the_windows_apart() -> None:
    minute = 60
    ages = [5 * minute, 40 * minute, 5 * HOUR, 20 * HOUR, 5 * DAY, 20 * DAY]
    found = row(card=spent(*[(NOW - age, 100) for age in sorted(ages, reverse=True)]))
    names = ("15m", "1h", "6h", "24h", "7d", "30d")
    assert [found[f"card_count_{name}"] for name in names] == [1, 2, 3, 4, 5, 6]


def test_card_amounts_are_summed_and_averaged() -> None:
    found = row(amount=600, card=spent((NOW - 10 * DAY, 450), (NOW - HOUR, 100), (NOW - HOUR, 200)))
    assert (found["card_spend_24h"], found["card_mean_24h"]) == (300, 150)
    assert (found["card_mean_7d"], found["card_amount_over_mean_7d"]) == (150, 4)
    assert (found["card_mean_30d"], found["card_amount_over_mean_30d"]) == (250, 2.4)


def test_card_zscore_needs_three_transactions() -> None:
    assert row(card=spent((NOW - HOUR, 1000), (NOW - HOUR, 1000)))["card_amount_zscore_30d"] is None


def test_card_zscore_is_in_standard_deviations_of_major_units() -> None:
    card = spent((NOW - HOUR, 1000), (NOW - HOUR, 2000), (NOW - HOUR, 3000))
    assert row(amount=5000, card=card)["card_amount_zscore_30d"] == pytest.approx(30 / math.sqrt(200 / 3), abs=1e-4)


def test_card_zscore_of_equal_amounts_takes_one_unit_for_the_deviation() -> None:
    card = spent(*[(NOW - HOUR, 1000)] * 3)
    assert row(amount=1500, card=card)["card_amount_zscore_30d"] == 5


def test_card_ages_count_from_the_last_and_the_first() -> None:
    found = row(card=spent((NOW - DAY, 100), (NOW - 90, 100)))
    assert (found["card_seconds_since_last"], found["card_seconds_since_first"]) == (90, DAY)


def test_card_late_event_has_no_negative_age_and_reads_no_future() -> None:
    found = row(at=NOW - HOUR, card=spent((NOW, 100)))
    assert (found["card_seconds_since_last"], found["card_seconds_since_first"]) == (0, 0)
    assert found["card_count_15m"] == 0


def test_card_late_event_sees_its_whole_window_behind_it() -> None:
    card = spent((NOW - DAY - 20 * HOUR, 100), (NOW, 100))
    assert row(at=NOW - DAY, card=card)["card_count_24h"] == 1


def terminal_of(*days_ago: int, frauds: tuple[int, ...] = ()) -> EntityState:
    terminal = NEW_TERMINAL
    for days in days_ago:
        terminal = entities.visit(terminal, NOW - days * DAY)
    for days in frauds:
        terminal = entities.report_fraud(terminal, NOW - days * DAY)
    return terminal


def test_terminal_windows_read_closed_days_only() -> None:
    found = row(terminal=terminal_of(0, 1, 7, 8, 30, 31, frauds=(0, 1)))
    assert [found[f"terminal_count_{name}"] for name in ("7d", "30d")] == [2, 4]
    assert (found["terminal_frauds_7d"], found["terminal_frauds_30d"]) == (1, 1)


def test_terminal_fraud_counts_on_the_day_it_became_known() -> None:
    terminal = entities.report_fraud(terminal_of(20), NOW)
    assert row(terminal=terminal)["terminal_frauds_30d"] == 0
    assert row(at=NOW + DAY, terminal=terminal)["terminal_frauds_30d"] == 1


def test_terminal_fraud_share_is_at_most_one() -> None:
    assert row(terminal=terminal_of(2, 2, frauds=(1,)))["terminal_fraud_share_30d"] == 0.5
    assert row(terminal=terminal_of(2, frauds=(1, 1)))["terminal_fraud_share_30d"] == 1


def test_terminal_withdrawn_fraud_is_taken_back() -> None:
    terminal = entities.report_fraud(terminal_of(2, frauds=(1,)), NOW - DAY, -1)
    assert row(terminal=terminal)["terminal_frauds_30d"] == 0


@given(st.lists(st.tuples(st.integers(NOW - 40 * DAY, NOW + DAY), st.integers(1, 10**12)), max_size=12))
def test_values_any_history_are_finite_and_ages_not_negative(happened: list[tuple[int, int]]) -> None:
    found = row(card=spent(*happened))
    assert all(value is None or math.isfinite(value) for value in found.values())
    assert all((value or 0) >= 0 for name, value in found.items() if "zscore" not in name)


def test_contract_hash_follows_names_and_order() -> None:
    assert features.contract_hash(["a", "b"]) == features.contract_hash(("a", "b"))
    assert len({features.contract_hash(names) for names in (["a", "b"], ["b", "a"], ["a"], ["ab"], [])}) == 5


def test_contract_hash_of_the_table_is_as_published() -> None:
    """It binds packages in service: when it changes, every model must be trained and rolled out again."""
    assert features.contract_hash(features.NAMES) == "cd51154ccd1cb9cf"


def test_contract_hash_other_definition_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    before = features.contract_hash(["a"])
    monkeypatch.setattr(features, "DEFINITION_VERSION", features.DEFINITION_VERSION + 1)
    assert features.contract_hash(["a"]) != before


def test_select_contract_order_is_kept() -> None:
    values = list(range(len(features.NAMES)))
    assert features.select(values, [features.NAMES[5], features.NAMES[0]]) == [5, 0]


def test_select_unknown_feature_is_refused() -> None:
    with pytest.raises(KeyError):
        features.select([], ["card_shoe_size"])


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("card_count_15m", 7, "7 earlier transactions on this card within 15 minutes"),
        ("card_amount_over_mean_30d", 12.3456, "the amount is 12.35 times the card's mean of 30 days"),
        ("card_seconds_since_last", 123456, "123,456 seconds since the card's last transaction"),
        ("terminal_fraud_share_30d", None, "known frauds per transaction at this terminal: unknown"),
        ("card_shoe_size", 44, "card_shoe_size"),
    ],
)
def test_in_words_value_is_readable(name: str, value: float | None, words: str) -> None:
    assert features.in_words(name, value) == words
