"""What the documentation says of a plan is what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fraud.rollout_plan import _BOUNDS, Gates, Plan

TEXT = (Path(__file__).parents[2] / "docs" / "rollouts.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].strip("` "): [each.strip() for each in cells[1:]]
    for line in TEXT.splitlines()
    if line.startswith("| `") and len(cells := line.strip("|").split(" | ")) == 4
}


def test_every_field_of_a_plan_is_documented_and_nothing_else() -> None:
    assert list(ROWS) == list(Plan.__struct_fields__)


@pytest.mark.parametrize("name", [each for each in Plan.__struct_fields__ if each != "gates"])
def test_documented_default_is_that_of_the_code(name: str) -> None:
    default = getattr(Plan(), name)
    assert ROWS[name][0] == str(list(default) if isinstance(default, tuple) else default)


@pytest.mark.parametrize(("name", "least", "most"), _BOUNDS, ids=[name for name, _, _ in _BOUNDS])
def test_documented_bounds_are_those_of_the_code(name: str, least: int, most: int) -> None:
    assert ROWS[name][1] == f"{least} to {most}"


def test_every_limit_of_a_gate_is_documented_with_its_default() -> None:
    documented = {name: float(value) for name, value in re.findall(r"`(\w+)` \(?([\d.]+)", TEXT)}
    limits = {name: getattr(Gates(), name) for name in Gates.__struct_fields__ if name != "advisory"}
    assert {name: documented.get(name) for name in limits} == limits
