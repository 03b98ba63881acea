"""What an alarm is about, and what follows from its data points. Pure, except that queries read the metric store.

An alarm here looks at windows that end now, every second, where CloudWatch looks at whole periods that are over: a
person sees an alarm within a second or two. It lasts as long as the breach is less than a period old.
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from local.cloudwatch import expressions, metrics
from local.cloudwatch.expressions import Expression, InvalidExpression, Value

OK, ALARM, INSUFFICIENT_DATA = "OK", "ALARM", "INSUFFICIENT_DATA"
_BREACHES: dict[str, tuple[Callable[[float, float], bool], str]] = {
    "GreaterThanOrEqualToThreshold": (operator.ge, "greater than or equal to"),
    "GreaterThanThreshold": (operator.gt, "greater than"),
    "LessThanThreshold": (operator.lt, "less than"),
    "LessThanOrEqualToThreshold": (operator.le, "less than or equal to"),
}
_FILLING = {"breaching": True, "notBreaching": False}
_WORD = {"breaching": "Breaching", "notBreaching": "NonBreaching"}


class InvalidAlarm(Exception):
    """An alarm that cannot be evaluated here."""


@dataclass(frozen=True, slots=True)
class Query:
    """A statistic of a metric, over windows of its alarm's period."""

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...]
    statistic: str

    def value(self, end: float, seconds: float, lookback: float) -> Value:
        found = metrics.series(self.namespace, self.name, dict(self.dimensions))
        return None if found is None else metrics.statistic(found.window(end, seconds, lookback), self.statistic)


@dataclass(frozen=True, slots=True)
class Definition:
    """An alarm's configuration, parsed."""

    queries: Mapping[str, Query]
    expressions: Mapping[str, Expression]
    """In the order of their calculation."""
    returned: str
    period: int
    periods: int
    needed: int
    missing: str
    comparison: str
    threshold: float

    @property
    def statistic(self) -> str | None:
        query = self.queries.get(self.returned)
        return query.statistic if query else None

    def breaches(self, value: float) -> bool:
        return _BREACHES[self.comparison][0](value, self.threshold)

    def datapoints(self, now: float) -> list[Value]:
        """One for each period, the latest first."""
        return [self._value(now - number * self.period) for number in range(self.periods)]

    def _value(self, end: float) -> Value:
        lookback = self.period * self.periods
        values = {name: query.value(end, self.period, lookback) for name, query in self.queries.items()}
        for name, expression in self.expressions.items():
            values[name] = expression.calculate(values)
        return values[self.returned]


def parse(alarm: Mapping[str, Any]) -> Definition:
    """The definition of an alarm as PutMetricAlarm takes it.

    Raises:
        InvalidAlarm: it needs what is not emulated, or contradicts itself.
    """
    queries = alarm.get("Metrics") or [single_metric(alarm)]
    read = {q["Id"]: _query(q["MetricStat"]) for q in queries if "MetricStat" in q}
    calculated = _expressions(queries, read.keys())
    returned = [q["Id"] for q in queries if q.get("ReturnData", True)]
    if len(returned) != 1:
        raise InvalidAlarm(f"exactly one of an alarm's metrics must return data, not {len(returned)}")
    if alarm.get("ComparisonOperator") not in _BREACHES:
        raise InvalidAlarm(f"the laptop has no {alarm.get('ComparisonOperator')}: it knows {', '.join(_BREACHES)}")
    periods = int(alarm.get("EvaluationPeriods") or 1)
    return Definition(
        queries=read,
        expressions=calculated,
        returned=returned[0],
        period=int(next(q["MetricStat"]["Period"] for q in queries if "MetricStat" in q)),
        periods=periods,
        needed=int(alarm.get("DatapointsToAlarm") or periods),
        missing=alarm.get("TreatMissingData") or "missing",
        comparison=alarm["ComparisonOperator"],
        threshold=float(alarm["Threshold"]),
    )


