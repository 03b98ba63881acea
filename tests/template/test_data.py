"""Data outlives the stack, for as long as was asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]


def test_tables_buckets_models_and_the_key_outlive_the_stack(of_type: OfType) -> None:
    kinds = ["AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::KMS::Key", "AWS::SageMaker::ModelPackageGroup"]
    kept = {name: resource for kind in kinds for name, resource in of_type(kind).items()}
    assert len(kept) == 9
    policies = {name: (each.get("DeletionPolicy"), each.get("UpdateReplacePolicy")) for name, each in kept.items()}
    assert policies == dict.fromkeys(kept, ("Retain", "Retain"))


def test_queues_outlive_the_stack_and_the_stream_which_costs_by_the_hour_does_not(of_type: OfType) -> None:
    policies = {
        name: (each.get("DeletionPolicy"), each.get("UpdateReplacePolicy"))
        for name, each in (of_type("AWS::SQS::Queue") | of_type("AWS::Kinesis::Stream")).items()
    }
    assert policies == {
        "EventDeadLetterQueue": ("RetainExceptOnCreate", "Retain"),
        "LabelDeadLetterQueue": ("RetainExceptOnCreate", "Retain"),
        "LabelQueue": ("RetainExceptOnCreate", "Retain"),
        "RetrainingDeadLetterQueue": ("RetainExceptOnCreate", "Retain"),
        "MonitoringDeadLetterQueue": ("RetainExceptOnCreate", "Retain"),
        "RolloutDeadLetterQueue": ("RetainExceptOnCreate", "Retain"),
        "TransactionStream": ("Delete", "Retain"),
    }


def test_dead_letters_are_kept_for_as_long_as_sqs_keeps_any(of_type: OfType) -> None:
    kept = {name: each["Properties"]["MessageRetentionPeriod"] for name, each in of_type("AWS::SQS::Queue").items()}
    assert set(kept.values()) == {14 * 86400}


def test_an_event_that_the_bus_could_not_encrypt_goes_to_its_dead_letter_queue(template: dict[str, Any]) -> None:
    bus = template["Resources"]["EventBus"]["Properties"]
    assert bus["DeadLetterConfig"] == {"Arn": {"Fn::GetAtt": ["EventDeadLetterQueue", "Arn"]}}
    policy = template["Resources"]["EventDeadLetterQueuePolicy"]["Properties"]
    _, allow = policy["PolicyDocument"]["Statement"]
    assert (allow["Principal"], allow["Action"]) == ({"Service": "events.amazonaws.com"}, "sqs:SendMessage")
    assert allow["Condition"] == {"ArnEquals": {"aws:SourceArn": {"Fn::GetAtt": ["EventBus", "Arn"]}}}


def test_tables_are_on_demand_and_recoverable_to_a_point_in_time(of_type: OfType) -> None:
    for table in of_type("AWS::DynamoDB::Table").values():
        assert table["Properties"]["BillingMode"] == "PAY_PER_REQUEST"
        assert table["Properties"]["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}


def test_what_says_that_it_expires_does(of_type: OfType) -> None:
    """Of the rollout table, only the shadow's notes say so."""
    lives = {
        name: each["Properties"].get("TimeToLiveSpecification")
        for name, each in of_type("AWS::DynamoDB::Table").items()
    }
    expiring = {"AttributeName": "expires_at", "Enabled": True}
    assert lives == dict.fromkeys(("EntityTable", "DecisionTable", "RolloutTable"), expiring)


def test_decisions_have_a_stream_of_what_they_became(template: dict[str, Any]) -> None:
    decisions = template["Resources"]["DecisionTable"]["Properties"]
    assert decisions["StreamSpecification"] == {"StreamViewType": "NEW_IMAGE"}


def test_decisions_are_found_by_review_queue_and_by_card(template: dict[str, Any]) -> None:
    indexes = template["Resources"]["DecisionTable"]["Properties"]["GlobalSecondaryIndexes"]
    keys = {each["IndexName"]: [key["AttributeName"] for key in each["KeySchema"]] for each in indexes}
    assert keys == {"review-queue": ["review_queue", "decided_at"], "card": ["card_token", "occurred_at"]}
    assert {each["Projection"]["ProjectionType"] for each in indexes} == {"KEYS_ONLY"}


def test_buckets_keep_versions_and_have_a_lifecycle(of_type: OfType) -> None:
    for bucket in of_type("AWS::S3::Bucket").values():
        assert bucket["Properties"]["VersioningConfiguration"] == {"Status": "Enabled"}
        rules = bucket["Properties"]["LifecycleConfiguration"]["Rules"]
        assert any("AbortIncompleteMultipartUpload" in rule and "Prefix" not in rule for rule in rules)


def test_models_are_never_removed_from_the_archive(template: dict[str, Any]) -> None:
    rules = template["Resources"]["ArchiveBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    expiring = [rule.get("Prefix", "") for rule in rules if "ExpirationInDays" in rule]
    monitoring = ["monitoring/datasets/", "monitoring/model-monitor/", "monitoring/windows/"]
    assert sorted(expiring) == ["capture/", "decisions/", "labels/", *monitoring, "queries/", "retraining/"]


def test_what_holds_cards_is_kept_no_longer_than_the_decisions_that_it_comes_from(template: dict[str, Any]) -> None:
    rules = template["Resources"]["ArchiveBucket"]["Properties"]["LifecycleConfiguration"]["Rules"]
    kept = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "Prefix" in rule}
    retention = {"Ref": "ArchiveRetentionDays"}
    lasting = ("decisions/", "labels/", "retraining/", "monitoring/windows/", "monitoring/model-monitor/")
    assert kept == dict.fromkeys(lasting, retention) | {"queries/": 7, "monitoring/datasets/": 3, "capture/": 7}


def test_archives_are_partitioned_by_day_and_compressed(of_type: OfType) -> None:
    prefixes = set()
    for stream in of_type("AWS::KinesisFirehose::DeliveryStream").values():
        destination = stream["Properties"]["ExtendedS3DestinationConfiguration"]
        assert destination["BucketARN"] == {"Fn::GetAtt": ["ArchiveBucket", "Arn"]}
        assert destination["CompressionFormat"] == "GZIP"
        assert destination["ErrorOutputPrefix"].startswith("errors/")
        prefixes.add(destination["Prefix"])
    assert prefixes == {"decisions/dt=!{timestamp:yyyy-MM-dd}/", "labels/dt=!{timestamp:yyyy-MM-dd}/"}


def test_log_groups_are_kept_for_as_long_as_the_parameter_says(of_type: OfType) -> None:
    retention = {
        name: each["Properties"].get("RetentionInDays") for name, each in of_type("AWS::Logs::LogGroup").items()
    }
    assert [name for name, days in retention.items() if days != {"Ref": "LogRetentionDays"}] == []
