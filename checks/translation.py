"""What CloudFormation gets to see: the template after the SAM transform.

`python -m checks.translation FILE` writes it as JSON.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

TEMPLATE = Path(__file__).parent.parent / "template.yaml"
PACKAGED = {
    "AWS::Serverless::LayerVersion": ("ContentUri", ".zip"),
    "AWS::Serverless::StateMachine": ("DefinitionUri", ""),
}
"""Types of SAM's that refer to files, by which property, and what `sam package` adds to a directory's name."""


class NoManagedPolicies:
    """Stands in for IAM's list of managed policies, which the template uses none of."""

    def load(self) -> dict[str, str]:
        return {}


def read_template() -> dict[str, Any]:
    """The template as written, its short intrinsics spelled out."""
    template: dict[str, Any] = yaml_parse(TEMPLATE.read_text(encoding="utf-8"))
    return template


def translate() -> dict[str, Any]:
    """The template as deployed; code and definitions stand where `sam package` would have put them."""
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # the transform asks for one, and decides nothing by it
    template = read_template()
    template["Globals"]["Function"]["CodeUri"] = "s3://packaged-by-sam/functions.zip"
    for resource in template["Resources"].values():
        if resource["Type"] in PACKAGED:
            name, ending = PACKAGED[resource["Type"]]
            local = Path(resource["Properties"][name])
            resource["Properties"][name] = f"s3://packaged-by-sam/{local.name}{ending}"
    translated: dict[str, Any] = transform(template, {}, NoManagedPolicies())
    return translated


def main(target: Path) -> None:
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(translate(), indent=2), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
