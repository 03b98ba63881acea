"""What a filter pattern of CloudWatch Logs matches, for the part of the syntax that the template uses.

That part is JSON patterns: `&&`, `||`, parentheses; `=` and `!=` with a quoted text, in which `*` stands for anything,
or `=` with a %regular expression%; `EXISTS` and `NOT EXISTS`. Anything else raises. A comparison with what an event
does not have is false, also by `!=`. By "Filter pattern syntax for metric filters", Amazon CloudWatch Logs User Guide;
neither moto nor MiniStack evaluates patterns.
"""

from __future__ import annotations

import re
from fnmatch import fnmatchcase
from typing import Any

LONGEST = 1024
"""Characters that a pattern may have."""

MISSING = object()
TOKEN = re.compile(
    r'\s*(&&|\|\||!=|=|\(|\)|NOT EXISTS|EXISTS|"[^"]*"|%[^%]+%|\$(?:\.\w+|\[\d+\])+)',
)


def matches(pattern: str, event: dict[str, Any]) -> bool:
    """Whether an event matches; raises ValueError if the pattern is beyond the part."""
    braced = re.fullmatch(r"\{(.*)\}", pattern, re.DOTALL)
    if braced is None or len(pattern) > LONGEST:
        raise ValueError(f"no JSON pattern of at most {LONGEST} characters: {pattern}")
    tokens = _tokens(braced[1])
    result = _any_of(tokens, event)
    if tokens:
        raise ValueError(f"does not end where it should: {tokens}")
    return result


def _tokens(text: str) -> list[str]:
    found, end = [], 0
    while end < len(text.rstrip()):
        token = TOKEN.match(text, end)
        if token is None:
            raise ValueError(f"not of the part of the syntax that is known: {text[end:]}")
        found.append(token[1])
        end = token.end()
    return found


def _any_of(tokens: list[str], event: dict[str, Any]) -> bool:
    results = [_all_of(tokens, event)]
    while tokens[:1] == ["||"]:
        del tokens[0]
        results.append(_all_of(tokens, event))
    return any(results)


def _all_of(tokens: list[str], event: dict[str, Any]) -> bool:
    results = [_term(tokens, event)]
    while tokens[:1] == ["&&"]:
        del tokens[0]
        results.append(_term(tokens, event))
    return all(results)


def _term(tokens: list[str], event: dict[str, Any]) -> bool:
    first = tokens.pop(0)
    if first == "(":
        result = _any_of(tokens, event)
        if tokens.pop(0) != ")":
            raise ValueError("a parenthesis is not closed")
        return result
    operator, value = tokens.pop(0), _value(first, event)
    if operator in {"EXISTS", "NOT EXISTS"}:
        return (value is not MISSING) == (operator == "EXISTS")
    return _compared(value, operator, tokens.pop(0))


def _compared(value: Any, operator: str, wanted: str) -> bool:
    if operator not in {"=", "!="} or (wanted[0], operator) == ("%", "!=") or wanted[0] not in '"%':
        raise ValueError(f"no comparison: {operator} {wanted}")
    if not isinstance(value, str):
        return False
    if wanted[0] == "%":
        return re.search(wanted[1:-1], value) is not None
    return fnmatchcase(value, wanted[1:-1].replace("[", "[[]")) == (operator == "=")


def _value(path: str, event: Any) -> Any:
    if not path.startswith("$"):
        raise ValueError(f"no selector: {path}")
    for name, index in re.findall(r"\.(\w+)|\[(\d+)\]", path):
        try:
            event = event[name] if name else event[int(index)]
        except (KeyError, IndexError, TypeError):
            return MISSING
    return event
