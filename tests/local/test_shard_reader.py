"""A shard's reader between stream and function: batches, retries, bisecting, age, filters; no services."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from local.streams.reader import (
    AGE_EXCEEDED,
    RETRIES_EXHAUSTED,
    Batch,
    Discard,
    Failed,
    FailedFrom,
    Invoke,
    Outcome,
    Policy,
    Record,
    ShardReader,
    Succeeded,
    Throttled,
    Wait,
    judge,
)

NOW = 1_000_000.0


def record(number: int, arrived_at: float = NOW, size: int = 1) -> Record:
    return Record(f"{number:05d}", arrived_at, {"number": number}, size)


@dataclass
class Shard:
    """A shard in memory, driven without waiting: time jumps to where the reader wants to be woken."""

    reader: ShardReader
    records: list[Record]
    now: float = 0.0
    moment: float = NOW
    invoked: list[list[int]] = field(default_factory=list)
    discarded: list[tuple[str, list[int], int]] = field(default_factory=list)

    def read(self, after: str, limit: int) -> Sequence[Record]:
        return [record for record in self.records if record.sequence > after][:limit]

    def run(self, *outcomes: Outcome) -> None:
        """Answer the next invocations with these outcomes and all later ones with success, until all is read."""
        remaining = list(outcomes)
        for _ in range(1000):
            action = self.reader.next_action(self.read, self.now, self.moment)
            if isinstance(action, Wait):
                if action.until is None:
                    return
                self.now = action.until
            elif isinstance(action, Discard):
                self._note(action)
            else:
                self.invoked.append(numbers(action.batch))
                given_up = self.reader.resolve(remaining.pop(0) if remaining else Succeeded(), self.now)
                if given_up:
                    self._note(given_up)
        raise AssertionError("the reader does not come to rest")

    def _note(self, discard: Discard) -> None:
        self.discarded.append((discard.condition, numbers(discard.batch), discard.batch.invocations))


def numbers(batch: Batch) -> list[int]:
    return [record.event["number"] for record in batch.records]


def shard(count: int, **policy: Any) -> Shard:
    return Shard(ShardReader(Policy(**policy), ""), [record(number) for number in range(count)])


def test_batches_keep_the_order_and_the_batch_size() -> None:
    stream = shard(5, batch_size=2)
    stream.run()
    assert stream.invoked == [[0, 1], [2, 3], [4]]


def test_a_reader_starts_after_its_position() -> None:
    stream = shard(5)
    stream.reader.position = "00002"
    stream.run()
    assert stream.invoked == [[3, 4]]


def test_an_incomplete_batch_waits_for_its_window() -> None:
    stream = shard(3, batch_size=10, window_seconds=2.0)
    assert stream.reader.next_action(stream.read, 5.0, NOW) == Wait(7.0)
    stream.records.append(record(3))
    action = stream.reader.next_action(stream.read, 7.0, NOW)
    assert isinstance(action, Invoke) and numbers(action.batch) == [0, 1, 2, 3]


def test_a_full_batch_does_not_wait() -> None:
    stream = shard(3, batch_size=3, window_seconds=60.0)
    assert isinstance(stream.reader.next_action(stream.read, 0.0, NOW), Invoke)


def test_a_batch_stays_below_the_payload_limit() -> None:
    stream = Shard(ShardReader(Policy(), ""), [record(number, size=2_000_000) for number in range(5)])
    stream.run()
    assert stream.invoked == [[0, 1, 2], [3, 4]]


def test_filtered_records_are_dropped_before_batches_are_formed() -> None:
    stream = shard(10, batch_size=3)
    stream.reader.matches = lambda record: record.event["number"] % 2 == 0
    stream.run()
    assert stream.invoked == [[0, 2, 4], [6, 8]]


def test_a_failed_batch_is_retried_whole_and_holds_back_the_next() -> None:
    stream = shard(4, batch_size=2)
    stream.run(Failed(), Failed())
    assert stream.invoked == [[0, 1], [0, 1], [0, 1], [2, 3]]


def test_retries_wait_longer_each_time() -> None:
    stream = shard(1)
    waits = []
    for _ in range(4):
        assert isinstance(stream.reader.next_action(stream.read, stream.now, NOW), Invoke)
        stream.reader.resolve(Failed(), stream.now)
        action = stream.reader.next_action(stream.read, stream.now, NOW)
        assert isinstance(action, Wait) and action.until is not None
        waits.append(action.until - stream.now)
        stream.now = action.until
    assert waits == sorted(waits) and waits[0] < waits[-1] <= 8.0


def test_a_batch_out_of_attempts_is_given_up_and_the_shard_moves_on() -> None:
    stream = shard(4, batch_size=2, retries=2)
    stream.run(Failed(), Failed(), Failed())
    assert stream.invoked == [[0, 1]] * 3 + [[2, 3]]
    assert stream.discarded == [(RETRIES_EXHAUSTED, [0, 1], 3)]


def test_a_reported_failure_retries_from_the_lowest_reported_record() -> None:
    stream = shard(5)
    stream.run(FailedFrom("00002"))
    assert stream.invoked == [[0, 1, 2, 3, 4], [2, 3, 4]]


def test_progress_restores_the_attempts_of_the_remainder() -> None:
    stream = shard(3, retries=1)
    stream.run(Failed(), FailedFrom("00001"), FailedFrom("00001"))
    assert stream.discarded == []
    assert stream.invoked == [[0, 1, 2], [0, 1, 2], [1, 2], [1, 2]]


def test_a_report_without_progress_uses_up_attempts() -> None:
    stream = shard(2, retries=1)
    stream.run(FailedFrom("00000"), FailedFrom("00000"))
    assert stream.discarded == [(RETRIES_EXHAUSTED, [0, 1], 2)]


def test_bisecting_isolates_the_record_that_fails() -> None:
    stream = shard(8, bisect=True, retries=0)
    poison = 5
    for _ in range(100):
        action = stream.reader.next_action(stream.read, stream.now, NOW)
        if isinstance(action, Wait):
            break
        assert isinstance(action, Invoke)
        stream.invoked.append(numbers(action.batch))
        outcome = Failed() if poison in numbers(action.batch) else Succeeded()
        if (given_up := stream.reader.resolve(outcome, stream.now)) is not None:
            stream.discarded.append((given_up.condition, numbers(given_up.batch), given_up.batch.invocations))
    assert stream.invoked == [list(range(8)), [0, 1, 2, 3], [4, 5, 6, 7], [4, 5], [4], [5], [6, 7]]
    assert [entry[:2] for entry in stream.discarded] == [(RETRIES_EXHAUSTED, [poison])]


def test_bisecting_uses_no_attempts() -> None:
    stream = shard(4, bisect=True, retries=1)
    stream.run(Failed(), Failed(), Failed(), Failed())
    assert stream.invoked[:4] == [[0, 1, 2, 3], [0, 1], [0], [0]]
    assert stream.discarded == [(RETRIES_EXHAUSTED, [0], 4)]


def test_throttling_uses_no_attempts() -> None:
    stream = shard(1, retries=0)
    stream.run(Throttled(), Throttled())
    assert stream.discarded == [] and stream.invoked == [[0]] * 3


def test_records_beyond_the_age_limit_are_given_up_unseen_and_the_rest_is_delivered() -> None:
    old = [record(number, arrived_at=NOW - 61) for number in range(2)]
    stream = Shard(ShardReader(Policy(record_age_seconds=60.0), ""), [*old, record(2), record(3)])
    stream.run()
    assert stream.discarded == [(AGE_EXCEEDED, [0, 1], 0)]
    assert stream.invoked == [[2, 3]]


def test_a_batch_that_grows_too_old_while_it_fails_is_given_up() -> None:
    stream = shard(1, record_age_seconds=60.0)
    assert isinstance(stream.reader.next_action(stream.read, 0.0, NOW), Invoke)
    stream.reader.resolve(Failed(), 0.0)
    action = stream.reader.next_action(stream.read, 0.1, NOW + 61)
    assert isinstance(action, Discard) and action.condition == AGE_EXCEEDED


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (None, Succeeded()),
        ({}, Succeeded()),
        ({"batchItemFailures": []}, Succeeded()),
        ({"batchItemFailures": None}, Succeeded()),
        ({"batchItemFailures": [{"itemIdentifier": "00002"}]}, FailedFrom("00002")),
        ({"batchItemFailures": [{"itemIdentifier": "00002"}, {"itemIdentifier": "00001"}]}, FailedFrom("00001")),
        ({"batchItemFailures": [{"itemIdentifier": "00001"}, {"itemIdentifier": "unknown"}]}, Failed()),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, Failed()),
        ({"batchItemFailures": [{"itemIdentifier": None}]}, Failed()),
        ({"batchItemFailures": [{"wrongKey": "00001"}]}, Failed()),
        ({"batchItemFailures": "00001"}, Failed()),
        ({"statusCode": 500}, Failed()),
        ("done", Failed()),
        ([], Failed()),
    ],
)
def test_an_answer_is_read_as_lambda_reads_it(answer: object, outcome: Outcome) -> None:
    batch = Batch([record(number) for number in range(4)])
    assert judge(answer, batch, Policy(reports_item_failures=True)) == outcome


def test_without_reporting_any_answer_is_success() -> None:
    answer = {"batchItemFailures": [{"itemIdentifier": "00001"}]}
    assert judge(answer, Batch([record(1)]), Policy()) == Succeeded()


def test_the_policy_reads_a_mapping_and_takes_minus_one_as_no_limit() -> None:
    mapping = {
        "BatchSize": 25,
        "MaximumBatchingWindowInSeconds": 1,
        "MaximumRetryAttempts": -1,
        "MaximumRecordAgeInSeconds": 60,
        "BisectBatchOnFunctionError": "true",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    assert Policy.from_mapping(mapping) == Policy(25, 1.0, None, 60, bisect=True, reports_item_failures=True)
