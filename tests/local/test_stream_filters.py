"""Event filters as AWS documents them, with the stand-in's matcher underneath."""

import json
from typing import Any

import pytest
from ministack.services.lambda_svc import _match_esm_filter

from checks.translation import translate
from local.streams.filters import matches

NAME_UNDER_A_MARK = {"image": {"name": [{"prefix": "t-"}], "mark": {"BOOL": [{"exists": False}]}}}


@pytest.mark.parametrize(
    ("record", "pattern", "expected"),
    [
        ({"a": 1}, {"a": [1, 2]}, True),
        ({"a": 3}, {"a": [1, 2]}, False),
        ({}, {"a": [1]}, False),
        ({"a": {"b": "x"}}, {"a": {"b": ["x"]}}, True),
        ({"a": {"b": "x"}, "c": 1}, {"a": {"b": ["x"]}, "c": [2]}, False),
        ({"a": 1}, {"a": [{"exists": True}]}, True),
        ({"a": None}, {"a": [{"exists": True}]}, True),
        ({}, {"a": [{"exists": True}]}, False),
        ({}, {"a": [{"exists": False}]}, True),
        ({"a": 1}, {"a": [{"exists": False}]}, False),
        ({"a": {"b": 1}}, {"a": {"b": [{"exists": True}]}}, True),
        ({}, {"a": {"b": [{"exists": True}]}}, False),
        ({}, {"a": {"b": {"c": [{"exists": False}]}}}, True),
        ({"a": "no object"}, {"a": {"b": [{"exists": False}]}}, True),
        ({"a": {"b": 1}}, {"a": [{"exists": True}]}, False),
        ({"a": {"b": 1}}, {"a": [{"exists": False}]}, True),
        ({"image": {"name": "t-1"}}, NAME_UNDER_A_MARK, True),
        ({"image": {"name": "u-1"}}, NAME_UNDER_A_MARK, False),
        ({"image": {"name": "t-1", "mark": {"BOOL": True}}}, NAME_UNDER_A_MARK, False),
    ],
)
def test_a_pattern_names_leaves(record: dict[str, Any], pattern: dict[str, Any], expected: bool) -> None:
    assert matches(record, pattern, _match_esm_filter) is expected


@pytest.fixture(scope="module")
def patterns() -> list[dict[str, Any]]:
    """Those of the application's own mapping on decisions."""
    mapping = translate()["Resources"]["ProjectDecisionsFunctionDecisions"]["Properties"]
    return [json.loads(each["Pattern"]) for each in mapping["FilterCriteria"]["Filters"]]


DECISION = {"transaction_id": {"S": "t"}, "action": {"S": "approve"}}
MARK = {"projected": {"BOOL": True}}
LABEL = {"label": {"M": {"is_fraud": {"BOOL": True}}}}


@pytest.mark.parametrize(
    ("event", "image", "passes"),
    [
        pytest.param("INSERT", DECISION, True, id="a new decision"),
        pytest.param("MODIFY", DECISION, True, id="a decision over one that expired"),
        pytest.param("MODIFY", DECISION | LABEL, True, id="a label before the projection"),
        pytest.param("MODIFY", DECISION | MARK, False, id="the mark of the projection"),
        pytest.param("MODIFY", DECISION | MARK | LABEL, False, id="a label after the projection"),
        pytest.param("REMOVE", None, False, id="an expired decision, deleted"),
    ],
)
def test_what_is_not_yet_projected_reaches_the_projection(
    patterns: list[dict[str, Any]], event: str, image: dict[str, Any] | None, passes: bool
) -> None:
    keys = {"Keys": {"transaction_id": {"S": "t"}}}
    record = {"eventName": event, "dynamodb": keys if image is None else keys | {"NewImage": image}}
    assert any(matches(record, each, _match_esm_filter) for each in patterns) is passes
