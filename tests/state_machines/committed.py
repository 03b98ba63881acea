"""The committed machine, and whom it calls."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

TEXT = (Path(__file__).parents[2] / "state_machines" / "rollout.asl.json").read_text(encoding="utf-8")
MACHINE: dict[str, Any] = json.loads(TEXT)
STATES: dict[str, dict[str, Any]] = MACHINE["States"]

TASKS = {
    "PrepareRolloutArn": {"check", "lock"},
    "DeployChallengerArn": {"bring_up", "smoke", "remove"},
    "ShiftTrafficArn": {
        "serve_first", "shadow", "shift", "verify", "promote", "restore", "verify_rollback", "release",
    },
    "JudgeRolloutArn": {"judge"},
    "SteerRolloutArn": {"ask"},
}  # fmt: skip
"""Tasks by the function that does them, under the function's placeholder."""


def arn(placeholder: str) -> str:
    """What is put in the place of a placeholder in tests."""
    return f"arn:aws:lambda:eu-central-1:123456789012:function:{placeholder}"


def filled() -> str:
    """The definition as deployed: every `${Placeholder}` has given way to `arn("Placeholder")`."""
    return re.sub(r"\$\{(\w+)\}", lambda found: arn(found[1]), TEXT)
