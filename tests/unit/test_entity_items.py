"""The binary form of a state: nothing lost, and bounded whatever the card's volume."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import entities, windows
from fraud.aws import entity_items
from fraud.entities import CARD, DAY, TERMINAL
from fraud.errors import UnknownStateVersion
from fraud.windows import EntityState
from tests.fakes.samples import NOW

LARGEST_STATE = sum(level.keep for level in CARD.levels) * (2 + 9 * len(CARD.sums)) + 32
"""Bytes: every tile with its index and sums of nine bytes each, and the frame."""

amounts = st.integers(1, 10**12)
times = st.integers(NOW - 60 * DAY, NOW)


def card_of(events: list[tuple[int, int]]) -> EntityState:
    card = windows.empty(CARD)
    for at, amount in events:
        card = entities.spend(card, at, amount)
    return card


@given(st.lists(st.tuples(times, amounts), min_size=1, max_size=40))
def test_pack_any_card_comes_back_as_it_was(events: list[tuple[int, int]]) -> None:
    card = card_of(events)
    assert entity_items.unpack_state(entity_items.pack_state(card, CARD), CARD) == card


@given(st.lists(st.tuples(times, st.integers(0, 50), st.integers(-3, 3)), min_size=1, max_size=20))
def test_pack_any_terminal_comes_back_as_it_was(events: list[tuple[int, int, int]]) -> None:
    terminal = windows.empty(TERMINAL)
    for at, visits, frauds in events:
        terminal = entities.report_fraud(entities.visit(terminal, at, visits), at, frauds)
    assert entity_items.unpack_state(entity_items.pack_state(terminal, TERMINAL), TERMINAL) == terminal


def test_pack_typical_card_of_three_transactions_a_day_is_below_one_kilobyte() -> None:
    chance = random.Random(1)
    times = sorted(NOW - chance.randrange(60 * DAY) for _ in range(180))
    card = card_of([(at, int(chance.lognormvariate(8, 1)) + 1) for at in times])
    item = entity_items.encode("card#" + "f" * 64, card, 180, NOW)
    size = len(item["state"]["B"]) + sum(len(name) for name in item) + len(item["entity"]["S"]) + 2 * 21
    assert size <= 1024


def test_pack_card_of_a_hundred_thousand_transactions_a_day_is_bounded() -> None:
    """Every tile filled with what a busy card's tile would hold."""
    card = windows.empty(CARD)
    for at in range(NOW - 130 * DAY, NOW, 300):
        transactions = 100_000 * 300 // DAY
        sums = (transactions, transactions * 10**6, transactions * 10**8, transactions // 9, transactions * 10**5)
        card = windows.add(card, CARD, at, sums)
    assert sum(map(len, card.series)) == 37 + 49 + 31 + 5
    assert len(entity_items.pack_state(card, CARD)) <= LARGEST_STATE


def test_pack_card_with_every_sum_saturated_is_bounded() -> None:
    card = windows.empty(CARD)
    for at in range(NOW - 130 * DAY, NOW, 300):
        card = windows.add(card, CARD, at, (windows.LARGEST_SUM,) * len(CARD.sums))
    packed = entity_items.pack_state(card, CARD)
    assert len(packed) <= LARGEST_STATE
    assert entity_items.unpack_state(packed, CARD) == card


def test_pack_terminal_of_a_hundred_thousand_transactions_a_day_is_below_one_kilobyte() -> None:
    terminal = windows.empty(TERMINAL)
    for days in reversed(range(60)):
        terminal = entities.visit(terminal, NOW - days * DAY, 100_000)
        terminal = entities.report_fraud(terminal, NOW - days * DAY, 1_000, ordinary=True)
    assert len(entity_items.pack_state(terminal, TERMINAL)) <= 1024


def test_unpack_state_of_another_version_is_refused_by_name() -> None:
    other = bytearray(entity_items.pack_state(card_of([(NOW, 100)]), CARD))
    other[1] = 99
    with pytest.raises(UnknownStateVersion, match="the state has version 99, this code understands version"):
        entity_items.unpack_state(bytes(other), CARD)
