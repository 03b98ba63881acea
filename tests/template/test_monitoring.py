"""The machines that monitor, what starts them, and the alarms that hear of what they find."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fraud import monitoring_plan, monitoring_task
from fraud.aws.announcements import DETAIL_TYPES, SOURCE
from fraud.monitoring_findings import RUN, VIOLATIONS
from fraud.monitoring_plan import Plan
from fraud.rollout import Stage
from local import conditions

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]
ROOT = Path(__file__).parents[2]
MACHINES = {"MonitoringMachine": "monitoring", "DriftMachine": "drift"}
DEAD_LETTERS = {"Fn::GetAtt": ["MonitoringDeadLetterQueue", "Arn"]}
NAMESPACE = {"Fn::Sub": "FraudDetection/${AWS::StackName}"}
HOUR = 3_600


@pytest.fixture
def schedules(of_type: OfType) -> Resources:
    found = {name: each["Properties"] for name, each in of_type("AWS::Scheduler::Schedule").items()}
    return {name: each for name, each in found.items() if each["Target"]["Arn"]["Ref"] in MACHINES}


@pytest.fixture
def rule(template: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = template["Resources"]["MonitoringPromotionRule"]["Properties"]
    return properties


@pytest.fixture
def alarms(of_type: OfType) -> Resources:
    return {name: each["Properties"] for name, each in of_type("AWS::CloudWatch::Alarm").items()}


def definition(written: dict[str, Any], machine: str) -> str:
    return (ROOT / written["Resources"][machine]["Properties"]["DefinitionUri"]).read_text(encoding="utf-8")


# --- The machines -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", MACHINES)
def test_every_placeholder_of_the_definition_is_given_and_no_other(
    written: dict[str, Any], template: dict[str, Any], name: str
) -> None:
    given = template["Resources"][name]["Properties"]["DefinitionSubstitutions"]
    assert set(re.findall(r"\$\{(\w+)\}", definition(written, name))) == set(given)


@pytest.mark.parametrize("name", MACHINES)
def test_a_placeholder_is_given_what_its_name_says(template: dict[str, Any], name: str) -> None:
    given = dict(template["Resources"][name]["Properties"]["DefinitionSubstitutions"])
    assert given.pop("DataKeyArn") == {"Fn::GetAtt": ["DataKey", "Arn"]}
    assert given.pop("ModelImageUri") == template["Outputs"]["ModelImageUri"]["Value"]
    assert given.pop("QueryDatabase") == {"Ref": "ArchiveDatabase"}
    assert given.pop("QueryWorkGroup") == {"Ref": "QueryWorkGroup"}
    assert given.pop("MonitoringJobRoleArn") == {"Fn::GetAtt": ["MonitoringJobRole", "Arn"]}
    referred = {"AlarmTopicArn": "AlarmTopic", "MonitoringMachineArn": "MonitoringMachine"}
    assert {each: given.pop(each) for each in referred if each in given}.items() <= {
        each: {"Ref": ref} for each, ref in referred.items()
    }.items()
    assert given == {each: {"Fn::GetAtt": [each.removesuffix("Arn") + "Function", "Arn"]} for each in given}


@pytest.mark.parametrize("name", MACHINES)
def test_a_function_outlasts_no_task_that_calls_it(
    written: dict[str, Any], template: dict[str, Any], name: str
) -> None:
    states = json.loads(definition(written, name))["States"].values()
    calls = [each for each in states if "lambda:invoke" in each.get("Resource", "")]
    assert calls
    for each in calls:
        function = re.sub(r"\$\{(\w+)Arn\}", r"\1Function", each["Parameters"]["FunctionName"])
        assert each["TimeoutSeconds"] > template["Resources"][function]["Properties"]["Timeout"], each["Parameters"]


@pytest.mark.parametrize(("name", "end"), MACHINES.items())
def test_a_machine_logs_what_fails_to_a_group_of_its_own_that_delivery_finds(
    template: dict[str, Any], name: str, end: str
) -> None:
    logging = template["Resources"][name]["Properties"]["LoggingConfiguration"]
    group = {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": [f"{name}LogGroup", "Arn"]}}}
    assert (logging["Level"], logging["Destinations"]) == ("ERROR", [group])
    named = template["Resources"][f"{name}LogGroup"]["Properties"]["LogGroupName"]
    assert named == {"Fn::Sub": f"/aws/vendedlogs/states/${{AWS::StackName}}-{end}"}


# --- What starts them -------------------------------------------------------------------------------------------------


def test_looks_follow_the_parameters_and_refreshes_come_every_week(schedules: Resources) -> None:
    state = {"Ref": "MonitoringScheduleState"}
    assert {name: (each["ScheduleExpression"], each["State"]) for name, each in schedules.items()} == {
        "DriftTimer": ({"Ref": "MonitoringSchedule"}, state),
        "MonitoringTimer": ("cron(0 5 ? * SUN *)", state),
    }
    assert {name: each["Target"]["Arn"]["Ref"] for name, each in schedules.items()} == {
        "DriftTimer": "DriftMachine",
        "MonitoringTimer": "MonitoringMachine",
    }


def test_whatever_starts_a_machine_asks_in_words_that_it_knows(schedules: Resources, rule: dict[str, Any]) -> None:
    inputs = {name: each["Target"]["Input"] for name, each in schedules.items()}
    inputs["rule"] = rule["Targets"][0]["Input"]
    asked = {name: monitoring_task.request(json.loads(each)).trigger for name, each in inputs.items()}
    assert asked == {"DriftTimer": "schedule", "MonitoringTimer": "schedule", "rule": "promotion"}


def test_a_promotion_asks_for_a_baseline(rule: dict[str, Any]) -> None:
    assert rule["EventBusName"] == {"Ref": "EventBus"}
    assert rule["EventPattern"] == {"source": [SOURCE], "detail-type": [DETAIL_TYPES[Stage.PROMOTED]]}
    (target,) = rule["Targets"]
    assert target["Arn"] == {"Ref": "MonitoringMachine"}
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": HOUR}


def test_what_could_not_be_delivered_is_set_aside(
    schedules: Resources, rule: dict[str, Any], template: dict[str, Any]
) -> None:
    targets = [each["Target"] for each in schedules.values()] + rule["Targets"]
    assert [each["DeadLetterConfig"] for each in targets] == [{"Arn": DEAD_LETTERS}] * 3
    policy = template["Resources"]["MonitoringDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]
    _, allow = policy["Statement"]
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["MonitoringPromotionRule", "Arn"]}}}


# --- The alarms -------------------------------------------------------------------------------------------------------


def own(alarms: Resources) -> set[tuple[str, str]]:
    """Alarms, each with a metric of a look that it is about."""
    plain = {
        (name, each["MetricName"])
        for name, each in alarms.items()
        if each.get("Namespace") == NAMESPACE and "Dimensions" not in each
    }
    within = {
        (name, part["MetricStat"]["Metric"]["MetricName"])
        for name, each in alarms.items()
        for part in each.get("Metrics", [])
        if "MetricStat" in part
        and part["MetricStat"]["Metric"]["Namespace"] == NAMESPACE
        and "Dimensions" not in part["MetricStat"]["Metric"]
    }
    return plain | within


def test_every_alarm_about_looks_names_a_metric_that_looks_publish(alarms: Resources) -> None:
    published = {*VIOLATIONS.values(), RUN.name}
    assert {metric for _, metric in own(alarms)} == published
    assert own(alarms) == {
        ("RetrainDriftAlarm", "DriftViolations"),
        ("RetrainModelQualityAlarm", "ModelQualityViolations"),
        ("DataQualityAlarm", "DataQualityViolations"),
        ("UpkeepAlarm", "UpkeepViolations"),
        ("MonitoringSilentAlarm", "MonitoringRuns"),
    }


def test_a_violation_is_on_for_as_long_as_the_next_look_takes(alarms: Resources, template: dict[str, Any]) -> None:
    assert template["Parameters"]["MonitoringSchedule"]["Default"] == "rate(6 hours)"
    periods = {alarms[name]["Period"] for name, metric in own(alarms) if metric in VIOLATIONS.values()}
    # An hour more, because each look begins and ends a little sooner or later than the one before.
    assert periods == {7 * HOUR}


def test_broken_data_asks_for_no_new_model(alarms: Resources) -> None:
    assert "AlarmName" not in alarms["DataQualityAlarm"]


def test_decisions_without_a_look_are_told_of_and_a_stack_without_traffic_is_not(alarms: Resources) -> None:
    silent = alarms["MonitoringSilentAlarm"]
    expression, decisions, looks = silent["Metrics"]
    assert expression["Expression"] == "IF(FILL(decisions, 0) > 0, IF(FILL(looks, 0) > 0, 0, 1), 0)"
    assert [each["MetricStat"]["Period"] for each in (decisions, looks)] == [12 * HOUR] * 2
    assert decisions["MetricStat"]["Metric"]["Dimensions"] == [{"Name": "service", "Value": "score_transactions"}]
    assert silent["EvaluationPeriods"] * 12 * HOUR <= 24 * HOUR


# --- Parameters and settings ------------------------------------------------------------------------------------------


def test_a_stack_has_no_default_plan_unless_it_is_given_one(template: dict[str, Any]) -> None:
    parameter = template["Parameters"]["MonitoringPlan"]
    assert monitoring_plan.parse(json.loads(parameter["Default"])) == Plan()
    given = ('{"least_psi": 0.2}', "", "[]")
    assert [bool(re.match(parameter["AllowedPattern"], each)) for each in given] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("MonitoringSchedule", ["rate(1 hour)", "cron(0 3 * * ? *)"], ["", "hourly"]),
        ("ModelMonitorInstanceType", ["ml.m5.xlarge"], ["", "m5.xlarge", "ml.m5"]),
        ("CapturePercentage", ["0", "7", "100"], ["", "0.5", "101", "-1"]),
    ],
)
def test_a_parameter_takes_what_it_is_for_and_nothing_else(
    template: dict[str, Any], name: str, right: list[str], wrong: list[str]
) -> None:
    pattern, default = (template["Parameters"][name][each] for each in ("AllowedPattern", "Default"))
    assert [each for each in [default, *right] if not re.match(pattern, each)] == []
    assert [each for each in wrong if re.match(pattern, each)] == []


def test_what_is_captured_lies_where_the_endpoints_role_may_write(template: dict[str, Any]) -> None:
    variables = template["Resources"]["DeployChallengerFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["CAPTURE_URI"] == {"Fn::Sub": "s3://${ArchiveBucket}/capture"}
    for name in ("DeployChallengerFunction", "RefreshMonitoringFunction"):
        variables = template["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables["CAPTURE_PERCENTAGE"] == {"Ref": "CapturePercentage"}


@pytest.mark.parametrize(("region", "registries"), [("eu-west-1", 2), ("ca-west-1", 1), ("eu-south-2", 2)])
def test_job_role_names_no_registry_where_the_region_has_none(
    template: dict[str, Any], region: str, registries: int
) -> None:
    stage = conditions.Stage(template, conditions.values(template, {}) | {"AWS::Region": region})
    role = stage.settled(template["Resources"]["MonitoringJobRole"])
    statements = role["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    [images] = [each["Resource"] for each in statements if "ecr:BatchGetImage" in each["Action"]]
    assert len(images) == registries
    assert not any('"none"' in json.dumps(each) for each in images)
