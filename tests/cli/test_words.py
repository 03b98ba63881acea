"""Times, numbers and names as people read them."""

from __future__ import annotations

import pytest

from cli.words import dated, moment, number, percent, person, plain, ratio, span

START = 1_777_629_600.0
"""2026-05-01 10:00 UTC."""
NOW = START + 2_000


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-5, "0 s"), (59, "59 s"), (60, "1 min"), (3_661, "1 h 1 min"), (90_000, "1 d 1 h"), (float("inf"), "–")],
)
def test_span_takes_the_units_a_person_would(seconds: float, words: str) -> None:
    assert span(seconds) == words


@pytest.mark.parametrize(("at", "words"), [(START, "10:00:00"), (START - 86_400, "2026-04-30 10:00"), (-1, "–")])
def test_moment_has_its_date_unless_it_is_today(at: float, words: str) -> None:
    assert moment(at, NOW) == words


@pytest.mark.parametrize(("value", "words"), [(0.0001, "0.01 %"), (0.05, "5 %"), (1, "100 %"), (-0.0023, "-0.23 %")])
def test_percent_has_two_decimals_at_most(value: float, words: str) -> None:
    assert percent(value) == words


@pytest.mark.parametrize(("value", "words"), [(1234, "1,234"), (83.25, "83.25"), (1e15, "1e+15")])
def test_number_is_short(value: float, words: str) -> None:
    assert number(value) == words


def test_person_is_the_end_of_an_arn() -> None:
    assert [person("jane"), person("arn:aws:iam::1:user/jane")] == ["jane", "user/jane"]


def test_dated_is_down_to_the_minute_also_today() -> None:
    assert [dated(START), dated(-1), dated(float("nan"))] == ["2026-05-01 10:00", "–", "–"]


def test_plain_has_no_control_characters() -> None:
    assert plain("a\x1b[2J\nb") == "a [2J b"


def test_ratio_of_nothing_is_none() -> None:
    assert [ratio(1, 4), ratio(0, 0)] == ["25 %", "–"]
