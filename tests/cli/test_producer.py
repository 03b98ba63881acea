"""The producer: sends everything once accepted, resends only what was refused, keeps each key's order."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.errors import CommandError
from cli.producer import Limits, Pace, Producer, Record, Summary, Unanswered

PATIENT = Pace()
LIMITS = Limits(records=4, bytes=100, record_bytes=50)
THROTTLED = "ProvisionedThroughputExceededException"


class Service:
    """Accepts what it is told to; remembers every request and what it accepted."""

    def __init__(self, verdict: Callable[[int, Record], str | None] = lambda request, record: None) -> None:
        self.verdict = verdict
        self.requests: list[list[Record]] = []
        self.accepted: list[Record] = []

    def put(self, batch: Sequence[Record]) -> list[str | None]:
        self.requests.append(list(batch))
        codes = [self.verdict(len(self.requests), record) for record in batch]
        self.accepted += [record for record, code in zip(batch, codes, strict=True) if code is None]
        return codes


def records(keys: str) -> list[Record]:
    return [Record(key, f"{place}".encode()) for place, key in enumerate(keys)]


def send(service: Service, keys: str, pace: Pace = PATIENT, limits: Limits = LIMITS) -> Summary:
    waits: list[float] = []
    producer = Producer(service.put, limits, pace, sleep=waits.append, clock=lambda: sum(waits))
    return producer.send(records(keys))


def order_of(records: Sequence[Record], key: str) -> list[bytes]:
    return [record.data for record in records if record.key == key]


def test_send_accepted_everything_arrives_in_full_requests() -> None:
    service = Service()
    summary = send(service, "abcdefghij")
    assert [len(request) for request in service.requests] == [4, 4, 2]
    assert (summary.sent, summary.retried, summary.rejected.total()) == (10, 0, 0)


def test_send_partial_failure_resends_only_the_refused() -> None:
    """Fault 16."""
    service = Service(lambda request, record: THROTTLED if request == 1 and record.key in "bd" else None)
    summary = send(service, "abcdef")
    assert [[record.key for record in request] for request in service.requests] == [list("abcd"), list("bdef")]
    assert (summary.sent, summary.retried) == (6, 2)


def test_send_unanswered_request_is_resent_whole() -> None:
    """Fault 17: the outcome is unknown, so everything goes again and the application deduplicates."""
    service = Service()

    def put(batch: Sequence[Record]) -> list[str | None]:
        codes = service.put(batch)
        if len(service.requests) == 1:
            raise Unanswered("read timeout")
        return codes

    summary = Producer(put, LIMITS, sleep=lambda seconds: None).send(records("abcdef"))
    assert service.requests[0] == service.requests[1]
    assert (summary.sent, summary.retried) == (6, 4)


def test_send_no_answer_ever_gives_up_with_advice() -> None:
    def put(batch: Sequence[Record]) -> list[str | None]:
        raise Unanswered("connection refused")

    with pytest.raises(CommandError, match="No answer after 3 attempts"):
        Producer(put, LIMITS, Pace(attempts=3), sleep=lambda seconds: None).send(records("a"))


def test_send_refused_for_ever_is_rejected_after_bounded_attempts_and_others_go_on() -> None:
    service = Service(lambda request, record: THROTTLED if record.data == b"0" else None)
    summary = send(service, "abab", Pace(attempts=3))
    assert sum(record.data == b"0" for request in service.requests for record in request) == 3
    assert summary.rejected == {THROTTLED: 1}
    assert summary.sent == 3


def test_send_record_over_the_limit_is_rejected_without_a_request() -> None:
    service = Service()
    summary = Producer(service.put, LIMITS).send([Record("a", b"x" * 60)])
    assert service.requests == []
    assert summary.rejected == {"RecordTooLarge": 1}


def test_send_request_bytes_stay_below_the_limit() -> None:
    service = Service()
    Producer(service.put, LIMITS).send([Record(key, b"x" * 40) for key in "abcde"])
    assert [len(request) for request in service.requests] == [2, 2, 1]


def test_send_at_a_rate_waits_between_small_requests() -> None:
    waits: list[float] = []
    service = Service()
    producer = Producer(service.put, LIMITS, Pace(rate=10), sleep=waits.append, clock=lambda: sum(waits))
    producer.send(records("abcdef"))
    assert [len(request) for request in service.requests] == [2, 2, 2]
    assert sum(waits) == pytest.approx(0.6)


def test_send_a_thousand_of_one_key_among_others_reads_only_a_few_requests_ahead() -> None:
    service, drawn = Service(), 0

    def source() -> object:
        nonlocal drawn
        for record in records("a" * 1000):
            drawn += 1
            assert drawn - len(service.accepted) <= 4 * LIMITS.records
            yield record

    Producer(service.put, LIMITS).send(source())  # type: ignore[arg-type]
    assert len(service.accepted) == 1000


@given(keys=st.text("abcde", max_size=60), failures=st.lists(st.integers(0, 400), max_size=30))
def test_send_under_any_refusals_keeps_order_per_key_and_loses_nothing(keys: str, failures: list[int]) -> None:
    attempts = iter(range(10**6))
    service = Service(lambda request, record: THROTTLED if next(attempts) in failures else None)
    summary = send(service, keys, Pace(attempts=100))
    assert summary.sent == len(keys) and len(service.accepted) == len(keys)
    for key in "abcde":
        assert order_of(service.accepted, key) == order_of(records(keys), key)
    assert all(len({record.key for record in request}) == len(request) for request in service.requests)
