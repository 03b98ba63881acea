"""A mark, a terminal's state and the counters are written together or not at all."""

from collections.abc import Sequence

from fraud import entities, windows
from fraud.ports import Recorded, TerminalCommit
from tests.fakes import samples
from tests.fakes.world import Stores, World


def decided(stores: Stores, count: int = 1) -> list[Recorded]:
    decisions = [samples.decision(samples.accepted(f"t{number}")) for number in range(count)]
    stores.ports().decisions.commit([samples.commit(*decisions)])
    return stores.stream()


def commit(decisions: Sequence[Recorded], expected_version: int = 0) -> TerminalCommit:
    state = windows.empty(entities.TERMINAL)
    for each in decisions:
        state = entities.visit(state, each.at)
    return TerminalCommit("terminal#m1", expected_version, state, tuple(decisions))


def test_commit_new_decisions_are_marked_folded_and_counted(stores: Stores, world: World) -> None:
    assert stores.ports().projections.commit([commit(decided(stores, 2))]) is None
    assert all(each.projected for each in stores.decided().values())
    assert world.visits("m1") == (2, 0)
    assert world.counted() == {"transactions": 2, "approve": 2, "degraded": 2, "amount_minor": 2000}


def test_commit_marked_decision_is_named_and_nothing_is_written(stores: Stores, world: World) -> None:
    decisions = decided(stores, 2)
    store = stores.ports().projections
    store.commit([commit(decisions[:1])])
    assert store.commit([commit(decisions, expected_version=1)]) == {decisions[0].transaction_id}
    assert world.visits("m1") == (1, 0)
    assert world.counted()["transactions"] == 1


def test_commit_vanished_decision_is_named(stores: Stores) -> None:
    [decision] = stores.stream() or decided(stores)
    absent = Recorded(**{name: getattr(decision, name) for name in decision.__slots__} | {"transaction_id": "gone"})
    assert stores.ports().projections.commit([commit([absent])]) == {"gone"}


def test_commit_moved_terminal_names_nothing_and_writes_nothing(stores: Stores, world: World) -> None:
    assert stores.ports().projections.commit([commit(decided(stores), expected_version=4)]) == frozenset()
    assert world.counted() == {}
    assert not stores.decided()["t0"].projected
