"""Which slot serves a card: sticky, nested, evenly spread, and another set of cards for every salt."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from fraud import routing
from tests.fakes import samples

CARDS = [f"card-{number}" for number in range(20_000)]


def challenged(share_bps: int, salt: str = "salt") -> set[str]:
    item = samples.routing(share_bps=share_bps, challenger="b", salt=salt)
    return {card for card in CARDS if item.slot_for(card) == "b"}


def test_slot_for_without_challenger_is_the_champion() -> None:
    assert {samples.routing(share_bps=10_000).slot_for(card) for card in CARDS[:100]} == {"a"}


def test_slot_for_zero_and_full_share_are_exact() -> None:
    assert challenged(0) == set()
    assert challenged(10_000) == set(CARDS)


def test_slot_for_share_is_met_within_sampling_error() -> None:
    assert abs(len(challenged(500)) - 1000) < 5 * (20_000 * 0.05 * 0.95) ** 0.5


def test_slot_for_growing_share_keeps_every_card_it_had() -> None:
    shares = [challenged(share) for share in (100, 500, 2500, 5000)]
    assert all(smaller < larger for smaller, larger in pairwise(shares))


def test_slot_for_new_salt_takes_other_cards() -> None:
    one, other = challenged(500), challenged(500, salt="other")
    assert len(one & other) < 100


@given(st.text(), st.text(min_size=1), st.integers(0, 10_000))
def test_slot_for_any_card_is_sticky(salt: str, card: str, share: int) -> None:
    item = samples.routing(share_bps=share, challenger="b", salt=salt)
    assert item.slot_for(card) == item.slot_for(card)
    assert (item.slot_for(card) == "b") == (routing.position(salt, card) < share)


def test_bucket_cards_spread_evenly_over_all_buckets() -> None:
    counts = Counter(map(routing.bucket, CARDS))
    assert set(counts) == set(range(routing.BUCKETS))
    assert max(counts.values()) < 2 * len(CARDS) / routing.BUCKETS


def test_bucket_and_position_do_not_depend_on_the_process() -> None:
    assert (routing.bucket("card-1"), routing.position("salt", "card-1")) == (75, 2485)
