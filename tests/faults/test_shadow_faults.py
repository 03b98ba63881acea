"""Row 36 of the fault table, for the shadow: however the stream of decisions is read, every pair is counted once."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.analysis import Pairs
from fraud.decision import Score
from fraud.errors import StoreUnavailable
from fraud.ports import Recorded
from tests.fakes import shadow as fakes
from tests.fakes.faults import Crash
from tests.fakes.shadow import EPOCH, ShadowWorld, served_many
from tests.fakes.world import Stores

OBSERVE = "store.observe"


@pytest.fixture
def world(stores: Stores) -> ShadowWorld:
    return blocking(fakes.shadowing(ShadowWorld(fakes.over(stores))))


def blocking(world: ShadowWorld) -> ShadowWorld:
    """The world with a challenger that would block everything."""
    world.scorer.answers["fraud-b"] = lambda rows: [Score(0.95) for _ in rows]
    return world


def check(world: ShadowWorld, stream: list[Recorded]) -> None:
    """The pairs are those of the decisions, each once, and every one of them is noted."""
    ids = {each.transaction_id for each in stream}
    assert world.counted() == Pairs(transactions=len(ids), challenger_block=len(ids))
    assert world.shadows.notes().keys() == ids


def test_fault_36_batch_read_twice_by_the_shadow_is_counted_once(world: ShadowWorld) -> None:
    stream = served_many(10)
    assert world.shadow(stream).failed == []
    assert world.shadow(stream).failed == []
    check(world, stream)


def test_fault_36_batch_of_the_shadow_split_after_a_crash_is_counted_once(world: ShadowWorld) -> None:
    stream = served_many(9)
    world.faults.after(OBSERVE, 1, Crash())
    with pytest.raises(Crash):
        world.shadow(stream)
    for part in (stream[:4], stream[4:], stream[2:7]):
        assert world.shadow(part).failed == []
    check(world, stream)


def test_fault_36_crash_of_the_shadow_between_two_transactions_skips_nothing(world: ShadowWorld) -> None:
    stream = served_many(90, cards=80)
    world.faults.before(OBSERVE, 2, Crash())
    with pytest.raises(Crash):
        world.shadow(stream)
    assert 0 < world.counted().transactions < len(stream)
    assert world.shadow(stream).failed == []
    check(world, stream)


def test_fault_36_late_copy_for_the_shadow_adds_nothing_and_skips_nothing(world: ShadowWorld) -> None:
    stream = served_many(8)
    assert world.shadow(stream[3:]).failed == []
    assert world.shadow(stream).failed == []
    check(world, stream)


def test_fault_36_late_copy_after_the_shadow_has_ended_changes_nothing(world: ShadowWorld) -> None:
    stream = served_many(4)
    world.shadow(stream[:2])
    fakes.shadowing(world, epoch=EPOCH + 1)
    assert world.shadow(stream).failed == []
    check(world, stream[:2])
    assert world.counted(EPOCH + 1) == Pairs()


def test_fault_36_lost_answer_to_the_write_of_pairs_is_counted_once(world: ShadowWorld) -> None:
    stream = served_many(5)
    world.faults.after(OBSERVE, 1, StoreUnavailable("TransactWriteItems: ReadTimeoutError"))
    assert world.shadow(stream).failed == []
    check(world, stream)


def test_fault_36_same_decision_twice_in_a_batch_of_the_shadow_is_counted_once(world: ShadowWorld) -> None:
    stream = served_many(3)
    assert world.shadow([*stream, *stream]).failed == []
    check(world, stream)


def test_fault_36_two_shadows_of_the_same_records_count_everything_once(world: ShadowWorld) -> None:
    stream = served_many(10)
    other = world.restarted()
    world.faults.before(OBSERVE, 1, lambda: other.shadow(stream[4:]))
    assert world.shadow(stream).failed == []
    check(world, stream)


def test_fault_36_store_that_fails_the_shadow_reports_what_is_not_counted(world: ShadowWorld) -> None:
    stream = served_many(4)
    world.faults.always(OBSERVE, StoreUnavailable("TransactWriteItems: ThrottlingException"))
    assert world.shadow(stream).failed == [each.sequence_number for each in stream]
    assert world.counted() == Pairs()
    assert world.restarted().shadow(stream).failed == []
    check(world, stream)


def test_fault_36_routing_that_the_shadow_cannot_read_skips_nothing(world: ShadowWorld) -> None:
    stream = served_many(4)
    world.faults.before("routing.read", 1, StoreUnavailable("GetItem: ThrottlingException"))
    assert world.shadow(stream).failed == [each.sequence_number for each in stream]
    assert world.shadow(stream).failed == []
    check(world, stream)


def test_fault_36_shadow_reports_only_what_could_not_be_written(world: ShadowWorld) -> None:
    stream = served_many(90, cards=80)
    for number in range(2, 9):
        world.faults.before(OBSERVE, number, StoreUnavailable("TransactWriteItems: ThrottlingException"))
    failed = world.shadow(stream).failed
    noted = world.shadows.notes().keys()
    assert failed == [each.sequence_number for each in stream if each.transaction_id not in noted]
    assert 0 < len(failed) < len(stream)


@given(
    parts=st.lists(st.tuples(st.integers(0, 120), st.integers(1, 120)), max_size=6),
    faults=st.lists(st.tuples(st.integers(1, 8), st.sampled_from(["before", "after"]), st.booleans()), max_size=4),
    cards=st.sampled_from([1, 3, 100]),
    shuffle=st.integers(0, 9),
)
def test_fault_36_any_replay_to_the_shadow_with_any_faults_counts_everything_once(
    parts: list[tuple[int, int]], faults: list[tuple[int, str, bool]], cards: int, shuffle: int
) -> None:
    world = blocking(fakes.in_memory())
    stream = served_many(120, cards)
    for number, moment, crash in faults:
        fault = Crash() if crash else StoreUnavailable("lost")
        (world.faults.before if moment == "before" else world.faults.after)(OBSERVE, number, fault)
    shuffled = random.Random(shuffle).sample(stream, len(stream))
    for start, length in parts:
        try:
            world.shadow(shuffled[start : start + length])
        except Crash:
            continue
    assert world.restarted().shadow(stream).failed == []
    check(world, stream)
