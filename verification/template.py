"""What the template says, for probes that ask whether its own words suffice on AWS."""

from __future__ import annotations

import functools
import re
from collections.abc import Collection, Mapping
from typing import Any

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

    Raises:
        KeyError: it refers to something that is not among the values.
    """
    policies = template()["Resources"][role]["Properties"]["Policies"]
    written = [statement for each in policies for statement in each["PolicyDocument"]["Statement"]]
    wanted = [each for each in written if not services or _services(each) <= set(services)]
    found: list[dict[str, Any]] = settled(wanted, values)
    return found


def _services(statement: Mapping[str, Any]) -> set[str]:
    actions = statement["Action"]
    return {each.partition(":")[0] for each in ([actions] if isinstance(actions, str) else actions)}


def settled(node: Any, values: Values) -> Any:
    """A part of the template with its references replaced."""
    if isinstance(node, list):
        return [settled(each, values) for each in node]
    if not isinstance(node, Mapping):
        return node
    if len(node) == 1:
        ((name, argument),) = node.items()
        if name == "Ref":
            return values[argument]
        if name == "Fn::GetAtt":
            return values[argument if isinstance(argument, str) else ".".join(argument)]
        if name == "Fn::Sub":
            return _substituted(argument, values)
        if name == "Fn::FindInMap":
            first, *others = settled(argument, values)
            return functools.reduce(lambda found, key: found[key], others, template()["Mappings"][first])
    return {name: settled(each, values) for name, each in node.items()}


def _substituted(argument: Any, values: Values) -> str:
    text, own = argument if isinstance(argument, list) else (argument, {})
    known = {**values, **settled(own, values)}
    return re.sub(r"\$\{([^}]+)\}", lambda match: known[match[1]], text)
