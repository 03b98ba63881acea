"""One shard of one event source mapping as a state machine: no clock, no threads, no services.

The driver asks next_action(), does it, and after an invocation says what came of it with resolve(). What AWS
documents and this follows:

- one batch of a shard is in flight; order is kept; a failed batch holds the shard back until it succeeds, runs out of
  attempts, or grows too old;
- filters drop records before batches are formed;
- a reported item failure makes everything below the lowest reported sequence number done and retries from there;
- bisecting does not count towards the attempts.

Where AWS says nothing: a report that makes no progress counts as a failure of the whole batch (so it bisects), one
that makes progress starts the remainder with all its attempts, and throttling uses no attempts.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any

from local.batch_response import failures

PAYLOAD_BYTES = 6 * 1024 * 1024
_FIRST_BACKOFF_SECONDS = 0.25
_LONGEST_BACKOFF_SECONDS = 8.0

RETRIES_EXHAUSTED = "RetryAttemptsExhausted"
AGE_EXCEEDED = "RecordAgeExceeded"


@dataclass(frozen=True, slots=True)
class Record:
    """A stream record as the function's event will hold it."""

    sequence: str
    arrived_at: float
    event: dict[str, Any]
    size: int = 0


@dataclass(frozen=True, slots=True)
class Policy:
    """The mapping's settings; None means no limit, as -1 does on AWS."""

    batch_size: int = 100
    window_seconds: float = 0.0
    retries: int | None = None
    record_age_seconds: float | None = None
    bisect: bool = False
    reports_item_failures: bool = False

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, Any]) -> "Policy":
        """From the answer of GetEventSourceMapping."""
        return cls(
            batch_size=int(mapping.get("BatchSize", 100)),
            window_seconds=float(mapping.get("MaximumBatchingWindowInSeconds", 0)),
            retries=_limit(mapping.get("MaximumRetryAttempts")),
            record_age_seconds=_limit(mapping.get("MaximumRecordAgeInSeconds")),
            bisect=str(mapping.get("BisectBatchOnFunctionError", False)).lower() == "true",
            reports_item_failures="ReportBatchItemFailures" in (mapping.get("FunctionResponseTypes") or ()),
        )


def _limit(value: Any) -> int | None:
    return None if value is None or int(value) == -1 else int(value)


@dataclass(slots=True)
class Batch:
    """Records that go to the function together, and how often they have been tried."""

    records: list[Record]
    retries: int = 0
    invocations: int = 0
    not_before: float = 0.0


@dataclass(frozen=True, slots=True)
class Invoke:
    """Send the batch to the function, then resolve() it."""

    batch: Batch


@dataclass(frozen=True, slots=True)
class Discard:
    """The batch is given up; send it to the on-failure destination."""

    batch: Batch
    condition: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Nothing to do until then, or (None) until the shard has more records."""

    until: float | None


Action = Invoke | Discard | Wait


@dataclass(frozen=True, slots=True)
class Succeeded:
    """The function took the whole batch."""


@dataclass(frozen=True, slots=True)
class Failed:
    """The function took nothing of the batch."""


@dataclass(frozen=True, slots=True)
class Throttled:
    """The function was not run."""


@dataclass(frozen=True, slots=True)
class FailedFrom:
    """The function took everything below this sequence number."""

    sequence: str


Outcome = Succeeded | Failed | Throttled | FailedFrom

Read = Callable[[str, int], Sequence[Record]]
"""(after this sequence number, at most so many) -> the shard's next records."""


def judge(answer: Any, batch: Batch, policy: Policy) -> Outcome:
    """What the function's answer says; anything that is not a valid report fails the whole batch."""
    if not policy.reports_item_failures:
        return Succeeded()
    sequences = [record.sequence for record in batch.records]
    reported = failures(answer, sequences)
    if reported is None:
        return Failed()
    return FailedFrom(next(s for s in sequences if s in reported)) if reported else Succeeded()


