"""Whole histories: producers, the event source and overlapping invocations, crashing between any two I/O calls.

hypothesis chooses what is sent, whose turn it is and what becomes of every call. The checker then reads the history.
"""

from collections.abc import Iterator
from itertools import chain, repeat

from hypothesis import given
from hypothesis import strategies as st

from fraud.intake import StreamRecord
from tests.fakes import history, samples
from tests.fakes.event_source import EventSource, Shard
from tests.fakes.interleaving import Fate, Invocation
from tests.fakes.world import World, in_memory

payloads = st.one_of(
    st.builds(
        lambda number, card, amount: samples.payload(f"t{number}", f"c{card}", amount_minor=amount),
        st.integers(0, 9),
        st.integers(0, 2),
        st.sampled_from([100, 100, 100, 250]),
    ),
    st.builds(lambda number: samples.payload(f"u{number}", f"c{number % 3}"), st.integers(0, 99)),
    st.sampled_from([b"{", samples.payload(amount_minor=-1), samples.payload(schema_version=9)]),
)
turns = st.lists(st.tuples(st.integers(0, 2), st.sampled_from([Fate.DONE, Fate.DONE, Fate.DONE, *Fate])), max_size=40)
Turn = tuple[int, Fate]


class Simulation:
    """One shard, its event source, the current invocation and those that were given up but still run."""

    def __init__(self, world: World, source: EventSource) -> None:
        self.world = world
        self.source = source
        self.current: Invocation | None = None
        self.zombies: list[Invocation] = []

    def run(self, script: Iterator[Turn]) -> None:
        """Play until all is delivered and nothing runs any more."""
        while self.source.work or self.zombies:
            self._play(*next(script))

    def _play(self, who: int, fate: Fate) -> None:
        if self.current is None and self.source.work:
            self.current = self._invoke(self.source.work[0][0])
        running = [each for each in (self.current, *self.zombies) if each is not None]
        chosen = running[who % len(running)]
        if fate is Fate.TIMEOUT and chosen is self.current:
            self.zombies.append(chosen)
            self.current = None
            self.source.crashed()
            return
        if not chosen.finished:
            chosen.step(Fate.DONE if fate is Fate.TIMEOUT else fate)
        if chosen.finished:
            self._finish(chosen)

    def _invoke(self, batch: list[StreamRecord]) -> Invocation:
        deadline = self.world.deadline()
        return Invocation(lambda around: self.world.scoring(around).score_batch(list(batch), deadline).failed)

    def _finish(self, done: Invocation) -> None:
        if done is not self.current:
            self.zombies.remove(done)
            return
        self.current = None
        if done.crashed:
            self.source.crashed()
        else:
            self.source.answered(done.result)


def play(sent: list[bytes], script: list[Turn], batch_size: int, attempts: int) -> None:
    """Send, deliver as scripted, replay what was given up without further faults, and check."""
    world, shard = in_memory(), Shard()
    source = EventSource(batch_size, attempts)
    source.take([shard.put(each) for each in sent])
    # When the script ends nothing fails any more, and everyone gets a turn.
    Simulation(world, source).run(chain(script, ((turn, Fate.DONE) for turn in chain.from_iterable(repeat(range(3))))))
    given_up = {each.sequence_number for each in source.on_failure}
    again = EventSource(batch_size, attempts)
    again.take([shard.put(each.payload) for each in source.on_failure])
    again.run(world.score)
    history.check(world, [each for each in shard.records if each.sequence_number not in given_up])
    assert world.project(world.stores.stream()) == []
    history.check_projected(world)


@given(
    sent=st.lists(payloads, min_size=1, max_size=14), script=turns, batch_size=st.integers(1, 8), attempts=st.just(6)
)
def test_fault_12_any_interleaving_of_invocations_decides_everything_once(
    sent: list[bytes], script: list[Turn], batch_size: int, attempts: int
) -> None:
    play(sent, script, batch_size, attempts)


@given(
    sent=st.lists(payloads, min_size=1, max_size=10), script=turns, batch_size=st.integers(1, 6), attempts=st.just(1)
)
def test_fault_11_any_interleaving_that_gives_records_up_is_completed_by_their_replay(
    sent: list[bytes], script: list[Turn], batch_size: int, attempts: int
) -> None:
    play(sent, script, batch_size, attempts)


@given(
    extra=st.lists(payloads, max_size=3),
    script=st.lists(
        st.tuples(st.integers(0, 2), st.sampled_from([Fate.DONE, Fate.DONE, Fate.LOST, Fate.REFUSED, Fate.TIMEOUT])),
        max_size=12,
    ),
)
def test_fault_12_any_interleaving_over_a_card_that_needs_two_cuts_counts_it_exactly(
    extra: list[bytes], script: list[Turn]
) -> None:
    sent = [samples.payload(f"v{number}", "c0") for number in range(100)] + extra
    play(sent, script, batch_size=100, attempts=6)
