"""What CloudFormation gets to see of a state machine: a template that holds nothing else, for cfn-lint.

It reads no DefinitionUri, so the definition stands in it as written. `python -m checks.state_machines DEFINITION FILE`
writes it as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any


def template(definition: str) -> dict[str, Any]:
    """A template with one machine, each placeholder standing for an ARN."""
    names = sorted(set(re.findall(r"\$\{(\w+)\}", definition)))
    machine = {
        "DefinitionSubstitutions": {name: f"arn:aws:sns:eu-central-1:123456789012:{name}" for name in names},
        "DefinitionString": definition,
        "RoleArn": "arn:aws:iam::123456789012:role/machine",
    }
    return {"Resources": {"Machine": {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine}}}


def main(source: Path, target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(template(source.read_text(encoding="utf-8")), indent=2), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
