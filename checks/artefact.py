"""Whether every handler of the template imports from the built artefact, with nothing else installed; and its size.

`python -m checks.artefact DIRECTORY` says how large the artefact is, and which import took longest, and exits with what
went wrong, if anything did. How long an import takes depends on the machine, so it fails nothing: `python -m
benchmarks.imports` compares.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from checks.translation import translate

LARGEST = 30_000_000
"""Bytes that the artefact may have, unpacked; Lambda loads it before it starts a function."""

# -I and -S: neither the environment, nor the working directory, nor any site-packages helps. -B: nothing compiled stays
# in the artefact, for `sam build` compiles nothing.
INTERPRETER = (sys.executable, "-I", "-S", "-B", "-W", "error", "-c")
IMPORT = """
import importlib, sys, time
sys.path.insert(0, sys.argv[1])
module, _, name = sys.argv[2].partition(".")
begun = time.process_time()
imported = importlib.import_module(module)
print(time.process_time() - begun)
assert not name or callable(getattr(imported, name))
"""


class NotImported(Exception):
    """A module did not import, or has no such function; says what the interpreter said."""


def functions(template: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The properties of the template's functions."""
    for resource in template["Resources"].values():
        if resource["Type"] == "AWS::Lambda::Function":
            yield resource["Properties"]


def stand_in(variable: str) -> str:
    """A value of the right kind."""
    kinds = {"DAYS": "1", "PLAN": "{}"}
    return kinds.get(variable.rpartition("_")[2], "stand-in")


def environment(function: Mapping[str, Any]) -> dict[str, str]:
    """The variables that the template gives the function, with values of the right kind."""
    names = function["Environment"]["Variables"]
    values = {name: stand_in(name) for name in names}
    return values | {"POWERTOOLS_LOG_LEVEL": "INFO", "AWS_DEFAULT_REGION": "us-east-1"}


def import_seconds(artefact: Path, name: str, variables: Mapping[str, str]) -> float:
    """Seconds of CPU in which a fresh interpreter imports a module, or a handler's, from the artefact.

    An idle machine takes as long; on a busy one, time would tell of the others.

    Raises:
        NotImported: it does not.
    """
    command = [*INTERPRETER, IMPORT, str(artefact), name]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotImported(f"{name}\n{done.stderr}")
    return float(done.stdout.splitlines()[-1])


def size(artefact: Path) -> int:
    """Bytes of all files but compiled ones."""
    files = (file for file in artefact.rglob("*") if file.is_file() and file.suffix != ".pyc")
    return sum(file.stat().st_size for file in files)


def overweight(weight: int) -> list[str]:
    """What is wrong with a number of bytes, if anything is."""
    return [f"{weight:,} bytes unpacked, more than {LARGEST:,}"] if weight > LARGEST else []


def imports(artefact: Path, template: Mapping[str, Any]) -> tuple[dict[str, float], list[str]]:
    """Seconds that each handler took to import, and what was said of those that did not."""
    seconds: dict[str, float] = {}
    failures: list[str] = []
    for function in functions(template):
        try:
            seconds[function["Handler"]] = import_seconds(artefact, function["Handler"], environment(function))
        except NotImported as error:
            failures.append(str(error))
    return seconds, failures


def main(artefact: Path) -> int:
    weight = size(artefact)
    seconds, failures = imports(artefact, translate())
    failures += overweight(weight)
    slowest, took = max(seconds.items(), key=lambda each: each[1], default=("none", 0.0))
    print(
        f"{weight / 1e6:.1f} of {LARGEST / 1e6:.0f} MB; slowest import {took * 1000:.0f} ms, {slowest}",
        *failures,
        sep="\n",
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
