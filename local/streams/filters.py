"""Lambda's event filters where the stand-in's matcher differs: what `exists` says below something that is absent.

A pattern names leaves by their path. The stand-in gives up where a path ends early, so that under a parent that is
absent `exists: false` does not hold; and it lets `exists` see what is not a leaf, which on AWS it does not.
"""

from collections.abc import Callable, Mapping
from typing import Any

from local.gateway import service

Matcher = Callable[[Mapping[str, Any], Mapping[str, Any]], bool]
"""(record, pattern) -> whether the record matches."""


def install() -> None:
    functions = service("lambda_svc")
    stand_in: Matcher = functions._match_esm_filter
    functions._match_esm_filter = lambda record, pattern: matches(record, pattern, stand_in)


def matches(record: Mapping[str, Any], pattern: Mapping[str, Any], stand_in: Matcher) -> bool:
    """Whether each path of the pattern leads to a value that one of its rules allows; stand_in knows other rules."""
    return all(_member(record, name, wanted, stand_in) for name, wanted in pattern.items())


def _member(record: Mapping[str, Any], name: str, wanted: Any, stand_in: Matcher) -> bool:
    if isinstance(wanted, Mapping):
        below = record.get(name)
        return matches(below if isinstance(below, Mapping) else {}, wanted, stand_in)
    return any(_rule(record, name, rule, stand_in) for rule in wanted)


def _rule(record: Mapping[str, Any], name: str, rule: Any, stand_in: Matcher) -> bool:
    if isinstance(rule, Mapping) and "exists" in rule:
        is_leaf = name in record and not isinstance(record[name], Mapping)
        return is_leaf is rule["exists"]
    return stand_in(record, {name: [rule]})
