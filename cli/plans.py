"""Plans of the state machines: of a file, of options, and of the stack."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from cli.errors import CommandError
from cli.target import Target


def asked_for(file: Path | None, chosen: Mapping[str, Any]) -> dict[str, Any]:
    """The plan of the file, with what options chose instead; None chooses nothing. Raises: CommandError."""
    plan = {} if file is None else json_object(file.read_bytes(), str(file))
    return plan | {name: value for name, value in chosen.items() if value is not None}


def settings(given: Iterable[str], example: str) -> dict[str, Any]:
    """Values of an option `NAME=VALUE`: JSON where they are, else words. Raises: CommandError."""
    found = {}
    for each in given:
        name, _, value = each.partition("=")
        if not name or not value:
            raise CommandError(f"{each!r} sets nothing: write NAME=VALUE, such as {example}.")
        found[name] = _scalar(value)
    return found


def _scalar(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def of_stack(target: Target, parameter: str) -> dict[str, Any]:
    """What the stack's machine does unless asked otherwise: the value of a parameter. Raises: CommandError."""
    [stack] = target.client("cloudformation").describe_stacks(StackName=target.stack_name)["Stacks"]
    values = {each["ParameterKey"]: each["ParameterValue"] for each in stack.get("Parameters", [])}
    return json_object(values.get(parameter, "{}"), f"The stack's parameter {parameter}")


def json_object(text: str | bytes, name: str) -> dict[str, Any]:
    """An object of JSON. Raises: CommandError."""
    try:
        given = json.loads(text)
    except ValueError as error:
        raise CommandError(f"{name} is no JSON: {error}.") from error
    if not isinstance(given, dict):
        raise CommandError(f'{name} holds no JSON object such as {{"bake_seconds": 600}}.')
    return given
