"""Rows 6, 11 and 12 of the fault table, as the event source delivers: in part, in halves, too late, twice at once."""

import pytest

from fraud.errors import StoreUnavailable
from fraud.intake import StreamRecord
from tests.fakes import history, samples
from tests.fakes.event_source import EventSource, Shard
from tests.fakes.faults import Crash
from tests.fakes.interleaving import Fate, Invocation
from tests.fakes.world import World, in_memory


def filled(count: int, cards: int = 3) -> Shard:
    shard = Shard()
    for number in range(count):
        shard.put(samples.payload(f"t{number}", f"c{number % cards}"))
    return shard


def delivered(shard: Shard, batch_size: int = 100, attempts: int = 6) -> EventSource:
    source = EventSource(batch_size, attempts)
    source.take(shard.records)
    return source


def test_fault_06_partial_failure_is_delivered_again_from_the_lowest_and_counted_once(world: World) -> None:
    shard = filled(6)
    source = delivered(shard)
    batches: list[int] = []

    def handle(batch: list[StreamRecord]) -> list[str]:
        batches.append(len(batch))
        failed = world.score(batch)
        return ["00002"] if len(batches) == 1 else failed

    source.run(handle)
    assert batches == [6, 4]
    history.check(world, shard.records)


def test_fault_11_record_given_up_is_kept_whole_and_its_replay_gives_one_decision(world: World) -> None:
    shard = filled(5)
    source = delivered(shard)

    def handle(batch: list[StreamRecord]) -> list[str]:
        if any(b'"t3"' in each.payload for each in batch):
            raise Crash
        return world.score(batch)

    source.run(handle)
    assert source.on_failure == [shard.records[3]]
    assert set(world.stores.decided()) == {"t0", "t1", "t2", "t4"}
    for _ in range(2):
        shard.put(source.on_failure[0].payload)
    assert world.score(shard.records[5:]) == []
    history.check(world, shard.records)


def test_fault_11_record_decided_before_it_was_given_up_is_replayed_without_effect(world: World) -> None:
    shard = filled(1)
    source = delivered(shard, attempts=2)

    def handle(batch: list[StreamRecord]) -> list[str]:
        world.score(batch)
        raise Crash

    source.run(handle)
    assert source.on_failure == shard.records
    shard.put(source.on_failure[0].payload)
    assert world.score(shard.records[1:]) == []
    history.check(world, shard.records)


def test_fault_11_lasting_outage_gives_everything_up_and_the_replay_decides_it(world: World) -> None:
    shard = filled(4)
    source = delivered(shard)
    world.faults.always("decisions.commit", StoreUnavailable("TransactWriteItems: InternalServerError"))
    source.run(world.score)
    assert source.on_failure == shard.records
    assert world.stores.decided() == {}
    assert World(world.stores).score(source.on_failure) == []
    history.check(World(world.stores), shard.records)


@pytest.mark.parametrize("call", range(1, 5))
@pytest.mark.parametrize("fate", [Fate.CRASH, Fate.CRASH_AFTER])
def test_fault_12_timeout_at_any_call_loses_nothing_and_counts_nothing_twice(call: int, fate: Fate) -> None:
    world = in_memory()
    shard = Shard()
    for number in range(60):
        shard.put(b"{" if number == 7 else samples.payload(f"t{number}", f"c{number}"))
    source = delivered(shard)
    first = Invocation(lambda around: world.scoring(around).score_batch(shard.records, world.deadline()))
    for _ in range(call - 1):
        first.step()
    first.step(fate)
    assert first.crashed
    source.crashed()
    source.run(world.score)
    history.check(world, shard.records)


@pytest.mark.parametrize("calls", range(5))
def test_fault_12_invocation_that_goes_on_after_its_timeout_counts_nothing_twice(world: World, calls: int) -> None:
    """The cards are known, and the next invocation has only half of the batch: the two fold different transactions."""
    shard = filled(11)
    assert world.score(shard.records[:3]) == []
    source = EventSource()
    source.take(shard.records[3:])
    late = Invocation(lambda around: world.scoring(around).score_batch(shard.records[3:], world.deadline()))
    for _ in range(calls):
        if not late.finished:
            late.step()
    source.crashed()
    half = source.work[0][0]
    current = Invocation(lambda around: world.scoring(around).score_batch(half, world.deadline()).failed)
    while not (late.finished and current.finished):
        for each in (current, late):
            if not each.finished:
                each.step()
    source.answered(current.result)
    source.run(world.score)
    history.check(world, shard.records)
