"""Some of the stand-in's pure functions made fast; together they are over a third of what a transaction costs it."""

import copy
import marshal
from collections.abc import Callable
from functools import lru_cache
from types import SimpleNamespace
from typing import Any

from local.gateway import service


def install() -> None:
    tables = service("dynamodb")
    tables.copy = SimpleNamespace(copy=copy.copy, deepcopy=copied)
    tables._condition_syntax_error = lru_cache(1024)(tables._condition_syntax_error)
    tokens = lru_cache(1024)(tables._tokenize)
    tables._tokenize = lambda expression: list(tokens(expression))
    # An item is measured some three times on its way into a table.
    tables._item_size_bytes = _remembering(tables._item_size_bytes)


def _remembering(measure: Callable[[Any], int]) -> Callable[[Any], int]:
    measured = lru_cache(512)(lambda written: measure(marshal.loads(written)))  # noqa: S302 - as below
    return lambda item: int(measured(marshal.dumps(item)))


def copied(value: Any) -> Any:
    """A deep copy; items hold only what marshal writes, and it does so some ten times faster."""
    try:
        return marshal.loads(marshal.dumps(value))  # noqa: S302 - of what this process has just written
    except ValueError:
        return copy.deepcopy(value)