@dataclass(slots=True)
class ShardReader:
    """Reads one shard from a sequence number on (an empty one is the shard's beginning)."""

    policy: Policy
    position: str
    matches: Callable[[Record], bool] = lambda record: True
    _gathered: deque[Record] = field(default_factory=deque)
    _gathering_since: float = 0.0
    _pending: deque[Batch] = field(default_factory=deque)

    def next_action(self, read: Read, now: float, moment: float) -> Action:
        """Say what to do next; now is of a monotonic clock, moment the time of day that ages are measured by."""
        if not self._pending:
            self._gather(read, now)
            if (wait := self._form_batch(now)) is not None:
                return wait
        batch = self._pending[0]
        if (expired := self._take_expired(batch, moment)) is not None:
            return Discard(expired, AGE_EXCEEDED)
        if now < batch.not_before:
            return Wait(batch.not_before)
        return Invoke(batch)

    def resolve(self, outcome: Outcome, now: float) -> Discard | None:
        """Say what came of the last Invoke; the answer is a batch that has just run out of attempts, if any."""
        batch = self._pending.popleft()
        match outcome:
            case Succeeded():
                pass
            case Throttled():
                self._postpone(batch, now)
            case FailedFrom(sequence) if sequence != batch.records[0].sequence:
                self._keep_from(batch, sequence)
            case _:
                return self._failed(batch, now)
        return None

    def _gather(self, read: Read, now: float) -> None:
        while len(self._gathered) < self.policy.batch_size:
            records = read(self.position, self.policy.batch_size)
            if not records:
                return
            if not self._gathered:
                self._gathering_since = now
            self.position = records[-1].sequence
            self._gathered.extend(filter(self.matches, records))

    def _form_batch(self, now: float) -> Wait | None:
        if not self._gathered:
            return Wait(None)
        complete_at = self._gathering_since + self.policy.window_seconds
        if len(self._gathered) < self.policy.batch_size and now < complete_at:
            return Wait(complete_at)
        self._pending.append(Batch(self._cut()))
        self._gathering_since = now
        return None

    def _cut(self) -> list[Record]:
        records, size = [self._gathered.popleft()], 0
        while self._gathered and len(records) < self.policy.batch_size:
            size += records[-1].size
            if size + self._gathered[0].size > PAYLOAD_BYTES:
                break
            records.append(self._gathered.popleft())
        return records

    def _take_expired(self, batch: Batch, moment: float) -> Batch | None:
        if self.policy.record_age_seconds is None:
            return None
        oldest_allowed = moment - self.policy.record_age_seconds
        expired = list(takewhile(lambda record: record.arrived_at < oldest_allowed, batch.records))
        if not expired:
            return None
        batch.records = batch.records[len(expired) :]
        if not batch.records:
            self._pending.popleft()
        return Batch(expired, batch.retries, batch.invocations)

    def _postpone(self, batch: Batch, now: float) -> None:
        batch.not_before = now + _backoff(batch.invocations)
        self._pending.appendleft(batch)

    def _keep_from(self, batch: Batch, sequence: str) -> None:
        done = [record.sequence for record in batch.records].index(sequence)
        self._pending.appendleft(Batch(batch.records[done:]))

    def _failed(self, batch: Batch, now: float) -> Discard | None:
        batch.invocations += 1
        if self.policy.bisect and len(batch.records) > 1:
            self._bisect(batch)
        elif self.policy.retries is not None and batch.retries >= self.policy.retries:
            return Discard(batch, RETRIES_EXHAUSTED)
        else:
            batch.retries += 1
            self._postpone(batch, now)
        return None

    def _bisect(self, batch: Batch) -> None:
        middle = len(batch.records) // 2
        for half in (batch.records[middle:], batch.records[:middle]):
            self._pending.appendleft(Batch(half, batch.retries, batch.invocations))


def _backoff(invocations: int) -> float:
    return min(_LONGEST_BACKOFF_SECONDS, _FIRST_BACKOFF_SECONDS * float(2 ** min(invocations, 10)))
