"""What CloudFormation gets to see of state machines: a template that holds nothing else, for cfn-lint.

It reads no DefinitionUri, so the definitions stand in it as written. `python -m checks.state_machines FILE DEFINITION…`
writes it as JSON.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def template(definitions: Mapping[str, str]) -> dict[str, Any]:
    """A template with a machine for each definition, by the machine's name."""
    return {"Resources": {name.capitalize(): _machine(text) for name, text in definitions.items()}}


def _machine(definition: str) -> dict[str, Any]:
    """Each placeholder stands for an ARN."""
    names = sorted(set(re.findall(r"\$\{(\w+)\}", definition)))
    machine = {
        "DefinitionSubstitutions": {name: f"arn:aws:sns:eu-central-1:123456789012:{name}" for name in names},
        "DefinitionString": definition,
        "RoleArn": "arn:aws:iam::123456789012:role/machine",
    }
    return {"Type": "AWS::StepFunctions::StateMachine", "Properties": machine}


def main(target: Path, *sources: Path) -> None:
    definitions = {source.name.partition(".")[0]: source.read_text(encoding="utf-8") for source in sources}
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(template(definitions), indent=2), encoding="utf-8")


if __name__ == "__main__":
    main(*map(Path, sys.argv[1:]))
