"""Executions of a retraining stopped at every state of the machine, with the functions as they are.

A person or an outage may end an execution at any moment, and nobody tells of it: its lock is nobody's as soon as it
does not run any more, and the next execution takes it over. Whoever redrives the dead one after that changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import pytest

from fraud.deployment_ports import Approval
from fraud.retraining import Outcome, Retraining
from tests.fakes.faults import Crash
from tests.fakes.retraining_findings import LEAK, SHORT, WORSE, Findings
from tests.fakes.retraining_world import RetrainingWorld, execution
from tests.state_machines.engine import Run
from tests.state_machines.jobs import JobFailed
from tests.state_machines.retraining_played import LOST, Execution, Workshop, inputs
from tests.state_machines.retraining_script import STATES

MOMENTS = ["before", "after"]
JUDGED = "Judge the candidate"
NO_QUERY = JobFailed("States.TaskFailed", "SYNTAX_ERROR: line 1")
RIVAL = execution("rival")
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
        registers: whether it registers a candidate.
    """

    states: Sequence[str]
    given: Mapping[str, Any] = field(default_factory=dict)
    before: Change = nothing
    registers: bool = False

    def begun(self) -> Workshop:
        shop = Workshop(RetrainingWorld().with_champion())
        self.before(shop)
        return shop


def finding(**findings: Any) -> Change:
    """The jobs find something else."""
    return lambda shop: setattr(shop, "findings", Findings(**findings))


def meeting(**troubles: list[JobFailed]) -> Change:
    """Starts of jobs meet trouble."""
    return lambda shop: shop.troubles.update({job: list(each) for job, each in troubles.items()})


def rival_begins(shop: Workshop) -> None:
    shop.world.lock("rival")


def rival_takes_over(shop: Workshop) -> None:
    """While the training runs, the execution counts as dead."""

    def happens(world: RetrainingWorld) -> None:
        world.executions.running.clear()
        world.lock("rival")

    shop.meanwhile["train"] = happens


def break_the_bell(shop: Workshop) -> None:
    shop.troubles["query"] = [NO_QUERY]
    shop.world.faults.always("bell.ring", RuntimeError("a mistake in the code"))


def mend(shop: Workshop) -> None:
    """What stood in the way is over, as is the rival."""
    shop.findings, shop.troubles, shop.meanwhile = Findings(), {}, {}
    shop.world.faults.always("bell.ring", lambda: None)
    shop.world.executions.running.discard(RIVAL)


def looking(noun: str) -> list[str]:
    """States of a job that is adopted."""
    return [
        *[f"Note the error of the {noun}", f"See what became of the {noun}", f"Is the {noun} done?"],
        f"Wait for the {noun}",
    ]


WAYS = {
    "forward": Way(
        [
            *["Take the lock", "Is there a run to begin?", "Assemble the data set", "Choose the data"],
            *["Is there something to examine?", "Examine the data", "Judge the data", "Can it be learned from?"],
            *["Train the model", "Evaluate the candidate", JUDGED, "Is the candidate judged?"],
            *["Release the lock", "How did it end?", "Registered for rollout"],
        ],
        registers=True,
    ),
    "adopted": Way(
        [*looking("examination"), *looking("training"), *looking("evaluation")],
        before=meeting(examine=[LOST], train=[LOST], evaluate=[LOST]),
        registers=True,
    ),
    "for a person": Way(["Registered for a person"], {"plan": {"approval": "manual"}}, registers=True),
    "rejected": Way(["Candidate rejected"], before=finding(gain=WORSE)),
    "not enough": Way(["Not enough labels yet"], before=finding(found=(SHORT,))),
    "unfit": Way(["Data unfit"], before=finding(found=(LEAK,))),
    "failure": Way(
        ["Explain the failure", "Release the lock after the failure", "Is the lock free again?", "Retraining failed"],
        before=meeting(query=[NO_QUERY]),
    ),
    "lock left": Way(["Page about the lock", "Lock left"], before=break_the_bell),
    "superseded": Way(["Superseded"], before=rival_takes_over),
    "under way": Way(["Already under way"], before=rival_begins),
    "nothing": Way(["Nothing asks for a new model"], {"trigger": "reminder"}),
    "refused": Way(["Refused"], {"plan": {"training_days": 0}}),
}
"""One way at least to every state; a way has no more to do with the states it shares with another."""
CASES = [(name, state, moment) for name, way in WAYS.items() for state in way.states for moment in MOMENTS]
REDRIVEN = [each for each in CASES if STATES[each[1]]["Type"] not in ("Succeed", "Fail") and each[1] != "Take the lock"]
"""Executions that are over cannot be redriven to anything else; one that never had the lock begins a run of its own."""


