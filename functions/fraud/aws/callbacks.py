"""Answers to a state machine that waits with a task token."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from fraud.aws.calls import unavailable
from fraud.aws.control_plane import code
from fraud.errors import RolloutRefused
from fraud.rollout_task import Answer

NOBODY_WAITS = frozenset({"InvalidToken", "TaskDoesNotExist", "TaskTimedOut"})
STOPPED = "RolloutStopped"
LONGEST_CAUSE = 32_768
"""Step Functions' limits for an error's cause."""


@dataclass(frozen=True)
class StepFunctionsCallbacks:
    """Resumes and interrupts.

    Args:
        client: Step Functions.
    """

    client: Any

    def resume(self, token: str, step: int, approved_by: str) -> None:
        """Let it go on to a step.

        Raises:
            RolloutRefused: nobody waits with this token any more.
            StoreUnavailable: no answer.
        """
        answer = Answer(next="shift", sentence=f"Approved by {approved_by}.", step=step)
        output = msgspec.json.encode(answer).decode()
        if not _sent("SendTaskSuccess", self.client.send_task_success, taskToken=token, output=output):
            raise RolloutRefused(
                "Nobody waits for this answer any more: it was given before, or the time for it is over. "
                "Look at the rollout again."
            )

    def interrupt(self, token: str, sentence: str) -> None:
        """Let it fail, so that it looks at the record; nothing happens when nobody waits.

        Raises:
            StoreUnavailable: no answer.
        """
        cause = sentence[:LONGEST_CAUSE]
        _sent("SendTaskFailure", self.client.send_task_failure, taskToken=token, error=STOPPED, cause=cause)


def _sent(operation: str, call: Callable[..., object], **arguments: str) -> bool:
    """Whether somebody waited for it."""
    with unavailable(operation):
        try:
            call(**arguments)
        except ClientError as error:
            if code(error) in NOBODY_WAITS:
                return False
            raise
    return True
