"""What the template says, for probes that ask whether its own words suffice on AWS."""

from __future__ import annotations

import functools
import json
import re
from collections.abc import Collection, Mapping
from typing import Any

from local import conditions
from local.children import ROOT
from local.template import read

Values = Mapping[str, str]
"""By `Name` for a reference, by `Name.Attribute` for an attribute."""


@functools.cache
def template() -> Mapping[str, Any]:
    """The template as written."""
    return read(ROOT / "template.yaml")


def image(repository: str, registry: str, region: str, tag: str = "") -> str:
    """URI of an image of SageMaker's, from the account that has it in a region. Raises: KeyError without one."""
    account = template()["Mappings"][registry][region]["Account"]
    return f"{account}.dkr.ecr.{region}.amazonaws.com/{repository}{f':{tag}' if tag else ''}"


def xgboost(region: str, tag: str = "3.2-0") -> str:
    """The image that models and jobs run in."""
    return image("sagemaker-xgboost", "XGBoostRegistry", region, tag)


def monitor(region: str) -> str:
    """The image of Model Monitor's analyzer."""
    return image("sagemaker-model-monitor-analyzer", "ModelMonitorRegistry", region)


def statements(role: str, values: Values, services: Collection[str] = ()) -> list[dict[str, Any]]:
    """What a role of the template may do, of some services or all, with other resources in the place of the stack's.

    Parameters that are not among the values have their defaults where conditions ask for them.

    Raises:
        KeyError: it refers to something that is not among the values.
        ValueError: it uses a function that is not known here.
    """
    stage = conditions.Stage(template(), {**conditions.values(template(), {}), **values})
    policies = stage.settled(template()["Resources"][role]["Properties"]["Policies"])
    standing = [statement for each in policies for statement in each["PolicyDocument"]["Statement"]]
    wanted = [each for each in standing if not services or _services(each) <= set(services)]
    found: list[dict[str, Any]] = _replaced(wanted, values)
    return found


def _services(statement: Mapping[str, Any]) -> set[str]:
    actions = statement["Action"]
    return {each.partition(":")[0] for each in ([actions] if isinstance(actions, str) else actions)}


def _replaced(node: Any, values: Values) -> Any:
    match node:
        case {"Ref": name}:
            return values[name]
        case {"Fn::GetAtt": [*path]}:
            return values[".".join(path)]
        case {"Fn::GetAtt": str(path)}:
            return values[path]
        case {"Fn::Sub": argument}:
            return _substituted(argument, values)
        case {**parts}:
            if any(str(name).startswith("Fn::") for name in parts):
                raise ValueError(f"no such function is known here: {json.dumps(parts)}")
            return {name: _replaced(each, values) for name, each in parts.items()}
        case [*each]:
            return [_replaced(part, values) for part in each]
    return node


def _substituted(argument: Any, values: Values) -> str:
    text, own = argument if isinstance(argument, list) else (argument, {})
    known = {**values, **_replaced(own, values)}
    return re.sub(r"\$\{([^}]+)\}", lambda match: known[match[1]], text)
