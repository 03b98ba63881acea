"""The customer's own key encrypts whatever is at rest."""

from __future__ import annotations

from functools import reduce
from typing import Any

import pytest

DATA_KEY = {"Fn::GetAtt": ["DataKey", "Arn"]}

KEY_OF = {
    "AWS::Athena::WorkGroup": ["WorkGroupConfiguration.ResultConfiguration.EncryptionConfiguration.KmsKey"],
    "AWS::DynamoDB::Table": ["SSESpecification.KMSMasterKeyId"],
    "AWS::Events::EventBus": ["KmsKeyIdentifier"],
    "AWS::Kinesis::Stream": ["StreamEncryption.KeyId"],
    "AWS::KinesisFirehose::DeliveryStream": [
        "DeliveryStreamEncryptionConfigurationInput.KeyARN",
        "ExtendedS3DestinationConfiguration.EncryptionConfiguration.KMSEncryptionConfig.AWSKMSKeyARN",
    ],
    "AWS::Lambda::Function": ["KmsKeyArn"],
    "AWS::Logs::LogGroup": ["KmsKeyId"],
    "AWS::S3::Bucket": [
        "BucketEncryption.ServerSideEncryptionConfiguration.0.ServerSideEncryptionByDefault.KMSMasterKeyID"
    ],
    "AWS::SNS::Topic": ["KmsMasterKeyId"],
    "AWS::SQS::Queue": ["KmsMasterKeyId"],
}

WITHOUT_THE_DATA_KEY = {
    "EventDeadLetterQueue.KmsMasterKeyId",
    "MonitoringDeadLetterQueue.KmsMasterKeyId",
    "RetrainingDeadLetterQueue.KmsMasterKeyId",
    "RolloutDeadLetterQueue.KmsMasterKeyId",
}
"""They take the events for which the data key was not to be had, or may not have been."""

WITH_A_KEY_OF_AWS = {"AWS::StepFunctions::StateMachine"}
"""SAM knows no other, and machines' histories hold nothing of a card."""

NOTHING_AT_REST = {
    # A trail keeps nothing itself: its files lie in its bucket, its lines in its log group.
    "AWS::CloudTrail::Trail",
    "AWS::Budgets::Budget",
    "AWS::CloudWatch::Alarm",
    "AWS::CloudWatch::Dashboard",
    "AWS::Config::ConfigRule",
    "AWS::Config::ConfigurationRecorder",
    "AWS::Config::DeliveryChannel",
    # What flow logs say lies in their log group.
    "AWS::EC2::FlowLog",
    "AWS::EC2::NetworkAcl",
    "AWS::EC2::NetworkAclEntry",
    "AWS::EC2::RouteTable",
    "AWS::EC2::SecurityGroup",
    "AWS::EC2::SecurityGroupIngress",
    "AWS::EC2::Subnet",
    "AWS::EC2::SubnetNetworkAclAssociation",
    "AWS::EC2::SubnetRouteTableAssociation",
    "AWS::EC2::VPC",
    "AWS::EC2::VPCEndpoint",
    "AWS::Events::Rule",
    "AWS::Glue::Database",
    "AWS::Glue::Table",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::Policy",
    "AWS::IAM::Role",
    "AWS::KMS::Alias",
    "AWS::KMS::Key",
    "AWS::Kinesis::StreamConsumer",
    "AWS::Lambda::EventInvokeConfig",
    "AWS::Lambda::EventSourceMapping",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Permission",
    "AWS::Lambda::Url",
    "AWS::Logs::LogStream",
    "AWS::Logs::MetricFilter",
    "AWS::Logs::QueryDefinition",
    "AWS::S3::BucketPolicy",
    "AWS::SNS::Subscription",
    "AWS::SNS::TopicPolicy",
    "AWS::SQS::QueuePolicy",
    "AWS::SageMaker::ModelPackageGroup",
    "AWS::Scheduler::Schedule",
}


def at(properties: Any, path: str) -> Any:
    return reduce(
        lambda value, step: value[int(step)] if step.isdigit() else value.get(step, {}), path.split("."), properties
    )


def test_every_resource_that_keeps_data_names_the_data_key(template: dict[str, Any]) -> None:
    keys = {
        f"{name}.{path}": at(resource["Properties"], path)
        for name, resource in template["Resources"].items()
        for path in KEY_OF.get(resource["Type"], [])
    }
    assert len(keys) > len(KEY_OF)
    assert {path for path, key in keys.items() if key != DATA_KEY} == WITHOUT_THE_DATA_KEY


@pytest.mark.parametrize("name", sorted(path.partition(".")[0] for path in WITHOUT_THE_DATA_KEY))
def test_a_queue_without_the_data_key_is_encrypted_by_sqs(template: dict[str, Any], name: str) -> None:
    queue = template["Resources"][name]["Properties"]
    assert queue["SqsManagedSseEnabled"] is True and "KmsMasterKeyId" not in queue


def test_every_type_of_resource_is_known_to_keep_data_or_not(template: dict[str, Any]) -> None:
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert kinds - set(KEY_OF) - NOTHING_AT_REST - WITH_A_KEY_OF_AWS == set()


def test_the_data_key_admits_logs_of_this_stack_only(template: dict[str, Any]) -> None:
    policy = template["Resources"]["DataKey"]["Properties"]["KeyPolicy"]
    (logs,) = [each for each in policy["Statement"] if each.get("Sid") == "LogsEncryptsTheLogGroupsOfThisStack"]
    groups = "arn:${AWS::Partition}:logs:${AWS::Region}:${AWS::AccountId}:log-group:"
    names = ["${AWS::StackName}-*", "/aws/vendedlogs/states/${AWS::StackName}-*"]
    arns = [{"Fn::Sub": groups + name} for name in names]
    assert logs["Condition"] == {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": arns}}


def test_the_data_key_rotates_and_admits_only_this_account_and_these_services(template: dict[str, Any]) -> None:
    key = template["Resources"]["DataKey"]["Properties"]
    assert key["EnableKeyRotation"] is True
    certain = [each for each in key["KeyPolicy"]["Statement"] if "Fn::If" not in each]
    assert [each["Principal"] for each in certain] == [
        {"AWS": {"Fn::Sub": "arn:${AWS::Partition}:iam::${AWS::AccountId}:root"}},
        {"Service": {"Fn::Sub": "logs.${AWS::Region}.${AWS::URLSuffix}"}},
        {"Service": "events.amazonaws.com"},
        {"Service": "events.amazonaws.com"},
        {"Service": "budgets.amazonaws.com"},
        {"Service": "cloudwatch.amazonaws.com"},
    ]
    assert all("Condition" in each for each in certain if "Service" in each["Principal"])


def test_an_administrator_of_the_data_key_cannot_use_it(template: dict[str, Any]) -> None:
    (optional,) = [
        each
        for each in template["Resources"]["DataKey"]["Properties"]["KeyPolicy"]["Statement"]
        if each.get("Fn::If", [""])[0] == "HasKeyAdministrator"
    ]
    _, statement, otherwise = optional["Fn::If"]
    assert otherwise == {"Ref": "AWS::NoValue"}
    forbidden = ("Decrypt", "Encrypt", "GenerateDataKey", "CreateGrant", "*")
    assert [action for action in statement["Action"] if any(word in action for word in forbidden)] == []
