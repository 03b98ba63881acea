"""What roles are granted, one action on one resource at a time, in the template's words.

A resource is a logical id, or an ARN from its service on without region and account. The key that encrypts data is
named with the service through which it may be used.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from tests.template.policies import listed

Resources = dict[str, dict[str, Any]]


class Need(NamedTuple):
    """What a role must be able to do."""

    role: str
    action: str
    resource: str


class Grant(NamedTuple):
    """What a statement of a role's policies allows, and which of all statements that is."""

    role: str
    action: str
    resource: str
    statement: int

    @property
    def need(self) -> Need:
        return Need(self.role, self.action, self.resource)


def grants(resources: Resources) -> list[Grant]:
    return [
        Grant(role, action, resource, number)
        for number, (role, statement) in enumerate(_statements(resources))
        for action in listed(statement["Action"])
        for resource in _resources(statement)
    ]


def _statements(resources: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    """Statements that allow, of roles and of the template's policies that are attached to them, with the role's id."""
    for role, policy in _policies(resources):
        yield from ((role, each) for each in _document(policy) if each["Effect"] == "Allow")


def _policies(resources: Resources) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, each in resources.items():
        properties = each["Properties"]
        if each["Type"] == "AWS::IAM::Role":
            yield from ((name, policy) for policy in properties.get("Policies", []))
            for attached in _alternatives(properties.get("ManagedPolicyArns", [])):
                yield from ((name, resources[one["Ref"]]["Properties"]) for one in listed(attached))
        elif each["Type"] == "AWS::IAM::Policy":
            yield from ((role["Ref"], properties) for role in properties["Roles"])


def _document(policy: dict[str, Any]) -> list[dict[str, Any]]:
    return [each for found in policy["PolicyDocument"]["Statement"] for each in _alternatives(found)]


def _alternatives(value: Any) -> list[Any]:
    """A value, or those that it may have, whatever the stack's parameters are."""
    if isinstance(value, dict) and "Fn::If" in value:
        return [each for branch in value["Fn::If"][1:] for each in _alternatives(branch)]
    return [] if value == {"Ref": "AWS::NoValue"} else [value]


def _resources(statement: dict[str, Any]) -> list[str]:
    named = [canonical(one) for each in listed(statement["Resource"]) for one in _alternatives(each)]
    services = list(_through(statement.get("Condition", {})))
    return [f"{each} via {service}" for each in named for service in services] or named


def _through(condition: dict[str, Any]) -> Iterator[str]:
    """Services through which a key may be used; Lambda's decryption of an environment tells by its context."""
    for each in listed(condition.get("StringEquals", {}).get("kms:ViaService", [])):
        yield each["Fn::Sub"].split(".")[0]
    if "kms:EncryptionContext:aws:lambda:FunctionArn" in condition.get("StringLike", {}):
        yield "lambda"


def canonical(value: Any) -> str:
    """A resource as policies name it."""
    if value == "*":
        return "*"
    if "Ref" in value:
        return str(value["Ref"])
    if "Fn::GetAtt" in value:
        name, attribute = value["Fn::GetAtt"]
        return name if attribute == "Arn" else f"{name}.{attribute}"
    if "Fn::Sub" in value:
        return _substituted(value["Fn::Sub"])
    return json.dumps(value)


def _substituted(text: Any) -> str:
    text, variables = (text, {}) if isinstance(text, str) else text
    for name, inner in variables.items():
        text = text.replace(f"${{{name}}}", _last_reference(inner) or f"${{{name}}}")
    text = re.sub(r"^arn:\$\{AWS::Partition\}:([\w-]+):(\$\{[^}]*\})?:(\$\{[^}]*\})?:", r"\1:", text)
    return re.sub(r"\$\{(\w+)(\.\w+)?\}", r"\1", text)


def _last_reference(value: Any) -> str | None:
    """The logical id inside of what takes a name out of an ARN."""
    found = re.findall(r'"Ref": "(\w+)"', json.dumps(value))
    return found[-1] if found else None


def of_type(resources: Resources, kind: str) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((name, each["Properties"]) for name, each in resources.items() if each["Type"] == kind)


def needs(role: Any, actions: Iterable[str], *places: str) -> Iterator[Need]:
    name = role if isinstance(role, str) else canonical(role)
    return (Need(name, action, place) for action in actions for place in places)
