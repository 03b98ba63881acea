"""A person learns of what is set aside or late, and of nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from local.cloudwatch import evaluation
from tests.template import policies
from tests.template.published_metrics import NAMESPACE, PUBLISHING, published, series

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]

LONGEST_DESCRIPTION = 1024


@pytest.fixture
def every_alarm(of_type: OfType) -> Resources:
    return {name: each["Properties"] for name, each in of_type("AWS::CloudWatch::Alarm").items()}


@pytest.fixture
def alarms(every_alarm: Resources) -> Resources:
    """Those of the stack that look at one metric of one thing.

    Those of its slots are in test_slot_alarms.py, of its model in test_retraining.py, of looks in test_monitoring.py,
    of the audit in test_audit.py.
    """
    return {name: each for name, each in every_alarm.items() if "AlarmName" not in each and "Dimensions" in each}


def watched(alarm: dict[str, Any]) -> tuple[Any, str, str, Any]:
    """Namespace, metric, and the only dimension of what an alarm looks at."""
    (dimension,) = alarm["Dimensions"]
    return alarm["Namespace"], alarm["MetricName"], dimension["Name"], dimension["Value"]


def queue(name: str) -> tuple[str, str, str, Any]:
    return "AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", {"Fn::GetAtt": [name, "QueueName"]}


def function(metric: str, name: str) -> tuple[str, str, str, Any]:
    return "AWS/Lambda", metric, "FunctionName", {"Ref": name}


def machine(metric: str, name: str) -> tuple[str, str, str, Any]:
    return "AWS/States", metric, "StateMachineArn", {"Ref": name}


def given_up(mapping: str) -> tuple[str, str, str, Any]:
    metric = "OnFailureDestinationDeliveredEventCount"
    return "AWS/Lambda", metric, "EventSourceMappingUUID", {"Ref": mapping}


def dropped(mapping: str) -> tuple[str, str, str, Any]:
    return "AWS/Lambda", "DroppedEventCount", "EventSourceMappingUUID", {"Ref": mapping}


def archive(stream: str) -> tuple[str, str, str, Any]:
    return "AWS/Firehose", "DeliveryToS3.DataFreshness", "DeliveryStreamName", {"Ref": stream}


def scoring(metric: str) -> tuple[Any, str, str, Any]:
    return NAMESPACE, metric, "service", "score_transactions"


def test_every_way_to_be_set_aside_or_late_has_its_alarm(alarms: Resources) -> None:
    assert {name: (*watched(each), each["Threshold"]) for name, each in alarms.items()} == {
        "TransactionsQuarantinedAlarm": (*scoring("Quarantined"), 0),
        "TransactionsRetriedAlarm": (*scoring("ToBeDeliveredAgain"), 0),
        "LabelsDeadAlarm": (*queue("LabelDeadLetterQueue"), 0),
        "EventsDeadAlarm": (*queue("EventDeadLetterQueue"), 0),
        "TransactionsLateAlarm": (*function("IteratorAge", "ScoreTransactionsFunction"), 60_000),
        "DecisionsLateAlarm": (*function("IteratorAge", "ProjectDecisionsFunction"), 600_000),
        "AnswersFailedAlarm": (*function("Errors", "AnswerTransactionFunction"), 0),
        "AnswersThrottledAlarm": (*function("Throttles", "AnswerTransactionFunction"), 0),
        "AnswersUndecidedAlarm": (NAMESPACE, "Undecided", "service", "answer_transaction", 0),
        "TransactionsGivenUpAlarm": (*given_up("ScoreTransactionsFunctionTransactions"), 0),
        "DecisionsGivenUpAlarm": (*given_up("ProjectDecisionsFunctionDecisions"), 0),
        "TransactionsNotSetAsideAlarm": (*function("DestinationDeliveryFailures", "ScoreTransactionsFunction"), 0),
        "DecisionsNotSetAsideAlarm": (*function("DestinationDeliveryFailures", "ProjectDecisionsFunction"), 0),
        "DecisionArchiveLateAlarm": (*archive("DecisionArchive"), 900),
        "LabelArchiveLateAlarm": (*archive("LabelArchive"), 900),
        "ObservationsGivenUpAlarm": (*dropped("ShadowScoreFunctionDecisions"), 0),
        "RolloutEventsDeadAlarm": (*queue("RolloutDeadLetterQueue"), 0),
        "AbortFailedAlarm": (*function("Errors", "AbortRolloutFunction"), 0),
        "AbortsNotSetAsideAlarm": (*function("DestinationDeliveryFailures", "AbortRolloutFunction"), 0),
        "RetrainingFailedAlarm": (*machine("ExecutionsFailed", "RetrainingMachine"), 0),
        "RetrainingTimedOutAlarm": (*machine("ExecutionsTimedOut", "RetrainingMachine"), 0),
        "RetrainingEventsDeadAlarm": (*queue("RetrainingDeadLetterQueue"), 0),
        "MonitoringFailedAlarm": (*machine("ExecutionsFailed", "MonitoringMachine"), 0),
        "MonitoringTimedOutAlarm": (*machine("ExecutionsTimedOut", "MonitoringMachine"), 0),
        "LookFailedAlarm": (*machine("ExecutionsFailed", "DriftMachine"), 0),
        "LookTimedOutAlarm": (*machine("ExecutionsTimedOut", "DriftMachine"), 0),
        "MonitoringEventsDeadAlarm": (*queue("MonitoringDeadLetterQueue"), 0),
        "AuditLogLostAlarm": ("AWS/Events", "TriggeredRules", "RuleName", {"Ref": "AuditLogLostRule"}, 0),
    }


def test_every_queue_that_takes_what_failed_has_its_alarm(alarms: Resources, of_type: OfType) -> None:
    queues = {
        each["Dimensions"][0]["Value"]["Fn::GetAtt"][0] for each in alarms.values() if each["Namespace"] == "AWS/SQS"
    }
    assert queues == {name for name in of_type("AWS::SQS::Queue") if "DeadLetter" in name}


def test_what_may_leave_a_challenger_with_traffic_is_told_within_a_minute(alarms: Resources) -> None:
    assert {alarms[name]["Period"] for name in ("RolloutEventsDeadAlarm", "AbortFailedAlarm")} == {60}


def test_an_alarm_that_lasts_minutes_is_about_transactions_that_are_merely_sent_again(alarms: Resources) -> None:
    lasting = {name: each["EvaluationPeriods"] for name, each in alarms.items() if each["EvaluationPeriods"] > 1}
    assert lasting == {"AnswersUndecidedAlarm": 3, "TransactionsRetriedAlarm": 3}


def test_a_stack_without_traffic_alarms_nobody(every_alarm: Resources) -> None:
    assert {each["TreatMissingData"] for each in every_alarm.values()} == {"notBreaching"}
    assert {each["ComparisonOperator"] for each in every_alarm.values()} == {"GreaterThanThreshold"}


def deployed(value: Any, template: dict[str, Any]) -> Any:
    """A property with parameters at their defaults, and other references as texts."""
    match value:
        case {"Ref": name}:
            return template["Parameters"].get(name, {"Default": name})["Default"]
        case {"Fn::Sub": text}:
            return str(text)
        case {"Fn::GetAtt": [name, attribute]}:
            return f"{name}.{attribute}"
        case dict():
            return {name: deployed(each, template) for name, each in value.items()}
        case list():
            return [deployed(each, template) for each in value]
    return value


def state_without_data(alarm: dict[str, Any], template: dict[str, Any], current: str) -> str:
    definition = evaluation.parse(deployed(alarm, template))
    return evaluation.state(definition, definition.datapoints(0.0), current)


@pytest.mark.parametrize("current", [evaluation.OK, evaluation.INSUFFICIENT_DATA, evaluation.ALARM])
def test_every_alarm_of_a_fresh_stack_is_ok_whatever_it_was_before(
    every_alarm: Resources, template: dict[str, Any], current: str
) -> None:
    states = {name: state_without_data(each, template, current) for name, each in every_alarm.items()}
    assert [name for name, state in states.items() if state != evaluation.OK] == []


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("LabelsDeadAlarm", {"TreatMissingData": "breaching"}),
        ("LabelsDeadAlarm", {"TreatMissingData": "missing"}),
        ("MonitoringSilentAlarm", {"ComparisonOperator": "GreaterThanOrEqualToThreshold"}),
    ],
)
def test_alarm_that_a_fresh_stack_would_set_off_is_found(
    every_alarm: Resources, template: dict[str, Any], name: str, changes: dict[str, Any]
) -> None:
    assert state_without_data(every_alarm[name] | changes, template, evaluation.INSUFFICIENT_DATA) != evaluation.OK


def test_every_alarm_goes_to_the_topic_and_says_what_to_do(every_alarm: Resources) -> None:
    assert [name for name, each in every_alarm.items() if each["AlarmActions"] != [{"Ref": "AlarmTopic"}]] == []
    assert [name for name, each in every_alarm.items() if each["AlarmDescription"]["Fn::Sub"].count(".") < 2] == []


def test_every_alarm_ends_with_the_link_to_its_section_of_the_runbook(
    every_alarm: Resources, template: dict[str, Any]
) -> None:
    descriptions = {name: each["AlarmDescription"]["Fn::Sub"] for name, each in every_alarm.items()}
    assert [name for name, each in descriptions.items() if not each.endswith(f" ${{RunbookUrl}}#{name.lower()}")] == []
    longest_link = template["Parameters"]["RunbookUrl"]["MaxLength"] - len("${RunbookUrl}")
    assert max(map(len, descriptions.values())) + longest_link <= LONGEST_DESCRIPTION


@pytest.mark.parametrize("address", ["docs/runbook.md", "https://git.example.com/fraud/blob/main/docs/runbook.md"])
def test_runbook_may_be_an_address_or_the_file_itself(template: dict[str, Any], address: str) -> None:
    assert re.search(template["Parameters"]["RunbookUrl"]["AllowedPattern"], address)


@pytest.mark.parametrize(
    "address", ["", "http://example.com/runbook", "https://example.com/runbook#top", "javascript:1"]
)
def test_runbook_is_no_other_kind_of_link(template: dict[str, Any], address: str) -> None:
    assert not re.search(template["Parameters"]["RunbookUrl"]["AllowedPattern"], address)


def test_functions_publish_in_the_namespace_where_alarms_look(alarms: Resources, of_type: OfType) -> None:
    variables = [each["Properties"]["Environment"]["Variables"] for each in of_type("AWS::Lambda::Function").values()]
    namespaces = {each["POWERTOOLS_SERVICE_NAME"]: each["POWERTOOLS_METRICS_NAMESPACE"] for each in variables}
    assert [namespaces[service] for service in PUBLISHING] == [NAMESPACE] * len(PUBLISHING)
    own = {series(each) for each in alarms.values() if each["Namespace"] == NAMESPACE}
    assert own and own <= published()


def test_mappings_of_streams_count_what_they_give_up(of_type: OfType) -> None:
    mappings = [each["Properties"] for each in of_type("AWS::Lambda::EventSourceMapping").values()]
    on_streams = [each for each in mappings if "StartingPosition" in each]
    assert [each.get("MetricsConfig") for each in on_streams] == [{"Metrics": ["EventCount"]}] * 3


THIS_STACKS_ALARMS = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:${AWS::StackName}-*"


def test_cloudwatch_may_publish_to_the_topic_and_use_its_key(template: dict[str, Any]) -> None:
    grants = policies.publishing(template, "cloudwatch.amazonaws.com")
    assert [each["Action"] for each in grants] == [["kms:GenerateDataKey*", "kms:Decrypt"], "sns:Publish"]
    assert [each["Condition"] for each in grants] == [
        {
            "StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}},
            "ArnLike": {"aws:SourceArn": {"Fn::Sub": THIS_STACKS_ALARMS}},
        }
    ] * 2


def test_an_address_is_subscribed_only_when_one_is_given(template: dict[str, Any]) -> None:
    assert template["Parameters"]["AlarmEmail"]["Default"] == ""
    assert template["Resources"]["AlarmSubscription"]["Condition"] == "HasAlarmEmail"
