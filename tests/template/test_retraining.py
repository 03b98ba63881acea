"""The machine that learns a new model, what starts it, and what it brings to its jobs."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from fraud import retraining_plan, retraining_task
from fraud.aws.layer import LayerSource
from fraud.retraining import Kind
from fraud.retraining_plan import Plan

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]
ROOT = Path(__file__).parents[2]
MACHINE = {"Ref": "RetrainingMachine"}
DEAD_LETTERS = {"Fn::GetAtt": ["RetrainingDeadLetterQueue", "Arn"]}
PREFIX = "${AWS::StackName}-retrain-"
HOUR = 3_600


@pytest.fixture
def machine(template: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = template["Resources"]["RetrainingMachine"]["Properties"]
    return properties


@pytest.fixture
def definition(written: dict[str, Any]) -> str:
    path = written["Resources"]["RetrainingMachine"]["Properties"]["DefinitionUri"]
    return (ROOT / path).read_text(encoding="utf-8")


@pytest.fixture
def schedules(of_type: OfType) -> Resources:
    found = {name: each["Properties"] for name, each in of_type("AWS::Scheduler::Schedule").items()}
    return {name: each for name, each in found.items() if each["Target"]["Arn"] == MACHINE}


@pytest.fixture
def rule(template: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = template["Resources"]["RetrainingAlarmRule"]["Properties"]
    return properties


@pytest.fixture
def alarms(of_type: OfType) -> Resources:
    """The alarms that ask for a new model, by what follows the stack's name and `retrain-`."""
    found = [each["Properties"] for each in of_type("AWS::CloudWatch::Alarm").values()]
    named = {each["AlarmName"]["Fn::Sub"]: each for each in found if "AlarmName" in each}
    return {name.removeprefix(PREFIX): each for name, each in named.items() if name.startswith(PREFIX)}


# --- The machine ------------------------------------------------------------------------------------------------------


def test_every_placeholder_of_the_definition_is_given_and_no_other(definition: str, machine: dict[str, Any]) -> None:
    assert set(re.findall(r"\$\{(\w+)\}", definition)) == set(machine["DefinitionSubstitutions"])


def test_a_placeholder_is_given_what_its_name_says(machine: dict[str, Any], template: dict[str, Any]) -> None:
    given = dict(machine["DefinitionSubstitutions"])
    assert given.pop("AlarmTopicArn") == {"Ref": "AlarmTopic"}
    assert given.pop("DataKeyArn") == {"Fn::GetAtt": ["DataKey", "Arn"]}
    assert given.pop("ModelImageUri") == template["Outputs"]["ModelImageUri"]["Value"]
    assert given.pop("QueryDatabase") == {"Ref": "ArchiveDatabase"}
    assert given.pop("QueryWorkGroup") == {"Ref": "QueryWorkGroup"}
    assert given.pop("RetrainingJobRoleArn") == {"Fn::GetAtt": ["RetrainingJobRole", "Arn"]}
    functions = {name: {"Fn::GetAtt": [name.removesuffix("Arn") + "Function", "Arn"]} for name in given}
    assert given == functions and len(functions) == 4


def test_a_function_outlasts_no_task_that_calls_it(definition: str, template: dict[str, Any]) -> None:
    """The machine would take a function for dead that is still at work, and call it again beside itself."""
    states = json.loads(definition)["States"].values()
    calls = [each for each in states if "lambda:invoke" in each.get("Resource", "")]
    assert calls
    for each in calls:
        name = re.sub(r"\$\{(\w+)Arn\}", r"\1Function", each["Parameters"]["FunctionName"])
        assert each["TimeoutSeconds"] > template["Resources"][name]["Properties"]["Timeout"], each["Parameters"]


def test_the_machine_logs_what_fails_to_a_group_of_its_own_that_delivery_finds(
    machine: dict[str, Any], template: dict[str, Any]
) -> None:
    logging = machine["LoggingConfiguration"]
    group = {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["RetrainingMachineLogGroup", "Arn"]}}}
    assert (logging["Level"], logging["Destinations"]) == ("ERROR", [group])
    name = template["Resources"]["RetrainingMachineLogGroup"]["Properties"]["LogGroupName"]
    assert name == {"Fn::Sub": "/aws/vendedlogs/states/${AWS::StackName}-retraining"}


