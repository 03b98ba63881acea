"""Row 37 of the fault table: a verdict may come early, twice or changed; the latest stands, counted once."""

from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud.errors import StoreUnavailable
from fraud.label import Label
from fraud.services.labelling import LabelMessage
from tests.fakes import samples
from tests.fakes.faults import Crash
from tests.fakes.samples import DAY, NOW, label_message, record
from tests.fakes.world import World, in_memory


def decide(world: World, *ids: str) -> None:
    assert world.score([record(number, samples.payload(key, f"c{number}")) for number, key in enumerate(ids)]) == []


def stands(world: World, transaction_id: str = "t1") -> Label:
    label = world.stores.decided()[transaction_id].label
    assert label is not None
    return label


def test_fault_37_label_before_its_transaction_is_kept_and_applied_once(world: World) -> None:
    assert world.label([label_message(1)]) == []
    assert set(world.stores.early()) == {"t1"}
    decide(world, "t1")
    for _ in range(2):
        assert world.project(world.stores.stream()) == []
    assert stands(world).is_fraud
    assert world.visits("m1") == (1, 1)
    assert world.stores.early() == {}


def test_fault_37_label_before_its_transaction_does_not_stand_in_for_the_decision(world: World) -> None:
    assert world.label([label_message(1)]) == []
    decide(world, "t1")
    assert world.stores.decided()["t1"].action == "approve"
    assert world.stores.quarantined() == {}


def test_fault_37_duplicate_label_is_counted_once(world: World) -> None:
    decide(world, "t1")
    assert world.label([label_message(1), label_message(2)]) == []
    assert world.label([label_message(3)]) == []
    assert world.visits("m1") == (0, 1)


def test_fault_37_flipped_label_takes_back_what_it_counted(world: World) -> None:
    decide(world, "t1")
    assert world.label([label_message(1)]) == []
    assert world.label([label_message(2, is_fraud=False, at=NOW + 60)]) == []
    assert not stands(world).is_fraud
    assert world.visits("m1") == (0, 0)


def test_fault_37_older_label_that_arrives_later_does_not_stand(world: World) -> None:
    decide(world, "t1")
    assert world.label([label_message(1, at=NOW + 60)]) == []
    assert world.label([label_message(2, is_fraud=False, at=NOW)]) == []
    assert stands(world).is_fraud
    assert world.visits("m1") == (0, 1)


def test_fault_37_older_label_later_in_the_same_batch_does_not_stand(world: World) -> None:
    decide(world, "t1")
    assert world.label([label_message(1, at=NOW + 60), label_message(2, is_fraud=False, at=NOW)]) == []
    assert stands(world).is_fraud


def test_fault_37_early_labels_out_of_order_leave_the_latest_waiting(world: World) -> None:
    assert world.label([label_message(1, at=NOW + 60)]) == []
    assert world.label([label_message(2, is_fraud=False, at=NOW)]) == []
    assert world.stores.early()["t1"].is_fraud


def test_fault_37_label_that_overtakes_the_projection_is_counted_once(world: World) -> None:
    """It came early; a second one finds the decision before the projection looks for the first."""
    assert world.label([label_message(1)]) == []
    decide(world, "t1")
    assert world.label([label_message(2, at=NOW + 60)]) == []
    assert world.project(world.stores.stream()) == []
    assert stands(world).labelled_at == (NOW + 60) * 1000
    assert world.visits("m1") == (1, 1)


def test_fault_37_decision_made_while_its_label_is_kept_gets_it(world: World) -> None:
    world.faults.before("labels.keep_early", 1, lambda: decide(World(world.stores), "t1"))
    assert world.label([label_message(1)]) == []
    assert stands(world).is_fraud
    assert world.stores.early() == {}


@pytest.mark.parametrize("call", ["labels.apply", "labels.read", "terminals.read_terminals"])
def test_fault_37_lost_answer_is_counted_once(world: World, call: str) -> None:
    decide(world, "t1")
    world.faults.after(call, 1, StoreUnavailable("lost"))
    assert world.label([label_message(1)]) == []
    assert world.visits("m1") == (0, 1)


def test_fault_37_two_consumers_with_one_label_count_it_once(world: World) -> None:
    decide(world, "t1")
    other = World(world.stores)
    world.faults.before("labels.apply", 1, lambda: other.label([label_message(1)]))
    assert world.label([label_message(1)]) == []
    assert world.visits("m1") == (0, 1)


