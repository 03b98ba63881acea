"""Whole rollouts: the machine as it is rendered, its functions as they are, and traffic that flows while it waits."""

from __future__ import annotations

from itertools import groupby
from typing import Any

import pytest

from fraud.decision import Score
from fraud.errors import DeploymentFailed, RolloutRefused
from fraud.rollout import Stage
from tests.fakes.rollout_machine import PACKAGE, Machine, everything, execution
from tests.fakes.rollout_world import RolloutWorld, events
from tests.state_machines.engine import Engine, Function, Run
from tests.state_machines.played import (
    Happening,
    announced,
    approve,
    at,
    beside,
    check_counted,
    check_only_endpoint,
    check_settled,
    empty_stack,
    guard,
    machine,
    nothing,
    promotions,
    stack,
    steps,
)

BEGINNING = ["Check the candidate", "Take the lock", "Bring up the endpoint", "Score the smoke vectors"]
SHADOW = ["Start the shadow", "Judge the shadow"]
SHIFT = ["Shift the traffic", "Verify the shift", "Judge the bake"]
BACK = [
    *["Restore the traffic", "Verify the rollback", "Remove the challenger"],
    *["Announce the rollback", "Release the lock after the rollback"],
]
HOUSEKEEPING = ["Remove the former champion", "Announce the promotion", "Release the lock"]
ALARM = "The alarm fraud-slot-b-errors went off: 12 > 1."


def check_promoted(world: RolloutWorld, run: Run, version: int = 3) -> None:
    """A version was promoted, once, and all is tidy."""
    assert (run.status, run.states[-1], run.published()) == ("SUCCEEDED", "Promoted", [])
    assert world.record.released
    assert (promotions(world), announced(run)) == ([version], ["Model Promoted"])
    check_settled(world, version)
    check_only_endpoint(world)


def check_rolled_back(world: RolloutWorld, run: Run, why: str) -> None:
    """The champion serves alone, all is tidy, and everybody is told why."""
    assert (run.status, run.error, run.published()) == ("FAILED", "RolledBack", [])
    [event] = run.events()
    assert (event["DetailType"], event["Detail"]["model_package_arn"]) == ("Rollout Rolled Back", f"{PACKAGE}3")
    assert run.cause == event["Detail"]["sentence"] == world.record.reason
    assert why in run.cause
    assert (world.record.released, world.record.verified) == (True, True)
    check_settled(world, 1)
    check_only_endpoint(world)
    assert ("clear", "fraud-a") not in guard(world).asked


# --- Forward ----------------------------------------------------------------------------------------------------------


def test_a_good_challenger_is_promoted_step_by_step_while_traffic_flows() -> None:
    world = stack(steps_bps=[2_000, 5_000])
    run = machine(world).run({})
    check_promoted(world, run)
    assert steps(run) == [*BEGINNING, *SHADOW, *SHIFT * 3, "Promote the challenger", *HOUSEKEEPING]
    assert world.routing is not None and world.routing.champion == "b"
    assert world.sent > 4 * sum(run.waits)


def test_a_good_challenger_gets_the_shares_of_the_plan_in_their_order() -> None:
    world, shares = stack(steps_bps=[2_000, 5_000]), [0]

    def look(world: RolloutWorld) -> None:
        assert world.routing is not None
        shares.append(world.routing.share_bps)

    machine(world, meanwhile=look).run({})
    # After the promotion there is no challenger any more.
    assert [share for share, _ in groupby(shares)] == [0, 2_000, 5_000, 10_000, 0]


def test_a_good_challenger_leaves_the_champion_s_endpoint_alone_until_it_serves_itself() -> None:
    world = stack()
    asked: list[tuple[str, str]] = []
    machine(world, meanwhile=at(Stage.PROMOTED, lambda _: asked.extend(guard(world).asked))).run({})
    assert [each for each in guard(world).asked if each[0] == "create"] == [("create", "fraud-b")]
    first = asked.index(("clear", "fraud-a"))
    assert guard(world).touched == [] and set(asked[:first]) == {("clear", "fraud-b"), ("create", "fraud-b")}


