"""The machine `retraining`: from the archive to a registered candidate, or to a reason why there is none.

It orders, waits and retries; what follows is decided by the functions that it calls. Every task answers
`{next, sentence, wait_seconds, run}`, kept as `$.answer`: all that a state may rest on. `run` names all that the jobs
read and write, and is handed on from task to task; what the query and the jobs themselves answer is dropped, because
what they found lies in the archive.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from stepfunctions.steps import Succeed
from stepfunctions.steps.states import State

from state_machines import jobs
from state_machines.jobs import process, query, train
from state_machines.phases import (
    DAY,
    SLOW_FUNCTION_TIMEOUT,
    close_after_failure,
    explain_failure,
    failed,
    leave_locked,
)
from state_machines.steps import Phase, answers, entries, question, render, sequence

PREPARE = "${PrepareRetrainingArn}"
JUDGE = "${JudgeRetrainingArn}"
FINISH = "${FinishRetrainingArn}"
ROLE = "${RetrainingJobRoleArn}"

LONGEST = 5 * DAY
"""Seconds of an execution: the query and the jobs at their longest take four days and seven hours, and there is room
for waiting for machines. A look at a job that runs on its own takes nine events of the 25,000 that a history holds, so
that looks every three minutes, all the time, would still fit."""

call = jobs.caller("RetrainingMoved")


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
    locked = leave_locked("Retraining", "No model is harmed: what was registered stays registered.")
    said = "Closes the run's record with the reason, and calls people."
    close = close_after_failure(call, FINISH, locked, comment=said, failed=unsuccessful, superseded=superseded)
    failure = explain_failure(close)
    release = release_lock(locked, superseded, unsuccessful)
    return [*go_forward(Ways(failure, close, superseded), release), failure, close, locked]


def go_forward(ways: Ways, release: Phase) -> list[Phase]:
    """The story: each phase ends in a question, whose answer leads to the next phase or to the end."""
    lock, assembly, examination = take_lock(ways), assemble_data(ways), examine_data(ways)
    evaluation = evaluate_candidate(ways)
    training = train_model(ways, evaluation)

    answers(lock.exit, assemble=assembly.entry, under_way=end_already_under_way(), nothing=end_with_nothing())
    answers(lock.exit, refused=end_refused())
    answers(assembly.exit, examine=examination.entry, not_enough=release.entry)
    answers(examination.exit, train=training.entry, not_enough=release.entry, unfit=release.entry)
    answers(evaluation.exit, judged=release.entry)
    for phase in (lock, assembly, examination, evaluation):
        answers(phase.exit, superseded=ways.superseded)

    return [lock, assembly, examination, training, evaluation, release]


def definition() -> tuple[dict[str, Any], dict[str, str]]:
    """The machine in the States Language, and the first state of each phase by the phase's title."""
    built = build()
    comment = "Learns a new model from the archive, measures it against the one that serves, and registers it."
    return render(built, comment=comment, timeout_seconds=LONGEST), entries(built)


# --- The way forward --------------------------------------------------------------------------------------------------


def take_lock(ways: Ways) -> Phase:
    lock = call(
        "Take the lock",
        PREPARE,
        "lock",
        ways.failure,
        comment="Begins the run's record, unless nothing asks for a run; while it is open no other run begins.",
    )
    begun = question("Is there a run to begin?", otherwise=ways.close.entry)
    return Phase("Lock", sequence(lock, begun), begun)


def assemble_data(ways: Ways) -> Phase:
    choose = call(
        "Choose the data",
        PREPARE,
        "choose_data",
        ways.failure,
        needs=("run",),
        comment="Looks whether the archive holds anything, and what stands in for it if not.",
    )
    chosen = question("Is there something to examine?", otherwise=ways.close.entry)
    assemble = query(
        "Assemble the data set",
        ways.failure.entry,
        comment="Unloads served features and matured verdicts from the archive.",
    )
    return Phase("Data set", sequence(assemble, choose, chosen), chosen)


