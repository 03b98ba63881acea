"""The benchmark of imports takes turns, and keeps the best of each."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from benchmarks.imports import Import, compared, measures, turns
from checks.artefact import FROM_SOURCE, Built


def test_imports_take_turns_round_by_round() -> None:
    clock = count(1.0)

    assert turns({"boto3": lambda: next(clock), "a": lambda: next(clock)}, 2) == [
        {"boto3": 1.0, "a": 2.0},
        {"boto3": 3.0, "a": 4.0},
    ]


def test_best_of_each_is_compared_with_the_best_of_boto3() -> None:
    rounds = [{"boto3": 4.0, "a": 3.0, "b": 9.0}, {"boto3": 2.0, "a": 5.0, "b": 8.0}]

    assert compared(rounds) == [Import("b", 8.0, 4.0), Import("a", 3.0, 1.5), Import("boto3", 2.0, 1.0)]


def test_a_handler_is_measured_beside_boto3_from_the_artefact(tmp_path: Path) -> None:
    (tmp_path / "python" / "boto3").mkdir(parents=True)
    for name in ("works.py", "python/boto3/__init__.py"):
        (tmp_path / name).write_text("def handler(): ...\n")
    function = Built("F", "works.handler", tmp_path, (tmp_path,), {})

    assert {name: measure() >= 0 for name, measure in measures([function], FROM_SOURCE).items()} == {
        "boto3": True,
        "works.handler": True,
    }