@cache
def entered(name: str) -> dict[str, list[Any]]:
    """What an execution that nobody stops enters the states of a way with."""
    way = WAYS[name]
    return inputs(Execution(way.begun()).play(way.given))


@dataclass(frozen=True)
class Killed:
    """What an execution left that was stopped.

    Args:
        way: that it was on.
        shop: the stack and its jobs.
        run: up to the stop.
        done: states that took effect.
        given: what the state was entered with.
    """

    way: Way
    shop: Workshop
    run: Run
    done: Sequence[str]
    given: Any

    @property
    def world(self) -> RetrainingWorld:
        return self.shop.world

    @property
    def lock(self) -> Retraining | None:
        """The record whose lock is held, if one is."""
        record = self.world.store.read()
        return None if record is None or record.is_over else record

    def registered(self) -> list[str]:
        """Who registered the versions after the champion, by the evidence."""
        return [each.generated_by for each in self.world.registry.evidence.values() if each]

    def restart(self, name: str = "second") -> Run:
        """The next start, of anybody, with nothing in its input."""
        self.world.clock.pass_by(60)
        return Execution(self.shop, name).play({})

    def redrive(self) -> Run:
        """The dead execution goes on with the state that it was stopped at."""
        return Execution(self.shop, "first", self.run.states[-1]).play(self.given)


def killed(name: str, state: str, moment: str) -> Iterator[Killed]:
    """An execution stopped at a state, at the first and the last time that its way enters it."""
    way, given = WAYS[name], entered(name)[state]
    for visit in sorted({1, len(given)}):
        shop = way.begun()
        dead = Execution(shop)
        dead.engine.stop_at(state, before=moment == "before", visit=visit)
        run = dead.play(way.given)
        assert run.states[-1] == state and run.states.count(state) == visit
        done = run.states if moment == "after" else run.states[:-1]
        yield Killed(way, shop, run, done, given[visit - 1])


# --- Every state ------------------------------------------------------------------------------------------------------


def test_every_state_of_the_machine_is_killed_at_on_one_way() -> None:
    assert sorted(state for way in WAYS.values() for state in way.states) == sorted(STATES)


@pytest.mark.parametrize(("name", "state", "moment"), CASES)
def test_an_execution_that_is_killed_leaves_a_lock_that_the_next_start_takes_over(
    name: str, state: str, moment: str
) -> None:
    for left in killed(name, state, moment):
        assert left.registered() == [execution("first")] * (left.way.registers and JUDGED in left.done)
        before, lock = left.registered(), left.lock
        check_turned_away_while_it_runs(left)
        mend(left.shop)
        check_goes_all_the_way(left, left.restart(), [*before, execution("second")])
        if lock is not None:
            check_kept_in_the_history(left, lock)


def check_turned_away_while_it_runs(left: Killed) -> None:
    """As long as the end of the execution is not seen, its lock is its own."""
    if left.lock is None:
        return
    running, owner = left.world.executions.running, left.lock.owner
    was = owner in running
    running.add(owner)
    assert left.world.lock("early", {"trigger": "reminder"}).next == "under_way"
    assert left.lock is not None and left.lock.owner == owner
    running.discard(execution("early"))
    if not was:
        running.discard(owner)


def check_goes_all_the_way(left: Killed, run: Run, registered: Sequence[str]) -> None:
    """The new execution's package is registered and approved, and its lock is free."""
    assert (run.status, run.states[-1]) == ("SUCCEEDED", "Registered for rollout")
    record, version = left.world.record, left.world.registry.versions[-1]
    assert (record.owner, record.outcome, record.is_over) == (execution("second"), Outcome.PROMOTE, True)
    assert (record.model_package, version.approval) == (version.model_package, Approval.APPROVED)
    assert left.registered() == registered
    left.shop.check_no_name_twice()


def check_kept_in_the_history(left: Killed, lock: Retraining) -> None:
    """What was judged stands; a run without an outcome was abandoned."""
    [past] = [each for each in left.world.past if each.owner == lock.owner]
    assert (past.outcome, past.is_over) == (lock.outcome or Outcome.ABANDONED, True)
    assert past.model_package == lock.model_package


