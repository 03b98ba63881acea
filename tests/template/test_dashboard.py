"""The dashboard shows what there is: metrics of this stack's things, every alarm, and nothing on top of another."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import Any

import pytest

from checks import dashboard
from checks.dashboard import STACK, reference, rows
from checks.translation import read_template
from fraud.aws.endpoints import VARIANT
from tests.template import policies
from tests.template.published_metrics import published

Resources = dict[str, dict[str, Any]]
Widget = dict[str, Any]
Series = tuple[str, str, frozenset[tuple[str, str]]]
"""Namespace, name, and dimensions with their values."""
COLUMNS = 24
MOST_WIDGETS = 500
MOST_METRICS = 2_500
METRICS_IN_A_WIDGET = 500
"""Quotas of CloudWatch."""
LARGEST_TEMPLATE = 1_000_000
"""Bytes that CloudFormation takes; no limit of a dashboard's body is documented, and it is a part of that."""

FROM_AWS = {
    ("AWS/Kinesis", "StreamName", "AWS::Kinesis::Stream"): {"IncomingRecords", "IncomingBytes"},
    ("AWS/Lambda", "FunctionName", "AWS::Lambda::Function"): {"Invocations", "Duration", "IteratorAge"},
    ("AWS/Lambda", "EventSourceMappingUUID", "AWS::Lambda::EventSourceMapping"): {
        "OnFailureDestinationDeliveredEventCount"
    },
    ("AWS/States", "StateMachineArn", "AWS::StepFunctions::StateMachine"): {
        "ExecutionsSucceeded",
        "ExecutionsFailed",
        "ExecutionsTimedOut",
        "ExecutionsAborted",
    },
    ("AWS/DynamoDB", "TableName", "AWS::DynamoDB::Table"): {"ConsumedReadCapacityUnits", "ConsumedWriteCapacityUnits"},
}
"""Metrics that AWS documents for a type of resource, by namespace, dimension and type."""
OF_ENDPOINTS = {
    "AWS/SageMaker": {"Invocations", "Invocation5XXErrors", "ModelLatency"},
    "/aws/sagemaker/Endpoints": {"CPUUtilization"},
}
"""Those of endpoints, which rollouts make and the template does not."""


@pytest.fixture(scope="module")
def widgets() -> list[Widget]:
    return dashboard.widgets()


def shown(widgets: list[Widget]) -> set[Series]:
    metrics = [row for widget in widgets for row, _ in rows(widget) if row]
    return {(row[0], row[1], frozenset(zip(row[2::2], row[3::2], strict=True))) for row in metrics}


def from_aws(of_type: Callable[[str], Resources]) -> set[Series]:
    of_resources = {
        (namespace, metric, frozenset({(dimension, f"<{name}>")}))
        for (namespace, dimension, kind), names in FROM_AWS.items()
        for name in of_type(kind)
        for metric in names
    }
    of_slots = {
        (namespace, metric, frozenset({("EndpointName", f"{STACK}-{slot}"), ("VariantName", VARIANT)}))
        for namespace, names in OF_ENDPOINTS.items()
        for metric in names
        for slot in "ab"
    }
    return of_resources | of_slots


def ours() -> set[Series]:
    return {(f"FraudDetection/{STACK}", each.name, each.dimensions) for each in published()}


def test_dashboard_has_its_stacks_name() -> None:
    assert read_template()["Resources"]["Dashboard"]["Properties"]["DashboardName"] == {"Ref": "AWS::StackName"}


def test_widgets_fit_the_columns_and_none_lies_on_another(widgets: list[Widget]) -> None:
    assert [each["properties"] for each in widgets if each["x"] < 0 or each["x"] + each["width"] > COLUMNS] == []
    assert [(one, other) for one, other in combinations(widgets, 2) if overlap(one, other)] == []


def overlap(one: Widget, other: Widget) -> bool:
    beside = one["x"] + one["width"] <= other["x"] or other["x"] + other["width"] <= one["x"]
    above = one["y"] + one["height"] <= other["y"] or other["y"] + other["height"] <= one["y"]
    return not beside and not above


def test_widget_on_another_is_found() -> None:
    assert overlap({"x": 0, "y": 0, "width": 6, "height": 6}, {"x": 5, "y": 5, "width": 6, "height": 6})


def test_dashboard_stays_within_cloudwatchs_quotas(widgets: list[Widget]) -> None:
    assert len(widgets) <= MOST_WIDGETS
    assert sum(len(rows(each)) for each in widgets) <= MOST_METRICS
    assert max(len(rows(each)) for each in widgets) <= METRICS_IN_A_WIDGET
    assert len(json.dumps(widgets).encode()) < LARGEST_TEMPLATE


def test_every_metric_is_published_or_is_one_that_aws_has_of_the_stacks_resources(
    widgets: list[Widget], of_type: Callable[[str], Resources]
) -> None:
    assert shown(widgets) - from_aws(of_type) - ours() == set()


