"""Every alarm watches what is there: a metric of AWS's about a resource of this stack, or one that we publish."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.template.published_metrics import NAMESPACE, Series, published, series

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]

ABOUT = {
    ("AWS/SQS", "QueueName"): "AWS::SQS::Queue",
    ("AWS/Lambda", "FunctionName"): "AWS::Lambda::Function",
    ("AWS/Lambda", "EventSourceMappingUUID"): "AWS::Lambda::EventSourceMapping",
    ("AWS/States", "StateMachineArn"): "AWS::StepFunctions::StateMachine",
    ("AWS/Firehose", "DeliveryStreamName"): "AWS::KinesisFirehose::DeliveryStream",
    ("AWS/Kinesis", "StreamName"): "AWS::Kinesis::Stream",
    ("AWS/Events", "RuleName"): "AWS::Events::Rule",
}
"""Dimensions that a service publishes its metrics with, each by the type of what it names."""
SLOTS = [{"Fn::Sub": f"${{AWS::StackName}}-{slot}"} for slot in "ab"]

UNWATCHED = {
    "how long it took, which has no limit of ours": {
        "score_transactions ScoringDuration",
        "answer_transaction RequestLatency",
        "score_transactions ModelCallDuration",
    },
    "counts what was done, and is right at any value": {
        "score_transactions Approved",
        "score_transactions SentToReview",
        "answer_transaction Answered",
        "shadow_score Shadowed",
    },
    "a delivery or a request that came twice, which is harmless": {
        "score_transactions Repeated",
        "answer_transaction Repeated",
        "score_transactions CancelledTransactions",
        "answer_transaction CancelledTransactions",
    },
    "the caller's fault, who was told so": {"answer_transaction Refused", "answer_transaction Conflicts"},
    "its consequence is watched: a decision that is degraded": {
        "score_transactions ModelFailures",
        "score_transactions RowsUnanswered",
    },
    "judged by the gates of the rollout under way, which it holds or rolls back": {"shadow_score ShadowFailures"},
    "judged by the look that publishes it, whose violations are watched": {
        "AlertPrecision",
        "AlertRecall",
        "AveragePrecision",
        "BlockShare",
        "ChampionAgeDays",
        "LargestFeaturePsi",
        "ParityMismatchShare",
        "ReviewShare",
        "ScorePsi",
        "WindowDecisions",
    },
}
"""What is published and no alarm watches, by the reason."""


@pytest.fixture
def watched(of_type: OfType) -> list[dict[str, Any]]:
    """Every metric that an alarm looks at, alone or in an expression."""
    alarms = [each["Properties"] for each in of_type("AWS::CloudWatch::Alarm").values()]
    parts = [
        part["MetricStat"]["Metric"] for each in alarms for part in each.get("Metrics", ()) if "MetricStat" in part
    ]
    return [each for each in alarms if "MetricName" in each] + parts


def of_ours(watched: list[dict[str, Any]]) -> set[Series]:
    return {series(each) for each in watched if each["Namespace"] == NAMESPACE}


def test_every_alarm_on_a_metric_of_ours_names_one_that_is_published_with_its_dimensions(
    watched: list[dict[str, Any]],
) -> None:
    assert of_ours(watched) and of_ours(watched) - published() == set()


def test_every_published_metric_is_watched_or_a_reason_says_why_not(watched: list[dict[str, Any]]) -> None:
    reasoned = [label for labels in UNWATCHED.values() for label in labels]
    unwatched = {each.label for each in published()} - {each.label for each in of_ours(watched)}
    assert sorted(set(reasoned) - unwatched) == [] == sorted(unwatched - set(reasoned))


def test_what_an_alarm_on_a_metric_of_the_audit_watches_is_filtered_from_its_log(
    watched: list[dict[str, Any]], template: dict[str, Any]
) -> None:
    filters = [each for each in template["Resources"].values() if each["Type"] == "AWS::Logs::MetricFilter"]
    made = [
        (each["MetricNamespace"], each["MetricName"])
        for one in filters
        for each in one["Properties"]["MetricTransformations"]
    ]
    others = [each for each in watched if each["Namespace"] != NAMESPACE and not is_of_aws(each)]
    assert [
        each for each in others if (each["Namespace"], each["MetricName"]) not in made or "Dimensions" in each
    ] == []


def is_of_aws(metric: dict[str, Any]) -> bool:
    return isinstance(metric["Namespace"], str) and metric["Namespace"].startswith("AWS/")


def test_every_alarm_on_a_metric_of_awss_is_about_a_resource_of_this_stack_by_the_services_own_dimension(
    watched: list[dict[str, Any]], template: dict[str, Any]
) -> None:
    of_aws = [each for each in watched if is_of_aws(each)]
    assert of_aws
    assert [each for each in of_aws if not is_about_this_stack(each, template["Resources"])] == []


def is_about_this_stack(metric: dict[str, Any], resources: Resources) -> bool:
    values = {each["Name"]: each["Value"] for each in metric["Dimensions"]}
    if metric["Namespace"] == "AWS/SageMaker":
        return set(values) == {"EndpointName", "VariantName"} and values["EndpointName"] in SLOTS
    [(name, value)] = values.items()
    return resources[named(value)]["Type"] == ABOUT.get((metric["Namespace"], name))


def named(value: dict[str, Any]) -> str:
    """The logical id that an intrinsic is about."""
    name: str = value["Ref"] if "Ref" in value else value["Fn::GetAtt"][0]
    return name


# --- Every place for what failed is watched ---------------------------------------------------------------------------


def destinations(value: Any) -> Iterator[tuple[str, Any]]:
    """Every place for what failed that a resource's properties name, by the property that names it."""
    if isinstance(value, list):
        for each in value:
            yield from destinations(each)
    if isinstance(value, dict):
        for name, each in value.items():
            if name in {"OnFailure", "DeadLetterConfig", "RedrivePolicy"}:
                [(_, place)] = ((key, part) for key, part in each.items() if key not in {"maxReceiveCount", "Type"})
                yield name, place
            else:
                yield from destinations(each)


