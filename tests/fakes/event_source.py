"""A Kinesis shard and the event source mapping that reads it, as AWS documents them.

Batches come in order, one at a time. A partial failure is retried from the lowest sequence number reported, an error
splits the batch in two, and splitting does not use up an attempt. What is out of attempts goes to the on-failure
destination with everything in it, and the shard moves on. An invocation that times out may still be running while the
next one starts.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fraud.intake import StreamRecord
from tests.fakes.faults import Crash
from tests.fakes.samples import NOW

Handler = Callable[[list[StreamRecord]], list[str]]


@dataclass
class Shard:
    """Records in the order they came; remembers all."""

    records: list[StreamRecord] = field(default_factory=list)

    def put(self, payload: bytes, arrived_at: float = NOW) -> StreamRecord:
        record = StreamRecord(f"{len(self.records):05d}", arrived_at, payload)
        self.records.append(record)
        return record


@dataclass
class EventSource:
    """What is still to be delivered, and what was given up.

    Args:
        batch_size: most records to an invocation.
        attempts: invocations of a batch before it is given up.
        work: batches with the attempts they had.
        on_failure: records given up, whole.
    """

    batch_size: int = 100
    attempts: int = 6
    work: deque[tuple[list[StreamRecord], int]] = field(default_factory=deque)
    on_failure: list[StreamRecord] = field(default_factory=list)

    def take(self, records: Sequence[StreamRecord]) -> None:
        """Cut new records into batches."""
        for start in range(0, len(records), self.batch_size):
            self.work.append((list(records[start : start + self.batch_size]), 0))

    def run(self, handler: Handler) -> None:
        """Deliver until nothing is left."""
        while self.work:
            try:
                failed = handler(list(self.work[0][0]))
            except Crash:
                self.crashed()
            else:
                self.answered(failed)

    def answered(self, failed: Sequence[str]) -> None:
        """The head batch was answered for."""
        batch, attempts = self.work.popleft()
        lowest = min(failed, default=None)
        if lowest is not None:
            self._again([each for each in batch if each.sequence_number >= lowest], attempts + 1)

    def crashed(self) -> None:
        """The invocation of the head batch failed or timed out."""
        batch, attempts = self.work.popleft()
        half = len(batch) // 2
        if not half:
            self._again(batch, attempts + 1)
            return
        self.work.extendleft([(batch[half:], attempts), (batch[:half], attempts)])

    def _again(self, batch: list[StreamRecord], attempts: int) -> None:
        if attempts >= self.attempts:
            self.on_failure += batch
        else:
            self.work.appendleft((batch, attempts))
