"""Two stacks fit into one account, and whoever needs a name finds it among the outputs."""

from __future__ import annotations

import json
from typing import Any

NAME_OF = {
    "AWS::DynamoDB::Table": "TableName",
    "AWS::Events::Rule": "Name",
    "AWS::IAM::Role": "RoleName",
    "AWS::Kinesis::Stream": "Name",
    "AWS::KinesisFirehose::DeliveryStream": "DeliveryStreamName",
    "AWS::Lambda::Function": "FunctionName",
    "AWS::Logs::LogGroup": "LogGroupName",
    "AWS::Logs::LogStream": "LogStreamName",
    "AWS::S3::Bucket": "BucketName",
    "AWS::Scheduler::Schedule": "Name",
    "AWS::CloudWatch::Alarm": "AlarmName",
    "AWS::SNS::Topic": "TopicName",
    "AWS::SQS::Queue": "QueueName",
    "AWS::StepFunctions::StateMachine": "StateMachineName",
}

NAME_REQUIRED_OF = {
    "AWS::Athena::WorkGroup": "Name",
    "AWS::Events::EventBus": "Name",
    "AWS::Glue::Database": "DatabaseInput",
    "AWS::KMS::Alias": "AliasName",
    # SAM gives it the same in every stack.
    "AWS::Lambda::LayerVersion": "LayerName",
    "AWS::SageMaker::ModelPackageGroup": "ModelPackageGroupName",
}

NAMED_ALL_THE_SAME = {
    # A rule and a function know the slots' alarms by their prefix.
    *(f"Slot{slot}{kind}Alarm" for slot in "AB" for kind in ("Errors", "Latency", "Fallback", "BlockRate")),
    # As they do the model's.
    "RetrainDriftAlarm",
    "RetrainModelQualityAlarm",
    # Log delivery treats groups below /aws/vendedlogs alike; others fill up the account's resource policy.
    "DriftMachineLogGroup",
    "MonitoringMachineLogGroup",
    "RetrainingMachineLogGroup",
    "RolloutMachineLogGroup",
}

OUTPUTS = {
    "AbortRolloutFunctionName",
    "AlarmTopicArn",
    "AnswerUrl",
    "ArchiveBucketName",
    "ArchiveDatabaseName",
    "DataKeyArn",
    "DecisionTableName",
    "EndpointSlotA",
    "EndpointSlotB",
    "EntityTableName",
    "DriftMachineArn",
    "EventBusName",
    "LabelDeadLetterQueueUrl",
    "LabelQueueUrl",
    "MetricsNamespace",
    "ModelImageUri",
    "ModelPackageGroupName",
    "MonitoringJobRoleArn",
    "MonitoringMachineArn",
    "QuarantineBucketName",
    "QueryWorkGroupName",
    "RetrainingJobRoleArn",
    "RetrainingMachineArn",
    "RolloutMachineArn",
    "RolloutTableName",
    "SageMakerExecutionRoleArn",
    "SteerRolloutFunctionName",
    "TransactionStreamName",
}


def test_names_are_generated(template: dict[str, Any]) -> None:
    named = {
        name
        for name, resource in template["Resources"].items()
        if resource["Type"] in NAME_OF and NAME_OF[resource["Type"]] in resource["Properties"]
    }
    assert named == NAMED_ALL_THE_SAME


def test_names_that_are_not_generated_come_from_the_stack(template: dict[str, Any]) -> None:
    for resource in (template["Resources"][name] for name in NAMED_ALL_THE_SAME):
        assert "${AWS::StackName}-" in resource["Properties"][NAME_OF[resource["Type"]]]["Fn::Sub"]


def test_names_that_cannot_be_generated_come_from_the_stack(template: dict[str, Any]) -> None:
    for resource in template["Resources"].values():
        if resource["Type"] in NAME_REQUIRED_OF:
            assert "AWS::StackName" in json.dumps(resource["Properties"][NAME_REQUIRED_OF[resource["Type"]]])


def test_the_name_of_a_retained_group_is_not_taken_again_by_the_next_stack(template: dict[str, Any]) -> None:
    group = template["Resources"]["ModelPackageGroup"]["Properties"]["ModelPackageGroupName"]
    assert "AWS::StackId" in json.dumps(group)
    assert template["Outputs"]["ModelPackageGroupName"]["Value"] == group


def test_outputs_are_complete_and_each_says_what_it_is(template: dict[str, Any]) -> None:
    outputs = template["Outputs"]
    assert set(outputs) == OUTPUTS
    assert [name for name, output in outputs.items() if not output.get("Description")] == []


def test_slots_are_named_after_the_stack(template: dict[str, Any]) -> None:
    slots = [template["Outputs"][name]["Value"] for name in ("EndpointSlotA", "EndpointSlotB")]
    assert slots == [{"Fn::Sub": "${AWS::StackName}-a"}, {"Fn::Sub": "${AWS::StackName}-b"}]


def test_endpoints_are_the_applications_and_not_the_stacks(template: dict[str, Any]) -> None:
    kinds = {resource["Type"] for resource in template["Resources"].values()}
    assert not kinds & {"AWS::SageMaker::Endpoint", "AWS::SageMaker::EndpointConfig", "AWS::SageMaker::Model"}


def test_the_models_image_is_known_in_every_region_of_the_map(template: dict[str, Any]) -> None:
    registry = template["Mappings"]["XGBoostRegistry"]
    accounts = [each["Account"] for each in registry.values()]
    assert len(registry) >= 29
    assert all(isinstance(account, str) and len(account) == 12 for account in accounts)
    assert template["Outputs"]["ModelImageUri"]["Value"]["Fn::Sub"][0].endswith("/sagemaker-xgboost:3.2-0")
