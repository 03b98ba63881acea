"""What the machine `drift` does with what its functions and jobs answer, executed."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fraud.errors import InvalidEvidence, StoreUnavailable
from tests.state_machines.committed import arn
from tests.state_machines.drift_script import STATES, DriftScript, answer
from tests.state_machines.job_script import EXISTS, FAILED, heard, reason
from tests.state_machines.script import Line

BEGINNING = ["Choose the window", "Is there a window to look at?"]
DATA = ["Assemble the window", "Choose the data", "Did anything arrive?"]
LOOK = ["Look at the window", "Judge the window", "Did anything change?"]
FAILURE = ["Explain the failure", "Note the failure", "Look failed"]
ASK = "Ask for a baseline"


def test_a_look_that_goes_well_takes_every_step_and_tells_nobody() -> None:
    script = DriftScript()
    ran = script.run()
    assert (ran.status, ran.error, ran.calls) == ("SUCCEEDED", "", [])
    assert ran.states == [*BEGINNING, *DATA, *LOOK, "Nothing changed"]
    assert script.calls == ["choose_window", "query", "choose_data", "monitor", "judge"]


def test_a_look_that_finds_violations_succeeds_and_leaves_it_to_alarms() -> None:
    ran = DriftScript(judge=["violated"]).run()
    assert (ran.status, ran.states[-1], ran.calls) == ("SUCCEEDED", "Violations found", [])


@pytest.mark.parametrize(
    ("word", "status", "end"),
    [("no_model", "SUCCEEDED", "No model serves yet"), ("refused", "FAILED", "Refused")],
)
def test_a_look_that_does_not_begin_starts_nothing(word: str, status: str, end: str) -> None:
    script = DriftScript(choose_window=[answer(word, sentence="So it is.", run={})])
    ran = script.run()
    assert (ran.status, ran.states) == (status, [*BEGINNING, end])
    assert (script.calls, ran.jobs, ran.calls) == (["choose_window"], [], [])
    assert ran.cause == ("So it is." if status == "FAILED" else "")


def test_an_archive_that_holds_nothing_is_not_looked_at() -> None:
    ran = DriftScript(choose_data=["nothing"]).run()
    assert (ran.status, ran.states) == ("SUCCEEDED", [*BEGINNING, *DATA, "Nothing arrived"])
    assert [resource for resource, _ in ran.jobs] == ["athena:startQueryExecution.sync"]


# --- A champion without a baseline ------------------------------------------------------------------------------------


def test_a_champion_without_a_baseline_is_not_looked_at_and_one_is_asked_for() -> None:
    ran = DriftScript(choose_window=[answer("no_baseline", run={})]).run()
    assert (ran.status, ran.states, ran.jobs) == ("SUCCEEDED", [*BEGINNING, ASK, "Asked for a baseline"], [])
    ((called, asked),) = ran.calls
    assert (called, asked["StateMachineArn"]) == ("states:startExecution", arn("MonitoringMachineArn"))
    assert json.loads(asked["Input"]) == {"trigger": "drift"}
    assert asked.keys() == {"StateMachineArn", "Input"}


def test_a_baseline_that_cannot_be_asked_for_fails_the_look_and_says_why() -> None:
    script = DriftScript(choose_window=["no_baseline"])
    ran = script.run(failing=["states:startExecution"])
    assert ran.states == [*BEGINNING, ASK, *FAILURE]
    assert reason(ran, "fail").startswith("StepFunctions.InternalErrorException: states:startExecution")
    assert (ran.status, ran.error, heard(ran, "fail")["run"]) == ("FAILED", "LookFailed", {})


# --- Looks that fail --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("line", [InvalidEvidence("a mistake"), StoreUnavailable("busy")])
def test_a_failure_that_cannot_be_noted_is_told_as_it_was_caught(line: Line) -> None:
    ran = DriftScript(query=[FAILED], fail=[line]).run()
    assert ran.states == [*BEGINNING, DATA[0], *FAILURE]
    assert (ran.status, ran.error, json.loads(ran.cause)["Error"]) == ("FAILED", "LookFailed", "States.TaskFailed")
    assert "out of memory" in ran.cause


def test_a_failure_is_told_in_the_words_of_the_function_whatever_it_answers() -> None:
    ran = DriftScript(query=[FAILED], fail=[answer("something new", sentence="Athena is down.")]).run()
    assert (ran.error, ran.cause, ran.calls) == ("LookFailed", "Athena is down.", [])


def test_every_state_is_entered_by_some_run() -> None:
    """So that what the others say of the machine is said of all of it."""
    starts = [{"choose_window": [word]} for word in ("no_model", "no_baseline", "refused")]
    others: list[dict[str, Any]] = [
        *[{}, {"choose_data": ["nothing"]}, {"judge": ["violated"]}, {"query": [FAILED]}],
        {"monitor": [EXISTS], "look_monitor": ["wait", "done"]},
    ]
    runs = [DriftScript(**lines).run() for lines in (*starts, *others)]
    assert {state for ran in runs for state in ran.states} == set(STATES)
