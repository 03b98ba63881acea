"""Row 32 of the fault table: answers to a rollout's question that are late, repeated, old, forged or one's own."""

from collections.abc import Callable

import pytest

from fraud.errors import FraudError, RolloutRefused, RolloutStopped, StoreUnavailable
from fraud.rollout import Stage
from tests.fakes.rollout_machine import PACKAGE, Machine, before_a_rollout, check_rolled_back, everything, meet
from tests.fakes.rollout_world import RolloutWorld, task

APPROVALS = ["before_traffic", "before_full"]
STEPS, SHARES = {"before_traffic": 0, "before_full": 1}, {"before_traffic": 50, "before_full": 100}


LONG = 1_500
"""Seconds to answer in that hold more than one look."""


def asked(approval: str = "before_full", seconds: int = 10) -> tuple[RolloutWorld, Machine, str]:
    """A machine that waits for an answer, and the question's id."""
    world = before_a_rollout(approval=approval, approval_seconds=seconds)
    machine = Machine(world).reach("answer")
    return world, machine, question(world)


def question(world: RolloutWorld) -> str:
    assert world.record.approval is not None
    return world.record.approval.request_id


def check_refused(world: RolloutWorld, answer: Callable[[], object], words: str) -> None:
    """The answer is refused in these words, and changes nothing."""
    before = everything(world)
    with pytest.raises(RolloutRefused, match=words):
        answer()
    assert everything(world) == before


@pytest.mark.parametrize("approval", APPROVALS)
def test_fault_32_approval_in_time_by_another_person_lets_it_go_on(approval: str) -> None:
    world, machine, request = asked(approval)
    assert world.steering.approve("grace", request).step == STEPS[approval]
    machine.finish()
    assert (world.serving(), world.record.stage) == (f"{PACKAGE}2", Stage.PROMOTED)
    world.check_nothing_lost()


@pytest.mark.parametrize("approval", APPROVALS)
def test_fault_32_approval_that_nobody_gave_is_rolled_back(approval: str) -> None:
    world, machine, _ = asked(approval)
    share = world.record.share_bps
    assert share == (5_000 if approval == "before_full" else 0)
    machine.finish()
    assert world.record.reason == "Nobody approved it within 10 s."
    check_rolled_back(world)


@pytest.mark.parametrize("late", [10, 11, 90_000])
def test_fault_32_late_answer_is_refused(late: float) -> None:
    world, _, request = asked()
    world.clock.pass_by(late)
    check_refused(world, lambda: world.steering.approve("grace", request), "too late")
    check_refused(world, lambda: world.steering.reject("grace", request, ""), "too late")


def test_fault_32_approval_after_the_machine_gave_up_is_refused() -> None:
    world, machine, request = asked()
    for name in ("answer", "judge"):
        assert machine.next == name
        machine.step()
        check_refused(world, lambda: world.steering.approve("grace", request), "too late")
    machine.step()
    check_refused(world, lambda: world.steering.approve("grace", request), "No rollout waits for an approval")
    machine.finish()
    check_refused(world, lambda: world.steering.approve("grace", request), "No rollout waits for an approval")


@pytest.mark.parametrize("by", ["grace", "hedy"])
def test_fault_32_second_approval_changes_nothing_while_the_machine_goes_on_and_is_refused_ever_after(by: str) -> None:
    world, machine, request = asked("before_traffic")
    world.steering.approve("grace", request)
    for name in ("answer", "judge", "shift"):
        assert machine.next == name
        before = everything(world)
        assert world.steering.approve(by, request).sentence == "Approved by grace."
        assert everything(world) == before
        machine.step()
    while machine.next is not None:
        check_refused(world, lambda: world.steering.approve(by, request), "No rollout waits")
        machine.step()
    check_refused(world, lambda: world.steering.approve(by, request), "No rollout waits")
    assert world.callbacks.resumed == [(machine.token, 0, "grace")]


@pytest.mark.parametrize("request_id", ["", "first/0", "second/7"])
def test_fault_32_answer_to_another_question_is_refused(request_id: str) -> None:
    world, _, request = asked()
    assert request_id != request
    check_refused(world, lambda: world.steering.approve("grace", request_id), "The question now is")
    check_refused(world, lambda: world.steering.reject("grace", request_id, ""), "The question now is")


@pytest.mark.parametrize("approval", APPROVALS)
def test_fault_32_question_asked_again_is_the_same_one_and_its_answer_reaches_who_waits_now(approval: str) -> None:
    world, machine, request = asked(approval, LONG)
    traffic, world.per_second = world.per_second, 0
    first = machine.token
    machine.reach("answer", visit=2)
    assert question(world) == request and machine.token != first
    assert [subject for subject, _ in world.bell.rung] == [f"A rollout asks: {SHARES[approval]} % for version 2?"]
    assert machine.call("shift", step=STEPS[approval])["next"] == "roll_back"
    world.steering.approve("grace", request)
    assert world.callbacks.resumed == [(machine.token, STEPS[approval], "grace")]
    world.per_second = traffic
    assert machine.finish().word == "released"
    assert world.record.stage is Stage.PROMOTED


