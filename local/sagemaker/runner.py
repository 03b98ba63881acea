"""Runs a job's containers, one after the other, and ends them early when that is asked for or their time is over."""

import signal
import subprocess
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from local.children import Children, end, signal_group


class Cut(Enum):
    """Why a container was ended before it ended by itself."""

    STOPPED = "stopped"
    INTERRUPTED = "interrupted"
    OUT_OF_TIME = "out of time"


@dataclass(frozen=True, slots=True)
class Exit:
    """How a container ended: exit status, and what cut it short, if anything did."""

    status: int
    cut: Cut | None = None


@dataclass(frozen=True, slots=True)
class Container:
    """A module of this package that plays a container, and the file that its output is added to."""

    module: str
    arguments: Sequence[str]
    environment: Mapping[str, str]
    log: Path


class Runner:
    """At most one container at a time; run() is for the job's own thread, the rest for any other."""

    def __init__(self, children: Children, stop_signal: signal.Signals, grace_seconds: float) -> None:
        """stop_signal asks a container to end; one that has not after grace_seconds is killed."""
        self._children = children
        self._signal = stop_signal
        self._grace_seconds = grace_seconds
        self._lock = threading.Lock()
        self._process: subprocess.Popen[bytes] | None = None
        self._cut: Cut | None = None
        self._stopped = False

    @property
    def stopped(self) -> bool:
        """Whether the job is to end; nothing is started any more."""
        return self._stopped

    def run(self, container: Container, seconds: float) -> Exit:
        """Run a container to its end, or for so many seconds and the grace period."""
        with self._lock:
            if self._stopped:
                return Exit(0, Cut.STOPPED)
            self._cut = None
            with container.log.open("ab") as log:
                self._process = process = self._children.start(
                    container.module, container.arguments, container.environment, log
                )
        try:
            return Exit(self._wait(process, seconds), self._cut)
        finally:
            with self._lock:
                self._process = None
            end(process)  # with what it started and left behind

    def stop(self) -> None:
        """End the container that runs, if one does, and start no other."""
        with self._lock:
            self._stopped = True
            self._end(Cut.STOPPED)

    def interrupt(self) -> bool:
        """End the container that runs; whether one did."""
        with self._lock:
            return self._end(Cut.INTERRUPTED)

    def _wait(self, process: subprocess.Popen[bytes], seconds: float) -> int:
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            with self._lock:
                self._end(Cut.OUT_OF_TIME)
            return process.wait()

    def _end(self, cut: Cut) -> bool:
        process = self._process
        if process is None or process.poll() is not None:
            return False
        if self._cut is None:
            self._cut = cut
            signal_group(process, self._signal)
            killing = threading.Timer(self._grace_seconds, self._kill, [process])
            killing.daemon = True
            killing.start()
        return True

    def _kill(self, process: subprocess.Popen[bytes]) -> None:
        with self._lock:
            if self._process is process:
                signal_group(process, signal.SIGKILL)