def test_every_expression_uses_metrics_of_its_own_widget(widgets: list[Widget]) -> None:
    for widget in widgets:
        ids = {options["id"] for _, options in rows(widget) if "id" in options}
        used = {
            name
            for row, options in rows(widget)
            if not row
            for name in re.findall(r"\b[a-z]\w*\b", options["expression"])
        }
        assert used == ids, widget["properties"]["title"]


def test_every_alarm_of_the_stack_is_in_the_alarm_widget(widgets: list[Widget], template: dict[str, Any]) -> None:
    (alarms,) = [each["properties"]["alarms"] for each in widgets if each["type"] == "alarm"]
    kinds = {"AWS::CloudWatch::Alarm", "AWS::CloudWatch::CompositeAlarm"}
    wanted = [f"<{name}.Arn>" for name, each in template["Resources"].items() if each["Type"] in kinds]
    assert sorted(alarms) == sorted(wanted)


def test_an_alarm_that_may_be_missing_is_listed_under_its_own_condition() -> None:
    template = read_template()
    _, variables = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    listed_under = {
        reference(part): part["Fn::If"][0] if "Fn::If" in part else None for part in variables["Alarms"]["Fn::Join"][1]
    }
    assert listed_under == {name: template["Resources"][name[1:-5]].get("Condition") for name in listed_under}


def functions_log_groups(template: dict[str, Any]) -> set[str]:
    functions = [each for each in template["Resources"].values() if each["Type"] == "AWS::Lambda::Function"]
    return {each["Properties"]["LoggingConfig"]["LogGroup"]["Ref"] for each in functions}


def test_newest_errors_are_those_of_every_function(widgets: list[Widget], template: dict[str, Any]) -> None:
    (query,) = [each["properties"]["query"] for each in widgets if each["type"] == "log"]
    assert set(re.findall(r"SOURCE '<(\w+)>'", query)) == functions_log_groups(template)


def test_picture_of_the_dashboard_is_as_the_template_draws_it() -> None:
    """Else: `.venv/bin/python -m checks.dashboard docs/dashboard.svg`."""
    picture = Path(__file__).parents[2] / "docs" / "dashboard.svg"
    assert picture.read_text(encoding="utf-8") == dashboard.picture()


def test_dashboard_leads_to_the_runbook(widgets: list[Widget]) -> None:
    texts = [each["properties"]["markdown"] for each in widgets if each["type"] == "text"]
    assert "[runbook](<RunbookUrl>)" in texts[0]


@pytest.mark.parametrize("name", ["FollowTransactionQuery", "ErrorsByFunctionQuery"])
def test_query_about_the_whole_stack_reads_the_log_of_every_function(template: dict[str, Any], name: str) -> None:
    groups = template["Resources"][name]["Properties"]["LogGroupNames"]
    assert {each["Ref"] for each in groups} == functions_log_groups(template)


def test_queries_are_kept_in_the_stacks_own_folder(of_type: Callable[[str], Resources]) -> None:
    names = [each["Properties"]["Name"]["Fn::Sub"] for each in of_type("AWS::Logs::QueryDefinition").values()]
    assert sorted(names) == [
        "${AWS::StackName}/errors-by-function",
        "${AWS::StackName}/follow-a-transaction",
        "${AWS::StackName}/slowest-batches",
        "${AWS::StackName}/what-a-rollout-did",
    ]


def test_budget_is_made_only_where_money_is_named(template: dict[str, Any]) -> None:
    assert template["Parameters"]["MonthlyBudgetUsd"]["Default"] == 0
    assert template["Conditions"]["HasBudget"] == {"Fn::Not": [{"Fn::Equals": [{"Ref": "MonthlyBudgetUsd"}, 0]}]}
    assert template["Resources"]["MonthlyBudget"]["Condition"] == "HasBudget"


def test_budget_tells_the_alarms_topic_before_the_money_is_gone(template: dict[str, Any]) -> None:
    told = template["Resources"]["MonthlyBudget"]["Properties"]["NotificationsWithSubscribers"]
    assert [(each["Notification"]["NotificationType"], each["Notification"]["Threshold"]) for each in told] == [
        ("ACTUAL", 80),
        ("FORECASTED", 100),
    ]
    subscribed = [{"SubscriptionType": "SNS", "Address": {"Ref": "AlarmTopic"}}]
    assert [each["Subscribers"] for each in told] == [subscribed] * 2


def test_budgets_may_publish_to_the_topic_and_use_its_key_for_this_account_only(template: dict[str, Any]) -> None:
    grants = policies.publishing(template, "budgets.amazonaws.com")
    assert [each["Action"] for each in grants] == [["kms:GenerateDataKey*", "kms:Decrypt"], "sns:Publish"]
    assert [each["Condition"]["StringEquals"] for each in grants] == [
        {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}
    ] * 2
