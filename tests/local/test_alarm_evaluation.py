"""Alarms without a stack: metric math, the store, and what follows from data points."""

import random
from typing import Any

import pytest

from local.cloudwatch import evaluation, expressions
from local.cloudwatch.evaluation import Definition, InvalidAlarm
from local.cloudwatch.expressions import InvalidExpression
from local.cloudwatch.metrics import Series, statistic

ALARM: dict[str, Any] = {
    "Namespace": "N",
    "MetricName": "M",
    "Statistic": "Sum",
    "Period": 60,
    "EvaluationPeriods": 3,
    "ComparisonOperator": "GreaterThanThreshold",
    "Threshold": 5.0,
}
VALUES = {"a": 6.0, "b": 3.0, "zero": 0.0, "none": None}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("a", 6.0),
        ("a + b * 2", 12.0),
        ("(a + b) / 2 - 1", 3.5),
        ("-a", -6.0),
        ("a > b", 1.0),
        ("a == b", 0.0),
        ("IF(a >= 6, 100 * b / a, 0)", 50.0),
        ("IF(zero, a, b)", 3.0),
        ("IF(a != 6, none, b)", 3.0),
        ("IF(none, a, b)", None),
        ("a + none", None),
        ("FILL(none, 0) + 1", 1.0),
        ("FILL(a, 0)", 6.0),
        ("a / zero", None),
        ("IF(zero > 0, a / zero, 0)", 0.0),
    ],
)
def test_an_expression_is_calculated_as_cloudwatch_does(text: str, value: float | None) -> None:
    expression = expressions.parse(text)
    assert expression.calculate(VALUES) == value
    assert expression.names <= VALUES.keys()


@pytest.mark.parametrize(
    "text",
    [
        "a.real",
        "a[0]",
        "a < b < 1",
        "'text'",
        "True",
        "a ** b",
        "lambda: 1",
        "IF(a, b)",
        "FILL(a, REPEAT)(1)",
        "eval('1')",
        "a b",
        "",
        "1" * 3000,
        "(" * 1000,
    ],
)
def test_anything_else_is_refused(text: str) -> None:
    with pytest.raises(InvalidExpression):
        expressions.parse(text)


def definition(**changes: Any) -> Definition:
    return evaluation.parse({**ALARM, **changes})


X, O, M = 9.0, 1.0, None  # noqa: E741 - AWS's signs for breaching, not breaching and missing


# The latest first, where AWS's table has the latest last.
@pytest.mark.parametrize(
    ("points", "needed", "states"),
    [
        #                 missing              ignore   breaching notBreaching
        ((X, X, X), 3, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ((X, X, O), 3, ("OK", "OK", "OK", "OK")),
        ((O, M, M), 3, ("OK", "OK", "OK", "OK")),
        ((M, M, M), 3, ("INSUFFICIENT_DATA", "kept", "ALARM", "OK")),
        ((M, M, X), 3, ("ALARM", "kept", "ALARM", "OK")),
        ((X, M, M), 3, ("kept", "kept", "ALARM", "OK")),
        ((X, O, X), 2, ("ALARM", "ALARM", "ALARM", "ALARM")),
        ((M, X, O), 2, ("OK", "OK", "ALARM", "OK")),
        ((O, M, M), 2, ("OK", "OK", "ALARM", "OK")),
        ((M, X, M), 2, ("ALARM", "kept", "ALARM", "OK")),
    ],
)
def test_missing_data_are_treated_as_aws_documents(
    points: tuple[float | None, ...], needed: int, states: tuple[str, ...]
) -> None:
    found = [
        evaluation.state(definition(TreatMissingData=missing, DatapointsToAlarm=needed), points, "kept")
        for missing in ("missing", "ignore", "breaching", "notBreaching")
    ]
    assert tuple(found) == states


@pytest.mark.parametrize(
    ("operator", "breaching"),
    [
        ("GreaterThanThreshold", [False, False, True]),
        ("GreaterThanOrEqualToThreshold", [False, True, True]),
        ("LessThanThreshold", [True, False, False]),
        ("LessThanOrEqualToThreshold", [True, True, False]),
    ],
)
def test_a_value_breaches_as_its_operator_says(operator: str, breaching: list[bool]) -> None:
    alarm = definition(ComparisonOperator=operator)
    assert [alarm.breaches(value) for value in (4.0, 5.0, 6.0)] == breaching


@pytest.mark.parametrize(
    "changes",
    [
        {"ComparisonOperator": "GreaterThanUpperThreshold"},
        {"Statistic": "tm99"},
        {"MetricName": None},
        {"Metrics": [{"Id": "e", "Expression": "1 + 1"}]},
    ],
)
def test_what_cannot_be_evaluated_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InvalidAlarm):
        definition(**changes)


