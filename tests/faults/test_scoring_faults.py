"""Rows 1 to 6, 10, 19 to 21 of the fault table: one decision per transaction, whatever happens around the write."""

import pytest

from fraud.errors import StoreUnavailable
from tests.fakes import history, samples
from tests.fakes.faults import Crash
from tests.fakes.samples import record
from tests.fakes.world import Stores, World, in_memory

THROTTLED = StoreUnavailable("TransactWriteItems: ThrottlingException")
COMMIT = "decisions.commit"


def test_fault_01_same_record_twice_in_a_batch_is_decided_once(world: World) -> None:
    records = [record(1, samples.payload()), record(2, samples.payload())]
    assert world.score(records) == []
    history.check(world, records)
    assert world.reports[0].repeated == 1


def test_fault_01_same_record_in_a_later_batch_is_decided_once(world: World) -> None:
    records = [record(1, samples.payload()), record(2, samples.payload())]
    assert world.score(records[:1]) == []
    first = world.stores.decided()["t1"]
    world.clock.pass_by(60)
    assert world.score(records[1:]) == []
    history.check(world, records)
    assert world.stores.decided()["t1"] == first
    assert (world.reports[1].repeated, world.reports[1].decided) == (1, [])


def test_fault_02_same_id_with_other_payload_in_a_batch_is_quarantined(world: World) -> None:
    records = [record(1, samples.payload()), record(2, samples.payload(amount_minor=5))]
    assert world.score(records) == []
    assert world.stores.decided()["t1"].amount_minor == 1000
    assert world.stores.quarantined() == {("transactions", "00002"): "id_reused"}
    history.check(world, records)


def test_fault_02_same_id_with_other_payload_in_a_later_batch_is_quarantined(world: World) -> None:
    records = [record(1, samples.payload()), record(2, samples.payload(card="c2", amount_minor=5))]
    assert world.score(records[:1]) == []
    assert world.score(records[1:]) == []
    assert world.stores.decided()["t1"].card_token == "c1"
    assert world.stores.quarantined() == {("transactions", "00002"): "id_reused"}
    assert world.spent("c2") == (0, 0)
    history.check(world, records)


def test_fault_02_conflict_with_a_first_that_failed_is_delivered_again_not_quarantined(world: World) -> None:
    """Otherwise the conflict could be decided after all, once the first is given up, and lie in both places."""
    records = [record(1, samples.payload()), record(2, samples.payload(amount_minor=5))]
    world.faults.always(COMMIT, THROTTLED)
    assert world.score(records) == ["00001", "00002"]
    assert world.stores.quarantined() == {}


def test_fault_03_crash_before_the_write_is_retried_to_one_decision(world: World) -> None:
    records = [record(1, samples.payload())]
    world.faults.before(COMMIT, 1, Crash())
    with pytest.raises(Crash):
        world.score(records)
    assert world.stores.decided() == {}
    assert world.score(records) == []
    history.check(world, records)


def test_fault_04_crash_after_the_write_returns_the_stored_decision(world: World) -> None:
    records = [record(1, samples.payload())]
    world.faults.after(COMMIT, 1, Crash())
    with pytest.raises(Crash):
        world.score(records)
    first = world.stores.decided()
    assert list(first) == ["t1"]
    assert world.score(records) == []
    assert world.stores.decided() == first
    assert world.reports[0].repeated == 1
    history.check(world, records)


def test_fault_04_lost_answer_to_the_write_returns_the_stored_decision(world: World) -> None:
    records = [record(1, samples.payload()), record(2, samples.payload("t2"))]
    world.faults.after(COMMIT, 1, StoreUnavailable("TransactWriteItems: ReadTimeoutError"))
    assert world.score(records) == []
    assert world.reports[0].repeated == 2
    history.check(world, records)


def test_fault_05_two_handlers_with_the_same_id_decide_it_once(world: World) -> None:
    records = [record(1, samples.payload())]
    other = World(world.stores)
    world.faults.before(COMMIT, 1, lambda: other.score(records))
    assert world.score(records) == []
    assert (len(other.reports[0].decided), len(world.reports[0].decided)) == (1, 0)
    assert world.reports[0].repeated == 1
    history.check(world, records)


def test_fault_05_two_handlers_with_one_card_count_both(world: World) -> None:
    records = [record(1, samples.payload("t1")), record(2, samples.payload("t2"))]
    other = World(world.stores)
    world.faults.before(COMMIT, 1, lambda: other.score(records[1:]))
    assert world.score(records[:1]) == []
    history.check(world, records)
    assert world.spent("c1") == (2, 2000)


def test_fault_05_two_handlers_with_a_known_card_count_both(world: World) -> None:
    records = [record(number, samples.payload(f"t{number}")) for number in range(3)]
    assert world.score(records[:1]) == []
    other = World(world.stores)
    world.faults.before(COMMIT, 2, lambda: other.score(records[2:]))
    assert world.score(records[1:2]) == []
    history.check(world, records)


def test_fault_05_overlapping_batches_of_several_cards_are_decided_once(world: World) -> None:
    records = [record(number, samples.payload(f"t{number}", f"c{number % 3}")) for number in range(9)]
    other = World(world.stores)
    world.faults.before(COMMIT, 1, lambda: other.score(records[3:7]))
    assert world.score(records) == []
    history.check(world, records)


def test_fault_06_transient_failure_mid_batch_reports_the_lowest_failed_first(world: World) -> None:
    """Fifty cards fill the first transaction; every later one fails."""
    records = [record(number, samples.payload(f"t{number}", f"c{number}")) for number in range(55)]
    for number in range(2, 30):
        world.faults.before(COMMIT, number, THROTTLED)
    assert world.score(records) == [each.sequence_number for each in records[50:]]
    assert len(world.stores.decided()) == 50


