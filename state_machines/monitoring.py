"""The machine `monitoring`: what watches the champion is made to fit it, and seen to be alive.

It orders, waits and retries; what follows is decided by the functions that it calls. Every task answers
`{next, sentence, wait_seconds, run}`, kept as `$.answer`: all that a state may rest on. `run` names all that the query
and the job read and write, and is handed on from task to task. Where everything fits already, a run makes nothing:
started again, it changes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stepfunctions.steps import Succeed
from stepfunctions.steps.states import State

from state_machines import jobs
from state_machines.jobs import process, query
from state_machines.phases import DAY, close_after_failure, explain_failure, failed, leave_locked, pause, until
from state_machines.steps import Phase, answers, entries, question, render, sequence

REFRESH = "${RefreshMonitoringArn}"
ROLE = "${MonitoringJobRoleArn}"

LONGEST = 2 * DAY
"""Seconds of an execution: the query and the job at their longest take a day and three hours, schedules half an hour to
come to rest, and there is room for waiting for a machine."""

call = jobs.caller("MonitoringMoved")


@dataclass(frozen=True)
class Ways:
    """Where it goes when something does not go well.

    Args:
        failure: after an error.
        close: after an answer that nobody expects.
        superseded: when the run is over, or another's by now.
    """

    failure: Phase
    close: Phase
    superseded: State


def build() -> list[Phase]:
    """All phases; what others lead to when something goes wrong is built before them."""
    superseded, unsuccessful = end_superseded(), end_failed()
    locked = leave_locked("Monitoring", "What watched before watches on.")
    said = "Closes the run's record with the reason; an alarm hears of the execution."
    close = close_after_failure(call, REFRESH, locked, comment=said, failed=unsuccessful, superseded=superseded)
    failure = explain_failure(close)
    evidence = record_evidence(locked, superseded, unsuccessful)
    return [*go_forward(Ways(failure, close, superseded), evidence), failure, close, locked]


def go_forward(ways: Ways, evidence: Phase) -> list[Phase]:
    """The story: each phase ends in a question, whose answer leads to the next phase or to the end."""
    lock, reference, baseline = take_lock(ways), assemble_reference(ways), make_baseline(ways)
    schedules, liveness = replace_schedules(ways), check_liveness(ways)

    answers(lock.exit, assemble=reference.entry, schedules=schedules.entry)
    answers(lock.exit, under_way=end_already_under_way(), no_model=end_without_model(), refused=end_refused())
    answers(reference.exit, baseline=baseline.entry)
    answers(baseline.exit, schedules=schedules.entry)
    answers(schedules.exit, settled=liveness.entry)
    answers(liveness.exit, checked=evidence.entry)
    for phase in (lock, reference, baseline, schedules, liveness):
        answers(phase.exit, superseded=ways.superseded)

    return [lock, reference, baseline, schedules, liveness, evidence]


def definition() -> tuple[dict[str, Any], dict[str, str]]:
    """The machine in the States Language, and the first state of each phase by the phase's title."""
    built = build()
    comment = "Makes the champion's baseline, keeps Model Monitor's schedules to it, and sees whether anybody looks."
    return render(built, comment=comment, timeout_seconds=LONGEST), entries(built)


# --- The way forward --------------------------------------------------------------------------------------------------


def take_lock(ways: Ways) -> Phase:
    lock = call(
        "Take the lock",
        REFRESH,
        "lock",
        ways.failure,
        comment="Reads which package is champion and begins the run's record; while it is open no other run begins.",
    )
    begun = question("Is there a run to begin?", otherwise=ways.close.entry)
    return Phase("Lock", sequence(lock, begun), begun)


def assemble_reference(ways: Ways) -> Phase:
    choose = call(
        "Choose the reference",
        REFRESH,
        "choose_reference",
        ways.failure,
        needs=("run",),
        comment="Looks whether the archive holds anything; if not, the baseline rests on the package alone.",
    )
    chosen = question("Is the reference chosen?", otherwise=ways.close.entry)
    assemble = query(
        "Assemble the reference",
        ways.failure.entry,
        comment="Unloads from the archive what arrived in the days that the baseline rests on.",
    )
    return Phase("Reference", sequence(assemble, choose, chosen), chosen)


def make_baseline(ways: Ways) -> Phase:
    judge = call(
        "Judge the baseline",
        REFRESH,
        "judge_baseline",
        ways.failure,
        needs=("run",),
        comment="Reads the baseline that was made, and notes that it stands.",
    )
    stands = question("Does the baseline stand?", otherwise=ways.close.entry)
    asked = jobs.ask(
        call,
        "baseline",
        "baseline job",
        failure=ways.failure,
        close=ways.close,
        done=judge,
        superseded=ways.superseded,
    )
    job = process(
        "Make the baseline",
        "baseline",
        asked,
        role=ROLE,
        inputs={"source": "source_uri", "rows": "reference_uri", "champion": "champion_uri"},
        output="baseline",
        comment="Puts together what the champion learned and was served into statistics and constraints.",
    )
    return Phase("Baseline", sequence(job, judge, stands), stands)


def replace_schedules(ways: Ways) -> Phase:
    replace = call(
        "Replace the schedules",
        REFRESH,
        "replace_schedules",
        ways.failure,
        needs=("run",),
        comment="One look at each schedule of Model Monitor's, and the next step towards what fits the baseline.",
    )
    settled = question("Are the schedules settled?", otherwise=ways.close.entry)
    wait = pause("Wait for the schedules", "A schedule changes, and is looked at again.")
    return Phase("Schedules", until(replace, settled, wait), settled)


def check_liveness(ways: Ways) -> Phase:
    check = call(
        "See whether monitoring is alive",
        REFRESH,
        "check_liveness",
        ways.failure,
        needs=("run",),
        comment="Reads when the last look at what arrived was over.",
    )
    checked = question("Is the liveness checked?", otherwise=ways.close.entry)
    return Phase("Liveness", sequence(check, checked), checked)


# --- The end of a run -------------------------------------------------------------------------------------------------


def record_evidence(locked: Phase, superseded: State, unsuccessful: State) -> Phase:
    record = call(
        "Record the evidence",
        REFRESH,
        "release",
        locked,
        needs=("run",),
        comment="Closes the run's record with what stands by now, and frees the lock; calls people if nobody looks.",
    )
    ended = question("How did it end?", otherwise=locked.entry)
    answers(
        ended,
        refreshed=Succeed("Monitoring refreshed", comment="The baseline or a schedule is new."),
        unchanged=Succeed("Nothing to change", comment="The baseline and the schedules fit the champion already."),
        silent=failed("Monitoring is silent", "MonitoringSilent", "The looks at what arrives have stopped."),
        failed=unsuccessful,
        superseded=superseded,
    )
    return Phase("Evidence", sequence(record, ended), ended)


# --- Ends -------------------------------------------------------------------------------------------------------------


def end_already_under_way() -> State:
    return Succeed(
        "Already under way", comment="Another execution holds the lock; what it leaves, the next look asks for."
    )


def end_without_model() -> State:
    return Succeed("No model serves yet", comment="There is nothing to watch; the first promotion starts a run.")


def end_refused() -> State:
    return failed("Refused", "Refused", "The request or its plan cannot be followed.")


def end_superseded() -> State:
    return failed("Superseded", "Superseded", "The run is over, or another's by now; this one changes nothing.")


def end_failed() -> State:
    return failed("Refresh failed", "RefreshFailed", "The record says why; what watched before watches on.")
