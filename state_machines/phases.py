"""What machines' phases are made of: calls of functions, waits, questions asked again, messages, failures and ends."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from stepfunctions.steps import Pass, Wait
from stepfunctions.steps.states import Choice, State

from state_machines.steps import Fail, Phase, Retry, Task, answers, invoke, question, retry, sequence

HOUR = 3_600
DAY = 24 * HOUR

FUNCTION_TIMEOUT = 90
"""Seconds for a function that may take 60."""
SLOW_FUNCTION_TIMEOUT = 330
"""Seconds for a function that may take 300."""

PERSISTENT = retry("States.ALL", attempts=30)
"""For what should not be given up for any error at all: more than five minutes of trying."""


def call(
    state_id: str,
    function: str,
    task: str,
    on_error: Phase,
    *,
    keep: Sequence[str],
    retries: Sequence[Retry],
    needs: Sequence[str] = (),
    also: Mapping[str, str] | None = None,
    timeout: int | str = FUNCTION_TIMEOUT,
    waits: bool = False,
    **fields: Any,
) -> Task:
    """A task of a function.

    Args:
        state_id: name of the state.
        function: ARN.
        task: as the function knows it.
        on_error: where it leads when nothing helps.
        keep: fields of its answer.
        retries: tried in this order.
        needs: fields of the answer before, which the function gets under their names.
        also: what else it gets.
        timeout: seconds, or the path where they stand.
        waits: whether somebody answers later, with the token of the task.
        fields: see `steps.Guarded`.
    """
    execution = {"execution.$": "$$.Execution.Id", "execution_name.$": "$$.Execution.Name"}
    payload = {"task": task} | execution | {"input.$": "$$.Execution.Input"}
    payload |= {f"{name}.$": f"$.answer.{name}" for name in needs}
    payload |= {"token.$": "$$.Task.Token"} if waits else {}
    return invoke(
        state_id,
        function,
        payload | dict(also or {}),
        keep=keep,
        waits=waits,
        timeout=timeout,
        retries=retries,
        on_error=on_error.entry,
        **fields,
    )


def explain(state_id: str, word: str, *, comment: str, **rest: Any) -> Pass:
    """An error as an answer: what follows needs to know nothing of errors.

    Args:
        state_id: name of the state.
        word: the answer's `next`.
        comment: of the state.
        rest: fields of the machine's answers, beside those of every one.
    """
    # As a whole: whether a timeout has a cause is not documented, and a path that is not there ends an execution.
    answer = {"next": word, "sentence.$": "States.JsonToString($.error)", "wait_seconds": 0}
    return Pass(state_id, parameters=answer | rest, result_path="$.answer", comment=comment)


def message(state_id: str, subject: str, text: str, on_error: State, *, comment: str) -> Task:
    """A message to the alarm topic, with all that is known: it is sent with an error to tell of, and without one."""
    return Task(
        state_id,
        resource="arn:aws:states:::sns:publish",
        parameters={
            "TopicArn": "${AlarmTopicArn}",
            "Subject": subject,
            "Message.$": f"States.Format('{text}', $$.Execution.Id, States.JsonToString($))",
        },
        result_path=None,
        timeout=FUNCTION_TIMEOUT,
        retries=(PERSISTENT,),
        on_error=on_error,
        comment=comment,
    )


def pause(state_id: str, comment: str) -> Wait:
    return Wait(state_id, seconds_path="$.answer.wait_seconds", comment=comment)


def until(task: Task, done: Choice, wait: Wait) -> State:
    """Repeat a task for as long as it answers `wait`; returns the first state."""
    answers(done, wait=wait)
    sequence(wait, task)
    return sequence(task, done)


def failed(state_id: str, error: str, comment: str) -> Fail:
    """A failure that says why in the last answer's words."""
    return Fail(state_id, error=error, cause_path="$.answer.sentence", comment=comment)


# --- What machines with a run do when it fails ------------------------------------------------------------------------


def explain_failure(close: Phase) -> Phase:
    """Where errors lead: what follows hears of them as of an answer."""
    explained = explain(
        "Explain the failure",
        "fail",
        comment="Turns an error into an answer, as if a function had told of it.",
        # What fails first has no run to keep.
        run={},
    )
    return Phase("Failure", sequence(explained, close.entry), explained)


def close_after_failure(
    call: Callable[..., Task], function: str, locked: Phase, *, comment: str, **ends: State
) -> Phase:
    """The record of a run that failed is closed, so that another one may begin.

    Args:
        call: of the machine's functions.
        function: ARN of the one that closes.
        locked: where it leads when nothing helps.
        comment: of the state.
        ends: of the machine, by the words answered.
    """
    close = call(
        "Release the lock after the failure",
        function,
        "fail",
        locked,
        needs=("run",),
        also={"error.$": "$.answer.sentence"},
        comment=comment,
    )
    free = question("Is the lock free again?", otherwise=locked.entry)
    answers(free, **ends)
    return Phase("Release after a failure", sequence(close, free), free)


def leave_locked(machine: str, comment: str) -> Phase:
    """The end of an execution that cannot close its record: a person is told.

    Args:
        machine: what it does, for people.
        comment: of the end.
    """
    left = Fail(
        "Lock left",
        error="LockLeft",
        cause="The run's record is still open; the next run takes it over, because this execution is over.",
        comment=comment,
    )
    page = message(
        "Page about the lock",
        f"{machine}: the lock was not released",
        "Execution {} could not close the record of its run; the next run will. What is known: {}",
        left,
        comment="Tells people that the record does not say how the run ended.",
    )
    return Phase("Lock left", sequence(page, left), left)
