"""Executions of the machine `monitoring` stopped at every state, with the functions as they are.

A person or an outage may end an execution at any moment, and nobody tells of it: its lock is nobody's as soon as it
does not run any more, and the next execution takes it over. Whoever redrives the dead one after that changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from fraud.monitoring import Outcome
from fraud.monitoring import Refresh as Record
from tests.fakes.faults import Crash
from tests.fakes.monitoring import REFRESH, watch
from tests.fakes.monitoring_world import MonitoringWorld
from tests.state_machines.engine import Run
from tests.state_machines.job_played import LOST, inputs
from tests.state_machines.jobs import JobFailed
from tests.state_machines.monitoring_played import Refresh, Workshop
from tests.state_machines.monitoring_script import STATES

MOMENTS = ["before", "after"]
NO_QUERY = JobFailed("States.TaskFailed", "SYNTAX_ERROR: line 1")
HOUR = 3_600
Change = Callable[[Workshop], object]


def execution(name: str) -> str:
    """ARN of an execution."""
    return f"{REFRESH.rpartition(':')[0]}:{name}"


def nothing(shop: Workshop) -> None:
    """All goes well."""


@dataclass(frozen=True)
class Way:
    """How an execution comes by some states.

    Args:
        states: those that are tried on this way.
        given: its input.
        before: happens before it starts.
    """

    states: Sequence[str]
    given: Mapping[str, Any] = field(default_factory=dict)
    before: Change = nothing

    def begun(self) -> Workshop:
        shop = Workshop(MonitoringWorld().with_champion().with_traffic())
        shop.world.monitor.looks = 1
        self.before(shop)
        return shop


def meeting(**troubles: list[JobFailed]) -> Change:
    """Starts of jobs meet trouble."""
    return lambda shop: shop.troubles.update({job: list(each) for job, each in troubles.items()})


def refreshed_before(hours: int) -> Change:
    """The baseline and its schedule stand for so long."""

    def happens(shop: Workshop) -> None:
        shop.stack.refreshed("earlier")
        shop.world.clock.pass_by(hours * HOUR)

    return happens


def silent_and_bell_broken(shop: Workshop) -> None:
    refreshed_before(30)(shop)
    shop.world.faults.always("bell.ring", RuntimeError("a mistake in the code"))


def without_model(shop: Workshop) -> None:
    shop.world.routing = None


def rival_begins(shop: Workshop) -> None:
    shop.world.do("lock", "rival")


def rival_takes_over(shop: Workshop) -> None:
    """While the baseline is made, the execution counts as dead."""

    def happens(world: MonitoringWorld) -> None:
        world.executions.running.clear()
        world.do("lock", "rival")

    shop.meanwhile["baseline"] = happens


def mend(shop: Workshop) -> None:
    """What stood in the way is over, as is the rival; somebody looked just now."""
    shop.troubles, shop.meanwhile = {}, {}
    shop.world.faults.always("bell.ring", lambda: None)
    shop.world.executions.running.discard(execution("rival"))
    shop.world.watches.put(watch(until=float(shop.world.clock()), ended_at=float(shop.world.clock())))
    if shop.world.routing is None:
        shop.world.with_champion()


WAYS = {
    "forward": Way(
        [
            *["Take the lock", "Is there a run to begin?", "Assemble the reference", "Choose the reference"],
            *["Is the reference chosen?", "Make the baseline", "Judge the baseline", "Does the baseline stand?"],
            *["Replace the schedules", "Are the schedules settled?", "Wait for the schedules"],
            *["See whether monitoring is alive", "Is the liveness checked?", "Record the evidence"],
            *["How did it end?", "Monitoring refreshed"],
        ]
    ),
    "adopted": Way(
        [
            *["Note the error of the baseline job", "See what became of the baseline job"],
            *["Is the baseline job done?", "Wait for the baseline job"],
        ],
        before=meeting(baseline=[LOST]),
    ),
    "unchanged": Way(["Nothing to change"], before=refreshed_before(1)),
    "silent": Way(["Monitoring is silent"], before=refreshed_before(30)),
    "failure": Way(
        ["Explain the failure", "Release the lock after the failure", "Is the lock free again?", "Refresh failed"],
        before=meeting(query=[NO_QUERY]),
    ),
    "lock left": Way(["Page about the lock", "Lock left"], before=silent_and_bell_broken),
    "superseded": Way(["Superseded"], before=rival_takes_over),
    "under way": Way(["Already under way"], before=rival_begins),
    "no model": Way(["No model serves yet"], before=without_model),
    "refused": Way(["Refused"], {"plan": {"window_hours": 0}}),
}
"""One way at least to every state; a way has no more to do with the states it shares with another."""
CASES = [(name, state, moment) for name, way in WAYS.items() for state in way.states for moment in MOMENTS]
REDRIVEN = [each for each in CASES if STATES[each[1]]["Type"] not in ("Succeed", "Fail") and each[1] != "Take the lock"]
"""Executions that are over cannot be redriven to anything else; one that never had the lock begins a run of its own."""


@cache
def entered(name: str) -> dict[str, list[Any]]:
    """What an execution that nobody stops enters the states of a way with."""
    way = WAYS[name]
    return inputs(Refresh(way.begun()).play(way.given))


@dataclass(frozen=True)
class Killed:
    """What an execution left that was stopped.

    Args:
        shop: the stack and its jobs.
        run: up to the stop.
        given: what the state was entered with.
    """

    shop: Workshop
    run: Run
    given: Any

    @property
    def world(self) -> MonitoringWorld:
        return self.shop.stack

    @property
    def lock(self) -> Record | None:
        """The record whose lock is held, if one is."""
        record = self.world.store.read()
        return None if record is None or record.is_over else record

    def restart(self, name: str = "second") -> Run:
        """The next start, of anybody, with nothing in its input."""
        self.world.clock.pass_by(60)
        return Refresh(self.shop, name).play({})

    def redrive(self) -> Run:
        """The dead execution goes on with the state that it was stopped at."""
        return Refresh(self.shop, "first", self.run.states[-1]).play(self.given)


def killed(name: str, state: str, moment: str) -> Iterator[Killed]:
    """An execution stopped at a state, at the first and the last time that its way enters it."""
    way, given = WAYS[name], entered(name)[state]
    for visit in sorted({1, len(given)}):
        shop = way.begun()
        dead = Refresh(shop)
        dead.engine.stop_at(state, before=moment == "before", visit=visit)
        run = dead.play(way.given)
        assert run.states[-1] == state and run.states.count(state) == visit
        yield Killed(shop, run, given[visit - 1])


# --- Every state ------------------------------------------------------------------------------------------------------


def test_every_state_of_the_machine_is_killed_at_on_one_way() -> None:
    assert sorted(state for way in WAYS.values() for state in way.states) == sorted(STATES)


@pytest.mark.parametrize(("name", "state", "moment"), CASES)
def test_an_execution_that_is_killed_leaves_a_lock_that_the_next_start_takes_over(
    name: str, state: str, moment: str
) -> None:
    for left in killed(name, state, moment):
        check_turned_away_while_it_runs(left)
        mend(left.shop)
        check_goes_all_the_way(left, left.restart())


def check_turned_away_while_it_runs(left: Killed) -> None:
    """As long as the end of the execution is not seen, its lock is its own."""
    if left.lock is None:
        return
    running, owner = left.world.executions.running, left.lock.owner
    was = owner in running
    running.add(owner)
    assert left.world.do("lock", "early").next in ("under_way", "no_model")
    assert left.lock is not None and left.lock.owner == owner
    running.discard(execution("early"))
    if not was:
        running.discard(owner)


def check_goes_all_the_way(left: Killed, run: Run) -> None:
    """The baseline of the champion and its schedule stand, the lock is free, and once more changes nothing."""
    assert (run.status, run.states[-1] in ("Monitoring refreshed", "Nothing to change")) == ("SUCCEEDED", True)
    check_stands(left.world)
    assert left.world.record.owner == execution("second")
    left.shop.check_no_name_twice()
    standing, jobs = dict(left.world.monitor.standing), list(left.shop.started)
    again = left.restart("third")
    assert (again.status, again.states[-1], again.jobs) == ("SUCCEEDED", "Nothing to change", [])
    assert (left.world.monitor.standing, left.shop.started) == (standing, jobs)


def check_stands(world: MonitoringWorld) -> None:
    record = world.record
    assert record.is_over and record.outcome in (Outcome.REFRESHED, Outcome.UNCHANGED)
    assert record.baseline is not None and record.baseline.champion == world.champion
    assert not world.files.is_empty(record.baseline.uri)
    (endpoint,) = world.monitor.standing
    assert world.monitor.standing[endpoint].plan.constraints_uri.startswith(record.baseline.uri)


@pytest.mark.parametrize(("name", "state", "moment"), REDRIVEN)
def test_an_execution_that_is_redriven_after_a_newer_run_changes_nothing(name: str, state: str, moment: str) -> None:
    for left in killed(name, state, moment):
        held = left.lock is not None and left.lock.owner == execution("first")
        mend(left.shop)
        left.restart()
        before, ran = left.world.everything(), left.redrive()
        assert left.world.everything() == before
        left.shop.check_no_name_twice()
        if held:
            assert (ran.status, ran.states[-1] in ("Superseded", "Refresh failed", "Lock left")) == ("FAILED", True)


@pytest.mark.parametrize(("name", "state", "moment"), [each for each in REDRIVEN if STATES[each[1]]["Type"] == "Task"])
def test_an_execution_that_is_redriven_before_anybody_else_goes_on_where_it_was(
    name: str, state: str, moment: str
) -> None:
    """With the same end, and nothing started twice."""
    for left in killed(name, state, moment):
        ran = left.redrive()
        assert ran.states[0] == state
        assert ran.states[-1] == list(entered(name))[-1]
        left.shop.check_no_name_twice()


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_execution_that_is_redriven_at_the_lock_begins_a_run_of_its_own(moment: str) -> None:
    for left in killed("forward", "Take the lock", moment):
        left.restart()
        assert left.redrive().states[-1] == "Nothing to change"
        assert left.world.record.owner == execution("first")
        left.shop.check_no_name_twice()


def test_every_task_that_is_done_twice_comes_to_the_same_end() -> None:
    """Answers get lost, and the machine asks again."""

    def twice(function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        return lambda event: (function(event), function(event))[1]

    shop = WAYS["forward"].begun()
    played = Refresh(shop)
    played.engine.functions = {name: twice(each) for name, each in played.engine.functions.items()}
    assert played.play().states[-1] == "Monitoring refreshed"
    check_stands(shop.stack)
    shop.check_no_name_twice()


@pytest.mark.parametrize("call", ["store.begin", "store.save", "monitor.ensure", "files.write"])
def test_a_function_that_ends_amid_its_work_is_called_again_and_goes_on(call: str) -> None:
    shop = WAYS["forward"].begun()
    shop.world.faults.after(call, 1, Crash())
    assert Refresh(shop).play().states[-1] == "Monitoring refreshed"
    check_stands(shop.stack)
    shop.check_no_name_twice()


# --- Where Model Monitor is closed, and where there is nothing yet ----------------------------------------------------


def test_a_run_where_model_monitor_is_refused_succeeds_and_says_so() -> None:
    shop = WAYS["forward"].begun()
    shop.world.monitor.refusal = "closed to new customers"
    assert Refresh(shop).play().states[-1] == "Monitoring refreshed"
    assert "refused" in shop.stack.record.sentence
    assert shop.world.monitor.standing == {}


def test_a_run_over_an_empty_archive_rests_on_the_package_alone() -> None:
    shop = Workshop(MonitoringWorld().with_champion(), rows=False)
    assert Refresh(shop).play({}).states[-1] == "Monitoring refreshed"
    baseline = shop.stack.record.baseline
    assert baseline is not None and baseline.rows == 0