def test_a_promotion_is_announced_with_the_version_that_serves() -> None:
    world = stack()
    [event] = machine(world).run({}).events()
    assert event["Detail"] == {
        "rollout_id": "first",
        "execution": execution("first"),
        "sentence": "Version 3 serves as champion in slot b.",
        "model_package_arn": f"{PACKAGE}3",
    }


def test_a_plan_of_the_execution_s_own_is_followed() -> None:
    world = stack()
    given = {"model_package_arn": f"{PACKAGE}2", "plan": {"shadow_seconds": 0}, "started_by": "ada"}
    run = machine(world).run(given)
    check_promoted(world, run, 2)
    assert "Start the shadow" not in run.states and world.record.started_by == "ada"


@pytest.mark.parametrize("champion", [True, False])
def test_a_promotion_that_is_not_heard_of_stays_and_is_tidied_up_after(champion: bool) -> None:
    world = stack() if champion else empty_stack()
    commits = 4 if champion else 1
    world.faults.after("store.commit", commits, RuntimeError("the answer was lost"))
    run = machine(world).run({})
    check_promoted(world, run)
    assert steps(run)[-4:] == ["Restore the traffic", *HOUSEKEEPING]


def test_the_first_model_of_a_stack_serves_at_once() -> None:
    world = empty_stack()
    run = machine(world).run({})
    check_promoted(world, run)
    assert steps(run) == [*BEGINNING, "Serve the first model", *HOUSEKEEPING]
    assert world.routing is not None and (world.routing.epoch, world.routing.champion) == (1, "a")


def test_a_second_rollout_goes_back_to_the_slot_that_became_free() -> None:
    world = stack()
    machine(world).run({})
    world.enlist()
    assert machine(world, "second").run({}).states[-1] == "Promoted"
    assert promotions(world) == [3, 4]
    check_settled(world, 4)
    check_only_endpoint(world)
    assert world.routing is not None and world.routing.champion == "a"


def test_with_nothing_new_nothing_is_rolled_out() -> None:
    world = stack()
    machine(world).run({})
    before = everything(world)
    run = machine(world, "second").run({})
    assert (run.status, run.states[-1], run.calls) == ("SUCCEEDED", "Nothing to roll out", [])
    assert everything(world) == before


# --- Two at a time ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.CANARY, Stage.SOAK])
@pytest.mark.parametrize(
    ("given", "end", "status"),
    [({}, "Already under way", "SUCCEEDED"), ({"model_package_arn": f"{PACKAGE}2"}, "Refused", "FAILED")],
)
def test_a_second_start_is_turned_away_and_changes_nothing(
    given: dict[str, Any], end: str, status: str, stage: Stage
) -> None:
    world = stack()
    seconds: list[Run] = []

    def start_again(world: RolloutWorld) -> None:
        before = everything(world)
        with beside():
            seconds.append(machine(world, "second").run(given))
        assert everything(world) == before

    run = machine(world, meanwhile=at(stage, start_again)).run({})
    [second] = seconds
    assert (second.states[-1], second.status, second.calls) == (end, status, [])
    assert end != "Refused" or "Rollout first of version 3" in second.cause
    assert steps(run) == [*BEGINNING, *SHADOW, *SHIFT * 2, "Promote the challenger", *HOUSEKEEPING]
    check_promoted(world, run)


# --- Back -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.CANARY, Stage.SOAK])
def test_a_model_that_fails_is_rolled_back_in_words(stage: Stage) -> None:
    world = stack(soak_seconds=6)
    run = machine(world, meanwhile=at(stage, lambda _: world.scorer.break_down("fraud-b"))).run({})
    check_rolled_back(world, run, "without a score")
    assert steps(run)[-len(BACK) :] == BACK


