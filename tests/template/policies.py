"""What roles are granted, read from their policies."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Resources = dict[str, dict[str, Any]]

LOG_DELIVERY = {
    "logs:CreateLogDelivery",
    "logs:DeleteLogDelivery",
    "logs:DescribeLogGroups",
    "logs:DescribeResourcePolicies",
    "logs:GetLogDelivery",
    "logs:ListLogDeliveries",
    "logs:PutResourcePolicy",
    "logs:UpdateLogDelivery",
}
SAGEMAKER = "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:"


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for policy in role["Properties"]["Policies"]:
        yield from policy["PolicyDocument"]["Statement"]


def granting(role: dict[str, Any], action: str) -> list[dict[str, Any]]:
    return [each for each in statements(role) if action in listed(each["Action"])]


def resources(granted: list[dict[str, Any]]) -> list[Any]:
    return [resource for each in granted for resource in listed(each["Resource"])]


def granted_to(roles: Resources, action: str) -> set[str]:
    """Names of the roles that an action is granted to."""
    return {name.removesuffix("Role") for name, role in roles.items() if granting(role, action)}


def publishing(template: dict[str, Any], service: str) -> list[dict[str, Any]]:
    """What a service of AWS's needs to publish to the topic of alarms: statements of its key, then of the topic."""
    key = template["Resources"]["DataKey"]["Properties"]["KeyPolicy"]
    topic = template["Resources"]["AlarmTopicPolicy"]["Properties"]["PolicyDocument"]
    found = (each for policy in (key, topic) for each in policy["Statement"])
    return [each for each in found if each.get("Principal") == {"Service": service}]
