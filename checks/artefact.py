"""Whether what `sam build` made is enough: each handler imports from its own directory and its layers alone.

`python -m checks.artefact .aws-sam/build` says how large the largest function is with its layers, and how long the
slowest takes to import, and exits with what went wrong, if anything did. Time depends on the machine, so it fails
nothing; what fails is an import that takes too large a part of what boto3 alone takes from source in the same run.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from samtranslator.yaml_helper import yaml_parse

LARGEST = 30_000_000
"""Bytes that a function may have with its layers, unpacked; Lambda loads them before it starts a function."""
BUDGET = 0.35
"""Seconds of CPU that an import may take, on the machine of which docs/benchmarks.md tells."""
LARGEST_PART = 0.6
"""Of what boto3 alone takes from source. Handlers take 0.3 to 0.45; from 0.68 where the layer is not compiled."""
OPT = "/opt"

# -I and -S: neither the environment, nor the working directory, nor any site-packages helps. -B: nothing compiled stays
# in the artefact, for a function cannot write there.
INTERPRETER = (sys.executable, "-I", "-S", "-B", "-W", "error")
FROM_SOURCE = ("-X", "pycache_prefix=/nonexistent")
IMPORT = """
import importlib, sys, time
sys.path[:0] = sys.argv[2:]
module, _, name = sys.argv[1].partition(".")
begun = time.process_time()
imported = importlib.import_module(module)
print(time.process_time() - begun)
assert not name or callable(getattr(imported, name))
"""


class NotImported(Exception):
    """A module did not import, or has no such function; says what the interpreter said."""


@dataclass(frozen=True, slots=True)
class Built:
    """A function as it was built.

    Args:
        name: its logical id.
        handler: module and function, as the template names them.
        code: the directory that `sam build` made of it.
        layers: directories of its layers, in their order.
        variables: what the template gives it; values that are intrinsics stand as such.
    """

    name: str
    handler: str
    code: Path
    layers: tuple[Path, ...]
    variables: Mapping[str, Any]

    @property
    def path(self) -> list[str]:
        """Where Lambda's Python finds modules: the code before the layers."""
        return [str(self.code), *(str(layer / "python") for layer in self.layers)]

    @property
    def size(self) -> int:
        """Bytes of all files."""
        return sum(f.stat().st_size for each in (self.code, *self.layers) for f in each.rglob("*") if f.is_file())


def built(directory: Path) -> list[Built]:
    """The functions of the template that `sam build` wrote into a directory."""
    template = yaml_parse((directory / "template.yaml").read_text(encoding="utf-8"))
    resources, shared = template["Resources"], template.get("Globals", {}).get("Function", {})
    return [
        _built(directory, name, each["Properties"], shared, resources)
        for name, each in resources.items()
        if each["Type"] == "AWS::Serverless::Function"
    ]


def _built(
    directory: Path, name: str, own: Mapping[str, Any], shared: Mapping[str, Any], resources: Mapping[str, Any]
) -> Built:
    layers = [resources[each["Ref"]]["Properties"] for of in (shared, own) for each in of.get("Layers", ())]
    variables = [of.get("Environment", {}).get("Variables", {}) for of in (shared, own)]
    return Built(
        name=name,
        handler=own["Handler"],
        code=directory / own["CodeUri"],
        layers=tuple((directory / each["ContentUri"]).resolve() for each in layers),
        variables=variables[0] | variables[1],
    )


def stand_in(variable: str) -> str:
    """A value of the right kind."""
    kinds = {"DAYS": "1", "PLAN": "{}"}
    return kinds.get(variable.rpartition("_")[2], "stand-in")


def environment(function: Built) -> dict[str, str]:
    """The variables that the template gives the function, with values of the right kind."""
    values = {name: stand_in(name) for name in function.variables}
    return values | {"POWERTOOLS_LOG_LEVEL": "INFO", "AWS_DEFAULT_REGION": "us-east-1"}


def import_seconds(path: Sequence[str], name: str, variables: Mapping[str, str], options: Sequence[str] = ()) -> float:
    """Seconds of CPU in which a fresh interpreter imports a module, or a handler's, from directories.

    An idle machine takes as long; on a busy one, time would tell of the others.

    Raises:
        NotImported: it does not.
    """
    command = [*INTERPRETER, *options, "-c", IMPORT, name, *path]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, check=False)
    if done.returncode:
        raise NotImported(f"{name}\n{done.stderr}")
    return float(done.stdout.splitlines()[-1])


def imports(functions: Iterable[Built]) -> tuple[dict[str, float], list[str]]:
    """Seconds that each handler took to import, and what was said of those that did not."""
    seconds: dict[str, float] = {}
    failures: list[str] = []
    for each in functions:
        try:
            seconds[each.handler] = import_seconds(each.path, each.handler, environment(each))
        except NotImported as error:
            failures.append(str(error))
    return seconds, failures


def overweight(functions: Iterable[Built]) -> list[str]:
    """A line for each function that is too large."""
    sizes = {each.name: each.size for each in functions}
    return [f"{name}: {size:,} bytes, more than {LARGEST:,}" for name, size in sizes.items() if size > LARGEST]


def slow(seconds: Mapping[str, float], source: float) -> list[str]:
    """A line for each handler whose import takes too large a part of boto3's from source."""
    return [
        f"{name}: imported in {took:.2f} s, {took / source:.2f} of boto3 from source, more than {LARGEST_PART:.2f}"
        for name, took in seconds.items()
        if took > LARGEST_PART * source
    ]


def main(directory: Path) -> int:
    functions = built(directory)
    source = min(import_seconds(functions[0].path, "boto3", {}, FROM_SOURCE) for _ in range(2))
    seconds, failures = imports(functions)
    failures += overweight(functions) + slow(seconds, source)
    largest = max(each.size for each in functions)
    slowest, took = max(seconds.items(), key=lambda each: each[1], default=("none", 0.0))
    print(
        f"{largest / 1e6:.1f} of {LARGEST / 1e6:.0f} MB; slowest import {took * 1000:.0f} of {BUDGET * 1000:.0f} ms, "
        f"{slowest}, {took / source:.2f} of boto3 from source",
        *failures,
        sep="\n",
    )
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