def test_a_model_that_does_not_score_its_smoke_vectors_gets_no_traffic() -> None:
    world = stack()
    world.scorer.break_down("fraud-b")
    run = machine(world).run({})
    check_rolled_back(world, run, "does not score its smoke vectors")
    assert steps(run) == [*BEGINNING, *BACK]
    assert world.routing is not None and world.routing.epoch == 1


def test_a_model_that_blocks_too_much_is_stopped_in_the_shadow() -> None:
    gates = {"transactions": 4, "advisory": ["review_rate", "latency"]}
    world = stack(gates=gates, deadline_seconds=600)
    block = at(Stage.SHADOW, lambda _: world.scorer.answers.update({"fraud-b": lambda rows: [Score(0.99)] * len(rows)}))
    run = machine(world, meanwhile=block).run({})
    check_rolled_back(world, run, "blocks")
    assert "Shift the traffic" not in run.states
    assert {each.action for each in world.stores.decided().values()} == {"approve"}


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.CANARY, Stage.SOAK])
def test_an_alarm_gives_the_traffic_back_at_once_and_the_machine_tidies_up(stage: Stage) -> None:
    world = stack()
    shares: list[tuple[str | None, int]] = []

    def go_off(world: RolloutWorld) -> None:
        world.aborting.on_alarm("b", world.clock(), ALARM)
        assert world.routing is not None
        shares.append((world.routing.challenger, world.routing.share_bps))

    run = machine(world, meanwhile=at(stage, go_off)).run({})
    check_rolled_back(world, run, ALARM)
    assert shares == [(None, 0)]


def test_an_execution_that_fails_goes_back_and_says_what_failed() -> None:
    world = stack()
    world.faults.before("scorer.score", 1, RuntimeError("a mistake in the code"))
    run = machine(world).run({})
    check_rolled_back(world, run, "RuntimeError: a mistake in the code")
    assert "Explain the failure" in run.states


def test_a_rollout_that_traffic_leaves_is_rolled_back_at_its_deadline() -> None:
    world = stack()

    def fall_silent(world: RolloutWorld) -> None:
        world.per_second = 0

    run = machine(world, meanwhile=at(Stage.CANARY, fall_silent)).run({})
    check_rolled_back(world, run, "After 20 s in canary it cannot be told")


def test_a_rollback_that_is_not_seen_pages_a_person_and_keeps_the_lock() -> None:
    world = stack()

    def break_down(world: RolloutWorld) -> None:
        world.scorer.break_down("fraud-a")
        world.aborting.on_alarm("b", world.clock(), ALARM)

    run = machine(world, meanwhile=at(Stage.CANARY, break_down)).run({})
    assert (run.error, run.states[-2:]) == ("RollbackUnverified", ["Page a person", "Rollback unverified"])
    [(subject, message)] = run.published()
    assert subject == "Rollout: the rollback is not verified" and "fraud-a does not answer" in message
    assert (world.record.stage, world.record.released, run.events()) == (Stage.ROLLING_BACK, False, [])
    check_settled(world, 1)
    assert world.endpoints.standing.keys() == {"fraud-a", "fraud-b"}


def test_a_former_champion_that_refuses_to_go_is_left_to_a_person_and_the_new_one_serves() -> None:
    world = stack()
    refused = DeploymentFailed("AccessDenied")
    run = machine(world, meanwhile=at(Stage.SOAK, lambda _: world.faults.always("endpoints.clear", refused))).run({})
    assert (run.error, run.states[-2:]) == ("LeftUntidy", ["Page about the leftovers", "Left untidy"])
    [(subject, message)] = run.published()
    assert subject == "Rollout: something is left to tidy up" and "AccessDenied" in message
    assert (world.record.stage, run.events()) == (Stage.PROMOTED, [])
    check_settled(world, 3)
    assert world.endpoints.standing.keys() == {"fraud-a", "fraud-b"}


# --- People -----------------------------------------------------------------------------------------------------------


