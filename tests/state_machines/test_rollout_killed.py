"""Executions stopped at every state of the machine, with the functions as they are: one model serves, and all is tidy.

A person or an outage may end an execution at any moment. EventBridge then tells `abort_rollout`; if even that is lost,
the lease runs out and the next start takes over.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from fraud.aws.announcements import DETAIL_TYPES
from fraud.errors import DeploymentFailed, FraudError, RollbackUnverified
from fraud.rollout import Rollout, Stage
from tests.fakes.rollout_machine import PACKAGE, Machine, everything, execution
from tests.fakes.rollout_world import RolloutWorld
from tests.state_machines.committed import STATES
from tests.state_machines.engine import Engine, Run
from tests.state_machines.played import (
    Happening,
    announced,
    approve,
    at,
    check_only_endpoint,
    check_settled,
    empty_stack,
    machine,
    nothing,
    promotions,
    serving,
    stack,
    standing,
)

ENDED = "Its execution ended: ABORTED."
SENTENCE = "The alarm fraud-slot-b-errors went off: 12 > 1."
PROMOTING = {"Promote the challenger", "Serve the first model"}
"""States with which the challenger becomes the champion."""
MOMENTS = ["before", "after"]
BREAK = 60
"""Seconds after which scoring asks an endpoint again that was broken down."""


@dataclass(frozen=True)
class Way:
    """How an execution comes by some states.

    Args:
        states: those that are tried on this way.
        given: its input.
        plan: what of the stack's plan is different.
        champion: whether a model serves before.
        before: happens before the execution starts.
        stage: in which something happens.
        happening: what.
        person: is asked for an approval.
        versions: what serves before a promotion, and after it.
        hindrance: what the end of the execution fails with, until a person mends it.
    """

    states: Sequence[str]
    given: Mapping[str, Any] = field(default_factory=dict)
    plan: Mapping[str, Any] = field(default_factory=dict)
    champion: bool = True
    before: Happening = nothing
    stage: Stage = Stage.CANARY
    happening: Happening = nothing
    person: Happening = nothing
    versions: tuple[int | None, int] = (1, 3)
    hindrance: type[FraudError] | None = None

    def begun(self) -> RolloutWorld:
        world = stack(**self.plan) if self.champion else empty_stack()
        world.flow(4)
        self.before(world)
        return world

    def engine(self, world: RolloutWorld) -> Engine:
        return machine(world, meanwhile=at(self.stage, self.happening), person=self.person)


def alarm(world: RolloutWorld) -> None:
    world.aborting.on_alarm("b", world.clock(), SENTENCE)


def alarm_without_a_champion(world: RolloutWorld) -> None:
    world.scorer.break_down("fraud-a")
    alarm(world)


def refuse_removals(world: RolloutWorld) -> None:
    world.faults.always("endpoints.clear", DeploymentFailed("removing endpoint fraud-a: AccessDenied"))


def crash_at_the_smoke_test(world: RolloutWorld) -> None:
    world.faults.before("scorer.score", 1, RuntimeError("a mistake in the code"))


def hinder(world: RolloutWorld) -> None:
    world.alarms.hindrances["b"] = ["fraud-slot-b-errors does not exist."]


def begin_another(world: RolloutWorld) -> None:
    Machine(world, "rival", 3).reach_look(Stage.CANARY)


def finish_another(world: RolloutWorld) -> None:
    world.clock.now = world.record.lease_until + 1
    world.enlist()
    Machine(world, "rival", 4).finish()


def mend(world: RolloutWorld) -> None:
    """A person sees to what stood in the way."""
    world.scorer.answers.clear()
    world.alarms.hindrances.clear()
    world.faults.always("endpoints.clear", lambda: None)
    world.clock.pass_by(BREAK)


WAYS = {
    "forward": Way(
        [
            *["Check the candidate", "Is there something to roll out?", "Take the lock", "Is the lock taken?"],
            *["Bring up the endpoint", "Is the endpoint in service?", "Wait for the endpoint"],
            *["Score the smoke vectors", "What follows the smoke test?", "Start the shadow", "Is the shadow started?"],
            *["Shadow", "Judge the shadow", "What does the shadow say?"],
            *["Shift the traffic", "Is the traffic shifted?", "Verify the shift", "Is the shift verified?"],
            *["Bake", "Judge the bake", "What does the bake say?", "Promote the challenger", "Is it promoted?"],
            *["Remove the former champion", "Is the former champion gone?", "Wait for the former champion"],
            *["Announce the promotion", "Release the lock", "Is the lock released?", "Promoted"],
        ]
    ),
    "first model": Way(["Serve the first model", "Is the first model served?"], champion=False, versions=(None, 3)),
    "approval": Way(
        ["Ask for approval", "Judge the approval", "What does the approval say?"],
        plan={"approval": "before_full"},
        person=approve,
    ),
    "failure": Way(["Explain the failure"], before=crash_at_the_smoke_test),
    "rollback": Way(
        [
            *["Restore the traffic", "Is the traffic restored?", "Verify the rollback", "Is the rollback verified?"],
            *["Remove the challenger", "Is the challenger gone?", "Wait for the challenger"],
            *["Announce the rollback", "Release the lock after the rollback", "Is the lock free again?", "Rolled back"],
        ],
        happening=lambda world: world.scorer.break_down("fraud-b"),
    ),
    "unverified": Way(
        ["Page a person", "Rollback unverified"], happening=alarm_without_a_champion, hindrance=RollbackUnverified
    ),
    "untidy": Way(
        ["Page about the leftovers", "Left untidy"],
        stage=Stage.SOAK,
        happening=refuse_removals,
    ),
    "nothing new": Way(["Nothing to roll out"], {"model_package_arn": f"{PACKAGE}1"}),
    "refused": Way(["Refused"], before=hinder),
    "under way": Way(["Already under way"], before=begin_another),
    "superseded": Way(["Superseded"], happening=finish_another, versions=(4, 4)),
}
"""One way at least to every state; a way has no more to do with the states it shares with another."""
CASES = [(name, state, moment) for name, way in WAYS.items() for state in way.states for moment in MOMENTS]


@cache
def visits(name: str) -> dict[str, int]:
    """How often an execution that nobody stops enters each state of a way."""
    world = WAYS[name].begun()
    states = WAYS[name].engine(world).run(WAYS[name].given).states
    return {state: states.count(state) for state in WAYS[name].states}


@dataclass(frozen=True)
class Killed:
    """What an execution left that was stopped.

    Args:
        way: that it was on.
        world: the stack.
        run: up to the stop.
        done: states that took effect.
    """

    way: Way
    world: RolloutWorld
    run: Run
    done: Sequence[str]

    @property
    def promoted(self) -> bool:
        """Whether its promotion took effect."""
        return not PROMOTING.isdisjoint(self.done)

    @property
    def record(self) -> Rollout | None:
        return self.world._store.read()

    @property
    def holds(self) -> bool:
        """Whether the lock is held."""
        return self.record is not None and not self.record.released

    def check_settled(self) -> None:
        """Nothing of it is left: one model serves, the lock is free, and people know of every endpoint that is not."""
        check_settled(self.world, self.way.versions[self.promoted])
        assert not self.holds
        left = standing(self.world) - serving(self.world)
        rung = [message for subject, message in self.world.bell.rung if subject == "An endpoint is left"]
        assert all(any(endpoint in message for message in rung) for endpoint in left)

    def restart(self) -> Run:
        """The next start, of anybody, with nothing in its input."""
        return machine(self.world, "second", person=approve).run({})

    def check_announced(self) -> None:
        """Its end is announced once, by whoever was first; a kill just after the announcement lets it be told twice."""
        told = announced(self.run) + told_beside(self.world, "first")
        twice = "Announce the promotion" in self.done and "Release the lock" not in self.done
        assert told.count("Model Promoted") == (self.promoted and 1 + twice)

    def check_restarted(self, run: Run) -> None:
        """Its version serves, promoted once, whether by itself or by the next start."""
        nothing_left = self.promoted or self.way.versions[0] == self.way.versions[1]
        assert (run.status, run.states[-1]) == ("SUCCEEDED", "Nothing to roll out" if nothing_left else "Promoted")
        assert promotions(self.world) == [self.way.versions[1]]
        assert "Model Promoted" in announced(self.run, run) + told_beside(self.world, "first", "rival")
        check_settled(self.world, self.way.versions[1])
        check_only_endpoint(self.world)
        assert not self.holds


def told_beside(world: RolloutWorld, *rollouts: str) -> list[str]:
    """What was announced of rollouts in the place of the machine."""
    return [DETAIL_TYPES[Stage(stage)] for rollout, stage, _ in world.announcements.made if rollout in rollouts]


def killed(name: str, state: str, moment: str, *, visited: Sequence[int] = (0, -1)) -> Iterator[Killed]:
    """An execution stopped at a state, at the first and the last time, or at others, that its way enters it."""
    way, times = WAYS[name], range(1, visits(name)[state] + 1)
    assert times, "a way that does not come by a state tries nothing"
    for visit in sorted({times[place] for place in visited}):
        world = way.begun()
        engine = way.engine(world)
        engine.stop_at(state, before=moment == "before", visit=visit)
        run = engine.run(way.given)
        failed = STATES[state]["Type"] == "Fail" and moment == "after"
        assert (run.status, run.states[-1]) == ("FAILED" if failed else "ABORTED", state)
        assert run.states.count(state) == visit
        world.pass_by(1)
        yield Killed(way, world, run, run.states if moment == "after" else run.states[:-1])


def tell(left: Killed) -> None:
    """Let EventBridge tell that all executions are over; what still stands in the way is mended before it tells again.

    What another execution holds is not touched by the end of this one.
    """
    aborting, before = left.world.aborting, everything(left.world)
    if left.way.hindrance is None:
        ended = aborting.on_end(execution("first"), ENDED)
        assert ended.next == "released" or everything(left.world) == before
    else:
        with pytest.raises(left.way.hindrance):
            aborting.on_end(execution("first"), ENDED)
        assert left.holds
        mend(left.world)
        aborting.on_end(execution("first"), ENDED)
    aborting.on_end(execution("rival"), ENDED)


# --- Every state ------------------------------------------------------------------------------------------------------


def test_every_state_of_the_machine_is_killed_at_on_one_way() -> None:
    assert sorted(state for way in WAYS.values() for state in way.states) == sorted(STATES)


@pytest.mark.parametrize(("name", "state", "moment"), CASES)
def test_an_execution_that_is_killed_leaves_one_model_and_the_next_start_goes_all_the_way(
    name: str, state: str, moment: str
) -> None:
    for left in killed(name, state, moment):
        tell(left)
        left.check_settled()
        left.check_announced()
        check_told_again(left)
        mend(left.world)
        if left.promoted and standing(left.world) != serving(left.world):
            check_taken_over_by_a_newer_one(left)
        else:
            left.check_restarted(left.restart())


@pytest.mark.parametrize(("name", "state", "moment"), CASES)
def test_a_kill_that_nobody_is_told_of_holds_the_lock_for_its_lease_and_is_then_taken_over(
    name: str, state: str, moment: str
) -> None:
    for left in killed(name, state, moment, visited=[-1]):
        if left.holds:
            check_turned_away(left)
            left.world.clock.now = left.world.record.lease_until + 1
        mend(left.world)
        if left.holds and left.promoted:
            check_taken_over_by_a_newer_one(left)
        else:
            left.check_restarted(left.restart())


def check_told_again(left: Killed) -> None:
    """Events come at least once."""
    before = everything(left.world)
    for name in ("first", "rival"):
        assert left.world.aborting.on_end(execution(name), ENDED).next == "ignored"
    assert everything(left.world) == before


def check_turned_away(left: Killed) -> None:
    """Within the lease nobody takes the lock, and the end of who tried to is none of the rollout's."""
    before = everything(left.world)
    early = Machine(left.world, "early", 3).finish()
    assert early.word == ("nothing" if left.promoted else "under_way")
    assert left.world.aborting.on_end(early.arn, ENDED).next == "ignored"
    assert everything(left.world) == before


