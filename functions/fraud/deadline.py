"""How much of an invocation's time is left, and how long the calls made in it may take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

CONNECT_TIMEOUT = 0.5
READ_TIMEOUT = 1.0
ATTEMPTS = 2
"""Of every call to AWS; seconds, seconds, and how often it is made before it has failed."""
LONGEST_CALL = ATTEMPTS * (CONNECT_TIMEOUT + READ_TIMEOUT) + 0.5
"""Seconds a call may take, the pause between its attempts included; without that much left none is started."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of an invocation.

    Args:
        remaining: seconds left before the platform ends the invocation.
    """

    remaining: Callable[[], float]

    def allows(self, calls: int) -> bool:
        """Whether so many calls, one after the other, can still be made."""
        return self.remaining() >= calls * LONGEST_CALL
