"""`python -m state_machines` writes what is deployed, and pictures; with `--check`, says where they are stale."""

from __future__ import annotations

import difflib
import json
import logging
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from state_machines.definition import Definition
from state_machines.picture import Picture

HERE = Path(__file__).parent
DOCUMENTS = HERE.parent / "docs"
BEGIN, END = "<!-- Made from the definition: begin -->", "<!-- Made from the definition: end -->"

ENVIRONMENT = {
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "SAGEMAKER_ADMIN_CONFIG_OVERRIDE": os.devnull,
    "SAGEMAKER_SUPPRESS_V2_WARNING": "1",
    "SAGEMAKER_USER_CONFIG_OVERRIDE": os.devnull,
}
"""Importing the SDK asks for a region and looks for credentials, on the network too, and for a developer's defaults."""


@contextmanager
def quiet() -> Iterator[None]:
    """Importing the SDK neither prints, nor warns, nor calls anybody, nor changes how others log."""
    os.environ.update(ENVIRONMENT)
    root = logging.getLogger()
    level = root.level
    logging.getLogger("sagemaker.config").setLevel(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield
    root.setLevel(level)


def rendered() -> dict[Path, str]:
    """What the files should hold."""
    with quiet():
        from state_machines import drift, monitoring, retraining, rollout
    return {
        **_files("rollout", *rollout.definition()),
        **_files("retraining", *retraining.definition()),
        **_files("monitoring", *monitoring.definition()),
        **_files("drift", *drift.definition()),
    }


def _files(machine: str, definition: Definition, phases: Mapping[str, str]) -> dict[Path, str]:
    """A machine's definition, and its document with a new picture."""
    document = DOCUMENTS / f"{machine}-machine.md"
    before, _, rest = document.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = rest.partition(END)
    return {
        HERE / f"{machine}.asl.json": json.dumps(definition, indent=2, ensure_ascii=False) + "\n",
        document: f"{before}{BEGIN}\n\n{Picture(definition, phases).markdown()}\n\n{END}{after}",
    }


def difference(path: Path, wanted: str) -> str:
    """How a file differs from what it should hold; empty if it does not."""
    found = path.read_text(encoding="utf-8") if path.exists() else ""
    name = path.name
    lines = difflib.unified_diff(found.splitlines(), wanted.splitlines(), name, f"{name} as authored", lineterm="")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    files = rendered()
    if arguments == ["--check"]:
        stale = [each for path, wanted in files.items() if (each := difference(path, wanted))]
        print(*stale, sep="\n", end="")
        return 1 if stale else 0
    for path, wanted in files.items():
        path.write_text(wanted, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
