"""The benchmark of imports takes turns, keeps the best of each, and measures nothing that was compiled unasked."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from benchmarks.imports import Compiled, Import, compared, compiled, refuse_compiled, turns


def test_imports_take_turns_round_by_round() -> None:
    clock = count(1.0)

    assert turns({"boto3": {}, "a": {}}, 2, lambda *_: next(clock)) == [
        {"boto3": 1.0, "a": 2.0},
        {"boto3": 3.0, "a": 4.0},
    ]


def test_best_of_each_is_compared_with_the_best_of_boto3() -> None:
    rounds = [{"boto3": 4.0, "a": 3.0, "b": 9.0}, {"boto3": 2.0, "a": 5.0, "b": 8.0}]

    assert compared(rounds) == [Import("b", 8.0, 4.0), Import("a", 3.0, 1.5), Import("boto3", 2.0, 1.0)]


def test_compiled_copy_leaves_the_artefact_as_it_was(tmp_path: Path) -> None:
    artefact = tmp_path / "functions"
    artefact.mkdir()
    (artefact / "module.py").write_text("x = 1\n")
    copy = compiled(artefact, tmp_path)

    refuse_compiled(artefact)
    with pytest.raises(Compiled, match=r"__pycache__/module\..*\.pyc"):
        refuse_compiled(copy)
