"""Names of schedules and of what they run: SageMaker takes them, and they follow from the content alone."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fraud.monitoring_ports import DIGEST, SchedulePlan, definition_prefix, schedule_name
from tests.fakes.monitoring import schedule

LEGAL = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
ENDPOINTS = st.from_regex(LEGAL, fullmatch=True).filter(lambda name: len(name) <= 63)


@example("f" * 50)
@example("f" * 51)
@example("f" + "-" * 61 + "f")
@given(ENDPOINTS)
def test_names_for_any_endpoint_are_legal(endpoint: str) -> None:
    plan = schedule(endpoint=endpoint)
    for name in (plan.schedule, plan.definition):
        assert LEGAL.fullmatch(name)
        assert len(name) <= 63
    assert plan.schedule == schedule_name(endpoint)
    assert plan.definition.startswith(definition_prefix(endpoint))
    assert len(plan.definition) == len(definition_prefix(endpoint)) + DIGEST


def test_names_of_the_same_content_never_change() -> None:
    assert schedule().schedule == "fraud-a-data-quality"
    assert schedule().definition == "fraud-a-data-quality-4a137ee8"


@pytest.mark.parametrize("length", range(40, 63))
def test_names_for_long_endpoints_that_differ_at_their_end_are_others(length: int) -> None:
    one, another = ("f" * (length - 1) + end for end in "ab")
    assert schedule_name(one) != schedule_name(another)
    assert definition_prefix(one) != definition_prefix(another)


OTHERS: dict[str, Any] = {field.name: f"another {field.name}" for field in fields(SchedulePlan)} | {
    "run_seconds": 600,
}


@pytest.mark.parametrize(("name", "value"), OTHERS.items(), ids=OTHERS)
def test_definition_of_any_other_content_has_another_name(name: str, value: Any) -> None:
    assert replace(schedule(), **{name: value}).definition != schedule().definition


def test_schedule_of_any_other_content_keeps_its_name() -> None:
    assert {replace(schedule(), **{name: value}).schedule for name, value in OTHERS.items() if name != "endpoint"} == {
        schedule().schedule
    }
