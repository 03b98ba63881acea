"""CPU that handlers take to import from the artefact, each in a fresh interpreter, beside boto3 alone.

`python -m benchmarks.imports build/functions`, after `make build`: once as it is built, which is from source, for
neither `sam build` compiles nor can a function write what it compiled; and once as if it had been compiled.
"""

from __future__ import annotations

import argparse
import compileall
import shutil
import tempfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from checks.artefact import environment, functions, import_seconds
from checks.translation import translate

BOTO3 = "boto3"

Variables = Mapping[str, str]


class Import(NamedTuple):
    """The least of several imports, in seconds of CPU, and how many times that of boto3 it is."""

    name: str
    seconds: float
    ratio: float


class Compiled(Exception):
    """The artefact holds compiled files, which a function would not find."""


def main() -> None:
    arguments = _parser().parse_args()
    artefact = arguments.artefact.resolve()
    refuse_compiled(artefact)
    wanted: dict[str, Variables] = {BOTO3: {}}
    wanted |= {function["Handler"]: environment(function) for function in functions(translate())}
    with tempfile.TemporaryDirectory() as directory:
        for title, root in {"as built": artefact, "compiled": compiled(artefact, Path(directory))}.items():
            rounds = turns(wanted, arguments.rounds, partial(import_seconds, root))
            Console().print(_table(title, compared(rounds)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("artefact", type=Path, help="directory that `make build` made")
    parser.add_argument("--rounds", type=int, default=5, help="imports of each, of which the shortest counts")
    return parser


def refuse_compiled(artefact: Path) -> None:
    """Look for compiled files.

    Raises:
        Compiled: there is one.
    """
    if found := next(artefact.rglob("*.pyc"), None):
        raise Compiled(f"{found.relative_to(artefact)}: make the artefact again")


def compiled(artefact: Path, directory: Path) -> Path:
    """A copy of the artefact in a directory, with every module compiled."""
    copy = shutil.copytree(artefact, directory / "compiled")
    compileall.compile_dir(copy, quiet=2)
    return copy


def turns(
    wanted: Mapping[str, Variables], rounds: int, measure: Callable[[str, Variables], float]
) -> list[dict[str, float]]:
    """Seconds of each in each round: all take turns, so that what else the machine does meets all alike."""
    return [{name: measure(name, variables) for name, variables in wanted.items()} for _ in range(rounds)]


def compared(rounds: Sequence[Mapping[str, float]]) -> list[Import]:
    """The best of each, the slowest first."""
    best = {name: min(each[name] for each in rounds) for name in rounds[0]}
    return sorted(
        (Import(name, seconds, seconds / best[BOTO3]) for name, seconds in best.items()),
        key=lambda each: each.seconds,
        reverse=True,
    )


def _table(title: str, imports: Iterable[Import]) -> Table:
    table = Table("import", "ms of CPU", "÷ boto3", title=title)
    for name, seconds, ratio in imports:
        table.add_row(name, f"{seconds * 1000:.0f}", f"{ratio:.2f}")
    return table


if __name__ == "__main__":
    main()