def test_a_reason_is_told_in_cloudwatchs_words() -> None:
    alarm = definition(EvaluationPeriods=1, TreatMissingData="notBreaching")
    assert evaluation.reason(alarm, [9.0], "ALARM") == (
        "Threshold Crossed: 1 out of the last 1 datapoint [9] was greater than the threshold (5) "
        "(minimum 1 datapoint for OK -> ALARM transition)."
    )
    assert "was not greater than the threshold" in evaluation.reason(alarm, [1.0], "OK")
    assert "treated as [NonBreaching]" in evaluation.reason(alarm, [None], "OK")
    assert evaluation.reason(alarm, [None], "INSUFFICIENT_DATA") == "Insufficient Data: 1 datapoint was unknown."


# --- The store ------------------------------------------------------------------------------------------------------


def measured(*points: tuple[float, float]) -> Series:
    """A series of values at moments."""
    series = Series()
    for moment, value in points:
        series.append({"Timestamp": moment, "Value": value, "Unit": "Count", "Dimensions": {"Slot": "a"}})
    return series


def total(series: Series, now: float, seconds: float = 60.0, lookback: float = 60.0) -> float | None:
    return statistic(series.window(now, seconds, lookback), "Sum")


def test_a_window_holds_the_period_that_ends_now() -> None:
    series = measured((1000.0, 1.0), (1030.0, 2.0), (1055.0, 4.0))
    assert total(series, 1055.0) == 7.0
    assert total(series, 1070.0) == 6.0
    assert total(series, 1114.0) == 4.0
    assert total(series, 1120.0) is None


def test_a_window_beyond_the_fine_buckets_is_read_from_minutes() -> None:
    series = measured((6000.0, 1.0), (6000.0 + 3600.0, 2.0))
    assert total(series, 9600.0, 3600.0 + 60.0, 3 * 3600.0) == 3.0
    assert total(series, 6000.0, 60.0, 3600.0) == 1.0


def test_what_is_older_than_any_look_is_forgotten() -> None:
    series = measured(*((60.0 * minute, 1.0) for minute in range(1000)))
    assert len(series) == 180
    assert total(series, 60.0 * 999, 900.0, 900.0) == 15.0


def test_many_different_values_keep_their_sums_exactly_and_their_percentiles_within_a_per_cent() -> None:
    source = random.Random(1)
    values = [source.lognormvariate(3.0, 1.0) for _ in range(20_000)]
    series = measured(*((1000.0, value) for value in values))
    (bucket,) = series.window(1000.0, 60.0, 60.0)
    assert len(bucket.values) < 1000
    assert [statistic([bucket], name) for name in ("SampleCount", "Minimum", "Maximum")] == [
        20_000,
        min(values),
        max(values),
    ]
    assert statistic([bucket], "Sum") == pytest.approx(sum(values), rel=1e-9)
    for place in (50, 99):
        expected = sorted(values)[20_000 * place // 100]
        assert statistic([bucket], f"p{place}") == pytest.approx(expected, rel=0.011)


def test_statistic_sets_and_counted_values_add_up() -> None:
    series = Series()
    point = {"Timestamp": 1000.0, "Unit": "Count", "Dimensions": {}}
    series.append({**point, "Value": 2.0, "Count": 3.0})
    series.append({**point, "Value": 0.0, "_stat": {"SampleCount": 2, "Sum": 30, "Minimum": 10, "Maximum": 20}})
    buckets = series.window(1000.0, 60.0, 60.0)
    found = [statistic(buckets, name) for name in ("SampleCount", "Sum", "Minimum", "Maximum", "Average")]
    assert found == [5.0, 36.0, 2.0, 20.0, 7.2]
    assert statistic(buckets, "p50") is None
