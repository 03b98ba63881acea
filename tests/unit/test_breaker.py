"""Closed, open, half-open, closed again."""

from fraud.breaker import Breaker
from tests.fakes.faults import Clock


def broken(clock: Clock, failures: int = 3) -> Breaker:
    breaker = Breaker(clock, threshold=3, cooldown=15)
    for _ in range(failures):
        breaker.failed()
    return breaker


def test_breaker_below_the_threshold_allows() -> None:
    assert broken(Clock(0), failures=2).allows()


def test_breaker_at_the_threshold_refuses_until_the_cooldown() -> None:
    clock = Clock(0)
    breaker = broken(clock)
    assert not breaker.allows()
    clock.pass_by(14.9)
    assert not breaker.allows()


def test_breaker_after_the_cooldown_lets_one_probe_through() -> None:
    clock = Clock(0)
    breaker = broken(clock)
    clock.pass_by(15)
    assert [breaker.allows() for _ in range(3)] == [True, False, False]


def test_breaker_failed_probe_waits_another_cooldown() -> None:
    clock = Clock(0)
    breaker = broken(clock)
    clock.pass_by(15)
    assert breaker.allows()
    breaker.failed()
    clock.pass_by(14.9)
    assert not breaker.allows()
    clock.pass_by(0.1)
    assert breaker.allows()


def test_breaker_successful_probe_closes_it_for_good() -> None:
    clock = Clock(0)
    breaker = broken(clock)
    clock.pass_by(15)
    assert breaker.allows()
    breaker.succeeded()
    breaker.failed()
    assert breaker.allows()


def test_breaker_success_between_failures_starts_the_count_again() -> None:
    breaker = broken(Clock(0), failures=2)
    breaker.succeeded()
    breaker.failed()
    breaker.failed()
    assert breaker.allows()
