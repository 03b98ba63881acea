"""What the machines that monitor are asked for, and how anything else is refused."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from fraud.errors import MonitoringRefused
from fraud.monitoring_task import Request, request

WINDOW = {"since": "2025-06-14T15:00:00Z", "until": "2025-06-15T15:00:00Z"}


@pytest.mark.parametrize("given", [None, {}])
def test_request_nothing_is_a_person_who_asks_for_the_default(given: object) -> None:
    assert request(given) == Request(plan={}, since=None, until=None, trigger="person", started_by="")


def test_request_keeps_what_was_asked_for() -> None:
    found = request({"plan": {"alpha": 0.01}, "trigger": "promotion", "started_by": "ada", **WINDOW})
    assert found.plan == {"alpha": 0.01}
    assert (found.trigger, found.started_by) == ("promotion", "ada")
    assert (found.since, found.until) == (datetime(2025, 6, 14, 15, tzinfo=UTC), datetime(2025, 6, 15, 15, tzinfo=UTC))


def test_request_moment_of_another_zone_is_that_moment() -> None:
    found = request({"until": "2025-06-15T17:00:00+02:00"})
    assert found.until == datetime(2025, 6, 15, 17, tzinfo=timezone(timedelta(hours=2)))
    assert found.until is not None
    assert found.until.timestamp() == 1_749_999_600


@pytest.mark.parametrize("name", WINDOW)
def test_request_moment_without_an_offset_is_refused_because_it_could_be_any(name: str) -> None:
    with pytest.raises(MonitoringRefused, match=rf"^{name} carries no UTC offset: write it as 2026-03-01T00:00:00Z\.$"):
        request(WINDOW | {name: "2025-06-15T15:00:00"})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "Expected `object`, got `array`"),
        ("now", "Expected `object`, got `str`"),
        ({"window_hours": 24}, "unknown field `window_hours`"),
        ({"plan": None}, r"Expected `object`, got `null` - at `\$\.plan`"),
        ({"since": "yesterday"}, r"Invalid RFC3339 encoded datetime - at `\$\.since`"),
        ({"until": 1_750_000_000}, r"Expected `datetime \| null`, got `int` - at `\$\.until`"),
        ({"started_by": 7}, r"Expected `str`, got `int` - at `\$\.started_by`"),
    ],
)
def test_request_of_another_shape_is_refused_with_what_is_allowed(given: object, words: str) -> None:
    with pytest.raises(MonitoringRefused, match=rf"^The input is not \{{\}} or \{{plan, .*: .*{words}"):
        request(given)