def watched_about(watched: list[dict[str, Any]], metric: str) -> set[str]:
    return {named(each["Dimensions"][0]["Value"]) for each in watched if each["MetricName"] == metric}


def test_every_queue_for_what_failed_has_an_alarm_on_what_lies_in_it(
    watched: list[dict[str, Any]], template: dict[str, Any]
) -> None:
    resources = template["Resources"]
    places = {named(place) for each in resources.values() for _, place in destinations(each.get("Properties", {}))}
    queues = {name for name in places if resources[name]["Type"] == "AWS::SQS::Queue"}
    assert queues and queues - watched_about(watched, "ApproximateNumberOfMessagesVisible") == set()
    assert {resources[name]["Type"] for name in places - queues} == {"AWS::S3::Bucket"}


def test_every_mapping_that_sets_aside_has_an_alarm_on_what_it_sets_aside_and_on_what_it_cannot(
    watched: list[dict[str, Any]], of_type: OfType
) -> None:
    mappings = {name: each["Properties"] for name, each in of_type("AWS::Lambda::EventSourceMapping").items()}
    setting_aside = {name: named(each["FunctionName"]) for name, each in mappings.items() if list(destinations(each))}
    assert setting_aside.keys() == watched_about(watched, "OnFailureDestinationDeliveredEventCount")
    asynchronous = {named(each["Properties"]["FunctionName"]) for each in failing(of_type)}
    failed = watched_about(watched, "DestinationDeliveryFailures")
    assert failed == set(setting_aside.values()) | asynchronous


def failing(of_type: OfType) -> list[dict[str, Any]]:
    configurations = of_type("AWS::Lambda::EventInvokeConfig").values()
    return [each for each in configurations if list(destinations(each["Properties"]))]


def test_every_mapping_of_a_stream_that_sets_nothing_aside_has_an_alarm_on_what_it_drops(
    watched: list[dict[str, Any]], of_type: OfType
) -> None:
    mappings = {name: each["Properties"] for name, each in of_type("AWS::Lambda::EventSourceMapping").items()}
    streams = {name: each for name, each in mappings.items() if "StartingPosition" in each}
    dropping = {name for name, each in streams.items() if not list(destinations(each))}
    assert dropping == watched_about(watched, "DroppedEventCount")


def test_every_delivery_to_the_archive_has_an_alarm_on_what_is_not_written(
    watched: list[dict[str, Any]], of_type: OfType
) -> None:
    assert watched_about(watched, "DeliveryToS3.DataFreshness") == set(of_type("AWS::KinesisFirehose::DeliveryStream"))


def test_every_rule_and_schedule_has_a_place_for_what_it_could_not_deliver_or_an_alarm_on_itself(
    watched: list[dict[str, Any]], of_type: OfType
) -> None:
    senders = of_type("AWS::Events::Rule") | of_type("AWS::Scheduler::Schedule")
    lost = {name for name, each in senders.items() if not list(destinations(each["Properties"]))}
    assert lost <= watched_about(watched, "TriggeredRules")