def check_taken_over_by_a_newer_one(left: Killed) -> None:
    """A version that serves is no reason to start; the next that is approved finds what is left, and tidies up."""
    before = everything(left.world)
    assert Machine(left.world, "late", 3).finish().word == "nothing"
    assert everything(left.world) == before
    left.world.enlist()
    run = left.restart()
    assert (run.states[-1], promotions(left.world)) == ("Promoted", [3, 4])
    check_settled(left.world, 4)
    check_only_endpoint(left.world)
    assert not left.holds


# --- A rollback that nobody saw ---------------------------------------------------------------------------------------

UNVERIFIED = [case for case in CASES if case[0] == "unverified"]


@pytest.mark.parametrize(("name", "state", "moment"), UNVERIFIED)
def test_a_kill_whose_rollback_is_not_seen_pages_a_person_and_keeps_the_lock(
    name: str, state: str, moment: str
) -> None:
    for left in killed(name, state, moment):
        with pytest.raises(RollbackUnverified):
            left.world.aborting.on_end(execution("first"), ENDED)
        assert [subject for subject, _ in left.world.bell.rung] == ["A rollback is not verified"]
        assert (left.holds, left.world.record.stage, left.world.record.verified) == (True, Stage.ROLLING_BACK, False)
        check_settled(left.world, 1)


@pytest.mark.parametrize(("name", "state", "moment"), UNVERIFIED)
def test_a_kill_whose_rollback_is_not_seen_lets_no_other_begin_after_its_lease(
    name: str, state: str, moment: str
) -> None:
    for left in killed(name, state, moment):
        left.world.clock.now = left.world.record.lease_until + 1
        run = left.restart()
        assert (run.states[-1], left.holds, promotions(left.world)) == ("Refused", True, [])
        assert "The rollback of first is not verified" in run.cause
        check_settled(left.world, 1)
