"""What the state machine asks of a function, and what it gets: one shape for every task.

An expected outcome is an answer, told by its `next`; only the unexpected is an error, which the machine retries or
catches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from fraud.errors import Permanent, RollbackUnverified, RolloutRefused, RolloutSuperseded
from fraud.rollout import Ask, Hold, Next, Shift

BY_APPROVAL = "the approval of the package"
"""Who asks, when the registry's event does; see the rule in the template."""


class Task(msgspec.Struct, frozen=True, kw_only=True):
    """A task, as the state machine words it.

    Args:
        task: its name.
        execution: ARN of the execution that asks.
        execution_name: its name.
        input: of the execution, as a person or an event wrote it.
        step: index into the plan's shares, from an earlier answer.
        model_package_arn: from an earlier answer.
        sentence: from an earlier answer.
        token: resumes the machine, for a task that waits for a person.
    """

    task: str
    execution: str
    execution_name: str
    input: Any = None
    step: int = -1
    model_package_arn: str = ""
    sentence: str = ""
    token: str = ""


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """What a task answers; every field is always there, because a path that is not ends an execution.

    Args:
        next: what follows, a word that a Choice tests.
        sentence: for people.
        wait_seconds: how long to wait, where `next` asks for it.
        step: index into the plan's shares, where `next` asks for it.
        model_package_arn: what is rolled out, where a later task needs it.
    """

    next: str
    sentence: str = ""
    wait_seconds: int = 0
    step: int = -1
    model_package_arn: str = ""


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An execution's input.

    Args:
        model_package_arn: what to roll out; the newest approved package without it.
        plan: see `rollout_plan.Plan`.
        started_by: who asks.
    """

    model_package_arn: str = ""
    plan: dict[str, Any] = msgspec.field(default_factory=dict)
    started_by: str = "unknown"


def task(event: Mapping[str, Any]) -> Task:
    """A task from the event of its function."""
    return msgspec.convert(event, Task)


def request(given: Any) -> Request:
    """A request from an execution's input; none at all is `{}`.

    Raises:
        RolloutRefused: it is not one.
    """
    try:
        return msgspec.convert({} if given is None else given, Request)
    except msgspec.ValidationError as error:
        raise RolloutRefused(f"The input is not {{}} or {{model_package_arn, plan, started_by}}: {error}") from error


def answered(call: Callable[[], Answer], permanent: str) -> dict[str, Any]:
    """The answer of a task as plain values; what can never succeed is answered with the word for it."""
    try:
        answer = call()
    except RollbackUnverified:
        raise
    except RolloutSuperseded as error:
        answer = Answer(next="superseded", sentence=str(error))
    except Permanent as error:
        answer = Answer(next=permanent, sentence=str(error))
    plain: dict[str, Any] = msgspec.to_builtins(answer)
    return plain


def told(step: Next) -> Answer:
    """The answer that says what follows from a look."""
    word = str(step.__struct_config__.tag)
    seconds = step.seconds if isinstance(step, Hold | Ask) else 0
    number = step.step if isinstance(step, Shift | Ask) else -1
    return Answer(next=word, sentence=step.sentence, wait_seconds=seconds, step=number)
