"""Decisions and card states are committed together or not at all."""

from dataclasses import replace

from fraud import entities, windows
from fraud.ports import Cancellation
from tests.fakes import samples
from tests.fakes.aws import RETENTION_DAYS
from tests.fakes.memory import DAY
from tests.fakes.world import Stores, World


def test_commit_new_decision_is_stored_with_its_card(stores: Stores, world: World) -> None:
    assert stores.ports().decisions.commit([samples.commit(samples.decision())]) is None
    assert list(stores.decided()) == ["t1"]
    assert world.spent("c1") == (1, 1000)


def test_commit_full_transaction_of_a_hundred_actions_is_written(stores: Stores, world: World) -> None:
    decisions = [samples.decision(samples.accepted(f"t{number}")) for number in range(99)]
    assert stores.ports().decisions.commit([samples.commit(*decisions)]) is None
    assert len(stores.decided()) == 99


def test_commit_standing_decision_cancels_everything_and_names_what_stands(stores: Stores, world: World) -> None:
    log = stores.ports().decisions
    log.commit([samples.commit(samples.decision())])
    other_card = samples.commit(samples.decision(samples.accepted("t2", "c2")))
    again = samples.commit(samples.decision(samples.accepted(amount_minor=5)), expected_version=1)
    assert log.commit([other_card, again]) == Cancellation({"t1": samples.accepted().payload_hash})
    assert list(stores.decided()) == ["t1"]
    assert world.spent("c2") == (0, 0)


def test_commit_moved_card_cancels_everything_and_names_nothing(stores: Stores, world: World) -> None:
    log = stores.ports().decisions
    log.commit([samples.commit(samples.decision())])
    late = samples.commit(samples.decision(samples.accepted("t2")), expected_version=0)
    assert log.commit([late]) == Cancellation({})
    assert list(stores.decided()) == ["t1"]


def test_commit_version_of_an_absent_card_cancels(stores: Stores) -> None:
    commit = samples.commit(samples.decision(), expected_version=3)
    assert stores.ports().decisions.commit([commit]) == Cancellation({})
    assert stores.decided() == {}


def test_commit_follow_up_of_the_same_card_meets_the_raised_version(stores: Stores, world: World) -> None:
    log = stores.ports().decisions
    first = samples.commit(samples.decision())
    second = samples.commit(samples.decision(samples.accepted("t2")), expected_version=1, state=first.state)
    assert [log.commit([first]), log.commit([second])] == [None, None]
    assert world.spent("c1") == (2, 2000)


def test_commit_expired_decision_and_card_count_as_absent(stores: Stores, world: World) -> None:
    ports = stores.ports()
    ports.decisions.commit([samples.commit(samples.decision())])
    stores.clock.pass_by(RETENTION_DAYS * DAY)
    found = ports.state.read(["card#c1"]).entities["card#c1"]
    assert (found.state, found.version) == (windows.empty(entities.CARD), 1)
    again = samples.accepted(at=samples.NOW + RETENTION_DAYS * DAY, amount_minor=7)
    decision = samples.decision(again, decided_at=stores.clock())
    assert ports.decisions.commit([samples.commit(decision, expected_version=found.version)]) is None
    assert stores.decided()["t1"].amount_minor == 7
    assert world.spent("c1") == (1, 7)


def test_commit_optional_attributes_are_kept(stores: Stores) -> None:
    each = samples.accepted(channel="pos", country="DE", merchant_category="5411", arrived_at=samples.NOW - 400)
    decision = replace(samples.decision(each), score=0.25, model_package="arn", slot="a", served_by="a", epoch=3)
    stores.ports().decisions.commit([samples.commit(decision)])
    [recorded] = stores.stream()
    assert (recorded.at, recorded.slot, recorded.epoch) == (samples.NOW - 400, "a", 3)
