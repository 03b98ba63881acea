"""Puts records into a service that accepts some of a batch and refuses others, losing none and keeping their order.

Only what was refused is sent again. A request whose outcome is unknown is sent again whole: the application decides
every transaction once, however often it arrives. At most one record of a key is in a request, and the next request
begins with what was refused, so the records of one key arrive in the order in which they were given: within one
request the service promises no order (docs.aws.amazon.com/kinesis/latest/APIReference/API_PutRecords.html).
"""

import random
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

from cli.errors import CommandError


@dataclass(frozen=True, slots=True)
class Record:
    """What is sent: data, and the key whose order is kept."""

    key: str
    data: bytes

    @property
    def size(self) -> int:
        """Bytes that count against the limits: data and key."""
        return len(self.data) + len(self.key.encode())


@dataclass(frozen=True, slots=True)
class Limits:
    """What one request may hold."""

    records: int
    bytes: int
    record_bytes: int


class Unanswered(Exception):
    """The request failed as a whole, and whether it was carried out is not known."""


Put = Callable[[Sequence[Record]], Sequence[str | None]]
"""Sends a batch; answers an error code per record, None where it was accepted. Raises: Unanswered."""


@dataclass
class Summary:
    """What became of the records."""

    sent: int = 0
    retried: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Accepted records per second."""
        return self.sent / self.seconds if self.seconds else 0.0

    def as_json(self) -> dict[str, object]:
        """For programs."""
        rejected = sum(self.rejected.values())
        return {
            "sent": self.sent,
            "retried": self.retried,
            "rejected": rejected,
            "rejected_by_reason": dict(self.rejected),
            "seconds": round(self.seconds, 3),
            "per_second": round(self.rate, 1),
        }


@dataclass(frozen=True)
class Pace:
    """How hard to try. Times in seconds; `rate` in records a second, None for as fast as accepted."""

    rate: float | None = None
    attempts: int = 12
    first_wait: float = 0.05
    longest_wait: float = 5.0

    def wait(self, attempt: int, chance: float) -> float:
        """Exponential backoff with full jitter; `chance` is between 0 and 1."""
        return min(self.longest_wait, self.first_wait * 2.0**attempt) * chance

    def batch(self, records: int) -> int:
        """Records a request, such that a slow rate is not sent in bursts."""
        return records if self.rate is None else max(1, min(records, int(self.rate / 5)))


class Producer:
    """Sends records through `put`, one request at a time."""

    def __init__(
        self,
        put: Put,
        limits: Limits,
        pace: Pace = Pace(),
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        on_sent: Callable[[int], None] = lambda count: None,
    ) -> None:
        self._put, self._limits, self._pace = put, limits, pace
        self._sleep, self._clock, self._on_sent = sleep, clock, on_sent
        self._chance = random.Random().random
        self._tries: Counter[str] = Counter()
        self._silences = 0

    def send(self, records: Iterable[Record]) -> Summary:
        """Send all of them; memory stays bounded by a few requests.

        Raises:
            CommandError: the service did not answer, however often asked.

        """
        summary, started = Summary(), self._clock()
        waiting: deque[Record] = deque()
        source = self._fitting(iter(records), summary)
        while self._refill(waiting, source):
            batch = self._take(waiting)
            refused = self._offer(batch, summary)
            waiting.extendleft(reversed(refused))
            self._hold(summary, started, refused)
        summary.seconds = self._clock() - started
        return summary

    def _fitting(self, records: Iterator[Record], summary: Summary) -> Iterator[Record]:
        for record in records:
            if record.size > self._limits.record_bytes:
                summary.rejected["RecordTooLarge"] += 1
            else:
                yield record

    def _refill(self, waiting: deque[Record], source: Iterator[Record]) -> bool:
        """Look a few requests ahead, so that a busy card does not make the requests small."""
        ahead = 4 * self._limits.records
        waiting.extend(islice(source, max(0, ahead - len(waiting))))
        return bool(waiting)

    def _take(self, waiting: deque[Record]) -> list[Record]:
        """The first waiting record of each key, as many as fit; the others stay in their order."""
        batch: list[Record] = []
        left: list[Record] = []
        keys: set[str] = set()
        room, space = self._pace.batch(self._limits.records), self._limits.bytes
        while waiting and len(batch) < room:
            record = waiting.popleft()
            fits = record.key not in keys and record.size <= space
            keys.add(record.key)
            (batch if fits else left).append(record)
            space -= record.size if fits else 0
        waiting.extendleft(reversed(left))
        return batch

    def _offer(self, batch: list[Record], summary: Summary) -> list[Record]:
        """Send a batch once; what was refused and is worth another try."""
        try:
            codes = self._put(batch)
        except Unanswered as silence:
            return self._after_silence(batch, summary, silence)
        self._silences = 0
        accepted = sum(code is None for code in codes)
        summary.sent += accepted
        self._on_sent(accepted)
        return self._refused(batch, codes, summary)

    def _refused(self, batch: list[Record], codes: Sequence[str | None], summary: Summary) -> list[Record]:
        answers = list(zip(batch, codes, strict=True))
        for record, code in answers:
            if code is None:
                self._tries.pop(record.key, None)
        return [record for record, code in answers if code is not None and self._again(record, code, summary)]

    def _after_silence(self, batch: list[Record], summary: Summary, silence: Unanswered) -> list[Record]:
        self._silences += 1
        if self._silences >= self._pace.attempts:
            raise CommandError(
                f"No answer after {self._silences} attempts ({silence}); {summary.sent} were accepted. "
                "Run the same command again: what already arrived is not counted twice."
            ) from silence
        summary.retried += len(batch)
        return batch

    def _again(self, record: Record, code: str, summary: Summary) -> bool:
        """Count the refusal; False when it was one too many."""
        self._tries[record.key] += 1
        if self._tries[record.key] < self._pace.attempts:
            summary.retried += 1
            return True
        del self._tries[record.key]
        summary.rejected[code] += 1
        return False

    def _hold(self, summary: Summary, started: float, refused: list[Record]) -> None:
        """Back off after a refusal; otherwise keep to the rate."""
        if refused:
            attempt = max(self._silences, *(self._tries[record.key] for record in refused)) - 1
            self._sleep(self._pace.wait(attempt, self._chance()))
        elif self._pace.rate is not None:
            self._sleep(max(0.0, started + summary.sent / self._pace.rate - self._clock()))
