"""How much of an invocation's time is left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Deadline:
    """The end of an invocation.

    Args:
        remaining: seconds left before the platform ends the invocation.
    """

    remaining: Callable[[], float]

    def allows(self, seconds: float) -> bool:
        """Whether something that may take this long can still be started."""
        return self.remaining() >= seconds
