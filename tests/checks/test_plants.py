"""The check of planted faults tells a fault that was caught from one that was not."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from checks.plants import LINT, PLANTS, NotPlanted, commands, plant, told

FAULT = replace(PLANTS[0], check="tests/a.py", told="test_b")


def test_a_fault_is_caught_where_its_own_test_failed() -> None:
    assert told(FAULT, "FAILED tests/a.py::test_b - AssertionError")
    assert told(FAULT, "FAILED tests/a.py::test_b[queue] - AssertionError")
    assert not told(FAULT, "FAILED tests/a.py::test_b_and_more - AssertionError\nERROR tests/a.py")


def test_a_fault_is_caught_where_cfn_lint_names_its_rule() -> None:
    fault = replace(FAULT, check=LINT, told="E3002")
    assert told(fault, "E3002 Additional properties are not allowed")
    assert not told(fault, "E3003 'E3002 ' is a required property")


def test_a_fault_without_a_place_is_not_passed_over(tmp_path: Path) -> None:
    with pytest.raises(NotPlanted, match="no 'what nobody wrote'"):
        plant([replace(FAULT, found="what nobody wrote")], tmp_path)


def test_a_fault_is_planted_into_the_copy_alone(tmp_path: Path) -> None:
    [original, copy] = [Path(each, FAULT.file) for each in (Path(__file__).parents[2], tmp_path)]
    before = original.read_text(encoding="utf-8")
    plant([FAULT], tmp_path)
    assert original.read_text(encoding="utf-8") == before != copy.read_text(encoding="utf-8")


def test_tests_run_at_once_and_cfn_lint_after_the_translation() -> None:
    assert [each[-2:] for each in commands([FAULT, FAULT])] == [("tests/a.py::test_b", "tests/a.py::test_b")]
    assert [Path(each[0]).name for each in commands([replace(FAULT, check=LINT)])][-1] == LINT
