"""What stands of the template under certain parameters: its conditions, weighed as CloudFormation does.

Only the functions that conditions may use are known, and `Fn::If` and `Fn::FindInMap` in properties. What depends on a
pseudo parameter, as the region, is decided where its value is told: until then nothing equals it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

Json = Mapping[str, Any]

NO_VALUE = {"Ref": "AWS::NoValue"}
UNTOLD: Mapping[str, str] = {}
"""No pseudo parameter has a value."""


def values(template: Json, given: Mapping[str, str]) -> dict[str, str]:
    """The value of every parameter that has one, as text: what is given, else its default.

    Raises:
        KeyError: a parameter is given that there is not.
    """
    parameters = template.get("Parameters", {})
    unknown = given.keys() - parameters.keys()
    if unknown:
        raise KeyError(*sorted(unknown))
    defaults = {name: str(each["Default"]) for name, each in parameters.items() if "Default" in each}
    return {**defaults, **given}


def resources(template: Json, given: Mapping[str, str], pseudo: Mapping[str, str] = UNTOLD) -> dict[str, Any]:
    """The resources that are created, by logical id, with what depends on conditions and mappings decided.

    Pseudo parameters are values by names such as `AWS::Region`.
    """
    stage = Stage(template, {**values(template, given), **pseudo})
    return {
        name: stage.settled({key: part for key, part in template["Resources"][name].items() if key != "Condition"})
        for name in standing(template, given, pseudo)
    }


def standing(template: Json, given: Mapping[str, str], pseudo: Mapping[str, str] = UNTOLD) -> list[str]:
    """Logical ids of the resources that are created."""
    stage = Stage(template, {**values(template, given), **pseudo})
    return [name for name, each in template["Resources"].items() if stage.holds(each.get("Condition"))]


class Stage:
    """A template together with values of its parameters, pseudo parameters among them."""

    def __init__(self, template: Json, parameters: Mapping[str, str]) -> None:
        self._conditions: Json = template.get("Conditions", {})
        self._mappings: Json = template.get("Mappings", {})
        self._parameters = parameters

    def holds(self, condition: str | None) -> bool:
        """Whether a condition of the template is met; no condition is."""
        return condition is None or self._weighed(self._conditions[condition])

    def settled(self, value: Any) -> Any:
        """The value in which `Fn::If` and `Fn::FindInMap` are what they yield; what has no value is left out."""
        if isinstance(value, Mapping):
            return self._settled_mapping(value)
        if isinstance(value, list):
            each = [self.settled(part) for part in value]
            return [part for part in each if part != NO_VALUE]
        return value

    def _settled_mapping(self, value: Json) -> Any:
        if "Fn::If" in value:
            condition, met, unmet = value["Fn::If"]
            return self.settled(met if self.holds(condition) else unmet)
        if "Fn::FindInMap" in value:
            return self._found(value)
        parts = {name: self.settled(part) for name, part in value.items()}
        return {name: part for name, part in parts.items() if part != NO_VALUE}

    def _found(self, value: Json) -> Any:
        """Left as it is where it depends on a region that is not told. Raises: KeyError, of an unknown key."""
        keys = [self._text(key) for key in value["Fn::FindInMap"]]
        if not all(isinstance(key, str) for key in keys):
            return value
        found: Any = self._mappings
        for key in keys:
            found = found[key]
        return found

    def _weighed(self, condition: Json) -> bool:
        ((kind, operands),) = condition.items()
        if kind == "Condition":
            return self.holds(operands)
        if kind == "Fn::Equals":
            left, right = map(self._text, operands)
            return bool(left == right)
        met = [self._weighed(each) for each in operands]
        return {"Fn::And": all(met), "Fn::Or": any(met), "Fn::Not": not any(met)}[kind]

    def _text(self, operand: Any) -> Any:
        """CloudFormation compares texts; a number in a template is its digits."""
        if isinstance(operand, Mapping) and operand.get("Ref") in self._parameters:
            return self._parameters[operand["Ref"]]
        if isinstance(operand, Mapping) and "Fn::FindInMap" in operand:
            return str(self._found(operand))
        return operand if isinstance(operand, Mapping) else str(operand)
