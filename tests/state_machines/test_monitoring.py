"""What the machine `monitoring` does with what its functions and jobs answer, executed."""

from __future__ import annotations

from typing import Any

import pytest

from tests.state_machines.job_script import EXISTS, FAILED
from tests.state_machines.monitoring_script import STATES, MonitoringScript, answer

BEGINNING = ["Take the lock", "Is there a run to begin?"]
REFERENCE = ["Assemble the reference", "Choose the reference", "Is the reference chosen?"]
BASELINE = ["Make the baseline", "Judge the baseline", "Does the baseline stand?"]
SCHEDULES = ["Replace the schedules", "Are the schedules settled?"]
AGAIN = ["Wait for the schedules", *SCHEDULES]
LIVENESS = ["See whether monitoring is alive", "Is the liveness checked?"]
EVIDENCE = ["Record the evidence", "How did it end?"]


def test_a_run_that_goes_well_takes_every_step_and_tells_nobody() -> None:
    script = MonitoringScript()
    ran = script.run()
    assert (ran.status, ran.error, ran.calls) == ("SUCCEEDED", "", [])
    assert ran.states == [
        *[*BEGINNING, *REFERENCE, *BASELINE, *SCHEDULES, *AGAIN, *LIVENESS, *EVIDENCE],
        "Monitoring refreshed",
    ]
    assert script.calls == [
        *["lock", "query", "choose_reference", "baseline", "judge_baseline"],
        *["replace_schedules", "replace_schedules", "check_liveness", "release"],
    ]


def test_a_run_whose_baseline_stands_starts_no_job_and_changes_nothing() -> None:
    script = MonitoringScript(lock=["schedules"], replace_schedules=["settled"], release=["unchanged"])
    ran = script.run()
    assert ran.states == [*BEGINNING, *SCHEDULES, *LIVENESS, *EVIDENCE, "Nothing to change"]
    assert (ran.status, ran.jobs, ran.waits, ran.calls) == ("SUCCEEDED", [], [], [])


@pytest.mark.parametrize(
    ("word", "status", "end", "error"),
    [
        ("refreshed", "SUCCEEDED", "Monitoring refreshed", ""),
        ("unchanged", "SUCCEEDED", "Nothing to change", ""),
        ("silent", "FAILED", "Monitoring is silent", "MonitoringSilent"),
        ("failed", "FAILED", "Refresh failed", "RefreshFailed"),
        ("superseded", "FAILED", "Superseded", "Superseded"),
    ],
)
def test_a_run_ends_as_its_record_says(word: str, status: str, end: str, error: str) -> None:
    ran = MonitoringScript(release=[answer(word, sentence="It is so.")]).run()
    assert (ran.status, ran.states[-1], ran.error, ran.cause) == (status, end, error, "It is so." if error else "")
    assert ran.calls == []


@pytest.mark.parametrize(
    ("word", "status", "end"),
    [
        ("under_way", "SUCCEEDED", "Already under way"),
        ("no_model", "SUCCEEDED", "No model serves yet"),
        ("refused", "FAILED", "Refused"),
        ("superseded", "FAILED", "Superseded"),
    ],
)
def test_a_run_that_does_not_begin_starts_no_job_and_touches_no_lock(word: str, status: str, end: str) -> None:
    script = MonitoringScript(lock=[answer(word, sentence="So it is.", run={})])
    ran = script.run()
    assert (ran.status, ran.states) == (status, [*BEGINNING, end])
    assert (script.calls, ran.jobs, ran.calls) == (["lock"], [], [])
    assert ran.cause == ("So it is." if status == "FAILED" else "")


def test_schedules_are_looked_at_again_after_as_long_as_the_answer_says_until_they_are_settled() -> None:
    waits: list[Any] = [answer("wait", wait_seconds=seconds) for seconds in (15, 30)]
    ran = MonitoringScript(replace_schedules=[*waits, "settled"]).run()
    first = ran.states.index("Replace the schedules")
    assert ran.states[first : first + 9] == [*SCHEDULES, *AGAIN, *AGAIN, LIVENESS[0]]
    assert ran.waits == [15, 30]


def test_every_state_is_entered_by_some_run() -> None:
    """So that what the others say of the machine is said of all of it."""
    ends = [{"release": [word]} for word in ("unchanged", "silent", "superseded", "what")]
    starts = [{"lock": [word]} for word in ("under_way", "no_model", "refused")]
    others: list[dict[str, Any]] = [{}, {"query": [FAILED]}, {"baseline": [EXISTS], "look_baseline": ["wait", "done"]}]
    runs = [MonitoringScript(**lines).run() for lines in (*ends, *starts, *others)]
    assert {state for ran in runs for state in ran.states} == set(STATES)