def test_a_pause_holds_the_rollout_and_resuming_lets_it_go_on() -> None:
    world = stack(pause_seconds=3_000)
    busy = world.per_second
    held: list[int] = []

    def hold(world: RolloutWorld) -> None:
        if world.record.stage is not Stage.CANARY or len(held) > 5:
            return
        if not held:
            world.steering.pause("grace", "lunch")
            world.per_second = 0
        assert world.routing is not None
        held.append(world.routing.share_bps)
        world.flow(20)
        if len(held) > 5:
            world.steering.resume("grace")
            world.per_second = busy

    run = machine(world, meanwhile=hold).run({})
    assert held == [5_000] * 6
    assert {"Paused by grace: lunch.", "Resumed by grace."} <= set(events(world.record))
    check_promoted(world, run)


def test_a_pause_that_nobody_ends_leads_back() -> None:
    world = stack(pause_seconds=10)
    run = machine(world, meanwhile=at(Stage.CANARY, lambda _: world.steering.pause("grace", ""))).run({})
    check_rolled_back(world, run, "longer than the plan allows")


@pytest.mark.parametrize(
    ("approval", "before"),
    [("before_traffic", [*BEGINNING, *SHADOW]), ("before_full", [*BEGINNING, *SHADOW, *SHIFT])],
)
def test_an_approval_lets_the_rollout_go_on_to_its_step(approval: str, before: list[str]) -> None:
    world = stack(approval=approval)
    run = machine(world, person=approve).run({})
    check_promoted(world, run)
    asked = steps(run).index("Ask for approval")
    assert (steps(run)[:asked], steps(run).count("Ask for approval")) == (before, 1)
    assert "Approved by grace." in events(world.record)
    assert [subject for subject, _ in world.bell.rung] == [
        f"A rollout asks: {50 if approval == 'before_traffic' else 100} % for version 3?"
    ]


def test_an_approval_that_nobody_gives_leads_back_when_its_time_is_over() -> None:
    world = stack(approval="before_full")
    run = machine(world).run({})
    check_rolled_back(world, run, "Nobody approved it within 10 s.")
    with pytest.raises(RolloutRefused):
        approve(world)


def test_an_approval_by_who_started_it_is_none() -> None:
    world = stack(approval="before_full")

    def approve_oneself(world: RolloutWorld) -> None:
        assert world.record.approval is not None
        with pytest.raises(RolloutRefused, match="another person"):
            world.steering.approve("ada", world.record.approval.request_id)

    run = machine(world, person=approve_oneself).run({"started_by": "ada"})
    check_rolled_back(world, run, "Nobody approved it")


def test_a_rejection_leads_back_and_says_whose_it_is() -> None:
    world = stack(approval="before_full")

    def reject(world: RolloutWorld) -> None:
        assert world.record.approval is not None
        world.steering.reject("grace", world.record.approval.request_id, "not on a Friday")

    run = machine(world, person=reject).run({})
    check_rolled_back(world, run, "Rejected by grace: not on a Friday.")
    assert run.states.count("Ask for approval") == 1


def test_an_alarm_wakes_a_rollout_that_waits_for_a_person() -> None:
    world = stack(approval="before_full")
    run = machine(world, person=lambda _: world.aborting.on_alarm("b", world.clock(), ALARM)).run({})
    check_rolled_back(world, run, ALARM)
    assert run.states.count("Ask for approval") == 1


def test_an_approval_of_the_second_question_lets_the_rollout_go_on_and_people_are_called_once() -> None:
    world = stack(approval="before_full", approval_seconds=2_000)
    requests: list[str] = []

    def approve_late(world: RolloutWorld) -> None:
        assert world.record.approval is not None
        requests.append(world.record.approval.request_id)
        world.per_second = 0 if len(requests) == 1 else 4
        if len(requests) == 2:
            approve(world)

    run = machine(world, person=approve_late).run({})
    check_promoted(world, run)
    assert len(requests) == 2 and len(set(requests)) == 1
    assert len(world.bell.rung) == 1


