"""Whether every handler of the template imports from the built artefact, with nothing else installed.

`python -m checks.artefact DIRECTORY` exits with what went wrong, if anything did.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from checks.translation import translate

# -I and -S: neither the environment, nor the working directory, nor any site-packages helps.
IMPORT = """
import importlib, sys
sys.path.insert(0, sys.argv[1])
module, name = sys.argv[2].split(".")
assert callable(getattr(importlib.import_module(module), name))
"""


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


def failure(artefact: Path, function: Mapping[str, Any]) -> str | None:
    """What the interpreter said when the handler's import failed."""
    command = [sys.executable, "-I", "-S", "-W", "error", "-c", IMPORT, str(artefact), function["Handler"]]
    done = subprocess.run(command, env=environment(function), capture_output=True, text=True, check=False)
    return f"{function['Handler']}\n{done.stderr}" if done.returncode else None


def main(artefact: Path) -> int:
    failures = [said for function in functions(translate()) if (said := failure(artefact, function))]
    print(*failures, sep="\n")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
