"""A verdict is written on the condition that what it replaces still stands."""

import pytest

from fraud import entities, windows
from fraud.label import Label, Source
from fraud.ports import LabelChange, LabelCommit, Labelled
from tests.fakes import samples
from tests.fakes.samples import NOW
from tests.fakes.world import Stores, World

FRAUD = Label(True, Source.CHARGEBACK, NOW * 1000 + 1, NOW)
GENUINE = Label(False, Source.REVIEW, NOW * 1000 + 2, NOW)


def commit(change: LabelChange, expected_version: int = 0) -> LabelCommit:
    state = entities.report_fraud(windows.empty(entities.TERMINAL), change.after.known_at)
    return LabelCommit("terminal#m1", expected_version, state, (change,))


@pytest.fixture
def decided(stores: Stores) -> None:
    stores.ports().decisions.commit([samples.commit(samples.decision())])


@pytest.mark.usefixtures("decided")
def test_apply_first_verdict_is_written_with_its_terminal(stores: Stores, world: World) -> None:
    store = stores.ports().labels
    assert store.apply(commit(LabelChange("t1", None, FRAUD)))
    assert store.read(["t1", "t2"]) == {"t1": Labelled("m1", FRAUD, ordinary=True)}
    assert world.visits("m1") == (0, 1)


@pytest.mark.usefixtures("decided")
def test_apply_verdict_that_moved_is_refused(stores: Stores, world: World) -> None:
    store = stores.ports().labels
    store.apply(commit(LabelChange("t1", None, FRAUD)))
    assert not store.apply(commit(LabelChange("t1", None, GENUINE), expected_version=1))
    assert store.apply(commit(LabelChange("t1", FRAUD, GENUINE), expected_version=1))
    assert stores.decided()["t1"].label == GENUINE


@pytest.mark.usefixtures("decided")
def test_apply_moved_terminal_is_refused_with_its_verdict(stores: Stores) -> None:
    assert not stores.ports().labels.apply(commit(LabelChange("t1", None, FRAUD), expected_version=2))
    assert stores.decided()["t1"].label is None


def test_apply_verdict_without_decision_is_refused(stores: Stores) -> None:
    assert not stores.ports().labels.apply(commit(LabelChange("t1", None, FRAUD)))
    assert stores.decided() == {}


def test_keep_early_verdict_waits_until_it_is_applied(stores: Stores) -> None:
    ports = stores.ports()
    assert ports.labels.keep_early(LabelChange("t1", None, FRAUD))
    assert ports.labels.read_early(["t1", "t2"]) == {"t1": FRAUD}
    ports.decisions.commit([samples.commit(samples.decision())])
    assert ports.labels.apply(commit(LabelChange("t1", None, FRAUD, waited=True)))
    assert ports.labels.read_early(["t1"]) == {}


def test_keep_early_verdict_that_moved_is_refused(stores: Stores) -> None:
    store = stores.ports().labels
    store.keep_early(LabelChange("t1", None, FRAUD))
    assert not store.keep_early(LabelChange("t1", None, GENUINE))
    assert store.keep_early(LabelChange("t1", FRAUD, GENUINE))
    assert stores.early() == {"t1": GENUINE}


@pytest.mark.usefixtures("decided")
def test_keep_early_verdict_of_a_decision_that_exists_is_refused(stores: Stores) -> None:
    assert not stores.ports().labels.keep_early(LabelChange("t1", None, FRAUD))
    assert stores.early() == {}