def test_the_machines_policy_stands_before_the_machine_which_tries_it_when_it_is_made(template: dict[str, Any]) -> None:
    role = template["Resources"]["RetrainingMachineRole"]
    assert "RetrainingMachine" not in json.dumps(role).replace("RetrainingMachineLogGroup", "")
    attached = [each["Properties"]["Roles"] for each in template["Resources"].values() if "Roles" in each["Properties"]]
    assert [{"Ref": "RetrainingMachineRole"}] not in attached


# --- What starts it ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "kind"), [("RetrainingTimer", Kind.SCHEDULE), ("RetrainingReminder", Kind.REMINDER)])
def test_a_schedule_asks_the_machine_in_words_that_it_knows(schedules: Resources, name: str, kind: Kind) -> None:
    target = schedules[name]["Target"]
    assert (target["Arn"], target["RoleArn"]) == (MACHINE, {"Fn::GetAtt": ["RetrainingScheduleRole", "Arn"]})
    assert retraining_task.request(json.loads(target["Input"])).trigger is kind


def test_the_timer_follows_the_parameters_and_reminders_come_every_hour(schedules: Resources) -> None:
    assert {name: (each["ScheduleExpression"], each["State"]) for name, each in schedules.items()} == {
        "RetrainingTimer": ({"Ref": "RetrainingSchedule"}, {"Ref": "RetrainingScheduleState"}),
        "RetrainingReminder": ("rate(1 hour)", {"Ref": "RetrainingReminderState"}),
    }
    windows = [each["FlexibleTimeWindow"] for each in schedules.values()]
    assert windows == [{"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}] * 2


def test_a_start_that_fails_is_tried_for_a_day_and_a_reminder_until_the_next_one(schedules: Resources) -> None:
    policies = {name: each["Target"]["RetryPolicy"] for name, each in schedules.items()}
    assert {each["MaximumRetryAttempts"] for each in policies.values()} == {185}
    ages = {name: each["MaximumEventAgeInSeconds"] for name, each in policies.items()}
    assert ages == {"RetrainingTimer": 24 * HOUR, "RetrainingReminder": HOUR}


def test_an_alarm_about_the_model_asks_for_a_new_one(rule: dict[str, Any]) -> None:
    assert rule["EventPattern"] == {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {"alarmName": [{"prefix": {"Fn::Sub": PREFIX}}], "state": {"value": ["ALARM"]}},
    }
    (target,) = rule["Targets"]
    assert (target["Arn"], target["RoleArn"]) == (MACHINE, {"Fn::GetAtt": ["RetrainingAlarmRole", "Arn"]})
    assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": HOUR}


def test_an_alarm_tells_the_machine_its_name(rule: dict[str, Any]) -> None:
    transformer = rule["Targets"][0]["InputTransformer"]
    assert transformer["InputPathsMap"] == {"alarm": "$.detail.alarmName"}
    asked = retraining_task.request(json.loads(transformer["InputTemplate"].replace("<alarm>", '"s-retrain-drift"')))
    assert (asked.trigger, asked.alarm) == (Kind.ALARM, "s-retrain-drift")


def test_what_could_not_be_delivered_is_set_aside(
    schedules: Resources, rule: dict[str, Any], template: dict[str, Any]
) -> None:
    targets = [each["Target"] for each in schedules.values()] + rule["Targets"]
    assert [each["DeadLetterConfig"] for each in targets] == [{"Arn": DEAD_LETTERS}] * 3
    policy = template["Resources"]["RetrainingDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]
    _, allow = policy["Statement"]
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["RetrainingAlarmRule", "Arn"]}}}


# --- The alarms that ask for a new model ------------------------------------------------------------------------------


