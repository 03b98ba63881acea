"""CPU that handlers take to import from the artefact, each in a fresh interpreter, beside boto3 alone.

`python -m benchmarks.imports .aws-sam/build`, after `make build`: once as it is built, the layer compiled and our own
code not; and once all from source, as if dependencies/Makefile had not compiled either.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from checks.artefact import FROM_SOURCE, Built, built, environment, import_seconds

BOTO3 = "boto3"


class Import(NamedTuple):
    """The least of several imports, in seconds of CPU, and how many times that of boto3 it is."""

    name: str
    seconds: float
    ratio: float


def main() -> None:
    arguments = _parser().parse_args()
    functions = built(arguments.artefact.resolve())
    titles: dict[str, Sequence[str]] = {"as built": (), "from source": FROM_SOURCE}
    for title, options in titles.items():
        rounds = turns(measures(functions, options), arguments.rounds)
        Console().print(_table(title, compared(rounds)))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.imports", description=__doc__)
    parser.add_argument("artefact", type=Path, help="directory that `sam build` made")
    parser.add_argument("--rounds", type=int, default=5, help="imports of each, of which the shortest counts")
    return parser


def measures(functions: Sequence[Built], options: Sequence[str]) -> dict[str, Callable[[], float]]:
    """What measures each handler's import, and boto3's alone, with options of the interpreter."""

    def measure(path: Sequence[str], name: str, variables: Mapping[str, str]) -> Callable[[], float]:
        return lambda: import_seconds(path, name, variables, options)

    handlers = {each.handler: measure(each.path, each.handler, environment(each)) for each in functions}
    return {BOTO3: measure(functions[0].path, BOTO3, {}), **handlers}


def turns(wanted: Mapping[str, Callable[[], float]], rounds: int) -> list[dict[str, float]]:
    """Seconds of each in each round: all take turns, so that what else the machine does meets all alike."""
    return [{name: measure() for name, measure in wanted.items()} for _ in range(rounds)]


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
