"""Faults on demand: crashes, refusals and other writers, before or after the effect of any call to a port."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from typing import Any


class Crash(BaseException):
    """The execution environment ends here: nothing of the application may catch it."""


Fault = BaseException | Callable[[], object]
"""Raised, or called: a call may do anything that another process would do at this moment."""


@dataclass
class Faults:
    """What goes wrong at which call; records every call made.

    Args:
        calls: names of the calls, in order, `port.method`.
    """

    calls: list[str] = field(default_factory=list)
    _planned: dict[tuple[str, int, str], Fault] = field(default_factory=dict)

    def before(self, name: str, number: int, fault: Fault) -> None:
        """Let the call of this name and number (1 is the first) meet a fault instead of taking effect."""
        self._planned[name, number, "before"] = fault

    def after(self, name: str, number: int, fault: Fault) -> None:
        """Let the call take effect, and the caller not hear of it."""
        self._planned[name, number, "after"] = fault

    def always(self, name: str, fault: Fault) -> None:
        """Let every call of this name meet a fault."""
        self._planned[name, 0, "before"] = fault

    def count(self, name: str) -> int:
        """How often the call was made."""
        return self.calls.count(name)

    def around(self, name: str, effect: Callable[[], Any]) -> Any:
        """Make one call."""
        self.calls.append(name)
        number = self.count(name)
        self._meet(self._planned.get((name, 0, "before")))
        self._meet(self._planned.pop((name, number, "before"), None))
        result = effect()
        self._meet(self._planned.pop((name, number, "after"), None))
        return result

    def _meet(self, fault: Fault | None) -> None:
        if isinstance(fault, BaseException):
            raise fault
        if fault is not None:
            fault()


Around = Callable[[str, Callable[[], Any]], Any]


class Watched:
    """A port, every method of which goes through `around`."""

    def __init__(self, name: str, port: Any, around: Around) -> None:
        self._name, self._port, self._around = name, port, around

    def __getattr__(self, method: str) -> Callable[..., Any]:
        def call(*args: Any, **named: Any) -> Any:
            return self._around(f"{self._name}.{method}", lambda: getattr(self._port, method)(*args, **named))

        return call


@dataclass
class Clock:
    """Time that passes only when told to.

    Args:
        now: seconds since 1970.
    """

    now: float

    def __call__(self) -> float:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += seconds


class Inline(Executor):
    """Runs what is submitted at once, in the caller's thread."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - as an executor does
            future.set_exception(error)
        return future
