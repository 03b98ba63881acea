"""What people say to a rollout: yes, no, wait, go on; what they are told; and who may say it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
from msgspec.structs import replace

from fraud.errors import RolloutMoved, RolloutRefused, RolloutStopped, RolloutSuperseded, StoreUnavailable
from fraud.rollout import ApprovalRequest, Stage
from fraud.rollout_task import Answer
from tests.fakes.faults import Watched
from tests.fakes.rollout_world import RolloutWorld, events, task
from tests.fakes.samples import NOW
from tests.rollouts.stages import (
    FIRST,
    OTHER,
    TOKEN,
    asked,
    at_step,
    deployed,
    in_shadow,
    nothing_written,
    promoted,
    refused,
    restored,
)

SLACK, LOOK = 15 * 60, 600
QUESTION = "May version 2 get 100 % of the cards?"


def request_id(world: RolloutWorld) -> str:
    assert world.record.approval is not None
    return world.record.approval.request_id


# --- The question -----------------------------------------------------------------------------------------------------


def test_ask_notes_the_question_and_its_token() -> None:
    world = at_step(1, approval="before_full", approval_seconds=500)
    world.clock.pass_by(40)
    revision = world.record.revision
    answer = world.steering.ask(task("ask", step=2, token=TOKEN))
    assert answer == Answer(next="asked", sentence=QUESTION, step=2)
    record = world.record
    assert record.approval == ApprovalRequest(
        request_id=f"first/{revision}", token=TOKEN, step=2, requested_at=NOW + 40, asked_since=NOW
    )
    assert (record.stage, record.step, record.since) == (Stage.APPROVAL, 1, NOW + 40)
    assert record.lease_until == NOW + 40 + LOOK + SLACK
    assert events(record)[-1] == QUESTION


def test_ask_tells_people_how_to_answer_and_never_the_token() -> None:
    world = asked(approval_seconds=5_000)
    [(subject, message)] = world.bell.rung
    assert subject == "A rollout asks: 100 % for version 2?"
    assert message == (
        f"{QUESTION}\n\nLook with `fraud rollout status`; answer with `fraud rollout approve` or `fraud rollout "
        "reject` within 5,000 s. Started by ada, who cannot approve."
    )
    assert TOKEN not in message


def test_ask_whose_bell_failed_rings_when_it_is_asked_again() -> None:
    world = at_step(1, approval="before_full")
    bell = Watched("bell", world.bell, world.faults.around)
    steering = dataclasses.replace(world.steering, bell=bell)  # type: ignore[arg-type]
    world.faults.before("bell.ring", 1, StoreUnavailable("Publish: Throttling"))
    with pytest.raises(StoreUnavailable):
        steering.ask(task("ask", step=2, token=TOKEN))
    steering.ask(task("ask", step=2, token="another"))
    assert len(world.bell.rung) == 1
    assert world.record.approval is not None and world.record.approval.token == "another"


def test_ask_leaves_the_cards_where_they_are() -> None:
    world = at_step(1, approval="before_full")
    before = world.routing
    world.steering.ask(task("ask", step=2, token=TOKEN))
    assert (world.routing, world.record.share_bps) == (before, 5_000)


def test_ask_again_waits_with_another_token_for_the_same_question() -> None:
    world = asked()
    question, rung = world.record.approval, list(world.bell.rung)
    world.clock.pass_by(600)
    world.callbacks.waiting = {"another"}
    world.steering.ask(task("ask", step=2, token="another"))
    assert question is not None and world.record.approval == replace(question, token="another")
    assert (world.bell.rung, world.record.lease_until) == (rung, NOW + 600 + LOOK + SLACK)
    world.steering.approve("grace", question.request_id)
    assert world.callbacks.resumed == [("another", 2, "grace")]


def test_ask_again_about_another_step_makes_the_earlier_question_worthless() -> None:
    world = asked(0)
    earlier = request_id(world)
    world.steering.ask(task("ask", step=1, token="another"))
    assert request_id(world) != earlier
    told = f"^The question now is {request_id(world)}, not {earlier}: look at it again.$"
    with refused(world, RolloutRefused, told):
        world.steering.approve("grace", earlier)


def test_ask_ends_a_pause_that_came_just_before_it() -> None:
    world = at_step(1, approval="before_full")
    world.steering.pause("grace", "")
    world.steering.ask(task("ask", step=2, token=TOKEN))
    assert (world.record.stage, world.record.paused_at, world.record.paused_by) == (Stage.APPROVAL, None, None)


def test_ask_of_a_stopped_rollout_asks_nobody() -> None:
    world = restored()
    with refused(world, RolloutStopped, "It was no good."):
        world.steering.ask(task("ask", step=2, token=TOKEN))
    with refused(world, RolloutSuperseded, "does not hold the lock"):
        world.steering.ask(task("ask", step=2, token=TOKEN, execution=OTHER))
    assert world.bell.rung == []


# --- Yes --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0, 2])
def test_approve_lets_the_machine_go_on_to_the_step(step: int) -> None:
    world = asked(step)
    answer = world.steering.approve("grace", request_id(world))
    assert answer == Answer(next="approved", sentence="Approved by grace.", step=step)
    assert world.callbacks.resumed == [(TOKEN, step, "grace")]
    assert events(world.record)[-1] == "Approved by grace."
    assert world.shifting.shift(task("shift", step=step)).next == "shifted"


def test_approve_by_the_one_who_started_it_is_refused() -> None:
    world = asked()
    with refused(world, RolloutRefused, "^ada started this rollout: another person has to approve it.$"):
        world.steering.approve("ada", request_id(world))
    assert world.callbacks.resumed == []


def test_approve_by_nobody_is_refused() -> None:
    world = asked()
    with refused(world, RolloutRefused, "^An approval needs the name of the one who gives it.$"):
        world.steering.approve("", request_id(world))
    assert world.callbacks.resumed == []


@pytest.mark.parametrize("world", [in_shadow, lambda: at_step(1), promoted, restored, RolloutWorld])
def test_answer_to_what_was_not_asked_is_refused(world: Callable[[], RolloutWorld]) -> None:
    standing = world()
    with refused(standing, RolloutRefused, "^No rollout waits for an approval now.$"):
        standing.steering.approve("grace", "first/9")
    with refused(standing, RolloutRefused, "^No rollout waits for an approval now.$"):
        standing.steering.reject("grace", "first/9", "")


def test_answer_after_the_time_for_it_is_refused() -> None:
    world = asked(approval_seconds=500)
    world.clock.pass_by(500)
    with refused(world, RolloutRefused, "^The answer comes too late: the time for it is over.$"):
        world.steering.approve("grace", request_id(world))
    with refused(world, RolloutRefused, "^The answer comes too late: the time for it is over.$"):
        world.steering.reject("grace", request_id(world), "")


def test_approve_in_the_last_moment_counts() -> None:
    world = asked(approval_seconds=500)
    world.clock.pass_by(499.9)
    assert world.steering.approve("grace", request_id(world)).next == "approved"


def test_approve_whose_resumption_was_lost_is_said_again_once_in_the_story() -> None:
    world = asked()
    world.faults.before("callbacks.resume", 1, StoreUnavailable("SendTaskSuccess: Throttling"))
    with pytest.raises(StoreUnavailable):
        world.steering.approve("grace", request_id(world))
    with nothing_written(world):
        world.steering.approve("grace", request_id(world))
    assert world.callbacks.resumed == [(TOKEN, 2, "grace")]
    assert events(world.record).count("Approved by grace.") == 1


def test_approve_by_another_person_meanwhile_names_the_first() -> None:
    world = asked()
    world.faults.before("callbacks.resume", 1, StoreUnavailable("SendTaskSuccess: Throttling"))
    with pytest.raises(StoreUnavailable):
        world.steering.approve("grace", request_id(world))
    assert world.steering.approve("mary", request_id(world)).sentence == "Approved by grace."
    assert world.callbacks.resumed == [(TOKEN, 2, "grace")]


def test_approve_twice_tells_the_second_who_was_first() -> None:
    world = asked()
    world.steering.approve("grace", request_id(world))
    record = world.record
    assert world.steering.approve("mary", request_id(world)).sentence == "Approved by grace."
    assert (world.record, len(world.callbacks.resumed)) == (record, 1)


def test_approve_between_two_tokens_is_given_to_the_next_one() -> None:
    world = asked()
    world.callbacks.waiting.clear()
    assert world.steering.approve("grace", request_id(world)).next == "approved"
    assert world.callbacks.resumed == []
    world.callbacks.waiting = {"another"}
    world.steering.ask(task("ask", step=2, token="another"))
    assert world.callbacks.resumed == [("another", 2, "grace")]


def test_approve_is_noted_before_the_machine_hears_of_it() -> None:
    world = asked()
    world.faults.calls.clear()
    world.steering.approve("grace", request_id(world))
    assert world.faults.calls == ["store.read", "store.save", "callbacks.resume"]


def test_approve_leaves_the_lease_to_the_owner() -> None:
    """The machine may still wait for as long as it was allowed to: what is said to it may be lost."""
    world = asked(approval_seconds=5_000)
    lease = world.record.lease_until
    world.steering.approve("grace", request_id(world))
    assert world.record.lease_until == lease == NOW + LOOK + SLACK


def test_approve_slower_than_an_abort_is_refused_when_said_again() -> None:
    world = asked()
    question = request_id(world)
    number = world.faults.count("store.save") + 1
    world.faults.before("store.save", number, lambda: world.aborting.by_person("mary", "a bad feeling"))
    with pytest.raises(RolloutMoved):
        world.steering.approve("grace", question)
    with refused(world, RolloutRefused, "No rollout waits for an approval now."):
        world.steering.approve("grace", question)
    assert world.callbacks.resumed == []


# --- No ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("by", "reason", "told"),
    [
        ("grace", "too many reviews", "Rejected by grace: too many reviews."),
        ("ada", "", "Rejected by ada: no reason was given."),
        ("", "", "Rejected by somebody: no reason was given."),
    ],
)
def test_reject_gives_every_card_back_and_interrupts_the_machine(by: str, reason: str, told: str) -> None:
    world = asked()
    assert world.steering.reject(by, request_id(world), reason) == Answer(next="rejected", sentence=told)
    assert (world.record.stage, world.record.reason) == (Stage.ROLLING_BACK, told)
    assert world.routing is not None and world.routing.challenger is None
    assert world.serving() == FIRST
    assert world.callbacks.interrupted == [(TOKEN, told)]


def test_reject_of_another_question_is_refused() -> None:
    world = asked()
    with refused(world, RolloutRefused, "not first/1: look at it again"):
        world.steering.reject("grace", "first/1", "")


def test_reject_that_an_approval_overtakes_does_not_say_that_it_was_heard() -> None:
    world = asked()
    question = request_id(world)
    number = world.faults.count("store.read") + 2
    world.faults.before("store.read", number, lambda: world.steering.approve("mary", question))
    with pytest.raises(RolloutMoved):
        world.steering.reject("grace", question, "too many reviews")
    assert world.callbacks.interrupted == []
    assert world.steering.reject("grace", question, "too many reviews").next == "rejected"
    assert world.record.stage is Stage.ROLLING_BACK


def test_reject_whose_interruption_was_lost_wakes_the_machine_when_said_again() -> None:
    world = asked()
    question = request_id(world)
    world.faults.before("callbacks.interrupt", 1, StoreUnavailable("SendTaskFailure: Throttling"))
    with pytest.raises(StoreUnavailable):
        world.steering.reject("grace", question, "too many reviews")
    told = "Rejected by grace: too many reviews."
    with nothing_written(world):
        assert world.steering.reject("grace", question, "once more") == Answer(next="rejected", sentence=told)
    assert world.callbacks.interrupted == [(TOKEN, told)]


def test_reject_twice_interrupts_once() -> None:
    world = asked()
    question = request_id(world)
    first = world.steering.reject("grace", question, "too many reviews")
    with nothing_written(world):
        assert world.steering.reject("mary", question, "the same") == first
    assert len(world.callbacks.interrupted) == 1


def test_reject_slower_than_an_alarm_says_what_the_alarm_said() -> None:
    world = asked()
    question = request_id(world)
    number = world.faults.count("store.read") + 2
    world.faults.before("store.read", number, lambda: world.aborting.on_alarm("b", NOW + 1, "The alarm went off."))
    with pytest.raises(RolloutMoved):
        world.steering.reject("grace", question, "too many reviews")
    with nothing_written(world):
        assert world.steering.reject("grace", question, "too many reviews").sentence == "The alarm went off."


def test_reject_of_a_question_that_did_not_stand_at_the_rollback_is_refused() -> None:
    """It was approved, and the step taken; what led back came later."""
    world = asked()
    question = request_id(world)
    world.steering.approve("grace", question)
    world.shifting.shift(task("shift", step=2))
    world.aborting.by_person("mary", "a bad feeling")
    with refused(world, RolloutRefused, "^No rollout waits for an approval now.$"):
        world.steering.reject("hedy", question, "")


def test_reject_of_another_question_after_the_rollback_is_refused() -> None:
    world = asked()
    world.steering.reject("grace", request_id(world), "")
    with refused(world, RolloutRefused, "^No rollout waits for an approval now.$"):
        world.steering.reject("grace", "first/1", "")


def test_reject_after_the_lock_is_free_is_refused() -> None:
    world = asked()
    question = request_id(world)
    world.steering.reject("grace", question, "")
    world.shifting.release(task("release"))
    with refused(world, RolloutRefused, "^No rollout waits for an approval now.$"):
        world.steering.reject("grace", question, "")


# --- Wait, and go on --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("world", [in_shadow, lambda: at_step(0), lambda: at_step(2)])
def test_pause_holds_the_rollout_where_it_is(world: Callable[[], RolloutWorld]) -> None:
    standing = world()
    lease, before = standing.record.lease_until, standing.routing
    standing.clock.pass_by(7)
    told = "Paused by grace: lunch."
    assert standing.steering.pause("grace", "lunch") == Answer(next="paused", sentence=told)
    record = standing.record
    assert (record.paused_at, record.paused_by, record.lease_until) == (NOW + 7, "grace", lease)
    assert events(record)[-1] == told
    assert standing.routing == before


def test_pause_repeated_does_not_begin_again() -> None:
    world = in_shadow()
    world.steering.pause("grace", "")
    world.clock.pass_by(5)
    with nothing_written(world):
        assert world.steering.pause("grace", "").next == "paused"


def test_pause_by_nobody_is_by_somebody() -> None:
    world = in_shadow()
    assert world.steering.pause("", "").sentence == "Paused by somebody."
    assert world.record.paused_by == "somebody"


def test_resume_adds_the_pause_up() -> None:
    world = in_shadow()
    for seconds in (30, 12):
        world.steering.pause("grace", "")
        world.clock.pass_by(seconds)
        assert world.steering.resume("mary") == Answer(next="resumed", sentence="Resumed by mary.")
    record = world.record
    assert (record.paused_at, record.paused_by, record.paused_seconds) == (None, None, 42)
    assert events(record)[-1] == "Resumed by mary."


def test_resume_of_what_is_not_paused_is_refused() -> None:
    world = in_shadow()
    with refused(world, RolloutRefused, "^The rollout is not paused.$"):
        world.steering.resume("grace")


@pytest.mark.parametrize(
    ("world", "stage"),
    [
        (deployed, "deploying"),
        (asked, "approval"),
        (promoted, "promoted"),
        (restored, "rolling_back"),
        (RolloutWorld, "not under way"),
    ],
)
def test_pause_and_resume_of_what_cannot_be_paused_are_refused(world: Callable[[], RolloutWorld], stage: str) -> None:
    standing = world()
    told = f"^The rollout is {stage}: only shadow, canary and soak can be paused.$"
    with refused(standing, RolloutRefused, told):
        standing.steering.pause("grace", "")
    with refused(standing, RolloutRefused, "^The rollout is not paused.$"):
        standing.steering.resume("grace")


@pytest.mark.parametrize("stage", [Stage.DEPLOYING, Stage.APPROVAL])
def test_resume_of_a_pause_is_heard_in_any_stage(stage: Stage) -> None:
    world = in_shadow()
    world.steering.pause("grace", "")
    world.records.save(world.record, stage=stage)
    assert world.steering.resume("mary").next == "resumed"
    assert world.record.paused_at is None


def test_pause_of_a_released_rollout_is_refused() -> None:
    world = restored()
    world.shifting.release(task("release"))
    with refused(world, RolloutRefused, "The rollout is not under way:"):
        world.steering.pause("grace", "")


def test_pause_and_resume_of_a_rollout_that_is_not_the_one_named_are_refused() -> None:
    world = in_shadow()
    told = "^Rollout an earlier one is over; first took its place.$"
    with refused(world, RolloutRefused, told):
        world.steering.pause("grace", "", "an earlier one")
    with refused(world, RolloutRefused, told):
        world.steering.resume("grace", "an earlier one")
    assert world.steering.pause("grace", "", "first").next == "paused"
    assert world.steering.resume("grace", "first").next == "resumed"


def test_pause_slower_than_a_look_is_said_again() -> None:
    world = in_shadow()
    number = world.faults.count("store.save") + 1
    world.faults.before("store.save", number, lambda: world.judging.judge(task("judge")))
    with pytest.raises(RolloutMoved):
        world.steering.pause("grace", "")
    assert world.steering.pause("grace", "").next == "paused"
