"""Invocations that run at once, one I/O call at a time, in an order that is given.

Every invocation runs in a thread of its own, of which exactly one moves at any moment. Before each I/O call it waits
for its turn and learns the fate of the call. The order and the fates are data: the same data, the same history.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from threading import Semaphore, Thread
from typing import Any

from fraud.errors import StoreUnavailable
from tests.fakes.faults import Crash


class Fate(Enum):
    """What becomes of one I/O call, or of the invocation that makes it."""

    DONE = "takes effect"
    REFUSED = "fails without effect"
    LOST = "takes effect, and the answer is lost"
    CRASH = "the invocation ends before it"
    CRASH_AFTER = "the invocation ends after its effect"
    TIMEOUT = "the platform gives the invocation up while it is still running"


class Invocation:
    """A use-case at work, held before each of its I/O calls.

    Args:
        work: takes `around`, through which every I/O call goes.
    """

    def __init__(self, work: Callable[[Callable[[str, Callable[[], Any]], Any]], Any]) -> None:
        self._work = work
        self._go, self._held = Semaphore(0), Semaphore(0)
        self._fate = Fate.DONE
        self.finished = False
        self.crashed = False
        self.result: Any = None
        self.error: BaseException | None = None
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        self._held.acquire()

    def step(self, fate: Fate = Fate.DONE) -> None:
        """Let it make its next call, with this fate, and go on to the one after.

        Raises:
            Exception: whatever it did not expect itself.
        """
        assert not self.finished, "it makes no further call"
        self._fate = fate
        self._go.release()
        self._held.acquire()
        if self.error is not None:
            raise self.error

    def _run(self) -> None:
        try:
            self.result = self._work(self._around)
        except Crash:
            self.crashed = True
        except Exception as error:  # noqa: BLE001 - raised again in `step`
            self.error = error
        self.finished = True
        self._held.release()

    def _around(self, name: str, effect: Callable[[], Any]) -> Any:
        self._held.release()
        self._go.acquire()
        if self._fate is Fate.CRASH:
            raise Crash
        if self._fate is Fate.REFUSED:
            raise StoreUnavailable(name)
        result = effect()
        if self._fate is Fate.CRASH_AFTER:
            raise Crash
        if self._fate is Fate.LOST:
            raise StoreUnavailable(name)
        return result