def test_a_gate_that_fails_while_a_person_is_asked_leads_back() -> None:
    world = stack(approval="before_full")
    run = machine(world, person=lambda world: world.scorer.break_down("fraud-b")).run({})
    check_rolled_back(world, run, "without a score")
    assert run.states.count("Ask for approval") == 1


def test_an_approval_does_not_outvote_a_gate() -> None:
    world = stack(approval="before_full")

    def break_down_and_approve(world: RolloutWorld) -> None:
        world.scorer.break_down("fraud-b")
        world.pass_by(5)
        approve(world)

    run = machine(world, person=break_down_and_approve).run({})
    check_rolled_back(world, run, "without a score")


@pytest.mark.parametrize("stage", [Stage.SHADOW, Stage.CANARY, Stage.SOAK])
def test_a_person_stops_a_rollout(stage: Stage) -> None:
    world = stack()
    run = machine(world, meanwhile=at(stage, lambda _: world.aborting.by_person("grace", "a bad feeling"))).run({})
    check_rolled_back(world, run, "Stopped by grace: a bad feeling.")


# --- Again ------------------------------------------------------------------------------------------------------------


Answers = list[dict[str, Any]]


def recorded(engine: Engine, answers: Answers) -> Engine:
    """Keep what the functions of an execution answer."""

    def keeping(function: Function) -> Function:
        def keep(event: dict[str, Any]) -> Any:
            answers.append(function(event))
            return answers[-1]

        return keep

    engine.functions = {name: keeping(function) for name, function in engine.functions.items()}
    return engine


def redriven(world: RolloutWorld, answers: Answers) -> Engine:
    """The same execution, which goes on where it was: what was answered before the stop is not asked again."""
    engine, left = machine(world), iter(answers)

    def going_on(function: Function) -> Function:
        return lambda event: next(left, None) or function(event)

    engine.functions = {name: going_on(function) for name, function in engine.functions.items()}
    engine.on_wait = lambda _: None
    return engine


FORWARD = [
    *["Bring up the endpoint", "Score the smoke vectors", "Start the shadow", "Judge the shadow", "Shift the traffic"],
    *["Verify the shift", "Judge the bake", "Promote the challenger", "Remove the former champion", "Release the lock"],
]
BACKWARD = [
    "Restore the traffic",
    "Verify the rollback",
    "Remove the challenger",
    "Release the lock after the rollback",
]


def tidied(world: RolloutWorld) -> None:
    """Its own end was told."""
    world.aborting.on_end(execution("first"), "Its execution ended: ABORTED.")


def newer_under_way(world: RolloutWorld) -> None:
    """Another execution took the lock."""
    Machine(world, "newer", 4).reach_look(Stage.CANARY)


def newer_promoted(world: RolloutWorld) -> None:
    """Another execution took the lock, and is over."""
    Machine(world, "newer", 4).finish()


@pytest.mark.parametrize("past", [tidied, newer_under_way, newer_promoted])
@pytest.mark.parametrize("state", [*FORWARD, *BACKWARD])
def test_an_execution_that_goes_on_after_its_rollout_is_over_changes_nothing(state: str, past: Happening) -> None:
    world = stack()
    answers: Answers = []
    fail = at(Stage.CANARY, lambda _: world.scorer.break_down("fraud-b"))
    stopped = recorded(machine(world, meanwhile=fail if state in BACKWARD else nothing), answers)
    stopped.stop_at(state, before=True)
    first = stopped.run({})
    assert first.states[-1] == state
    world.scorer.answers.clear()
    world.enlist()
    world.clock.now = world.record.lease_until + 1
    past(world)
    before = everything(world)
    run = redriven(world, answers).run({})
    # To release again what is its own and released is no mistake: it ends as it would have.
    by_itself = past is tidied and state.startswith("Release")
    end = ("Rolled back" if state in BACKWARD else "Promoted") if by_itself else "Superseded"
    # What was announced before the stop is played again, and nothing else is told.
    assert (run.states[-1], run.calls) == (end, first.calls)
    assert everything(world) == before
    assert guard(world).touched == []
    check_counted(world)
