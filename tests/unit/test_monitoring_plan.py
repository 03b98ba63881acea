"""What a person may ask for of monitoring, and how anything else is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fraud.errors import InvalidPlan
from fraud.monitoring_plan import _BOUNDS, Plan, parse
from fraud.retraining_plan import GROUPS

NUMBERS = [field.name for field in msgspec.structs.fields(Plan) if field.type in (int, float)]
SHARES = [field.name for field in msgspec.structs.fields(Plan) if field.type is float]


def test_parse_nothing_is_the_default_plan() -> None:
    assert parse({}) == Plan()


def test_parse_keeps_what_was_asked_for() -> None:
    asked = {"window_hours": 48, "least_psi": 0.2, "fairness": ["country", "channel"], "rebaseline": True}
    assert parse(asked) == Plan(window_hours=48, least_psi=0.2, fairness=("country", "channel"), rebaseline=True)


def test_plan_is_read_as_it_was_written() -> None:
    plan = Plan(fairness=("channel", "currency"), alpha=0.01, instance_type="ml.m7i-flex.large")
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


@pytest.mark.parametrize(
    ("asked", "days"),
    [
        ({}, 15),
        ({"maturity_days": 0, "quality_days": 1, "freshest_label_days": 1}, 2),
        ({"freshest_label_days": 30}, 31),
        ({"window_hours": 720}, 31),
        ({"maturity_days": 120, "quality_days": 90, "window_hours": 48}, 211),
    ],
)
def test_plan_reads_its_window_what_has_to_be_mature_and_verdicts_that_are_late(
    asked: dict[str, Any], days: int
) -> None:
    assert parse(asked).archive_days == days


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"window_hourz": 24}, "unknown field `window_hourz`"),
        ({"window_hours": "24"}, r"Expected `int`, got `str` - at `\$\.window_hours`"),
        ({"window_hours": 24.5}, r"Expected `int`, got `float`"),
        ({"window_hours": True}, r"Expected `int`, got `bool`"),
        ({"window_hours": 36}, r"^plan\.window_hours must be whole days, such as 24, not 36$"),
        ({"alpha": "low"}, r"Expected `float`, got `str` - at `\$\.alpha`"),
        ({"rebaseline": 1}, r"Expected `bool`, got `int` - at `\$\.rebaseline`"),
        ({"instance_type": "m5.large"}, r"^plan\.instance_type is no ml\. type: 'm5\.large'$"),
        ({"instance_type": "ml." + "m" * 100 + ".large"}, r"^plan\.instance_type is no ml\. type"),
        ({"fairness": ["country", "age"]}, r"^plan\.fairness may name .*, not age$"),
        ({"fairness": ["country", "country"]}, r"^plan\.fairness names a field twice$"),
        ({"fairness": [*GROUPS, *GROUPS]}, r"^plan\.fairness may name 5 fields at most$"),
        ({"fairness": "country"}, r"Expected `array`, got `str`"),
    ],
)
def test_parse_what_is_no_plan_is_refused_by_name(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidPlan, match=words):
        parse(asked)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, 10**9])
def test_parse_every_number_of_a_plan_is_bounded(name: str, value: int) -> None:
    with pytest.raises(InvalidPlan, match=rf"^plan\.{name} must lie between [^$]*$"):
        parse({name: value})


@pytest.mark.parametrize("name", SHARES)
def test_parse_no_limit_can_be_switched_off_by_a_number_that_is_none(name: str) -> None:
    with pytest.raises(InvalidPlan, match=rf"plan\.{name} must lie between"):
        parse({name: float("nan")})


def test_bounds_name_every_number_once() -> None:
    assert sorted(name for name, _, _ in _BOUNDS) == sorted(NUMBERS)


@pytest.mark.parametrize(
    ("name", "least", "most", "beyond"),
    [
        ("window_hours", 24, 720, 24),
        ("reference_days", 1, 180, 1),
        ("maturity_days", 0, 120, 1),
        ("quality_days", 1, 90, 1),
        ("fewest_rows", 20, 1_000_000, 1),
        ("fewest_frauds", 1, 1_000_000, 1),
        ("alpha", 1e-6, 0.1, 1e-7),
        ("least_psi", 0, 10, 0.001),
        ("least_ks", 0, 1, 0.001),
        ("least_share", 0, 1, 0.001),
        ("least_ratio", 1, 100, 0.001),
        ("least_volume", 0, 1, 0.001),
        ("quality_loss", 0, 1, 0.001),
        ("bias_gap", 0, 1, 0.001),
        ("most_parity_mismatches", 0, 1, 0.001),
        ("parity_entities", 1, 100_000, 1),
        ("most_rows", 1_000, 10_000_000, 1),
        ("stale_days", 1, 3_650, 1),
        ("freshest_label_days", 1, 365, 1),
        ("run_seconds", 60, 86_400, 1),
    ],
)
def test_parse_bounds_are_where_they_are_said_to_be(name: str, least: float, most: float, beyond: float) -> None:
    for accepted in (least, most):
        assert getattr(parse({name: accepted}), name) == accepted
    for refused in (least - beyond, most + beyond):
        with pytest.raises(InvalidPlan, match=name):
            parse({name: refused})


def test_parse_fairness_of_nobody_is_accepted() -> None:
    assert parse({"fairness": []}).fairness == ()
