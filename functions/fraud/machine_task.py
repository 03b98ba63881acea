"""What a machine of jobs asks of a function, and what it gets: one shape for every task.

An expected outcome is an answer, told by its `next`; only the unexpected is an error, which the machine retries or
catches. `run` is what the jobs' states read; an answer that leads to no job leaves it empty.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fraud.errors import Permanent, Superseded


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task, as the state machine words it.

    Args:
        task: its name.
        execution: ARN of the execution that asks.
        execution_name: its name.
        input: of the execution, as a person, a schedule or an event wrote it.
        job: what it is about, for a task about one of the machine's jobs.
        error: of the state before, as the machine caught it: JSON text.
        run: of the answer before.
    """

    task: str
    execution: str
    execution_name: str
    input: Any = None
    job: str = ""
    error: str = ""
    run: dict[str, Any] = msgspec.field(default_factory=dict)


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a task answers; every field is always there, because a path that is not ends an execution.

    Args:
        next: what follows, a word that a Choice tests.
        sentence: for people.
        wait_seconds: how long to wait, where `next` asks for it.
        run: what the jobs' states read.
    """

    next: str
    sentence: str = ""
    wait_seconds: int = 0
    run: dict[str, Any] = msgspec.field(default_factory=dict)


def task(event: Mapping[str, Any]) -> Task:
    """A task from the event of its function."""
    return msgspec.convert(event, Task)


def answered(call: Callable[[], Answer], permanent: str = "") -> dict[str, Any]:
    """The answer of a task as plain values; what can never succeed is answered with the word for it, if any."""
    try:
        answer = call()
    except Superseded as error:
        answer = Answer(next="superseded", sentence=str(error))
    except Permanent as error:
        if not permanent:
            raise
        answer = Answer(next=permanent, sentence=str(error))
    plain: dict[str, Any] = msgspec.to_builtins(answer)
    return plain


def explained(error: str) -> str:
    """Why a state failed, in words, from what the machine caught: JSON text with `Error` and `Cause`, or a sentence.

    The cause of a job's failure is the job's own description, as JSON text.
    """
    caught = _object(error)
    if not caught:
        return error or "It ended for a reason that nobody noted."
    job = _object(str(caught.get("Cause", "")))
    # What a job leaves as its message says more than the service, which refers to its log.
    reason = job.get("ExitMessage") or job.get("FailureReason") or job.get("errorMessage") or caught.get("Cause") or ""
    return f"{caught.get('Error', 'An error')}: {reason}".removesuffix(": ")


def _object(text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
