"""The machine `drift`: one look at what arrived, for what has changed since the champion learned.

It orders, waits and retries; what follows is decided by the functions that it calls. Every task answers
`{next, sentence, wait_seconds, run}`, kept as `$.answer`: all that a state may rest on. `run` names all that the query
and the job read and write, and is handed on from task to task. Looks take no lock: each has its own window, names and
places, and alarms act on what they publish.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stepfunctions.steps import Succeed
from stepfunctions.steps.states import State

from state_machines import jobs
from state_machines.jobs import process, query
from state_machines.phases import FUNCTION_TIMEOUT, HOUR, explain_failure, failed
from state_machines.steps import Phase, Task, answers, entries, question, render, retry, sequence

JUDGE = "${JudgeWindowArn}"
ROLE = "${MonitoringJobRoleArn}"

LONGEST = 36 * HOUR
"""Seconds of an execution: the query and the job at their longest take a day and three hours, and there is room for
waiting for a machine."""

START_THROTTLED = retry(
    "StepFunctions.AWSStepFunctionsException",
    "StepFunctions.ExecutionLimitExceededException",
    "StepFunctions.ExecutionLimitExceeded",
    "StepFunctions.ThrottlingException",
    attempts=8,
)

call = jobs.caller("MonitoringMoved")


@dataclass(frozen=True)
class Ways:
    """Where it goes when something does not go well.

    Args:
        failure: after an error.
        note: after an answer that nobody expects.
    """

    failure: Phase
    note: Phase


def build() -> list[Phase]:
    """All phases; what others lead to when something goes wrong is built before them."""
    note = note_failure()
    failure = explain_failure(note)
    return [*go_forward(Ways(failure, note)), failure, note]


def go_forward(ways: Ways) -> list[Phase]:
    """The story: each phase ends in a question, whose answer leads to the next phase or to the end."""
    window, request = choose_window(ways), ask_for_baseline(ways)
    data, look = assemble_window(ways), look_at_window(ways)

    answers(window.exit, assemble=data.entry, no_baseline=request.entry)
    answers(window.exit, no_model=end_without_model(), refused=end_refused())
    answers(data.exit, look=look.entry, nothing=end_with_nothing())
    answers(look.exit, quiet=end_quiet(), violated=end_violated())

    return [window, request, data, look]


def definition() -> tuple[dict[str, Any], dict[str, str]]:
    """The machine in the States Language, and the first state of each phase by the phase's title."""
    built = build()
    comment = "Looks at what arrived, variant by variant, and tells what has changed since the champion learned."
    return render(built, comment=comment, timeout_seconds=LONGEST), entries(built)


# --- The way forward --------------------------------------------------------------------------------------------------


def choose_window(ways: Ways) -> Phase:
    choose = call(
        "Choose the window",
        JUDGE,
        "choose_window",
        ways.failure,
        comment="Says from when to when, which models serve, and what they are held against.",
    )
    chosen = question("Is there a window to look at?", otherwise=ways.note.entry)
    return Phase("Window", sequence(choose, chosen), chosen)


def ask_for_baseline(ways: Ways) -> Phase:
    # Not waited for, and asked twice it does no harm: the other machine has a lock.
    ask = Task(
        "Ask for a baseline",
        resource="arn:aws:states:::states:startExecution",
        parameters={"StateMachineArn": "${MonitoringMachineArn}", "Input": {"trigger": "drift"}},
        result_path=None,
        timeout=FUNCTION_TIMEOUT,
        retries=(START_THROTTLED,),
        on_error=ways.failure.entry,
        comment="Starts the machine that makes one, and does not wait for it.",
    )
    asked = Succeed("Asked for a baseline", comment="The next look finds one to hold its window against.")
    return Phase("Request", sequence(ask, asked), asked)


def assemble_window(ways: Ways) -> Phase:
    choose = call(
        "Choose the data",
        JUDGE,
        "choose_data",
        ways.failure,
        needs=("run",),
        comment="Looks whether anything arrived; if not, that is told where there was traffic before.",
    )
    arrived = question("Did anything arrive?", otherwise=ways.note.entry)
    assemble = query(
        "Assemble the window",
        ways.failure.entry,
        comment="Unloads from the archive what arrived, and the days before it whose verdicts are mature by now.",
    )
    return Phase("Data", sequence(assemble, choose, arrived), arrived)


def look_at_window(ways: Ways) -> Phase:
    judge = call(
        "Judge the window",
        JUDGE,
        "judge",
        ways.failure,
        needs=("run",),
        comment="Reads what the look found, notes it, and publishes what alarms watch.",
    )
    changed = question("Did anything change?", otherwise=ways.note.entry)
    asked = jobs.ask(call, "monitor", "look", failure=ways.failure, close=ways.note, done=judge)
    job = process(
        "Look at the window",
        "monitor",
        asked,
        role=ROLE,
        inputs={
            "source": "source_uri",
            "rows": "rows_uri",
            "champion": "champion_uri",
            "challenger": "challenger_uri",
            "baseline": "baseline_uri",
        },
        output="findings",
        comment="Holds features, scores, decisions and matured verdicts of each variant against the baseline.",
    )
    return Phase("Look", sequence(job, judge, changed), changed)


# --- The end of a look that failed ------------------------------------------------------------------------------------


def note_failure() -> Phase:
    end = failed("Look failed", "LookFailed", "Nobody knows whether anything changed; an alarm hears of the execution.")
    # Without its words there is the error as it was caught: the answer that the failure was explained with stands.
    note = call(
        "Note the failure",
        JUDGE,
        "fail",
        Phase("Failed", end, end),
        needs=("run",),
        also={"error.$": "$.answer.sentence"},
        comment="Puts the reason into words.",
    )
    return Phase("End after a failure", sequence(note, end), end)


# --- Ends -------------------------------------------------------------------------------------------------------------


def end_without_model() -> State:
    return Succeed("No model serves yet", comment="There is nothing to look at.")


def end_refused() -> State:
    return failed("Refused", "Refused", "The request or its plan cannot be followed.")


def end_with_nothing() -> State:
    return Succeed("Nothing arrived", comment="Alarms hear of it where there was traffic before.")


def end_quiet() -> State:
    return Succeed("Nothing changed", comment="What arrived is as the champion knows it.")


def end_violated() -> State:
    return Succeed("Violations found", comment="Alarms act on them: they start a retraining, or call people.")
