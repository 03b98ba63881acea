"""What is true of every machine with jobs whose run has a lock, by its structure and executed."""

from __future__ import annotations

import json

import pytest

from fraud.errors import InvalidEvidence, StoreUnavailable
from state_machines.definition import targets
from tests.state_machines.job_script import FAILED, Lines, heard
from tests.state_machines.machines import FAILURES, Called, Play, called, lambdas, of_type
from tests.state_machines.monitoring_script import MonitoringScript
from tests.state_machines.retraining_script import RetrainingScript
from tests.state_machines.script import Line
from tests.state_machines.structure import caught, reachable

SCRIPTS: list[Play] = [RetrainingScript, MonitoringScript]
SUBJECTS = {
    "retraining": "Retraining: the lock was not released",
    "monitoring": "Monitoring: the lock was not released",
}
NEVER_BEGUN = {
    "retraining": {"Already under way", "Nothing asks for a new model", "Refused"},
    "monitoring": {"Already under way", "No model serves yet", "Refused"},
}
"""Ends of those that never had the lock."""
CLOSE, FREE = "Release the lock after the failure", "Is the lock free again?"
ENDED = "How did it end?"
LEFT = ["Page about the lock", "Lock left"]

every_machine = pytest.mark.parametrize("script", SCRIPTS, ids=[each.NAME for each in SCRIPTS])
BEFORE_THE_END = [each for script in SCRIPTS for each in called(script) if each.line not in ("fail", "release")]
every_task_before_the_end = pytest.mark.parametrize(
    "at", BEFORE_THE_END, ids=[f"{each.script.NAME}-{each.line}" for each in BEFORE_THE_END]
)


def releases(script: Play) -> set[str]:
    """States after which the lock is free."""
    tasks = {name: state["Parameters"]["Payload"]["task"] for name, state in lambdas(script).items()}
    return {name for name, task in tasks.items() if task in ("release", "fail")}


# --- Structure --------------------------------------------------------------------------------------------------------


@every_machine
def test_an_answer_that_nobody_expects_closes_the_run_and_after_that_tells_a_person(script: Play) -> None:
    for name, state in of_type(script, "Choice").items():
        assert state["Default"] == (LEFT[0] if name in (ENDED, FREE) else CLOSE)


@every_machine
def test_a_run_that_is_another_s_by_now_ends_without_a_change(script: Play) -> None:
    for state in of_type(script, "Choice").values():
        assert [rule["Next"] for rule in state["Choices"] if rule["StringEquals"] == "superseded"] == ["Superseded"]


@every_machine
def test_an_error_of_a_task_closes_the_run_with_its_explanation(script: Play) -> None:
    jobs = {name for name, state in of_type(script, "Task").items() if "sagemaker:" in state["Resource"]}
    for name in set(of_type(script, "Task")) - jobs - releases(script) - {LEFT[0]}:
        assert caught(script.states()[name]) == {"States.ALL": "Explain the failure"}
    assert script.states()["Explain the failure"]["Next"] == CLOSE


@every_machine
def test_a_lock_that_cannot_be_released_is_told_of(script: Play) -> None:
    assert len(releases(script)) == 2
    for name in releases(script):
        assert caught(script.states()[name]) == {"States.ALL": LEFT[0]}
    assert not reachable(script.states(), LEFT[0]) & set(lambdas(script))


@every_machine
def test_every_run_that_holds_the_lock_releases_it_before_it_ends(script: Play) -> None:
    """But for those that never had it, or lost it."""
    without = NEVER_BEGUN[script.NAME] | {"Superseded", LEFT[1]}
    for name in set(of_type(script, "Succeed", "Fail")) - without:
        assert {each for each, state in script.states().items() if name in targets(state)} <= {ENDED, FREE}


# --- Executed ---------------------------------------------------------------------------------------------------------


@every_task_before_the_end
@pytest.mark.parametrize("line", [InvalidEvidence("no report"), "something new"])
def test_a_task_that_fails_closes_the_run_and_tells_nobody(at: Called, line: Line) -> None:
    ran = at.script(**at.before | {at.line: [line]}).run()
    end = FAILURES[at.script.NAME]
    assert ran.states[-3:] == [CLOSE, FREE, end]
    assert (ran.status, ran.error, ran.calls) == ("FAILED", end.title().replace(" ", ""), [])


@every_task_before_the_end
def test_a_run_that_is_another_s_by_now_ends_and_changes_nothing_more(at: Called) -> None:
    said = at.script.answer("superseded", sentence="Another run has taken its place.")
    script = at.script(**at.before | {at.line: [said]})
    ran = script.run()
    assert (ran.status, ran.error, ran.cause) == ("FAILED", "Superseded", "Another run has taken its place.")
    assert (script.calls[-1], ran.calls) == (at.line, [])


@every_machine
def test_a_run_that_fails_after_it_lost_the_lock_changes_nothing(script: Play) -> None:
    ran = script(query=[FAILED], fail=["superseded"]).run()
    assert (ran.error, ran.states[-1], ran.calls) == ("Superseded", "Superseded", [])


@every_machine
def test_a_run_that_fails_at_the_lock_has_no_run_to_close(script: Play) -> None:
    ran = script(lock=[InvalidEvidence("a mistake")]).run()
    assert (heard(ran, "fail")["run"], ran.states[-1]) == ({}, FAILURES[script.NAME])


@every_machine
@pytest.mark.parametrize("line", [InvalidEvidence("a mistake"), StoreUnavailable("busy"), "something new"])
@pytest.mark.parametrize("name", ["release", "fail"])
def test_a_lock_that_is_not_released_is_told_of_with_all_that_is_known(script: Play, name: str, line: Line) -> None:
    first: Lines = {"query": [FAILED]} if name == "fail" else {}
    played = script(**first, **{name: [line]})
    ran = played.run()
    assert (ran.status, ran.error, ran.states[-2:], played.calls[-1]) == ("FAILED", "LockLeft", LEFT, name)
    assert "the next run takes it over" in ran.cause
    ((subject, message),) = ran.published()
    assert subject == SUBJECTS[script.NAME]
    assert script.execution() in message
    known = json.loads(message.partition("What is known: ")[2])
    if isinstance(line, Exception):
        assert known["error"]["Error"] == type(line).__name__
    else:
        assert known["answer"]["next"] == line


@every_machine
def test_a_person_who_cannot_be_told_changes_nothing(script: Play) -> None:
    ran = script(release=[InvalidEvidence("a mistake")]).run(failing=["sns:publish"])
    assert (ran.error, ran.states[-2:], ran.published()) == ("LockLeft", LEFT, [])
