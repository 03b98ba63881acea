"""The committed machines, and whom they call."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

Machine = dict[str, Any]
"""A definition in the States Language."""


def text(machine: str) -> str:
    """A committed definition, its placeholders as they are."""
    return (Path(__file__).parents[2] / "state_machines" / f"{machine}.asl.json").read_text(encoding="utf-8")


TEXT = text("rollout")
MACHINE: Machine = json.loads(TEXT)
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


def filled(machine: str = "rollout") -> str:
    """The definition as deployed: every `${Placeholder}` has given way to `arn("Placeholder")`."""
    return re.sub(r"\$\{(\w+)\}", lambda found: arn(found[1]), text(machine))
