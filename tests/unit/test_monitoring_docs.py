"""What the documentation says of the plan of monitoring is what the code does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fraud.monitoring_plan import _BOUNDS, Plan

TEXT = (Path(__file__).parents[2] / "docs" / "monitoring.md").read_text(encoding="utf-8")
ROWS = {
    cells[0].strip("` "): [each.strip() for each in cells[1:]]
    for line in TEXT.splitlines()
    if line.startswith("| `") and len(cells := line.strip("|").split(" | ")) == 4
}


def written(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def test_every_field_of_the_plan_is_documented_and_nothing_else() -> None:
    assert list(ROWS) == list(Plan.__struct_fields__)


@pytest.mark.parametrize("name", Plan.__struct_fields__)
def test_documented_default_is_that_of_the_code(name: str) -> None:
    default = msgspec.to_builtins(getattr(Plan(), name))
    assert ROWS[name][0] == (f"{default:g}" if isinstance(default, float) else written(default))


@pytest.mark.parametrize(("name", "least", "most"), _BOUNDS, ids=[name for name, _, _ in _BOUNDS])
def test_documented_bounds_are_those_of_the_code(name: str, least: float, most: float) -> None:
    assert ROWS[name][1] == f"{_plain(least)} to {_plain(most)}"


def _plain(value: float) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)
