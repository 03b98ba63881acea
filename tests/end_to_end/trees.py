"""Other versions of the project, beside it: what a deployment of a later commit would deploy."""

import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

from tests.local.conftest import ROOT, Running

BESIDE = ("model", "state_machines", "dependencies")
STATE_VERSION = {"fraud/aws/entity_items.py": ("STATE_VERSION = 2\n", "STATE_VERSION = 3\n")}
POLICY_VERSION = {"policy.json": ('"version": "1"', '"version": "2"')}


def other_tree(place: Path, edits: Mapping[str, tuple[str, str]]) -> Path:
    """The template of a copy whose functions differ."""
    place.mkdir()
    shutil.copy(ROOT / "template.yaml", place)
    shutil.copytree(ROOT / "functions", place / "functions", ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        (place / name).symlink_to(ROOT / name)
    for name, (before, after) in edits.items():
        file = place / "functions" / name
        text = file.read_text()
        assert text.count(before) == 1
        file.write_text(text.replace(before, after))
    return place / "template.yaml"


def command(running: Running, template: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """A command of `fraud`, by the code of a tree."""
    where = ["--endpoint-url", running.url, "--stack-name", running.stack_name, "--region", "us-east-1"]
    variables = os.environ | {"PYTHONPATH": str(template.parent / "functions")}
    return subprocess.run(
        [sys.executable, "-m", "cli.main", *words, "--json", *where],
        cwd=ROOT,
        env=variables,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