@pytest.mark.parametrize(("name", "state", "moment"), REDRIVEN)
def test_an_execution_that_is_redriven_after_a_newer_run_changes_nothing(name: str, state: str, moment: str) -> None:
    for left in killed(name, state, moment):
        held = left.lock is not None and left.lock.owner == execution("first")
        mend(left.shop)
        left.restart()
        before = left.world.everything()
        ran = left.redrive()
        assert left.world.everything() == before
        left.shop.check_no_name_twice()
        if held:
            assert ran.states[-1] in ("Superseded", "Retraining failed", "Lock left")
            assert ran.status == "FAILED"


@pytest.mark.parametrize(("name", "state", "moment"), [each for each in REDRIVEN if STATES[each[1]]["Type"] == "Task"])
def test_an_execution_that_is_redriven_before_anybody_else_goes_on_where_it_was(
    name: str, state: str, moment: str
) -> None:
    """With the same end, and nothing registered or started twice."""
    for left in killed(name, state, moment):
        ran = left.redrive()
        assert ran.states[0] == state
        assert ran.states[-1] == list(entered(name))[-1]
        assert left.registered() == [execution("first")] * left.way.registers
        left.shop.check_no_name_twice()


@pytest.mark.parametrize(
    ("state", "moment"), [(state, moment) for name, state, moment in REDRIVEN if name == "forward"]
)
def test_an_execution_whose_lock_was_taken_by_who_began_nothing_is_over_and_pages_nobody(
    state: str, moment: str
) -> None:
    for left in killed("forward", state, moment):
        assert left.world.lock("early", {"trigger": "reminder"}).next == "nothing"
        before, ran = left.world.everything(), left.redrive()
        assert left.world.everything() == before
        # What was judged before stands, and may be told.
        judged = left.world.record.outcome is Outcome.PROMOTE
        assert ran.states[-1] in ("Superseded", "Registered for rollout" if judged else "Superseded")
        assert ran.published() == []


@pytest.mark.parametrize("moment", MOMENTS)
def test_an_execution_that_is_redriven_at_the_lock_begins_a_run_of_its_own(moment: str) -> None:
    for left in killed("forward", "Take the lock", moment):
        left.restart()
        assert left.redrive().states[-1] == "Registered for rollout"
        assert left.registered() == [execution("second"), execution("first")]
        left.shop.check_no_name_twice()


# --- Registered once --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("state", ["Judge the candidate", "Release the lock"])
def test_a_model_that_is_learned_again_from_the_same_rows_is_registered_once(state: str, moment: str) -> None:
    shop = Workshop(RetrainingWorld().with_champion(), Findings(learned="the same rows"))
    dead = Execution(shop)
    dead.engine.stop_at(state, before=moment == "before")
    dead.play()
    assert Execution(shop, "second").play().states[-1] == "Registered for rollout"
    assert len(shop.world.registry.versions) == 2
    assert shop.world.record.model_package == shop.world.registry.versions[-1].model_package


@pytest.mark.parametrize("call", ["registry.register", "store.save", "artefacts.write"])
def test_a_function_that_ends_amid_the_registration_is_called_again_and_registers_once(call: str) -> None:
    shop = Workshop(RetrainingWorld().with_champion())
    dead = Execution(shop)
    dead.engine.stop_at(JUDGED, before=True)
    run = dead.play()
    shop.world.faults.after(call, shop.world.faults.count(call) + 1, Crash())
    given = entered("forward")[JUDGED][0]
    ran = Execution(shop, "first", JUDGED).play(given)
    assert (run.status, ran.states[-1]) == ("ABORTED", "Registered for rollout")
    assert [task for _, event in ran.invocations if (task := event["task"]) == "candidate"] == ["candidate"] * 2
    assert len(shop.world.registry.versions) == 2


def test_every_task_that_is_done_twice_comes_to_the_same_end() -> None:
    """Answers get lost, and the machine asks again."""

    def twice(function: Callable[[dict[str, Any]], Any]) -> Callable[[dict[str, Any]], Any]:
        return lambda event: (function(event), function(event))[1]

    shop = Workshop(RetrainingWorld().with_champion())
    played = Execution(shop)
    played.engine.functions = {name: twice(each) for name, each in played.engine.functions.items()}
    assert played.play().states[-1] == "Registered for rollout"
    assert (len(shop.world.registry.versions), len(shop.world.past)) == (2, 1)
    shop.check_no_name_twice()
