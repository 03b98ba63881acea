"""A circuit breaker: stop asking an endpoint that keeps failing, and probe it once in a while."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(slots=True)
class Breaker:
    """Closed → open after `threshold` failures in a row → half-open after `cooldown` → closed by one success.

    It lives as long as the Lambda's execution environment; each environment finds out for itself.

    Args:
        clock: monotonic seconds.
        threshold: consecutive failures that open it.
        cooldown: seconds until one call is let through as a probe.
    """

    clock: Callable[[], float]
    threshold: int = 3
    cooldown: float = 15.0
    failures: int = 0
    opened_at: float = 0.0

    def allows(self) -> bool:
        """Whether a call may be made now. A half-open breaker lets one probe through per cooldown."""
        if self.failures < self.threshold:
            return True
        if self.clock() - self.opened_at < self.cooldown:
            return False
        self.opened_at = self.clock()
        return True

    def succeeded(self) -> None:
        """Note a good answer."""
        self.failures = 0

    def failed(self) -> None:
        """Note a failure."""
        self.failures += 1
        if self.failures >= self.threshold:
            self.opened_at = self.clock()
