"""Paths into a state's input: what is not there fails the execution, as it does on AWS; the stand-in takes it for null.

A Choice on a missing variable would take its default, and a parameter would be null, without a word.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from local.gateway import service

_MISSING = object()


def install() -> None:
    engine = service("stepfunctions")
    engine._resolve_path = resolve
    engine._evaluate_rule = _knowing_presence(engine._evaluate_rule)
    engine._evaluate_intrinsic = _named(engine._evaluate_intrinsic)
    engine._execute_wait = _whole_seconds(engine._execute_wait)


def resolve(path: str, data: Any) -> Any:
    """Raises: the engine's error States.Runtime if there is nothing at the path."""
    found = _find(path, data)
    if found is _MISSING:
        message = f"The JSONPath '{path}' could not be found in the input"
        raise service("stepfunctions")._ExecutionError("States.Runtime", message)
    return found


def _find(path: str, data: Any) -> Any:
    if path in ("", "$"):
        return data
    tokens = service("stepfunctions")._parse_jsonpath_tokens(path) if path.startswith("$") else None
    if tokens is None:
        return _MISSING
    values = [data]
    for kind, name in tokens:
        values = [found for value in values for found in _below(value, kind, name)]
    if any(kind == "wildcard" for kind, _ in tokens):
        return values
    return values[0] if values else _MISSING


def _below(value: Any, kind: str, name: Any) -> Iterator[Any]:
    if kind == "wildcard" and isinstance(value, dict | list):
        yield from value.values() if isinstance(value, dict) else value
    elif (kind == "field" and isinstance(value, dict) and name in value) or (
        kind == "index" and isinstance(value, list) and name < len(value)
    ):
        yield value[name]


def _knowing_presence(evaluate: Callable[..., bool]) -> Callable[..., bool]:
    """A Choice's rule; IsPresent alone may ask for what is not there, and null is there."""

    def rule_holds(rule: Mapping[str, Any], data: Any, context: Mapping[str, Any] | None = None) -> bool:
        if "IsPresent" not in rule:
            return evaluate(rule, data, context)
        path: str = rule["Variable"]
        found = _find(path[1:], context) if path.startswith("$$.") else _find(path, data)
        return bool((found is not _MISSING) == rule["IsPresent"])

    return rule_holds


def _named(evaluate: Callable[..., Any]) -> Callable[..., Any]:
    """An intrinsic function that fails does so under its name."""

    def evaluated(expression: str, data: Any, context: Any) -> Any:
        failure = service("stepfunctions")._ExecutionError
        try:
            return evaluate(expression, data, context)
        except failure:
            raise
        except Exception as error:
            raise failure("States.IntrinsicFailure", f"{expression}: {error}") from error

    return evaluated


def _whole_seconds(wait: Callable[..., Any]) -> Callable[..., Any]:
    """A Wait whose SecondsPath names no whole number fails; the stand-in would not wait at all."""

    def execute(state: Mapping[str, Any], data: Any, context: Any = None) -> Any:
        engine = service("stepfunctions")
        if "SecondsPath" in state:
            seconds = resolve(state["SecondsPath"], engine._apply_input_path(state, data, context))
            if not isinstance(seconds, int) or isinstance(seconds, bool) or seconds < 0:
                message = f"The SecondsPath parameter does not reference an integer value: {seconds!r}"
                raise engine._ExecutionError("States.Runtime", message)
        return wait(state, data, context)

    return execute
