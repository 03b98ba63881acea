"""Metric math, as far as alarms here use it: + - * / and comparisons, parentheses, numbers, ids, IF and FILL.

A value that is missing, or divided by zero, makes what is calculated from it missing, as in CloudWatch.
"""

import ast
import operator
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

Value = float | None
"""A metric's value over one period; None if there was none."""
Calculation = Callable[[Mapping[str, Value]], Value]

_LONGEST = 2048
_ARITHMETIC: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
}
_COMPARISONS: dict[type[ast.cmpop], Callable[[float, float], bool]] = {
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
}


class InvalidExpression(Exception):
    """An expression that cannot be calculated here."""


@dataclass(frozen=True, slots=True)
class Expression:
    """A parsed expression and the ids it is made of."""

    calculate: Calculation
    names: frozenset[str]


def parse(text: str) -> Expression:
    """Raises: InvalidExpression, with what is allowed."""
    if len(text) > _LONGEST:
        raise InvalidExpression(f"an expression may have {_LONGEST:,} characters, not {len(text):,}")
    try:
        tree = ast.parse(text.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        raise InvalidExpression(f"{text!r} is no expression: {error}") from error
    return Expression(_calculation(tree), frozenset(_names(tree)))


def _names(tree: ast.expr) -> Iterator[str]:
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    yield from (node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and id(node) not in called)


def _calculation(node: ast.expr) -> Calculation:
    match node:
        case ast.Constant(value=float() | int() as number) if not isinstance(number, bool):
            return lambda values: float(number)
        case ast.Name(id=name):
            return lambda values: values[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return _combined(operator.sub, lambda values: 0.0, _calculation(operand))
        case ast.BinOp(left=left, op=sign, right=right) if type(sign) in _ARITHMETIC:
            return _combined(_ARITHMETIC[type(sign)], _calculation(left), _calculation(right))
        case ast.Compare(left=left, ops=[sign], comparators=[right]) if type(sign) in _COMPARISONS:
            return _combined(_COMPARISONS[type(sign)], _calculation(left), _calculation(right))
        case ast.Call(func=ast.Name(id="IF"), args=[condition, then, otherwise], keywords=[]):
            return _choice(_calculation(condition), _calculation(then), _calculation(otherwise))
        case ast.Call(func=ast.Name(id="FILL"), args=[ast.Name() as metric, filling], keywords=[]):
            return _filled(_calculation(metric), _calculation(filling))
    raise InvalidExpression(
        f"the laptop does not calculate {ast.unparse(node)!r}: it knows + - * / and comparisons, parentheses, "
        "numbers, ids, IF(condition, a, b) and FILL(id, number)"
    )


def _combined(combine: Callable[[float, float], float], left: Calculation, right: Calculation) -> Calculation:
    def calculate(values: Mapping[str, Value]) -> Value:
        one, other = left(values), right(values)
        if one is None or other is None:
            return None
        try:
            return float(combine(one, other))
        except (ZeroDivisionError, OverflowError):
            return None

    return calculate


def _choice(condition: Calculation, then: Calculation, otherwise: Calculation) -> Calculation:
    def calculate(values: Mapping[str, Value]) -> Value:
        met = condition(values)
        if met is None:
            return None
        return then(values) if met else otherwise(values)

    return calculate


def _filled(metric: Calculation, filling: Calculation) -> Calculation:
    def calculate(values: Mapping[str, Value]) -> Value:
        value = metric(values)
        return filling(values) if value is None else value

    return calculate