def single_metric(alarm: Mapping[str, Any]) -> dict[str, Any]:
    metric = {
        "Namespace": alarm.get("Namespace"),
        "MetricName": alarm.get("MetricName"),
        "Dimensions": alarm.get("Dimensions") or [],
    }
    statistic = alarm.get("ExtendedStatistic") or alarm.get("Statistic")
    return {"Id": "m1", "MetricStat": {"Metric": metric, "Stat": statistic, "Period": alarm.get("Period") or 60}}


def _query(stat: Mapping[str, Any]) -> Query:
    metric = stat["Metric"]
    if not (metric["Namespace"] and metric["MetricName"]):
        raise InvalidAlarm("an alarm needs MetricName and Namespace, or Metrics")
    if not metrics.is_statistic(stat["Stat"] or ""):
        raise InvalidAlarm(f"the laptop has no statistic {stat['Stat']!r}")
    dimensions = tuple(sorted((each["Name"], each["Value"]) for each in metric.get("Dimensions") or ()))
    return Query(metric["Namespace"], metric["MetricName"], dimensions, stat["Stat"])


def _expressions(queries: Sequence[Mapping[str, Any]], known: Any) -> dict[str, Expression]:
    """Expressions by id; each may use metrics and the expressions before it."""
    if not known:
        raise InvalidAlarm("an alarm needs a metric")
    parsed: dict[str, Expression] = {}
    for query in queries:
        if "Expression" not in query:
            continue
        try:
            expression = expressions.parse(query["Expression"])
        except InvalidExpression as error:
            raise InvalidAlarm(f"Error in expression '{query['Id']}': {error}") from error
        if unknown := sorted(expression.names - known - parsed.keys()):
            raise InvalidAlarm(f"Error in expression '{query['Id']}': no metric has the id {', '.join(unknown)}")
        parsed[query["Id"]] = expression
    return parsed


def state(definition: Definition, datapoints: Sequence[Value], current: str) -> str:
    """The state that follows from data points, the latest first, by AWS's rules for missing ones."""
    given = [None if value is None else definition.breaches(value) for value in datapoints]
    filling = _FILLING.get(definition.missing)
    marks = [filling if mark is None else mark for mark in given]
    if marks.count(True) >= definition.needed:
        return ALARM
    if False in marks:
        return OK
    if definition.missing == "ignore":
        return current
    if True not in marks:
        return INSUFFICIENT_DATA
    # Too few points, all of them breaching: an alarm if the oldest is old enough that no other can come to its rescue.
    oldest = max(number for number, mark in enumerate(marks, 1) if mark)
    return ALARM if oldest >= definition.needed else current


def reason(definition: Definition, datapoints: Sequence[Value], new: str) -> str:
    """Why, in CloudWatch's words."""
    known = [value for value in datapoints if value is not None]
    lost = len(datapoints) - len(known)
    if new == INSUFFICIENT_DATA:
        return f"Insufficient Data: {_counted(lost, 'datapoint')} unknown."
    if not known:
        treated = _WORD.get(definition.missing, definition.missing)
        return (
            f"Threshold Crossed: no datapoints were received for {_plural(len(datapoints), 'period')} and "
            f"{_plural(lost, 'missing datapoint')} {'was' if lost == 1 else 'were'} treated as [{treated}]."
        )
    crossed = [value for value in known if definition.breaches(value) == (new == ALARM)]
    relation = ("" if new == ALARM else "not ") + _BREACHES[definition.comparison][1]
    return (
        f"Threshold Crossed: {len(crossed)} out of the last {_plural(len(datapoints), 'datapoint')} "
        f"[{', '.join(f'{value:g}' for value in crossed)}] {'was' if len(crossed) == 1 else 'were'} {relation} the "
        f"threshold ({definition.threshold:g}) (minimum {_plural(definition.needed, 'datapoint')} for "
        f"{'OK -> ALARM' if new == ALARM else 'ALARM -> OK'} transition)."
    )


def _plural(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _counted(number: int, noun: str) -> str:
    return f"{_plural(number, noun)} {'was' if number == 1 else 'were'}"
