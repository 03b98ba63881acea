"""Stopping a rollout from outside its machine: alarms, people, and what an execution that ended leaves to be done."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fraud.errors import (
    DeploymentFailed,
    DeploymentInterrupted,
    ModelUnavailable,
    RollbackUnverified,
    RolloutMoved,
    StoreUnavailable,
)
from fraud.rollout import Stage
from fraud.rollout_task import Answer
from tests.fakes.rollout_world import RolloutWorld, events, task
from tests.fakes.rollouts import EXECUTION
from tests.fakes.samples import NOW
from tests.rollouts.stages import (
    FIRST,
    OTHER,
    SECOND,
    TOKEN,
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

TOLD = "The alarm fraud-slot-b-errors went off: 9 errors."
NOT_MEANT = Answer(next="ignored", sentence="No rollout that this is about is under way.")
NOT_TO_STOP = Answer(next="refused", sentence="No rollout is under way that could be stopped; a promoted one stays so.")
NOTHING_LEFT = Answer(next="ignored", sentence="It left nothing to be done.")
ENDED = "Its execution ended: TIMED_OUT."

World = Callable[[], RolloutWorld]


def alarm(world: RolloutWorld, slot: str = "b", at: float = NOW + 1) -> Answer:
    return world.aborting.on_alarm(slot, at, TOLD)


def end(world: RolloutWorld, execution: str = EXECUTION, cause: str = "") -> Answer:
    return world.aborting.on_end(execution, ENDED, cause)


# --- Alarms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [in_shadow, lambda: at_step(0), lambda: at_step(2), asked])
def test_alarm_of_the_challengers_slot_gives_every_card_back(world: World) -> None:
    standing = world()
    assert alarm(standing) == Answer(next="stopped", sentence=TOLD)
    assert (standing.record.stage, standing.record.reason) == (Stage.ROLLING_BACK, TOLD)
    assert standing.routing is not None and standing.routing.challenger is None
    assert standing.serving() == FIRST
    assert events(standing.record)[-1] == f"Rolled back: {TOLD}"


@pytest.mark.parametrize("slot", ["a", "", "c"])
def test_alarm_of_another_slot_is_not_meant(slot: str) -> None:
    world = at_step(1)
    with nothing_written(world):
        assert alarm(world, slot) == NOT_MEANT


@pytest.mark.parametrize("world", [RolloutWorld, deployed, promoted, restored])
def test_alarm_while_nothing_is_armed_is_not_meant(world: World) -> None:
    standing = world()
    with nothing_written(standing):
        assert alarm(standing) == NOT_MEANT


def test_alarm_that_is_told_late_and_was_about_an_earlier_challenger_is_not_meant() -> None:
    world = at_step(1)
    with nothing_written(world):
        assert alarm(world, at=NOW - 0.1) == NOT_MEANT
    assert alarm(world, at=NOW).next == "stopped"


def test_alarm_in_a_pause_counts() -> None:
    world = in_shadow()
    world.steering.pause("grace", "")
    assert alarm(world).next == "stopped"


def test_alarm_while_people_are_asked_interrupts_the_machine() -> None:
    world = asked()
    alarm(world)
    assert world.callbacks.interrupted == [(TOKEN, TOLD)]


def test_alarm_whose_interruption_was_lost_interrupts_when_told_again() -> None:
    world = asked()
    world.faults.before("callbacks.interrupt", 1, StoreUnavailable("SendTaskFailure: Throttling"))
    with pytest.raises(StoreUnavailable):
        alarm(world)
    with nothing_written(world):
        assert alarm(world) == NOT_MEANT
    assert world.callbacks.interrupted == [(TOKEN, TOLD)]


def test_alarm_after_the_question_was_answered_interrupts_nobody() -> None:
    world = asked()
    assert world.record.approval is not None
    world.steering.approve("grace", world.record.approval.request_id)
    world.shifting.shift(task("shift", step=2))
    assert alarm(world).next == "stopped"
    assert world.callbacks.interrupted == []


def test_alarm_told_again_changes_nothing_more() -> None:
    world = at_step(1)
    alarm(world)
    with nothing_written(world):
        assert alarm(world) == NOT_MEANT


def test_alarm_that_cannot_be_written_is_told_again() -> None:
    world = at_step(1)
    number = world.faults.count("store.commit") + 1
    world.faults.before("store.commit", number, StoreUnavailable("TransactWriteItems: Throttling"))
    with refused(world, StoreUnavailable, "Throttling"):
        alarm(world)
    assert alarm(world).next == "stopped"


# --- People -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "reason", "told"),
    [
        ("grace", "a bad feeling", "Stopped by grace: a bad feeling."),
        ("", "", "Stopped by somebody: no reason was given."),
    ],
)
def test_person_stops_a_rollout_in_their_words(by: str, reason: str, told: str) -> None:
    world = at_step(0)
    assert world.aborting.by_person(by, reason) == Answer(next="stopped", sentence=told)
    assert world.record.reason == told


@pytest.mark.parametrize("world", [deployed, in_shadow, asked, lambda: at_step(2)])
def test_person_may_stop_it_at_any_stage_before_promotion(world: World) -> None:
    standing = world()
    assert standing.aborting.by_person("grace", "").next == "stopped"
    assert standing.record.stage is Stage.ROLLING_BACK


def test_person_stops_the_rollout_that_they_name_and_no_other() -> None:
    world = at_step(0)
    with nothing_written(world):
        assert world.aborting.by_person("grace", "", "an earlier one") == NOT_TO_STOP
    assert world.aborting.by_person("grace", "", "first").next == "stopped"


@pytest.mark.parametrize("world", [RolloutWorld, promoted, restored])
def test_person_cannot_stop_what_is_decided(world: World) -> None:
    standing = world()
    with nothing_written(standing):
        assert standing.aborting.by_person("grace", "") == NOT_TO_STOP


# --- Executions that ended --------------------------------------------------------------------------------------------


def test_end_of_an_execution_under_way_is_tidied_up() -> None:
    world = at_step(1)
    assert end(world) == Answer(next="released", sentence=ENDED)
    record = world.record
    assert (record.stage, record.reason, record.verified, record.released) == (Stage.ROLLED_BACK, ENDED, True, True)
    assert world.serving() == FIRST
    assert set(world.endpoints.standing) == {"fraud-a"}
    told = f"Verified: {FIRST} serves alone in slot a; 0 decisions are counted since, none for the challenger."
    assert events(record)[-1] == told
    assert world.bell.rung == []
    with nothing_written(world):
        assert end(world) == NOTHING_LEFT


@pytest.mark.parametrize("world", [deployed, in_shadow, asked, lambda: at_step(2)])
def test_end_at_any_stage_leaves_the_champion_alone_and_the_lock_free(world: World) -> None:
    standing = world()
    assert end(standing).next == "released"
    assert standing.serving() == FIRST
    assert set(standing.endpoints.standing) == {"fraud-a"}
    assert standing.record.released


def test_end_of_the_first_models_rollout_leaves_no_endpoint() -> None:
    world = RolloutWorld()
    world.enlist()
    bring_up(lock(world, FIRST))
    assert end(world).next == "released"
    assert (world.routing, world.endpoints.standing) == (None, {})


def test_end_of_an_execution_that_promoted_only_tidies_up() -> None:
    world = promoted()
    assert end(world).next == "released"
    assert (world.serving(), set(world.endpoints.standing)) == (SECOND, {"fraud-b"})
    assert (world.record.stage, world.record.released, world.record.verified) == (Stage.PROMOTED, True, False)


@pytest.mark.parametrize(
    ("world", "sentence"), [(promoted, "Version 2 was promoted already."), (restored, "It was no good.")]
)
def test_end_says_what_it_was_in_a_sentence(world: World, sentence: str) -> None:
    assert end(world()).sentence == sentence


def test_end_of_an_execution_that_was_rolling_back_goes_on_from_there() -> None:
    world = restored("It was no good.")
    assert end(world) == Answer(next="released", sentence="It was no good.")
    assert (world.record.stage, world.record.verified) == (Stage.ROLLED_BACK, True)


def test_end_of_an_execution_that_verified_already_does_not_verify_again() -> None:
    world = restored()
    world.shifting.verify_rollback(task("verify_rollback"))
    world.scorer.asked.clear()
    assert end(world).next == "released"
    assert world.scorer.asked == []


@pytest.mark.parametrize("world", [RolloutWorld, lambda: at_step(1)])
def test_end_of_another_execution_is_not_meant(world: World) -> None:
    standing = world()
    with nothing_written(standing):
        assert end(standing, OTHER) == NOTHING_LEFT


def test_end_unverified_calls_a_person_and_keeps_the_lock() -> None:
    world = at_step(1)
    world.faults.before("scorer.score", world.faults.count("scorer.score") + 1, ModelUnavailable("ModelError"))
    with pytest.raises(RollbackUnverified):
        end(world)
    [(subject, message)] = world.bell.rung
    assert subject == "A rollback is not verified"
    assert message.startswith(
        f"{ENDED}\n\nThe execution is over, and it was not seen that the champion has all traffic"
    )
    assert "the champion's endpoint fraud-a does not answer: ModelError" in message
    assert (world.record.stage, world.record.released) == (Stage.ROLLING_BACK, False)
    assert world.routing is not None and world.routing.challenger is None
    assert set(world.endpoints.standing) == {"fraud-a", "fraud-b"}


def test_end_unverified_is_told_again_and_then_tidied_up() -> None:
    world = at_step(1)
    world.faults.before("scorer.score", world.faults.count("scorer.score") + 1, ModelUnavailable("ModelError"))
    with pytest.raises(RollbackUnverified):
        end(world)
    assert end(world) == Answer(next="released", sentence=ENDED)
    assert len(world.bell.rung) == 1


def test_end_with_an_endpoint_that_cannot_go_yet_tells_people_and_frees_the_lock() -> None:
    world = at_step(1)
    world.scaling.follow("fraud-a", 1, 2)
    world.scaling.hold("fraud-a")
    world.endpoints.lingering = 99
    assert end(world).next == "released"
    [(subject, message)] = world.bell.rung
    assert subject == "An endpoint is left"
    assert "fraud-a" not in world.scaling.held
    assert message.startswith("fraud-b serves nobody and could not be removed yet. It goes on costing money.")


def test_end_whose_removal_has_no_answer_keeps_the_lock_and_may_be_told_again() -> None:
    world = at_step(1)
    number = world.faults.count("endpoints.clear") + 1
    world.faults.before("endpoints.clear", number, DeploymentInterrupted("removing endpoint fraud-b: Throttling"))
    with pytest.raises(DeploymentInterrupted):
        end(world)
    assert (world.record.stage, world.record.released) == (Stage.ROLLED_BACK, False)
    assert (world.bell.rung, world.announcements.made) == ([], [])
    assert end(world).next == "released"


@pytest.mark.parametrize("world", [promoted, lambda: at_step(1)])
def test_end_whose_removal_is_refused_tells_people_and_frees_the_lock(world: World) -> None:
    standing = world()
    standing.faults.always("endpoints.clear", DeploymentFailed("removing its endpoint: AccessDenied"))
    assert end(standing).next == "released"
    [(subject, message)] = standing.bell.rung
    assert subject == "An endpoint is left"
    refusal = "removing its endpoint: AccessDenied"
    assert message.startswith(f"An endpoint that serves nobody could not be removed: {refusal}.")
    assert standing.record.released


# --- What is told of executions that ended ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("world", "stage", "told"),
    [
        (lambda: at_step(1), "rolled_back", ENDED),
        (restored, "rolled_back", "It was no good."),
        (promoted, "promoted", "Version 2 was promoted already."),
    ],
)
def test_end_announces_once_what_became_of_it_before_the_lock_is_free(world: World, stage: str, told: str) -> None:
    standing = world()
    standing.faults.calls.clear()
    assert end(standing).sentence == told
    assert standing.announcements.made == [("first", stage, told)]
    assert standing.faults.calls[-2:] == ["announcements.announce", "store.save"]
    assert end(standing) == NOTHING_LEFT
    assert len(standing.announcements.made) == 1


@pytest.mark.parametrize("world", [promoted, lambda: at_step(1)])
def test_end_that_cannot_be_announced_keeps_the_lock_and_is_told_again(world: World) -> None:
    standing = world()
    standing.faults.before("announcements.announce", 1, StoreUnavailable("PutEvents: Throttling"))
    with pytest.raises(StoreUnavailable):
        end(standing)
    assert not standing.record.released
    assert end(standing).next == "released"
    assert len(standing.announcements.made) == 1


@pytest.mark.parametrize("world", [RolloutWorld, lambda: at_step(1)])
def test_end_that_left_nothing_to_be_done_is_not_announced(world: World) -> None:
    standing = world()
    end(standing, OTHER)
    assert standing.announcements.made == []


@pytest.mark.parametrize("execution", [EXECUTION, OTHER])
def test_end_with_a_cause_rings_also_for_an_execution_that_left_nothing(execution: str) -> None:
    world = at_step(1)
    end(world, execution, "RolledBack The latency was no good.")
    told = f"{ENDED} RolledBack The latency was no good.\n\nExecution {execution}."
    assert world.bell.rung == [("A rollout did not promote its model", told)]


def test_end_without_a_cause_rings_nobody() -> None:
    world = at_step(1)
    end(world)
    assert world.bell.rung == []


def test_end_while_a_new_rollout_takes_over_is_told_again_and_then_leaves_it_alone() -> None:
    world = restored()
    world.clock.now = world.record.lease_until

    def rival() -> None:
        world.start.lock(task("lock", execution=OTHER, model_package_arn=SECOND))

    world.faults.before("store.save", world.faults.count("store.save") + 1, rival)
    with pytest.raises(RolloutMoved):
        end(world)
    with nothing_written(world):
        assert end(world) == NOTHING_LEFT
    assert world.record.owner == OTHER