@pytest.mark.parametrize("before", ["judge", "ask"])
@pytest.mark.parametrize("approval", APPROVALS)
def test_fault_32_approval_between_two_tokens_is_in_force(approval: str, before: str) -> None:
    world, machine, request = asked(approval, LONG)
    traffic, world.per_second = world.per_second, 0
    for _ in ("answer", "judge")[: 1 + (before == "ask")]:
        machine.step()
    assert machine.next == before
    assert world.steering.approve("grace", request).next == "approved"
    assert world.callbacks.resumed == []
    world.per_second, asked_at = traffic, world.clock()
    machine.reach("shift", visit=1 + STEPS[approval])
    assert world.clock() == asked_at
    machine.finish()
    assert world.record.stage is Stage.PROMOTED
    world.check_nothing_lost()


def test_fault_32_question_asked_again_gives_no_more_time_to_answer() -> None:
    world, machine, request = asked(seconds=LONG)
    since, world.per_second = world.clock(), 0
    machine.reach("restore")
    assert [word for task, word in machine.played if task == "answer"] == ["timeout"] * 3
    assert world.clock() == since + LONG
    check_refused(world, lambda: world.steering.approve("grace", request), "too late")
    machine.finish()
    check_rolled_back(world)


@pytest.mark.parametrize(("by", "words"), [("ada", "another person has to approve"), ("", "needs the name")])
def test_fault_32_approval_by_who_started_it_or_by_nobody_is_refused(by: str, words: str) -> None:
    world, _, request = asked()
    check_refused(world, lambda: world.steering.approve(by, request), words)


@pytest.mark.parametrize("approval", APPROVALS)
def test_fault_32_success_of_the_task_without_an_approval_shifts_nothing(approval: str) -> None:
    world, machine, _ = asked(approval)
    share = world.record.share_bps
    world.callbacks.resumed.append((machine.token, STEPS[approval], "forged"))
    assert machine.step() == "answered"
    assert machine.step() == "ask"
    answer = machine.call("shift", step=STEPS[approval])
    assert answer["next"] == "roll_back" and "needs a person's approval" in answer["sentence"]
    assert world.routing is not None and world.routing.share_bps == share
    machine.finish()
    assert world.record.reason == "Nobody approved it within 10 s."
    check_rolled_back(world)


@pytest.mark.parametrize("step", [0, 2, -1])
def test_fault_32_success_of_the_task_with_another_step_shifts_nothing(step: int) -> None:
    world, machine, request = asked()
    world.steering.approve("grace", request)
    before = world.routing
    assert machine.call("shift", step=step)["next"] == "roll_back"
    assert world.routing == before


def test_fault_32_approval_of_an_earlier_step_does_not_count_for_a_later_one() -> None:
    world, machine, request = asked("before_traffic")
    world.steering.approve("grace", request)
    machine.reach("judge", 2)
    assert machine.call("ask", step=1, token="first-1")["next"] == "asked"
    assert world.record.approval is not None and world.record.approval.approved_by is None
    check_refused(world, lambda: world.steering.approve("grace", request), "The question now is")


def test_fault_32_question_repeated_after_a_rejection_asks_nobody_and_stays_rolled_back() -> None:
    world, _, request = asked()
    world.steering.reject("grace", request, "not today")
    before = everything(world)
    with pytest.raises(RolloutStopped, match="Rejected by grace: not today"):
        world.steering.ask(task("ask", step=STEPS["before_full"], token="another"))
    assert everything(world) == before


def test_fault_32_lost_answer_to_the_resumption_is_said_again_by_the_same_words() -> None:
    world, machine, request = asked()
    meet(world, "before", "callbacks.resume", StoreUnavailable("SendTaskSuccess: ReadTimeoutError"))
    with pytest.raises(StoreUnavailable):
        world.steering.approve("grace", request)
    assert world.steering.approve("grace", request).next == "approved"
    machine.finish()
    assert world.record.stage is Stage.PROMOTED


CALLS = [("store.read", 1), ("store.save", 1), ("callbacks.resume", 1)]


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(("call", "nth"), CALLS)
def test_fault_32_rejection_at_any_call_of_an_approval_is_in_force_or_refused(call: str, nth: int, moment: str) -> None:
    world, machine, request = asked()
    said: list[str] = []

    def reject() -> None:
        try:
            said.append(world.steering.reject("hedy", request, "not yet").next)
        except FraudError as error:
            said.append(type(error).__name__)

    meet(world, moment, call, reject, nth)
    try:
        approved = world.steering.approve("grace", request).next == "approved"
    except FraudError:
        approved = False
    machine.finish()
    assert len(said) == 1
    assert world.record.stage is (Stage.ROLLED_BACK if said == ["rejected"] else Stage.PROMOTED)
    assert approved or said == ["rejected"]
    world.check_nothing_lost()


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize(
    ("call", "nth"), [("store.read", 1), ("store.read", 2), ("routing.read", 1), ("store.commit", 1)]
)
def test_fault_32_approval_at_any_call_of_a_rejection_goes_on_only_if_that_is_refused(
    call: str, nth: int, moment: str
) -> None:
    world, machine, request = asked()
    meet(world, moment, call, lambda: approve_or_not(world, request), nth)
    try:
        rejected = world.steering.reject("hedy", request, "not yet").next == "rejected"
    except FraudError:
        rejected = False
    machine.finish()
    assert world.record.stage is (Stage.ROLLED_BACK if rejected else Stage.PROMOTED)
    world.check_nothing_lost()


def approve_or_not(world: RolloutWorld, request: str) -> None:
    try:
        world.steering.approve("grace", request)
    except FraudError:
        return
