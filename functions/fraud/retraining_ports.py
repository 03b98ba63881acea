"""What a retraining asks of the world: protocols of four methods at most, and their values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from fraud.retraining import Retraining


class RetrainingStore(Protocol):
    """The record of the run under way, or of the last one; it is the lock, too."""

    def read(self) -> Retraining | None:
        """The record, read consistently; None before the first run.

        Raises:
            StoreUnavailable: not read.
        """
        ...

    def begin(self, retraining: Retraining, previous: Retraining | None) -> Retraining:
        """Put a new record in the place of the previous one, exactly as it was read; returns it as stored.

        Raises:
            RetrainingMoved: another record stands there by now.
            StoreUnavailable: not known to be written.
        """
        ...

    def save(self, retraining: Retraining) -> Retraining:
        """Write the record over the revision that it was read as; returns it as stored.

        The record of a run that is over is also kept in the history.

        Raises:
            RetrainingMoved: another revision stands there.
            StoreUnavailable: not known to be written.
        """
        ...


class Executions(Protocol):
    """Executions of the machine."""

    def is_running(self, execution: str) -> bool:
        """Whether it runs; one that is not known any more does not.

        Raises:
            StoreUnavailable: no answer.
        """
        ...


class RetrainingAlarms(Protocol):
    """The alarms that ask for a new model."""

    def firing(self) -> Sequence[str]:
        """Names of those that are in ALARM.

        Raises:
            StoreUnavailable: no answer.
        """
        ...


class RunFiles(Protocol):
    """Objects of a run in the archive bucket."""

    def is_empty(self, prefix: str) -> bool:
        """Whether nothing with a content lies below an address that ends with `/`.

        Raises:
            StoreUnavailable: no answer.
        """
        ...

    def read(self, uri: str, largest: int) -> bytes:
        """The content of an object.

        Raises:
            InvalidEvidence: nothing is there, or more than `largest` bytes.
            StoreUnavailable: no answer.
        """
        ...

    def write(self, key: str, content: bytes) -> str:
        """Put an object into the bucket; its URI.

        Raises:
            StoreUnavailable: not known to be stored; storing again is safe.
        """
        ...


class JobPhase(StrEnum):
    """Where a job is on its way."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class JobState:
    """A job as it is, and why it failed, in the service's words."""

    phase: JobPhase
    detail: str = ""


class Jobs(Protocol):
    """Processing and training jobs."""

    def describe(self, job: str, name: str) -> JobState:
        """How a job is.

        Args:
            job: `examine`, `train`, `evaluate`, `baseline` or `monitor`.
            name: of the job.

        Raises:
            StoreUnavailable: no answer.
        """
        ...


class SourceCode(Protocol):
    """What the jobs run."""

    def archive(self) -> bytes:
        """The source archive, the same bytes for the same code."""
        ...

    def query(self, name: str) -> str:
        """The text of a query, its placeholders not filled in: `training_set` or `monitored_window`."""
        ...
