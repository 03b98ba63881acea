"""The invariant, checked over a whole history.

Every accepted record is decided or quarantined, never both; one decision per id; counters are those of the unique
accepted transactions.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable

from fraud import transaction
from fraud.errors import InvalidTransaction
from fraud.intake import StreamRecord
from fraud.transaction import Accepted
from tests.fakes.world import MemoryStores, World


def check(world: World, records: Iterable[StreamRecord]) -> None:
    """Check everything the stream has ever carried against what is stored.

    Raises:
        AssertionError: something is lost, counted twice, or in two places.
    """
    decided, quarantined = world.stores.decided(), world.stores.quarantined()
    for record in records:
        accepted = _parse(record)
        aside = ("transactions", record.sequence_number) in quarantined
        if accepted is None:
            assert aside, f"lost: invalid record {record.sequence_number}"
            continue
        decision = decided.get(accepted.transaction.transaction_id)
        assert decision is not None, f"lost: {accepted.transaction.transaction_id}"
        stands = decision.payload_hash == accepted.payload_hash
        assert stands != aside, f"decided and quarantined, or neither: {accepted.transaction.transaction_id}"
    _check_writes(world)
    _check_cards(world)


def _check_writes(world: World) -> None:
    if isinstance(world.stores, MemoryStores):
        again = {key: times for key, times in Counter(world.stores.memory.written).items() if times > 1}
        assert not again, f"decided more than once: {again}"


def _check_cards(world: World) -> None:
    expected: dict[str, list[int]] = defaultdict(list)
    for each in world.stores.decided().values():
        expected[each.card_token].append(each.amount_minor)
    for card, amounts in expected.items():
        assert world.spent(card) == (len(amounts), sum(amounts)), f"card {card} is counted wrongly"


def check_projected(world: World) -> None:
    """Check that every decision is marked, and counted once at its terminal and in the rollout counters."""
    decided = world.stores.decided()
    assert all(each.projected for each in decided.values())
    for terminal, times in Counter(each.terminal_id for each in decided.values()).items():
        assert world.visits(terminal)[0] == times, f"terminal {terminal} is counted wrongly"
    counted = world.counted()
    assert counted.get("transactions", 0) == len(decided)
    assert counted.get("amount_minor", 0) == sum(each.amount_minor for each in decided.values())
    for action, times in Counter(each.action for each in decided.values()).items():
        assert counted.get(action) == times


def _parse(record: StreamRecord) -> Accepted | None:
    try:
        return transaction.parse(record.payload, sequence_number=record.sequence_number, arrived_at=record.arrived_at)
    except InvalidTransaction:
        return None
