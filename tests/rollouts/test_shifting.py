"""Every move of the routing item: what it says afterwards, when it is refused, and that it may be repeated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fraud.errors import FraudError, RolloutMoved, RolloutStopped, RolloutSuperseded, StoreUnavailable
from fraud.rollout import Stage
from fraud.rollout_task import Answer
from fraud.routing import Routing
from tests.fakes.rollout_world import RolloutWorld, events, task
from tests.fakes.samples import NOW
from tests.rollouts.stages import (
    FIRST,
    OTHER,
    SECOND,
    asked,
    at_step,
    bring_up,
    deployed,
    in_shadow,
    lock,
    nothing_written,
    promoted,
    refused,
    restored,
)

SLACK = 15 * 60


def do(world: RolloutWorld, name: str, **fields: Any) -> Answer:
    answer: Answer = getattr(world.shifting, name)(task(name, **fields))
    return answer


def shares(world: RolloutWorld) -> tuple[int, str, str | None, int, int]:
    """Epoch, champion, challenger, its share and its share of the shadow."""
    now = world.routing
    assert now is not None
    return now.epoch, now.champion, now.challenger, now.share_bps, now.shadow_bps


def first_model() -> RolloutWorld:
    world = RolloutWorld()
    world.enlist()
    return bring_up(lock(world, FIRST))


# --- The first model --------------------------------------------------------------------------------------------------


def test_serve_first_serves_every_card_at_once() -> None:
    world = first_model()
    answer = Answer(next="served", sentence="Version 1 serves as champion in slot a.")
    assert do(world, "serve_first") == answer
    assert world.routing == Routing(1, "steady", "a", None, 0, "salt-1", {"a": world.record.served})
    assert (world.record.stage, world.record.epoch) == (Stage.PROMOTED, 1)
    assert events(world.record)[-1] == answer.sentence
    with nothing_written(world):
        assert do(world, "serve_first") == answer


def test_serve_first_write_whose_answer_was_lost_is_answered_when_asked_again() -> None:
    world = first_model()
    world.faults.after("store.commit", 1, StoreUnavailable("TransactWriteItems: ReadTimeoutError"))
    with pytest.raises(StoreUnavailable):
        do(world, "serve_first")
    assert do(world, "serve_first").next == "served"


def test_serve_first_beside_a_champion_is_stopped() -> None:
    world = first_model()
    rival = Routing(1, "steady", "b", None, 0, "other", {"b": replace(world.record.served, endpoint="fraud-b")})
    world.stores.set_routing(rival)
    with refused(world, RolloutStopped, "A champion serves already: this rollout took the stack for one without"):
        do(world, "serve_first")


def test_serve_first_slower_than_a_rival_moves_nothing() -> None:
    world = first_model()
    rival = Routing(1, "steady", "b", None, 0, "other", {"b": replace(world.record.served, endpoint="fraud-b")})
    world.faults.before("store.commit", 1, lambda: world.stores.set_routing(rival))
    with pytest.raises(RolloutMoved):
        do(world, "serve_first")
    assert (world.routing, world.record.stage) == (rival, Stage.DEPLOYING)


# --- Shadow -----------------------------------------------------------------------------------------------------------


def test_shadow_has_cards_scored_and_none_served() -> None:
    world = deployed(shadow_cards_bps=2_500)
    world.clock.pass_by(100)
    answer = Answer(next="shadowing", wait_seconds=10)
    assert do(world, "shadow") == answer
    assert shares(world) == (2, "a", "b", 0, 2_500)
    record = world.record
    assert (record.stage, record.step, record.since, record.epoch) == (Stage.SHADOW, None, NOW + 100, 2)
    assert record.lease_until == NOW + 100 + 10 + SLACK
    assert events(record)[-1] == "The challenger scores 25 % of cards in the shadow."
    with nothing_written(world):
        assert do(world, "shadow") == answer


def test_shadow_shorter_than_a_look_is_looked_at_at_its_end() -> None:
    assert do(deployed(shadow_seconds=3), "shadow").wait_seconds == 3


def test_shadow_takes_a_new_salt() -> None:
    world = in_shadow()
    assert world.routing is not None and world.routing.salt == "salt-1"


# --- Shift ------------------------------------------------------------------------------------------------------------


def test_shift_gives_the_share_of_the_step_and_ends_the_shadow() -> None:
    world = in_shadow()
    world.clock.pass_by(30)
    answer = Answer(next="shifted", step=0, wait_seconds=10)
    assert do(world, "shift", step=0) == answer
    assert shares(world) == (3, "a", "b", 2_000, 0)
    record = world.record
    assert (record.stage, record.step, record.since, record.epoch) == (Stage.CANARY, 0, NOW + 30, 3)
    assert record.lease_until == NOW + 30 + 10 + SLACK
    assert events(record)[-1] == "The challenger gets 20 %."
    with nothing_written(world):
        assert do(world, "shift", step=0) == answer


def test_shift_keeps_the_salt_so_that_cards_stay_where_they_are() -> None:
    world = at_step(1)
    assert world.routing is not None and (world.routing.salt, world.routing.share_bps) == ("salt-1", 5_000)


def test_shift_to_all_cards_is_the_soak() -> None:
    world = at_step(2)
    assert shares(world) == (5, "a", "b", 10_000, 0)
    assert (world.record.stage, world.record.step) == (Stage.SOAK, 2)
    with nothing_written(world):
        assert do(world, "shift", step=2).next == "shifted"


def test_shift_in_a_plan_without_a_shadow_begins_with_traffic() -> None:
    world = deployed(shadow_seconds=0)
    do(world, "shift", step=0)
    assert shares(world) == (2, "a", "b", 2_000, 0)
    assert world.routing is not None and world.routing.slots["b"] == world.record.served


def test_shift_begins_a_stage_without_the_pauses_and_verdicts_of_the_last() -> None:
    world = in_shadow()
    world.alarms.move("b", "errors", "OK", NOW)
    world.judging.judge(task("judge"))
    world.steering.pause("grace", "")
    world.clock.pass_by(5)
    world.steering.resume("grace")
    assert world.record.paused_seconds == 5 and world.record.verdicts
    do(world, "shift", step=0)
    assert (world.record.paused_seconds, world.record.verdicts) == (0, ())


def test_shift_that_a_pause_overtook_changes_nothing_until_it_is_resumed() -> None:
    world = in_shadow()
    world.steering.pause("grace", "")
    record, routing = world.record, world.routing
    answer = do(world, "shift", step=0)
    assert (answer.next, answer.wait_seconds) == ("paused", world.record.plan.look_seconds)
    assert (world.record, world.routing) == (record, routing)
    world.steering.resume("grace")
    assert do(world, "shift", step=0).next == "shifted"


def test_promote_that_a_pause_overtook_changes_nothing_until_it_is_resumed() -> None:
    world = at_step(2)
    world.steering.pause("grace", "an incident")
    record, routing = world.record, world.routing
    assert do(world, "promote").next == "paused"
    assert (world.record, world.routing) == (record, routing)
    world.steering.resume("grace")
    assert do(world, "promote").next == "promoted"


def test_shift_without_a_pause_begins_none() -> None:
    world = in_shadow()
    do(world, "shift", step=0)
    assert (world.record.paused_at, world.record.paused_seconds) == (None, 0)


@pytest.mark.parametrize(
    ("world", "step", "words"),
    [
        (in_shadow, 1, "Step 1 was asked for, and step 0 is due."),
        (lambda: at_step(0), 2, "Step 2 was asked for, and step 1 is due."),
        (lambda: at_step(1), 0, "Step 0 was asked for, and step 2 is due."),
        (lambda: in_shadow(approval="before_traffic"), 0, "Step 0 needs a person's approval, and has none."),
        (lambda: at_step(1, approval="before_full"), 2, "Step 2 needs a person's approval, and has none."),
        (asked, 2, "Step 2 needs a person's approval, and has none."),
    ],
)
def test_shift_that_is_not_due_is_stopped(world: Callable[[], RolloutWorld], step: int, words: str) -> None:
    standing = world()
    with refused(standing, RolloutStopped, f"^{words}$"):
        do(standing, "shift", step=step)


def test_shift_after_approval_goes_on() -> None:
    world = asked()
    question = world.record.approval
    assert question is not None
    world.steering.approve("grace", question.request_id)
    assert do(world, "shift", step=2).next == "shifted"
    assert world.record.stage is Stage.SOAK


def test_shift_whose_answer_was_lost_is_answered_when_asked_again() -> None:
    world = in_shadow()
    world.faults.after("store.commit", 2, StoreUnavailable("TransactWriteItems: ReadTimeoutError"))
    with pytest.raises(StoreUnavailable):
        do(world, "shift", step=0)
    with nothing_written(world):
        assert do(world, "shift", step=0).next == "shifted"


def test_shift_slower_than_an_abort_moves_nothing() -> None:
    world = in_shadow()
    world.faults.before("store.commit", 2, lambda: world.aborting.by_person("grace", "a bad feeling"))
    with pytest.raises(RolloutMoved):
        do(world, "shift", step=0)
    assert shares(world)[2:] == (None, 0, 0)
    with pytest.raises(RolloutStopped, match="Stopped by grace: a bad feeling"):
        do(world, "shift", step=0)


# --- Verify -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("step", "percent"), [(0, "20"), (1, "50"), (2, "100")])
def test_verify_reads_the_share_back(step: int, percent: str) -> None:
    world = at_step(step)
    told = f"Read back: slot b has {percent} % of the cards."
    with nothing_written(world):
        assert do(world, "verify", step=step) == Answer(next="verified", sentence=told, step=step, wait_seconds=10)


@pytest.mark.parametrize("fields", [{"epoch": 4}, {"share_bps": 2_001}, {"challenger": None}])
def test_verify_routing_item_that_says_otherwise_is_stopped(fields: dict[str, Any]) -> None:
    world = at_step(0)
    assert world.routing is not None
    world.stores.set_routing(replace(world.routing, **fields))
    told = "^The routing item of epoch . gives slot .* basis points, and not, as of epoch 3, slot b 2000.$"
    with refused(world, RolloutStopped, told):
        do(world, "verify", step=0)


# --- Promotion --------------------------------------------------------------------------------------------------------


def test_promote_makes_the_challenger_the_champion() -> None:
    world = at_step(2)
    world.clock.pass_by(60)
    answer = Answer(next="promoted", sentence="Version 2 serves as champion in slot b.")
    assert do(world, "promote") == answer
    assert shares(world) == (6, "b", None, 0, 0)
    assert world.routing is not None and set(world.routing.slots) == {"b"}
    assert (world.record.stage, world.record.since, world.record.epoch) == (Stage.PROMOTED, NOW + 60, 6)
    assert world.record.lease_until == NOW + 60 + SLACK
    assert events(world.record)[-1] == answer.sentence
    with nothing_written(world):
        assert do(world, "promote") == answer


@pytest.mark.parametrize(
    ("world", "stage"),
    [(deployed, "deploying"), (in_shadow, "shadow"), (lambda: at_step(1), "canary"), (asked, "approval")],
)
def test_promote_before_full_traffic_is_stopped(world: Callable[[], RolloutWorld], stage: str) -> None:
    standing = world()
    with refused(standing, RolloutStopped, f"A challenger is promoted from full traffic, not from {stage}."):
        do(standing, "promote")


@pytest.mark.parametrize(("step", "name", "then"), [(1, "shift", "shifted"), (2, "promote", "promoted")])
def test_move_that_a_pause_overtakes_at_the_write_is_held_up(step: int, name: str, then: str) -> None:
    world = at_step(step)
    number = world.faults.count("store.commit") + 1
    world.faults.before("store.commit", number, lambda: world.steering.pause("grace", ""))
    with pytest.raises(RolloutMoved):
        do(world, name, step=2)
    with nothing_written(world):
        assert do(world, name, step=2) == Answer(next="paused", sentence="Paused by grace.", wait_seconds=10)
    world.steering.resume("grace")
    assert do(world, name, step=2).next == then


def test_shift_that_took_effect_before_a_pause_is_answered_when_asked_again() -> None:
    world = at_step(0)
    world.steering.pause("grace", "")
    with nothing_written(world):
        assert do(world, "shift", step=0).next == "shifted"


def test_promote_slower_than_an_alarm_is_stopped() -> None:
    world = at_step(2)
    world.faults.before("store.commit", 5, lambda: world.aborting.on_alarm("b", NOW + 1, "The alarm went off."))
    with pytest.raises(RolloutMoved):
        do(world, "promote")
    with refused(world, RolloutStopped, "The alarm went off."):
        do(world, "promote")
    assert world.serving() == FIRST


# --- Restoring --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [in_shadow, lambda: at_step(1), lambda: at_step(2), asked])
def test_restore_gives_every_card_back(world: Callable[[], RolloutWorld]) -> None:
    standing = world()
    epoch = standing.record.epoch
    answer = Answer(next="restored", sentence="It was no good.")
    assert do(standing, "restore", sentence="It was no good.") == answer
    assert shares(standing) == (epoch + 1, "a", None, 0, 0)
    assert (standing.record.stage, standing.record.reason) == (Stage.ROLLING_BACK, "It was no good.")
    assert standing.record.epoch == epoch + 1
    assert events(standing.record)[-1] == "Rolled back: It was no good."
    with nothing_written(standing):
        assert do(standing, "restore", sentence="Something else.") == answer


@pytest.mark.parametrize("world", [deployed, first_model])
def test_restore_before_any_traffic_leaves_the_routing_item_alone(world: Callable[[], RolloutWorld]) -> None:
    standing = world()
    before = standing.routing
    assert do(standing, "restore", sentence="It was no good.").next == "restored"
    assert (standing.routing, standing.record.stage) == (before, Stage.ROLLING_BACK)


def test_restore_of_what_an_alarm_stopped_keeps_the_alarms_reason() -> None:
    world = at_step(0)
    world.aborting.on_alarm("b", NOW + 1, "The alarm went off.")
    with nothing_written(world):
        assert do(world, "restore", sentence="Interrupted.") == Answer(next="restored", sentence="The alarm went off.")


def test_restore_after_promotion_is_too_late() -> None:
    world = promoted()
    with nothing_written(world):
        assert do(world, "restore", sentence="A timeout.") == Answer(
            next="promoted", sentence="Version 2 serves as champion in slot b."
        )


@pytest.mark.parametrize(
    ("execution", "why"),
    [
        (OTHER, "this execution does not hold the lock, and must change nothing."),
        ("", "this rollout is over: It was no good."),
    ],
)
def test_restore_by_another_execution_or_afterwards_is_superseded(execution: str, why: str) -> None:
    world = restored()
    if not execution:
        do(world, "release")
    with nothing_written(world):
        fields = {"execution": execution} if execution else {}
        answer = do(world, "restore", sentence="A timeout.", **fields)
    assert answer == Answer(next="superseded", sentence=f"A timeout. Nothing was to be restored: {why}")


@pytest.mark.parametrize(
    ("sentence", "reason"),
    [
        ('ModelUnavailable: {"errorMessage": "no answer", "errorType": "X"}', "ModelUnavailable: no answer"),
        ("{not json", "{not json"),
        ('{"Error": "States.Timeout"}', "States.Timeout: no cause was given"),
        ('{"Error": "E", "Cause": "{\\"errorMessage\\": \\"no answer\\"}"}', "E: no answer"),
        ('{"Error": "E", "Cause": ""}', "E: no cause was given"),
        ('{"Error": "E", "Cause": null}', "E: no cause was given"),
        ('{"Error": "E", "Cause": "no {answer}"}', "E: no {answer}"),
        ('{"Error": "E", "Cause": "{\\"stackTrace\\": []}"}', 'E: {"stackTrace": []}'),
        ('{"Cause": "no answer"}', '{"Cause": "no answer"}'),
        ('{"other": 1}', '{"other": 1}'),
        ("[1]: {1}", "[1]: {1}"),
        ("x" * 2_000, "x" * 1_000),
        ('E: {"errorMessage": "' + "y" * 2_000 + '"}', "E: " + "y" * 997),
    ],
)
def test_restore_tells_an_error_in_words(sentence: str, reason: str) -> None:
    world = in_shadow()
    assert do(world, "restore", sentence=sentence).sentence == reason


# --- Release ----------------------------------------------------------------------------------------------------------


def test_release_frees_the_lock_and_says_who_serves() -> None:
    world = promoted()
    told = "Version 2 serves as champion in slot b."
    answer = Answer(next="released", sentence=told, model_package_arn=SECOND)
    assert do(world, "release") == answer
    assert world.record.released
    with nothing_written(world):
        assert do(world, "release") == answer


def test_release_after_a_rollback_says_why() -> None:
    world = restored()
    assert do(world, "release") == Answer(next="released", sentence="It was no good.", model_package_arn=SECOND)


def test_release_keeps_the_record_in_the_history() -> None:
    world = promoted()
    do(world, "release")
    [past] = world._store.past.values()  # type: ignore[attr-defined]
    assert past == world.record


def test_release_of_another_executions_lock_is_superseded() -> None:
    world = promoted()
    with refused(world, RolloutSuperseded, "this execution does not hold the lock"):
        do(world, "release", execution=OTHER)


# --- Any of them ------------------------------------------------------------------------------------------------------

MOVES = [("shadow", -1), ("shift", 0), ("verify", 0), ("promote", -1), ("serve_first", -1)]


@pytest.mark.parametrize(("name", "step"), MOVES)
@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({}, RolloutStopped, "It was no good."),
        ({"execution": OTHER}, RolloutSuperseded, "this execution does not hold the lock, and must change nothing."),
    ],
)
def test_moves_of_a_rollout_that_is_rolled_back_or_anothers_are_refused(
    name: str, step: int, fields: dict[str, Any], kind: type[FraudError], words: str
) -> None:
    world = restored()
    with refused(world, kind, f"^{words}$"):
        do(world, name, step=step, **fields)


@pytest.mark.parametrize(("name", "step"), [("shadow", -1), ("shift", 0), ("verify", 0)])
def test_moves_of_a_promoted_rollout_are_refused(name: str, step: int) -> None:
    world = promoted()
    with refused(world, RolloutStopped, "^The rollout is promoted already.$"):
        do(world, name, step=step)


@pytest.mark.parametrize(("name", "step"), [("shadow", -1), ("shift", 0), ("verify", 0)])
def test_moves_without_a_routing_item_are_stopped(name: str, step: int) -> None:
    world = deployed(shadow_seconds=0) if name != "verify" else at_step(0)
    world.stores.memory.routing = None  # type: ignore[attr-defined]
    with refused(world, RolloutStopped, "There is no routing item any more."):
        do(world, name, step=step)


def test_moves_before_any_rollout_are_superseded() -> None:
    with pytest.raises(RolloutSuperseded):
        do(RolloutWorld().with_champion(), "shadow")