def examine_data(ways: Ways) -> Phase:
    judge = call(
        "Judge the data",
        JUDGE,
        "data",
        ways.failure,
        needs=("run",),
        timeout=SLOW_FUNCTION_TIMEOUT,
        comment="Reads what the examination found.",
    )
    fit = question("Can it be learned from?", otherwise=ways.close.entry)
    job = process(
        "Examine the data",
        "examine",
        ask_the_job("examine", "examination", ways, judge),
        role=ROLE,
        inputs={"source": "source_uri", "data": "data_uri"},
        output="examined",
        comment="Checks the data, looks for what knows the future, and parts what is learned from and measured on.",
    )
    return Phase("Examination", sequence(job, judge, fit), fit)


def train_model(ways: Ways, evaluation: Phase) -> Phase:
    job = train(
        "Train the model",
        ask_the_job("train", "training", ways, evaluation.entry),
        role=ROLE,
        comment="Learns from the older rows; what interrupts it costs no more than the rounds since a checkpoint.",
    )
    return Phase("Training", sequence(job, evaluation.entry), job)


def evaluate_candidate(ways: Ways) -> Phase:
    judge = call(
        "Judge the candidate",
        JUDGE,
        "candidate",
        ways.failure,
        needs=("run",),
        timeout=SLOW_FUNCTION_TIMEOUT,
        comment="Reads the comparison with the champion, and registers what is not rejected.",
    )
    judged = question("Is the candidate judged?", otherwise=ways.close.entry)
    job = process(
        "Evaluate the candidate",
        "evaluate",
        ask_the_job("evaluate", "evaluation", ways, judge),
        role=ROLE,
        inputs={
            "source": "source_uri",
            "rows": "evaluate_uri",
            "candidate": "artefact_uri",
            "champion": "champion_uri",
        },
        output="evaluated",
        comment="Measures the candidate and the champion on the same rows, which neither learned from.",
    )
    return Phase("Evaluation", sequence(job, judge, judged), judged)


def ask_the_job(job: str, noun: str, ways: Ways, then: State) -> State:
    """What an error of a job leads to: the job itself is asked, and one that is done leads on."""
    return jobs.ask(call, job, noun, failure=ways.failure, close=ways.close, done=then, superseded=ways.superseded)


# --- The end of a run -------------------------------------------------------------------------------------------------


def release_lock(locked: Phase, superseded: State, unsuccessful: State) -> Phase:
    release = call(
        "Release the lock",
        FINISH,
        "release",
        locked,
        needs=("run",),
        comment="Closes the run's record, and says how it ended; another one may begin.",
    )
    ended = question("How did it end?", otherwise=locked.entry)
    answers(
        ended,
        approved=Succeed("Registered for rollout", comment="The version is approved, and that starts its rollout."),
        pending=Succeed("Registered for a person", comment="The version is in the registry; a person decides."),
        rejected=Succeed("Candidate rejected", comment="It is no better than the champion, and not registered."),
        not_enough=Succeed("Not enough labels yet", comment="There is too little to learn from, or to measure on."),
        unfit=failed("Data unfit", "DataUnfit", "The data is stale, broken or knows the future; nothing was learned."),
        failed=unsuccessful,
        superseded=superseded,
    )
    return Phase("Release", sequence(release, ended), ended)


# --- Ends -------------------------------------------------------------------------------------------------------------


def end_already_under_way() -> State:
    return Succeed("Already under way", comment="Another execution holds the lock, and answers this request, too.")


def end_with_nothing() -> State:
    return Succeed("Nothing asks for a new model", comment="No alarm is on, or the last run ended only just now.")


def end_refused() -> State:
    return failed("Refused", "Refused", "The request or its plan cannot be followed.")


def end_superseded() -> State:
    return failed("Superseded", "Superseded", "The run is over, or another's by now; this one changes nothing.")


def end_failed() -> State:
    return failed("Retraining failed", "RetrainingFailed", "The record says why; the champion serves on.")
