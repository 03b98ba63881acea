"""The words that state machines are written in.

They stand on the Step Functions Data Science SDK and close its gaps: fields that it does not know, tasks without a
timeout, retry or catch, edges that move without a word, and an output that nobody can read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

from stepfunctions import steps as sdk
from stepfunctions.steps.states import Choice, Graph, State

from state_machines.definition import in_reading_order, violations


class HouseRuleBroken(Exception):
    """A machine that must not be deployed as it is."""


class Extra(Enum):
    """Fields of the language that the SDK does not know; it only reads their values."""

    RESULT_SELECTOR = "result_selector"
    JITTER_STRATEGY = "jitter_strategy"
    MAX_DELAY_SECONDS = "max_delay_seconds"
    CAUSE_PATH = "cause_path"


class Retry(sdk.Retry):
    """A retry that may be capped and spread."""

    def allowed_fields(self) -> list[Enum]:
        return [*super().allowed_fields(), Extra.JITTER_STRATEGY, Extra.MAX_DELAY_SECONDS]


class Fail(sdk.Fail):
    """A failure that may say why in words found on the way."""

    def allowed_fields(self) -> list[Enum]:
        return [*super().allowed_fields(), Extra.CAUSE_PATH]


LAMBDA_ERRORS = [
    "Lambda.ServiceException",
    "Lambda.AWSLambdaException",
    "Lambda.SdkClientException",
    "Lambda.TooManyRequestsException",
    "Lambda.ClientExecutionTimeoutException",
    "Lambda.Unknown",
    "Runtime.ExitError",
    "Sandbox.Timedout",
]
"""What Lambda reports of itself, and of a function that it had to end; tasks can be repeated."""


def retry(*errors: str, attempts: int = 6, first_seconds: int = 2, longest_seconds: int = 30) -> Retry:
    """Retries spread at random, so that those who were refused together do not come back together.

    Args:
        errors: by name.
        attempts: at most, the first not counted.
        first_seconds: before the first retry, at most; twice as long before each other one.
        longest_seconds: before any.
    """
    return Retry(
        error_equals=list(errors),
        interval_seconds=first_seconds,
        max_attempts=attempts,
        backoff_rate=2,
        max_delay_seconds=longest_seconds,
        jitter_strategy="FULL",
    )


class Guarded:
    """A task that cannot be built without an end: it has a timeout, is retried, and its errors lead somewhere.

    Args:
        state_id: its name.
        timeout: seconds, or the path where they stand.
        on_error: where it leads when nothing helps.
        retries: tried in this order.
        catches: errors that lead elsewhere than the others, by name.
        fields: the SDK's.
    """

    def __init__(
        self,
        state_id: str,
        *,
        timeout: int | str,
        on_error: State,
        retries: Sequence[Retry],
        catches: Mapping[str, State] | None = None,
        **fields: Any,
    ) -> None:
        fields["timeout_seconds" if isinstance(timeout, int) else "timeout_seconds_path"] = timeout
        super().__init__(state_id, retry=list(retries), **fields)  # type: ignore[call-arg]
        for error, target in {**(catches or {}), "States.ALL": on_error}.items():
            self.add_catch(sdk.Catch(error_equals=[error], result_path="$.error", next_step=target))  # type: ignore[attr-defined]

    def allowed_fields(self) -> list[Enum]:
        return [*super().allowed_fields(), Extra.RESULT_SELECTOR]  # type: ignore[misc]


class Task(Guarded, sdk.Task):
    """A call of any service."""


def invoke(
    state_id: str, function: str, payload: Mapping[str, Any], *, keep: Sequence[str], waits: bool = False, **fields: Any
) -> Task:
    """A call of a Lambda function, of whose answer only the named fields are kept, as `$.answer`.

    The answer takes the place of all that was known before: no path can rest on what some earlier state left.

    Args:
        state_id: name of the state.
        function: ARN.
        payload: the function's event.
        keep: names of the fields.
        waits: whether somebody answers later, with the token of the task.
        fields: see `Guarded`.
    """
    answer = "$" if waits else "$.Payload"
    return Task(
        state_id,
        resource="arn:aws:states:::lambda:invoke" + (".waitForTaskToken" if waits else ""),
        parameters={"FunctionName": function, "Payload": dict(payload)},
        result_selector={"answer": {f"{name}.$": f"{answer}.{name}" for name in keep}},
        **fields,
    )


@dataclass(frozen=True)
class Phase:
    """States that do one thing together.

    Args:
        title: what they do, for people.
        entry: the first.
        exit: the last; a question, unless the phase ends the machine.
    """

    title: str
    entry: State
    exit: State


def sequence(*states: State) -> State:
    """Lead each state to the next; returns the first.

    Raises:
        HouseRuleBroken: one of them leads elsewhere already, or is a question, where this would become the default.
    """
    for source, target in pairwise(states):
        if isinstance(source, Choice) or source.next_step not in (None, target):
            raise HouseRuleBroken(f"{source.state_id!r} leads elsewhere already")
        source.next(target)
    return states[0]


def question(state_id: str, *, otherwise: State) -> Choice:
    """A question to `$.answer.next`; what it is not led to by `answers` goes to `otherwise`."""
    choice = Choice(state_id)
    choice.default_choice(otherwise)
    return choice


def answers(choice: Choice, **words: State) -> None:
    """Lead a question on, by the word answered.

    Raises:
        HouseRuleBroken: a word is led elsewhere already.
    """
    for word, target in words.items():
        if any(rule.value == word for rule, _ in choice.choices):
            raise HouseRuleBroken(f"{choice.state_id!r} leads {word!r} elsewhere already")
        choice.add_choice(sdk.ChoiceRule.StringEquals(variable="$.answer.next", value=word), next_step=target)


def render(phases: Sequence[Phase], *, comment: str, timeout_seconds: int) -> dict[str, Any]:
    """The definition of a machine that begins with the first phase, in the order to read it in.

    Raises:
        HouseRuleBroken: with every rule that it breaks.
    """
    graph = Graph(phases[0].entry, comment=comment, timeout_seconds=timeout_seconds)
    # By way of text, so that nothing of the SDK's is left in it.
    definition = json.loads(json.dumps(graph.to_dict()))
    # The SDK leaves out without a word what nothing leads to.
    lost = [f"Nothing leads to {each.title!r}." for each in phases if each.entry.state_id not in definition["States"]]
    if broken := [*lost, *violations(definition)]:
        raise HouseRuleBroken("\n".join(broken))
    return in_reading_order(definition, entries(phases))


def entries(phases: Sequence[Phase]) -> dict[str, str]:
    """Name of the first state of each phase, by its title."""
    return {each.title: each.entry.state_id for each in phases}
