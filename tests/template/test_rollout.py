"""The machine that orders a rollout, and the rules that start and stop one."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]
DEFINITIONS = Path(__file__).parents[2]

ABORT = {"Fn::GetAtt": ["AbortRolloutFunction", "Arn"]}
DEAD_LETTERS = {"Fn::GetAtt": ["RolloutDeadLetterQueue", "Arn"]}


@pytest.fixture
def rules(of_type: OfType) -> Resources:
    """Those of rollouts; that of retrainings is in test_retraining.py, that of the audit in test_audit.py."""
    others = ("Audit", "Retraining", "Monitoring")
    found = of_type("AWS::Events::Rule").items()
    return {name: each["Properties"] for name, each in found if not name.startswith(others)}


@pytest.fixture
def machine(template: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = template["Resources"]["RolloutMachine"]["Properties"]
    return properties


@pytest.fixture
def abort(of_type: OfType) -> dict[str, Any]:
    """How Lambda treats events that nobody waits for."""
    (config,) = of_type("AWS::Lambda::EventInvokeConfig").values()
    properties: dict[str, Any] = config["Properties"]
    return properties


def test_every_placeholder_of_the_definition_is_given_and_no_other(
    written: dict[str, Any], machine: dict[str, Any]
) -> None:
    path = written["Resources"]["RolloutMachine"]["Properties"]["DefinitionUri"]
    placeholders = re.findall(r"\$\{(\w+)\}", (DEFINITIONS / path).read_text(encoding="utf-8"))
    assert set(placeholders) == set(machine["DefinitionSubstitutions"])


def test_a_placeholder_is_given_the_function_of_its_name(machine: dict[str, Any]) -> None:
    given = dict(machine["DefinitionSubstitutions"])
    assert given.pop("AlarmTopicArn") == {"Ref": "AlarmTopic"}
    assert given.pop("EventBusName") == {"Ref": "EventBus"}
    functions = {name: {"Fn::GetAtt": [name.removesuffix("Arn") + "Function", "Arn"]} for name in given}
    assert given == functions


def test_a_function_outlasts_no_task_that_calls_it(written: dict[str, Any], template: dict[str, Any]) -> None:
    """The machine would take a function for dead that is still at work, and call it again beside itself."""
    path = written["Resources"]["RolloutMachine"]["Properties"]["DefinitionUri"]
    states = json.loads((DEFINITIONS / path).read_text(encoding="utf-8"))["States"]
    calls = [each for each in states.values() if "lambda:invoke" in each.get("Resource", "")]
    assert calls
    for each in calls:
        if "TimeoutSeconds" in each:
            name = re.sub(r"\$\{(\w+)Arn\}", r"\1Function", each["Parameters"]["FunctionName"])
            assert each["TimeoutSeconds"] > template["Resources"][name]["Properties"]["Timeout"], each["Parameters"]


def test_the_machine_logs_what_fails_to_a_group_of_its_own_that_delivery_finds(
    machine: dict[str, Any], template: dict[str, Any]
) -> None:
    logging = machine["LoggingConfiguration"]
    group = {"CloudWatchLogsLogGroup": {"LogGroupArn": {"Fn::GetAtt": ["RolloutMachineLogGroup", "Arn"]}}}
    assert (logging["Level"], logging["Destinations"]) == ("ERROR", [group])
    name = template["Resources"]["RolloutMachineLogGroup"]["Properties"]["LogGroupName"]
    assert name == {"Fn::Sub": "/aws/vendedlogs/states/${AWS::StackName}-rollout"}


def test_whoever_answers_the_machine_does_not_need_it_in_order_to_be_made(template: dict[str, Any]) -> None:
    """The machine needs its functions, and they their roles: what grants the answers must come after all of them."""
    policies = {name: each for name, each in template["Resources"].items() if each["Type"] == "AWS::IAM::Policy"}
    roles = {name: [role["Ref"] for role in each["Properties"]["Roles"]] for name, each in policies.items()}
    assert roles == {
        "SteerRolloutAnswers": ["SteerRolloutRole"],
        "AbortRolloutAnswers": ["AbortRolloutRole"],
        "PrepareRetrainingExecutions": ["PrepareRetrainingRole"],
        "RefreshMonitoringExecutions": ["RefreshMonitoringRole"],
    }
    for (name,) in roles.values():
        text = json.dumps(template["Resources"][name])
        assert not [machine for machine in ("Rollout", "Retraining", "Monitoring") if f"{machine}Machine" in text]


def test_an_alarm_of_a_slot_stops_a_rollout(rules: Resources) -> None:
    assert rules["SlotAlarmRule"]["EventPattern"] == {
        "source": ["aws.cloudwatch"],
        "detail-type": ["CloudWatch Alarm State Change"],
        "detail": {
            "alarmName": [{"prefix": {"Fn::Sub": "${AWS::StackName}-slot-"}}],
            "state": {"value": ["ALARM"]},
        },
    }


def test_an_execution_that_does_not_succeed_is_tidied_up_after(rules: Resources) -> None:
    assert rules["RolloutEndRule"]["EventPattern"] == {
        "source": ["aws.states"],
        "detail-type": ["Step Functions Execution Status Change"],
        "detail": {"stateMachineArn": [{"Ref": "RolloutMachine"}], "status": ["FAILED", "TIMED_OUT", "ABORTED"]},
    }


def test_the_approval_of_a_package_of_this_stack_starts_a_rollout_of_it(
    rules: Resources, template: dict[str, Any]
) -> None:
    assert rules["ModelApprovalRule"]["EventPattern"] == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Package State Change"],
        "detail": {
            "ModelPackageGroupName": [template["Outputs"]["ModelPackageGroupName"]["Value"]],
            "ModelApprovalStatus": ["Approved"],
        },
    }
    (target,) = rules["ModelApprovalRule"]["Targets"]
    assert target["Arn"] == {"Ref": "RolloutMachine"}
    assert target["RoleArn"] == {"Fn::GetAtt": ["ModelApprovalRole", "Arn"]}
    transformer = target["InputTransformer"]
    assert transformer["InputPathsMap"] == {"arn": "$.detail.ModelPackageArn"}
    assert json.loads(transformer["InputTemplate"].replace("<arn>", '"arn:package/7"')) == {
        "model_package_arn": "arn:package/7",
        "started_by": "the approval of the package",
    }


def test_rules_watch_the_bus_that_services_of_aws_speak_on(rules: Resources) -> None:
    assert [name for name, each in rules.items() if "EventBusName" in each or each.get("State") == "DISABLED"] == []


def test_both_rules_that_stop_call_the_function_that_stops_and_may(rules: Resources, of_type: OfType) -> None:
    stopping = {name for name, each in rules.items() if each["Targets"][0]["Arn"] == ABORT}
    assert stopping == {"SlotAlarmRule", "RolloutEndRule"}
    permissions = [each["Properties"] for each in of_type("AWS::Lambda::Permission").values()]
    assert {each["SourceArn"]["Fn::GetAtt"][0] for each in permissions} == stopping
    for each in permissions:
        assert (each["FunctionName"], each["Action"]) == ({"Ref": "AbortRolloutFunction"}, "lambda:InvokeFunction")
        assert each["Principal"] == "events.amazonaws.com"


def test_an_event_that_cannot_be_delivered_is_tried_for_an_hour_and_then_set_aside(rules: Resources) -> None:
    for each in rules.values():
        (target,) = each["Targets"]
        assert target["RetryPolicy"] == {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 3600}
        assert target["DeadLetterConfig"] == {"Arn": DEAD_LETTERS}


def test_a_stop_that_fails_is_tried_twice_more_and_then_set_aside(abort: dict[str, Any]) -> None:
    assert abort["FunctionName"] == {"Ref": "AbortRolloutFunction"}
    assert (abort["MaximumRetryAttempts"], abort["MaximumEventAgeInSeconds"]) == (2, 3600)
    assert abort["DestinationConfig"] == {"OnFailure": {"Destination": DEAD_LETTERS}}


def test_every_rule_may_write_to_the_dead_letter_queue_and_nobody_elses(
    rules: Resources, template: dict[str, Any]
) -> None:
    policy = template["Resources"]["RolloutDeadLetterQueuePolicy"]["Properties"]["PolicyDocument"]
    _, allow = policy["Statement"]
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    arns = allow["Condition"]["ArnEquals"]["aws:SourceArn"]
    assert sorted(each["Fn::GetAtt"][0] for each in arns) == sorted(rules)
    assert {each["Fn::GetAtt"][1] for each in arns} == {"Arn"}


def test_a_stack_has_no_default_plan_unless_it_is_given_one(template: dict[str, Any]) -> None:
    parameter = template["Parameters"]["RolloutPlan"]
    assert json.loads(parameter["Default"]) == {}
    accepted = [bool(re.match(parameter["AllowedPattern"], each)) for each in ('{"approval": "before_full"}', "", "[]")]
    assert accepted == [True, False, False]
