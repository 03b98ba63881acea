"""Calls as stacks on the laptop record them, and the list of those that are known.

To take in what a change calls newly: `RECORD_CALLS=1 .venv/bin/python -m pytest tests/end_to_end`. To drop what is
called no more, empty recorded_calls.jsonl first, and run all of them, one after another.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from local.calls import DIRECTORY

RECORDED = Path(__file__).parent / "recorded_calls.jsonl"
TAKE_IN = "RECORD_CALLS"


@contextmanager
def into(directory: Path) -> Iterator[Path]:
    """Stacks that are started meanwhile record into the directory."""
    before = os.environ.get(DIRECTORY)
    os.environ[DIRECTORY] = str(directory)
    try:
        yield directory
    finally:
        del os.environ[DIRECTORY]
        if before is not None:
            os.environ[DIRECTORY] = before


def unknown(directory: Path) -> list[str]:
    """Lines of the directory's records that the list does not have; it gets them, if the environment says so."""
    known = _lines([RECORDED])
    new = sorted(_lines(directory.glob("*.jsonl")) - known)
    if new and TAKE_IN in os.environ:
        RECORDED.write_text("".join(f"{line}\n" for line in sorted({*known, *new})), encoding="utf-8")
        return []
    return new


def advice(lines: Iterable[str]) -> str:
    return "\n".join(
        [
            "Functions made calls that tests/permissions/recorded_calls.jsonl does not know:",
            *lines,
            f"Take them in with: {TAKE_IN}=1 .venv/bin/python -m pytest tests/end_to_end",
        ]
    )


def _lines(files: Iterable[Path]) -> set[str]:
    return {line for file in files for line in file.read_text(encoding="utf-8").splitlines()}
