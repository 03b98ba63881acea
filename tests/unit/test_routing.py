"""Which slot serves a card: sticky, nested, evenly spread, and another set of cards for every salt."""

from collections import Counter
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import routing
from fraud.routing import Routing
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


def test_first_model_serves_alone_from_its_slot() -> None:
    model = samples.model("b")
    assert routing.first("b", model, "new") == Routing(1, "steady", "b", None, 0, "new", {"b": model})


def test_challenged_shadow_scores_and_serves_nobody() -> None:
    before, model = samples.routing(), samples.model("b")
    now = before.challenged("b", model, "new", shadow_bps=2_500)
    slots = {"a": before.slots["a"], "b": model}
    assert now == Routing(8, "rolling_out", "a", "b", 0, "new", slots, shadow_bps=2_500)
    assert {now.slot_for(card) for card in CARDS[:100]} == {"a"}


def test_challenged_without_a_shadow_serves_a_share_at_once() -> None:
    now = samples.routing().challenged("b", samples.model("b"), "new", share_bps=500)
    assert (now.epoch, now.share_bps, now.shadow_bps) == (8, 500, 0)


def test_challenged_drops_a_former_challenger() -> None:
    before = samples.routing(share_bps=500, challenger="b")
    now = before.challenged("c", samples.model("c"), "new")
    assert (set(now.slots), now.share_bps, now.shadow_bps) == ({"a", "c"}, 0, 0)


def test_shifted_changes_the_share_and_ends_the_shadow_for_the_same_cards() -> None:
    before = samples.routing(share_bps=100, challenger="b", shadow_bps=10_000)
    assert before.shifted(2_500) == samples.routing(share_bps=2_500, challenger="b", epoch=8)


def test_unchallenged_is_the_champion_alone() -> None:
    before = samples.routing(share_bps=100, challenger="b", shadow_bps=10_000)
    assert before.unchallenged() == samples.routing(epoch=8)


def test_promoted_is_the_challenger_alone() -> None:
    now = samples.routing(share_bps=10_000, challenger="b").promoted()
    assert now == Routing(8, "steady", "b", None, 0, "salt", {"b": samples.model("b")})
    assert {now.slot_for(card) for card in CARDS[:100]} == {"b"}


def test_moves_keep_the_machines_of_the_models_they_keep() -> None:
    model = replace(samples.model("b"), instance_type="ml.c5.large", instance_count=3)
    now = samples.routing().challenged("b", model, "new", share_bps=10_000)
    assert [each.slots["b"] for each in (now, now.shifted(500), now.promoted())] == [model] * 3


def test_promoted_without_a_challenger_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="no challenger"):
        samples.routing().promoted()


def test_moves_share_no_slots_with_the_item_they_came_from() -> None:
    before = samples.routing(share_bps=100, challenger="b")
    moves = (before.unchallenged(), before.promoted(), before.challenged("c", samples.model("c"), "new"))
    assert all(each.slots is not before.slots for each in moves)
    assert before == samples.routing(share_bps=100, challenger="b")