def test_fault_37_terminal_that_moves_between_two_cuts_of_its_group_is_counted_exactly() -> None:
    world = in_memory()
    ids = [f"t{number}" for number in range(62)]
    decide(world, *ids)
    messages = [label_message(number, key) for number, key in enumerate(ids)]
    other = World(world.stores)
    world.faults.before("labels.apply", 1, lambda: other.label(messages[60:]))
    assert world.label(messages[:60]) == []
    assert world.visits("m1") == (0, 62)


def test_fault_37_failing_archive_is_delivered_again_and_loses_nothing(world: World) -> None:
    decide(world, "t1")
    world.faults.before("archive.append", 1, StoreUnavailable("PutRecordBatch: ServiceUnavailable"))
    assert world.label([label_message(1)]) == ["message-1"]
    assert world.label([label_message(1)]) == []
    assert world.visits("m1") == (0, 1)


def test_fault_37_bad_label_is_quarantined_and_stops_nobody(world: World) -> None:
    decide(world, "t1")
    bad = LabelMessage("message-0", NOW + DAY, b"{")
    assert world.label([bad, label_message(1), label_message(2, labelled_at="0001-01-01T00:00:00+14:00")]) == []
    assert set(world.stores.quarantined()) == {("labels", "message-0"), ("labels", "message-2")}
    assert stands(world).is_fraud


def test_fault_37_label_from_the_future_is_quarantined(world: World) -> None:
    """It would outrank every later verdict."""
    assert world.label([label_message(1, at=NOW + 30 * DAY)]) == []
    assert world.stores.quarantined() == {("labels", "message-1"): "from_the_future"}


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_fault_37_any_order_of_arrival_leaves_the_same_label(order: tuple[int, ...]) -> None:
    world = in_memory()
    decide(world, "t1")
    verdicts = [
        label_message(0, at=NOW),
        label_message(1, at=NOW + 1, is_fraud=False),
        label_message(2, at=NOW + 1, source="review"),
    ]
    for place in order:
        assert world.label([verdicts[place]]) == []
    assert not stands(world).is_fraud
    assert world.visits("m1") == (0, 0)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("label"), st.integers(0, 3), st.integers(0, 5), st.booleans()),
        st.tuples(st.just("decide"), st.integers(0, 3), st.just(0), st.just(False)),
        st.tuples(st.just("project"), st.just(0), st.just(0), st.just(False)),
    ),
    max_size=14,
)
faults = st.lists(
    st.tuples(
        st.sampled_from(["labels.apply", "labels.keep_early", "labels.read_early", "projections.commit"]),
        st.integers(1, 6),
        st.sampled_from(["before", "after"]),
        st.booleans(),
    ),
    max_size=4,
)


@given(steps=steps, faults=faults)
def test_fault_37_any_history_leaves_the_latest_label_counted_once(
    steps: list[tuple[str, int, int, bool]], faults: list[tuple[str, int, str, bool]]
) -> None:
    world = in_memory()
    for call, number, moment, crash in faults:
        fault = Crash() if crash else StoreUnavailable("lost")
        (world.faults.before if moment == "before" else world.faults.after)(call, number, fault)
    messages: list[LabelMessage] = []
    for kind, number, later, is_fraud in steps:
        if kind == "label":
            messages.append(label_message(len(messages), f"t{number}", at=NOW + later, is_fraud=is_fraud))
        _step(world, kind, number, messages)
    settled = World(world.stores)
    assert settled.label(messages) == []
    assert settled.project(world.stores.stream()) == []
    _check(world, messages)


def _step(world: World, kind: str, number: int, messages: list[LabelMessage]) -> None:
    try:
        if kind == "label":
            world.label(messages[-1:])
        elif kind == "decide":
            decide(world, f"t{number}")
        else:
            world.project(world.stores.stream())
    except Crash:
        return


def _check(world: World, messages: list[LabelMessage]) -> None:
    decided = world.stores.decided()
    parsed = [samples.parse_label(each) for each in messages]
    for key in {key for key, _ in parsed}:
        expected = max(
            (label for each, label in parsed if each == key), key=lambda each: (each.labelled_at, each.is_fraud)
        )
        assert (decided[key].label if key in decided else world.stores.early()[key]) == expected
    for key in set(world.stores.early()) & set(decided):
        assert not world.stores.early()[key].supersedes(decided[key].label)
    frauds = sum(1 for each in decided.values() if each.label and each.label.is_fraud)
    assert world.visits("m1") == (len(decided), frauds)
