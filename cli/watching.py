"""An execution that was started, told step by step to its end."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import typer

from cli import console, machine, words
from cli.machine import Execution, Step
from cli.rollout_record import patiently
from cli.target import Target

INTERRUPTED = 130
"""Exit code after Ctrl-C, as shells have it."""


@dataclass(frozen=True)
class Run:
    """An execution that was started: its name and ARN."""

    run_id: str
    execution: str


def follow(target: Target, begun: Run, steps: Iterator[Step], goes_on: str) -> Execution:
    """Tell each step, under a spinner, until it is over; how it ended. Raises: typer.Exit after Ctrl-C."""
    from rich.text import Text

    err = console.stderr()
    try:
        with err.status("Waiting for it to begin") as spinner:
            for at, sentence in steps:
                told = words.plain(sentence)
                err.print(Text.assemble((words.moment(at, time.time()), "dim"), f" {told}"), soft_wrap=True)
                spinner.update(Text(told))
    except KeyboardInterrupt:
        console.say(goes_on)
        raise typer.Exit(INTERRUPTED) from None
    return patiently(partial(machine.look, target, begun.execution), machine.pace(target))


def states(target: Target, execution: str) -> Iterator[Step]:
    """States as an execution comes to them, until it is over."""
    told = 0
    for _ in machine.looks(target, execution):
        steps = patiently(partial(machine.entered, target, execution), machine.pace(target))
        yield from steps[told:]
        told = len(steps)


def later(steps: Sequence[Step], told: Sequence[Step]) -> Sequence[Step]:
    """Steps after the one told last; all of them if the record forgot it."""
    return steps[steps.index(told[-1]) + 1 :] if told and told[-1] in steps else steps


def ended(begun: Run, standing: Execution) -> dict[str, Any]:
    """How an execution ended, for programs."""
    outcome = (standing.next or "succeeded") if succeeded(standing) else "failed"
    return {
        "run_id": begun.run_id,
        "execution": begun.execution,
        "outcome": outcome,
        "sentence": last_word(standing),
    }


def succeeded(standing: Execution) -> bool:
    """Whether an execution came to its end."""
    return standing.status == "SUCCEEDED"


def last_word(standing: Execution) -> str:
    """The sentence with which an execution ended."""
    return standing.sentence or f"The execution is {standing.status.lower().replace('_', ' ')}."
