"""Executions of the machine `drift` stopped at every state, with the functions as they are.

Looks have no lock: the next one looks at its own window, whatever became of the last. Whoever redrives a dead one ends
it as it would have ended, and takes nothing back from a newer one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from tests.fakes.faults import Crash
from tests.fakes.monitoring import DRIFTED
from tests.fakes.monitoring_world import MonitoringWorld
from tests.state_machines.drift_script import STATES
from tests.state_machines.engine import Run
from tests.state_machines.job_played import LOST, inputs
from tests.state_machines.jobs import JobFailed
from tests.state_machines.monitoring_played import Look, Workshop

MOMENTS = ["before", "after"]
NO_QUERY = JobFailed("States.TaskFailed", "SYNTAX_ERROR: line 1")
HOUR = 3_600
Change = Callable[[Workshop], object]


def nothing(shop: Workshop) -> None:
    """All goes well."""


@dataclass(frozen=True)
class Way:
    """How an execution comes by some states.

    Args:
        states: those that are tried on this way.
        given: its input.
        before: happens before it starts.
        notes: whether it notes what it saw.
    """

    states: Sequence[str]
    given: Mapping[str, Any] = field(default_factory=dict)
    before: Change = nothing
    notes: bool = False

    def begun(self) -> Workshop:
        world = MonitoringWorld().with_champion().with_traffic()
        world.refreshed("earlier")
        world.clock.pass_by(HOUR)
        shop = Workshop(world)
        self.before(shop)
        return shop


def meeting(**troubles: list[JobFailed]) -> Change:
    """Starts of jobs meet trouble."""
    return lambda shop: shop.troubles.update({job: list(each) for job, each in troubles.items()})


def drifted(shop: Workshop) -> None:
    shop.found = (DRIFTED,)


def silent(shop: Workshop) -> None:
    shop.rows = False


def without_model(shop: Workshop) -> None:
    shop.world.routing = None


def newly_promoted(shop: Workshop) -> None:
    """Another champion serves than the baseline is of."""
    shop.stack.with_champion()


WAYS = {
    "forward": Way(
        [
            *["Choose the window", "Is there a window to look at?", "Assemble the window", "Choose the data"],
            *["Did anything arrive?", "Look at the window", "Judge the window", "Did anything change?"],
            "Nothing changed",
        ],
        notes=True,
    ),
    "adopted": Way(
        [
            *["Note the error of the look", "See what became of the look", "Is the look done?"],
            "Wait for the look",
        ],
        before=meeting(monitor=[LOST]),
        notes=True,
    ),
    "violated": Way(["Violations found"], before=drifted, notes=True),
    "nothing": Way(["Nothing arrived"], before=silent, notes=True),
    "no baseline": Way(["Ask for a baseline", "Asked for a baseline"], before=newly_promoted),
    "no model": Way(["No model serves yet"], before=without_model),
    "refused": Way(["Refused"], {"plan": {"window_hours": 0}}),
    "failure": Way(["Explain the failure", "Note the failure", "Look failed"], before=meeting(query=[NO_QUERY])),
}
"""One way at least to every state; a way has no more to do with the states it shares with another."""
CASES = [(name, state, moment) for name, way in WAYS.items() for state in way.states for moment in MOMENTS]
REDRIVEN = [each for each in CASES if STATES[each[1]]["Type"] not in ("Succeed", "Fail")]
"""Executions that are over cannot be redriven to anything else."""


@cache
def entered(name: str) -> dict[str, list[Any]]:
    """What an execution that nobody stops enters the states of a way with."""
    way = WAYS[name]
    return inputs(Look(way.begun()).play(way.given))


@dataclass(frozen=True)
class Killed:
    """What an execution left that was stopped.

    Args:
        way: that it was on.
        shop: the stack and its jobs.
        run: up to the stop.
        given: what the state was entered with.
    """

    way: Way
    shop: Workshop
    run: Run
    given: Any

    @property
    def world(self) -> MonitoringWorld:
        return self.shop.stack

    def restart(self) -> Run:
        """The next look, once what stood in the way is over."""
        self.shop.troubles, self.shop.found, self.shop.rows = {}, (), True
        if self.world.routing is None:
            self.world.with_champion()
        self.world.refreshed("repaired")
        self.world.clock.pass_by(60)
        return Look(self.shop, "second").play({})

    def redrive(self) -> Run:
        """The dead execution goes on with the state that it was stopped at."""
        return Look(self.shop, "first", self.run.states[-1]).play(self.given)


def killed(name: str, state: str, moment: str) -> Iterator[Killed]:
    """An execution stopped at a state, at the first and the last time that its way enters it."""
    way, given = WAYS[name], entered(name)[state]
    for visit in sorted({1, len(given)}):
        shop = way.begun()
        dead = Look(shop)
        dead.engine.stop_at(state, before=moment == "before", visit=visit)
        run = dead.play(way.given)
        assert run.states[-1] == state and run.states.count(state) == visit
        yield Killed(way, shop, run, given[visit - 1])


def test_every_state_of_the_machine_is_killed_at_on_one_way() -> None:
    assert sorted(state for way in WAYS.values() for state in way.states) == sorted(STATES)


@pytest.mark.parametrize(("name", "state", "moment"), CASES)
def test_a_look_that_is_killed_does_not_stand_in_the_way_of_the_next(name: str, state: str, moment: str) -> None:
    for left in killed(name, state, moment):
        ran = left.restart()
        assert (ran.status, ran.states[-1]) == ("SUCCEEDED", "Nothing changed")
        assert (left.world.last.run_id, left.world.last.until) == ("second", left.world.clock())
        assert left.world.metrics.values["DriftViolations"] == 0
        left.shop.check_no_name_twice()


@pytest.mark.parametrize(("name", "state", "moment"), [each for each in REDRIVEN if each[1] != "Choose the window"])
def test_a_look_that_is_redriven_after_a_newer_one_does_not_take_its_place(name: str, state: str, moment: str) -> None:
    for left in killed(name, state, moment):
        left.restart()
        newer, record = left.world.last, left.world.record
        left.redrive()
        assert (left.world.last, left.world.record) == (newer, record)
        left.shop.check_no_name_twice()


@pytest.mark.parametrize(("name", "state", "moment"), [each for each in REDRIVEN if STATES[each[1]]["Type"] == "Task"])
def test_a_look_that_is_redriven_goes_on_where_it_was(name: str, state: str, moment: str) -> None:
    """With the same end, and nothing started twice."""
    for left in killed(name, state, moment):
        ran = left.redrive()
        assert (ran.states[0], ran.states[-1]) == (state, list(entered(name))[-1])
        watch = left.world.watches.read()
        assert (watch is not None and watch.run_id == "first") == left.way.notes
        left.shop.check_no_name_twice()


def test_every_task_that_is_done_twice_comes_to_the_same_end() -> None:
    """Answers get lost, and the machine asks again."""

    def twice(function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        return lambda event: (function(event), function(event))[1]

    shop = WAYS["violated"].begun()
    played = Look(shop)
    played.engine.functions = {name: twice(each) for name, each in played.engine.functions.items()}
    assert played.play().states[-1] == "Violations found"
    assert shop.stack.last.violations == {"drift": 1}
    shop.check_no_name_twice()


@pytest.mark.parametrize("call", ["metrics.publish", "watches.put", "files.write"])
def test_a_function_that_ends_amid_its_work_is_called_again_and_goes_on(call: str) -> None:
    shop = WAYS["violated"].begun()
    shop.world.faults.after(call, shop.world.faults.count(call) + 1, Crash())
    assert Look(shop).play().states[-1] == "Violations found"
    assert shop.stack.last.run_id == "first"
    assert shop.world.metrics.values["DriftViolations"] == 1
