"""Rolling back: in one write, against everybody else's, and only done when it is seen to be in force."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from fraud.decision import Score
from fraud.errors import ModelUnavailable, RollbackUnverified, RolloutMoved, RolloutSuperseded, StoreUnavailable
from fraud.rollout import Stage
from fraud.rollout_task import Answer
from fraud.services.rollback import FIRST_DECISION
from tests.fakes.rollout_world import RolloutWorld, events, task
from tests.fakes.samples import NOW
from tests.rollouts.stages import (
    FIRST,
    OTHER,
    at_step,
    bring_up,
    in_shadow,
    lock,
    locked,
    nothing_written,
    promoted,
    refused,
    restored,
)

VERIFIED = Answer(next="verified", sentence="It was no good.")


def verify(world: RolloutWorld, **fields: Any) -> Answer:
    return world.shifting.verify_rollback(task("verify_rollback", **fields))


# --- Stopping ---------------------------------------------------------------------------------------------------------


def test_stop_of_nothing_stops_nothing() -> None:
    assert RolloutWorld().with_champion().rollback.stop(lambda _: True, "Why.") is None


@pytest.mark.parametrize("world", [promoted, restored])
def test_stop_of_what_is_decided_stops_nothing(world: Any) -> None:
    standing = world()
    with nothing_written(standing):
        assert standing.rollback.stop(lambda _: True, "Why.") is None


def test_stop_of_what_is_not_meant_stops_nothing() -> None:
    world = at_step(0)
    with nothing_written(world):
        assert world.rollback.stop(lambda _: False, "Why.") is None


def test_stop_takes_the_challenger_out_at_once() -> None:
    world = at_step(1)
    stopped = world.rollback.stop(lambda each: each.step == 1, "Why.")
    assert stopped == world.record
    assert (stopped.stage, stopped.reason, stopped.epoch) == (Stage.ROLLING_BACK, "Why.", 5)
    assert world.routing is not None and (world.routing.challenger, set(world.routing.slots)) == (None, {"a"})


def test_stop_ends_a_pause() -> None:
    world = in_shadow()
    world.steering.pause("grace", "")
    world.rollback.stop(lambda _: True, "Why.")
    assert world.record.paused_at is None


def changing(world: RolloutWorld, times: int) -> None:
    """Somebody else changes the record just before each of the next commits."""
    done = world.faults.count("store.commit")
    for number in range(times):
        world.faults.before("store.commit", done + number + 1, lambda: world._store.save(world.record))


def test_stop_tries_again_while_somebody_else_changes_the_record() -> None:
    world = at_step(0)
    changing(world, 7)
    stopped = world.rollback.stop(lambda _: True, "Why.")
    assert stopped is not None and world.record.stage is Stage.ROLLING_BACK


def test_stop_waits_a_little_longer_before_every_further_try() -> None:
    world, waits = at_step(0), list[float]()
    changing(world, 3)
    assert replace(world.rollback, sleep=waits.append).stop(lambda _: True, "Why.") is not None
    assert waits == pytest.approx([0.05, 0.1, 0.15])


def test_stop_does_not_try_for_ever() -> None:
    world = at_step(0)
    changing(world, 8)
    with pytest.raises(RolloutMoved):
        world.rollback.stop(lambda _: True, "Why.")
    assert world.record.stage is Stage.CANARY


def test_stop_looks_again_whether_the_rollout_is_meant_still() -> None:
    """The owner shifts in the middle of the stop, and then it is not meant any more."""
    world = at_step(0)
    number = world.faults.count("store.commit") + 1
    world.faults.before("store.commit", number, lambda: world.shifting.shift(task("shift", step=1)))
    assert world.rollback.stop(lambda each: each.step == 0, "Why.") is None
    assert world.record.step == 1


def test_stop_of_unknown_outcome_is_told_again() -> None:
    world = at_step(0)
    world.faults.after("store.commit", world.faults.count("store.commit") + 1, StoreUnavailable("TransactWriteItems"))
    with pytest.raises(StoreUnavailable):
        world.rollback.stop(lambda _: True, "Why.")
    with nothing_written(world):
        assert world.rollback.stop(lambda _: True, "Why.") is None
    assert world.record.reason == "Why."


# --- Verifying --------------------------------------------------------------------------------------------------------


def test_verify_rollback_is_in_force_when_the_champion_decides_alone() -> None:
    world = restored()
    world.pass_by(10)
    assert verify(world) == VERIFIED
    assert (world.record.stage, world.record.verified) == (Stage.ROLLED_BACK, True)
    told = f"Verified: {FIRST} serves alone in slot a; 40 decisions are counted since, none for the challenger."
    assert events(world.record)[-1] == told
    assert world.record.lease_until == NOW + 10 + 15 * 60
    with nothing_written(world):
        assert verify(world) == VERIFIED


def test_verify_rollback_before_anything_was_decided_since() -> None:
    world = restored()
    verify(world)
    assert events(world.record)[-1].endswith("; 0 decisions are counted since, none for the challenger.")


def busy() -> RolloutWorld:
    """The traffic is restored, and there was some before; no time passes by itself."""
    world = at_step(0)
    world.pass_by(2)
    world.shifting.restore(task("restore", sentence="It was no good."))
    return world


def test_verify_rollback_waits_for_the_first_decision_since() -> None:
    world = busy()
    since, world.per_second = world.clock(), 0
    world.on_second = lambda: world.flow(3 * (world.clock() == since + 4))
    assert verify(world) == VERIFIED
    assert world.clock() == since + 4
    assert events(world.record)[-1].endswith("; 3 decisions are counted since, none for the challenger.")


def test_verify_rollback_believes_traffic_that_ended_after_a_while() -> None:
    world = busy()
    since, world.per_second = world.clock(), 0
    assert verify(world) == VERIFIED
    assert world.clock() == since + FIRST_DECISION
    assert events(world.record)[-1].endswith("; 0 decisions are counted since, none for the challenger.")


def test_verify_rollback_waits_no_longer_than_the_first_decision() -> None:
    world = busy()
    world.flow(1)
    since = world.clock()
    assert verify(world) == VERIFIED
    assert world.clock() == since


def test_verify_rollback_first_decision_by_the_challenger_is_unverified() -> None:
    world = busy()
    world.per_second, world.on_second = 0, lambda: challenged(world)
    with pytest.raises(RollbackUnverified, match=r"^2 decisions were routed to the challenger after the rollback$"):
        verify(world)
    assert not world.record.verified


def challenged(world: RolloutWorld) -> None:
    world.stores.memory.counters[4, "b", 3] = {"transactions": 2}  # type: ignore[attr-defined]


def test_verify_rollback_of_the_first_model_needs_no_champion() -> None:
    world = RolloutWorld()
    world.enlist()
    bring_up(lock(world, FIRST))
    world.shifting.restore(task("restore", sentence="It was no good."))
    assert verify(world) == VERIFIED
    assert events(world.record)[-1] == "No model served before, and none does."


def test_verify_rollback_counts_no_transactions_of_earlier_epochs() -> None:
    world = at_step(1)
    world.pass_by(10)
    assert world.stores.counters()
    world.shifting.restore(task("restore", sentence="It was no good."))
    assert verify(world) == VERIFIED


@pytest.mark.parametrize("fields", [{"challenger": "b", "share_bps": 2_000}, {"challenger": "b"}, {"share_bps": 2_000}])
def test_verify_rollback_routing_item_that_still_names_the_challenger_is_unverified(fields: dict[str, Any]) -> None:
    world = restored()
    assert world.routing is not None
    world.stores.set_routing(replace(world.routing, **fields))
    with refused(world, RollbackUnverified, "the routing item of epoch 4 still gives slot "):
        verify(world)


def test_verify_rollback_decision_by_the_challenger_since_is_unverified() -> None:
    world = restored()
    challenged(world)
    with refused(world, RollbackUnverified, "^2 decisions were routed to the challenger after the rollback$"):
        verify(world)


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (ModelUnavailable("ModelError"), "the champion's endpoint fraud-a does not answer: ModelError"),
        (None, "the champion's endpoint fraud-a gives no score"),
    ],
)
def test_verify_rollback_champion_that_does_not_score_is_unverified(score: Any, words: str) -> None:
    world = restored()

    def answer(rows: object) -> list[Score | None]:
        if isinstance(score, ModelUnavailable):
            raise score
        return [score]

    world.scorer.answers["fraud-a"] = answer
    with refused(world, RollbackUnverified, f"^{words}$"):
        verify(world)


def test_verify_rollback_that_failed_may_be_repeated() -> None:
    world = restored()
    world.faults.before("scorer.score", world.faults.count("scorer.score") + 1, ModelUnavailable("ModelError"))
    with pytest.raises(RollbackUnverified):
        verify(world)
    assert verify(world) == VERIFIED


def test_verify_rollback_of_another_execution_is_refused() -> None:
    world = restored()
    with refused(world, RolloutSuperseded, "does not hold the lock"):
        verify(world, execution=OTHER)


def test_verify_rollback_before_any_endpoint_is_verified_by_the_champion() -> None:
    world = locked()
    world.shifting.restore(task("restore", sentence="It was no good."))
    assert verify(world) == VERIFIED
    assert world.scorer.asked == ["fraud-a"]