def test_those_who_look_for_the_alarms_and_the_rule_know_the_same_prefix(
    template: dict[str, Any], rule: dict[str, Any], alarms: Resources
) -> None:
    for name in ("PrepareRetrainingFunction", "FinishRetrainingFunction"):
        variables = template["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables["ALARM_PREFIX"] == {"Fn::Sub": PREFIX}
    assert sorted(alarms) == ["drift", "model-quality"]


def test_an_alarm_about_the_model_counts_what_monitoring_found_until_the_next_look(alarms: Resources) -> None:
    metrics = {name: each["MetricName"] for name, each in alarms.items()}
    assert metrics == {"drift": "DriftViolations", "model-quality": "ModelQualityViolations"}
    for each in alarms.values():
        assert each["Namespace"] == {"Fn::Sub": "FraudDetection/${AWS::StackName}"}
        assert "Dimensions" not in each
        assert (each["Statistic"], each["Period"], each["EvaluationPeriods"], each["Threshold"]) == (
            "Sum",
            7 * HOUR,
            1,
            0,
        )


# --- What it brings to its jobs ---------------------------------------------------------------------------------------


def test_what_jobs_run_comes_as_a_layer_where_the_function_looks_for_it(
    written: dict[str, Any], template: dict[str, Any]
) -> None:
    layer = written["Resources"]["ModelSourceLayer"]["Properties"]
    assert "SELECT" in LayerSource(ROOT / layer["ContentUri"]).query("training_set")
    function = template["Resources"]["PrepareRetrainingFunction"]["Properties"]
    assert function["Environment"]["Variables"]["MODEL_SOURCE"] == "/opt"
    assert layer["CompatibleRuntimes"] == [function["Runtime"]]


def test_the_layer_is_brought_to_the_functions_that_hand_it_on(of_type: OfType) -> None:
    (layer,) = (name for name in of_type("AWS::Lambda::LayerVersion") if name.startswith("ModelSourceLayer"))
    layers = {name: each["Properties"].get("Layers") for name, each in of_type("AWS::Lambda::Function").items()}
    handing_on = ("PrepareRetrainingFunction", "RefreshMonitoringFunction", "JudgeWindowFunction")
    assert {name: each[1:] for name, each in layers.items() if each[1:]} == {
        name: [{"Ref": layer}] for name in handing_on
    }


def test_names_of_jobs_begin_with_the_stacks(template: dict[str, Any]) -> None:
    for name in ("PrepareRetrainingFunction", "JudgeRetrainingFunction"):
        variables = template["Resources"][name]["Properties"]["Environment"]["Variables"]
        assert variables["JOB_PREFIX"] == {"Ref": "AWS::StackName"}


def test_a_model_records_the_commit_that_is_deployed(template: dict[str, Any]) -> None:
    variables = template["Resources"]["JudgeRetrainingFunction"]["Properties"]["Environment"]["Variables"]
    assert variables["SOURCE_COMMIT"] == {"Ref": "SourceCommit"}


# --- Parameters -------------------------------------------------------------------------------------------------------


def accepted(template: dict[str, Any], name: str, value: str) -> bool:
    return re.match(template["Parameters"][name]["AllowedPattern"], value) is not None


def test_a_stack_has_no_default_plan_unless_it_is_given_one(template: dict[str, Any]) -> None:
    default = json.loads(template["Parameters"]["RetrainingPlan"]["Default"])
    assert retraining_plan.parse(default) == Plan()
    given = ('{"approval": "manual"}', "", "[]")
    assert [accepted(template, "RetrainingPlan", each) for each in given] == [True, False, False]


@pytest.mark.parametrize(
    ("name", "right", "wrong"),
    [
        ("RetrainingSchedule", ["cron(0 3 ? * MON *)", "rate(7 days)"], ["", "0 3 * * 1", "at(2030-01-01T00:00:00)"]),
        ("SourceCommit", ["unknown", "0123abc", "0" * 40], ["", "main", "0123ABC", "0" * 65]),
    ],
)
def test_a_parameter_takes_what_it_is_for_and_nothing_else(
    template: dict[str, Any], name: str, right: list[str], wrong: list[str]
) -> None:
    right = [template["Parameters"][name]["Default"], *right]
    assert [each for each in right if not accepted(template, name, each)] == []
    assert [each for each in wrong if accepted(template, name, each)] == []


@pytest.mark.parametrize("name", ["RetrainingScheduleState", "RetrainingReminderState"])
def test_what_starts_by_itself_can_be_switched_off(template: dict[str, Any], name: str) -> None:
    parameter = template["Parameters"][name]
    assert (parameter["Default"], parameter["AllowedValues"]) == ("ENABLED", ["ENABLED", "DISABLED"])
