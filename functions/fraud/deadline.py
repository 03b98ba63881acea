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

CONNECT_SHARE = 0.1
READ_SHARE = 0.2
"""Of the time a caller waits for, what one call may take. Such a call is made once: with a second attempt the three
calls in a row that a decision takes would not fit in. A tenth is left for the work between them."""
CALL_SHARE = CONNECT_SHARE + READ_SHARE


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of an invocation.

    Args:
        remaining: seconds left before the platform ends the invocation, or before the caller stops waiting.
        longest_call: seconds a call may take.
    """

    remaining: Callable[[], float]
    longest_call: float = LONGEST_CALL

    def allows(self, calls: int) -> bool:
        """Whether so many calls, one after the other, can still be made."""
        return self.remaining() >= calls * self.longest_call
