"""Rollouts begun by a person: started, and asked what became of that."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from cli import console, machine, rollout_record
from cli.errors import CommandError
from cli.target import Target

MACHINE = "RolloutMachineArn"


@dataclass(frozen=True)
class Beginning:
    """What became of a start.

    Args:
        rollout_id: name of the execution.
        execution: its ARN.
        state: `begun`, `nothing` to roll out, or `pending` when nothing was heard yet.
        sentence: for people.
    """

    rollout_id: str
    execution: str
    state: str
    sentence: str


def begin(target: Target, request: Mapping[str, Any]) -> tuple[str, str]:
    """Start a rollout; name and ARN of the execution."""
    return machine.begin(target, MACHINE, "rollout", request)


def await_beginning(target: Target, rollout_id: str, execution: str, longest: int) -> Beginning:
    """What became of it, once it is known or was given time enough. Raises: CommandError when it was refused."""
    with console.working("Waiting for the rollout to begin"):
        for _ in range(longest):
            found = rollout_record.patiently(partial(beginning_of, target, rollout_id, execution), 1)
            if found is not None:
                return found
            time.sleep(1)
    return Beginning(rollout_id, execution, "pending", "It did not begin yet: see `fraud rollout status` in a moment.")


def beginning_of(target: Target, rollout_id: str, execution: str) -> Beginning | None:
    """What became of it by now; None while that is open. Raises: CommandError when it was refused."""
    record = rollout_record.current(target)
    if record is not None and record.rollout_id == rollout_id:
        last = record.events[-1].sentence if record.events else "It is under way."
        return Beginning(rollout_id, execution, "begun", f"{last} {record.estimate}".strip())
    standing = machine.look(target, execution)
    if standing.status == "RUNNING":
        return None
    if standing.status == "SUCCEEDED" and standing.next == "nothing":
        return Beginning(rollout_id, execution, "nothing", standing.sentence)
    raise CommandError(standing.sentence or f"The rollout ended at once: {standing.status.lower()}.")


def last_word(target: Target) -> str:
    """What the newest execution came to, in its own words."""
    return machine.last_word(target, MACHINE)
