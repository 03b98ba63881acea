"""Row 36 of the fault table: however the stream of decisions is read, everything is counted once."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.errors import StoreUnavailable
from tests.fakes import history, samples
from tests.fakes.faults import Crash
from tests.fakes.memory import recorded
from tests.fakes.samples import record
from tests.fakes.world import World, in_memory

COMMIT = "projections.commit"


def decided(world: World, count: int, terminals: int = 2) -> World:
    """A world with decisions that are not projected yet."""
    for start in range(0, count, 100):
        numbers = range(start, min(start + 100, count))
        records = [
            record(number, samples.payload(f"t{number}", f"c{number % 40}", terminal_id=f"m{number % terminals}"))
            for number in numbers
        ]
        assert world.score(records) == []
    return world


def test_fault_36_batch_read_twice_is_counted_once(world: World) -> None:
    decided(world, 10)
    assert world.project(world.stores.stream()) == []
    assert world.project(world.stores.stream()) == []
    history.check_projected(world)


def test_fault_36_split_batch_is_counted_once_and_nothing_is_skipped(world: World) -> None:
    stream = decided(world, 9).stores.stream()
    world.faults.after(COMMIT, 1, Crash())
    with pytest.raises(Crash):
        world.project(stream)
    for part in (stream[:4], stream[4:], stream[2:7]):
        assert world.project(part) == []
    history.check_projected(world)


def test_fault_36_late_copy_from_the_on_failure_destination_adds_nothing_and_skips_nothing(world: World) -> None:
    stream = decided(world, 8).stores.stream()
    assert world.project(stream[3:]) == []
    assert world.project(stream) == []
    history.check_projected(world)


def test_fault_36_lost_answer_to_the_write_is_counted_once(world: World) -> None:
    stream = decided(world, 5).stores.stream()
    world.faults.after(COMMIT, 1, StoreUnavailable("TransactWriteItems: ReadTimeoutError"))
    assert world.project(stream) == []
    history.check_projected(world)


def test_fault_36_same_decision_twice_in_a_batch_is_counted_once(world: World) -> None:
    stream = decided(world, 3).stores.stream()
    assert world.project([*stream, *stream]) == []
    history.check_projected(world)


def test_fault_36_two_consumers_with_one_terminal_count_everything_once(world: World) -> None:
    stream = decided(world, 10, terminals=1).stores.stream()
    other = World(world.stores)
    world.faults.before(COMMIT, 1, lambda: other.project(stream[4:]))
    assert world.project(stream) == []
    history.check_projected(world)


def test_fault_36_terminal_that_moves_between_two_cuts_of_its_group_is_counted_exactly() -> None:
    """The second cut expects the version that the first would have written; here another shard's consumer wrote it."""
    world = in_memory()
    stream = decided(world, 70, terminals=1).stores.stream()
    other = World(world.stores)
    world.faults.before(COMMIT, 1, lambda: other.project(stream[60:]))
    assert world.project(stream[:60]) == []
    history.check_projected(world)


def test_fault_36_failing_store_reports_what_is_not_counted(world: World) -> None:
    stream = decided(world, 4).stores.stream()
    world.faults.always(COMMIT, StoreUnavailable("TransactWriteItems: ThrottlingException"))
    assert world.project(stream) == [each.sequence_number for each in stream]
    assert world.counted() == {}
    assert World(world.stores).project(stream) == []
    history.check_projected(world)


@pytest.mark.parametrize("sink", ["archive.append", "bus.publish"])
def test_fault_36_sink_that_fails_is_told_everything_again(world: World, sink: str) -> None:
    stream = decided(world, 3).stores.stream()
    world.faults.before(sink, 1, StoreUnavailable("refused"))
    assert world.project(stream) == [each.sequence_number for each in stream]
    assert world.project(stream) == []
    assert set(world.stores.told()) == {each.transaction_id for each in stream}
    assert len(world.stores.archived()) >= len(stream)
    history.check_projected(world)


def test_fault_36_decision_that_is_gone_stops_nobody(world: World) -> None:
    stream = decided(world, 3).stores.stream()
    absent = samples.decision(samples.accepted("gone"))
    assert world.project([*stream, recorded(absent, "99999")]) == []
    history.check_projected(world)


@given(
    parts=st.lists(st.tuples(st.integers(0, 30), st.integers(1, 30)), max_size=6),
    faults=st.lists(st.tuples(st.integers(1, 8), st.sampled_from(["before", "after"]), st.booleans()), max_size=4),
    shuffle=st.integers(0, 9),
)
def test_fault_36_any_replay_with_any_faults_counts_everything_once(
    parts: list[tuple[int, int]], faults: list[tuple[int, str, bool]], shuffle: int
) -> None:
    world = decided(in_memory(), 30, terminals=3)
    stream = world.stores.stream()
    for number, moment, crash in faults:
        fault = Crash() if crash else StoreUnavailable("lost")
        (world.faults.before if moment == "before" else world.faults.after)(COMMIT, number, fault)
    random.Random(shuffle).shuffle(stream)
    for start, length in parts:
        try:
            world.project(stream[start : start + length])
        except Crash:
            continue
    assert World(world.stores).project(world.stores.stream()) == []
    history.check_projected(world)
