"""Counters are by epoch, slot and card bucket, and a slot is charged for what it left to others."""

from fraud import rollout_counters, routing
from tests.fakes import memory, samples


def test_additions_count_a_decision_for_the_slot_its_card_was_routed_to() -> None:
    decision = samples.decision(samples.accepted(), slot="b", served_by="a", degraded=True, epoch=3)
    [(key, added)] = rollout_counters.additions([memory.recorded(decision, "1")]).items()
    card = decision.accepted.transaction.card_token
    assert key == (3, "b", routing.bucket(card))
    assert (added["transactions"], added["degraded"]) == (1, 1)