def test_fault_06_records_after_the_failed_ones_are_not_counted_again() -> None:
    world = in_memory()
    records = [record(number, samples.payload(f"t{number}", f"c{number % 51}")) for number in range(60)]
    for number in [1, *range(3, 60)]:
        world.faults.before(COMMIT, number, THROTTLED)
    failed = world.score(records)
    assert failed[0] == "00000"
    again = World(world.stores)
    assert 0 < len(world.stores.decided()) < 60
    assert again.score(records) == []
    assert again.reports[0].repeated == 60 - len(again.reports[0].decided)
    history.check(again, records)


def test_fault_10_quarantine_that_fails_is_not_acknowledged(world: World) -> None:
    records = [record(1, samples.payload()), record(2, b"{"), record(3, samples.payload("t3"))]
    world.faults.before("quarantine.put", 1, StoreUnavailable("PutObject: SlowDown"))
    assert world.score(records) == ["00002"]
    assert set(world.stores.decided()) == {"t1", "t3"}
    assert world.score(records[1:]) == []
    history.check(world, records)


def test_fault_10_quarantine_of_a_conflict_that_fails_is_not_acknowledged(world: World) -> None:
    records = [record(1, samples.payload()), record(2, samples.payload(amount_minor=5))]
    assert world.score(records[:1]) == []
    world.faults.before("quarantine.put", 1, StoreUnavailable("PutObject: SlowDown"))
    assert world.score(records[1:]) == ["00002"]
    assert world.score(records[1:]) == []
    history.check(world, records)


def test_fault_10_crash_before_the_quarantine_loses_nothing(world: World) -> None:
    records = [record(1, b"{"), record(2, samples.payload())]
    world.faults.before("quarantine.put", 1, Crash())
    with pytest.raises(Crash):
        world.score(records)
    assert world.score(records) == []
    history.check(world, records)


def test_fault_19_throttled_write_is_retried_within_the_invocation(world: World) -> None:
    records = [record(1, samples.payload())]
    world.faults.before(COMMIT, 1, THROTTLED)
    world.faults.before(COMMIT, 2, THROTTLED)
    assert world.score(records) == []
    history.check(world, records)


def test_fault_19_lasting_throttle_is_reported_and_nothing_is_half_written(world: World) -> None:
    records = [record(number, samples.payload(f"t{number}", f"c{number}")) for number in range(3)]
    world.faults.always(COMMIT, THROTTLED)
    assert world.score(records) == ["00000", "00001", "00002"]
    assert world.stores.decided() == {}
    assert world.spent("c0") == (0, 0)


def test_fault_19_throttled_read_is_retried_then_reported(world: World) -> None:
    records = [record(1, samples.payload())]
    world.faults.before("state.read", 1, StoreUnavailable("BatchGetItem: ThrottlingException"))
    assert world.score(records) == []
    history.check(world, records)
    world.faults.always("state.read", StoreUnavailable("BatchGetItem: ThrottlingException"))
    assert world.score([record(2, samples.payload("t2"))]) == ["00002"]


def test_fault_20_hot_card_that_moves_under_every_write_is_counted_exactly(world: World) -> None:
    records = [record(number, samples.payload(f"t{number}")) for number in range(6)]
    others = [World(world.stores) for _ in range(3)]
    for number, other in enumerate(others):
        late = records[3 + number]
        world.faults.before(COMMIT, number + 1, lambda other=other, late=late: other.score([late]))  # type: ignore[misc]
    assert world.score(records[:3]) == []
    assert world.reports[0].cancelled == 3
    history.check(world, records)


def test_fault_20_card_that_moves_between_two_cuts_of_its_group_is_counted_exactly() -> None:
    """The second cut expects the version that the first would have written; here another writer wrote it."""
    world = in_memory()
    records = [record(number, samples.payload(f"t{number}")) for number in range(101)]
    other = World(world.stores)
    world.faults.before(COMMIT, 1, lambda: other.score(records[100:]))
    assert world.score(records[:100]) == []
    history.check(world, records)


def test_fault_20_card_of_a_hundred_transactions_is_committed_in_two_cuts(world: World) -> None:
    records = [record(number, samples.payload(f"t{number}")) for number in range(100)]
    assert world.score(records) == []
    assert world.reports[0].transactions == 2
    history.check(world, records)


def test_fault_20_crash_between_two_cuts_of_a_card_is_counted_exactly() -> None:
    world = in_memory()
    records = [record(number, samples.payload(f"t{number}")) for number in range(100)]
    world.faults.before(COMMIT, 2, Crash())
    with pytest.raises(Crash):
        world.score(records)
    assert world.score(records) == []
    history.check(world, records)


def test_fault_21_expired_decision_not_yet_deleted_is_treated_as_absent(stores: Stores) -> None:
    world = World(stores)
    assert world.score([record(1, samples.payload())]) == []
    stores.expire_later()
    again = record(2, samples.payload(amount_minor=7, at=stores.clock()), arrived_at=stores.clock())
    assert world.score([again]) == []
    assert stores.decided()["t1"].amount_minor == 7
    assert stores.quarantined() == {}


def test_fault_21_expired_card_not_yet_deleted_is_treated_as_absent(stores: Stores) -> None:
    world = World(stores)
    assert world.score([record(1, samples.payload("t1"))]) == []
    stores.expire_later()
    # Late: on the day of the first transaction, whose tiles would still count.
    assert world.score([record(2, samples.payload("t2"), arrived_at=stores.clock())]) == []
    assert world.spent("c1") == (1, 1000)
