"""What AWS's services do with a role without a call of ours, derived from the template; each rule names its source.

"Lambda guide" is the AWS Lambda developer guide, and so on; pages are named by their titles.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from tests.permissions.granted import Need, Resources, canonical, needs, of_type
from tests.permissions.machines import log_delivery, machines

Rule = Callable[[Resources], Iterator[Need]]


# --- Lambda -----------------------------------------------------------------------------------------------------------

READING = {
    "Kinesis": ("DescribeStream", "DescribeStreamSummary", "GetRecords", "GetShardIterator", "ListShards"),
    "DynamoDB": ("DescribeStream", "GetRecords", "GetShardIterator"),
    "SQS": ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage"),
}
SUBSCRIBING = "kinesis:SubscribeToShard"


def logs(resources: Resources) -> Iterator[Need]:
    """Lambda guide, "Sending Lambda function logs to CloudWatch Logs"; the group is the template's."""
    for _, function in of_type(resources, "AWS::Lambda::Function"):
        group = canonical(function["LoggingConfig"]["LogGroup"])
        yield from needs(function["Role"], ("logs:CreateLogStream", "logs:PutLogEvents"), group)


def environments(resources: Resources) -> Iterator[Need]:
    """Lambda guide, "Securing Lambda environment variables": decrypted with the function's role."""
    for _, function in of_type(resources, "AWS::Lambda::Function"):
        if "Environment" in function:
            yield from needs(function["Role"], ("kms:Decrypt",), f"{canonical(function['KmsKeyArn'])} via lambda")


def event_sources(resources: Resources) -> Iterator[Need]:
    """Lambda guide, "Process ... records with Lambda" of Kinesis and DynamoDB, "Configuring an SQS event source"."""
    for _, mapping in of_type(resources, "AWS::Lambda::EventSourceMapping"):
        consumer, source = _read_by(mapping["EventSourceArn"])
        service = resources[source.partition(".")[0]]["Type"].split("::")[1]
        role = resources[mapping["FunctionName"]["Ref"]]["Properties"]["Role"]
        if consumer:
            # "Configuring permissions for Kinesis", enhanced fan-out; a consumer's ARN ends with when it was made.
            name = resources[consumer]["Properties"]["ConsumerName"]
            yield from needs(role, (SUBSCRIBING,), f"{source}/consumer/{name}:*")
        yield from needs(role, (f"{service.lower()}:{each}" for each in READING[service]), source)
        if service == "DynamoDB":
            yield from needs(role, ("dynamodb:ListStreams",), "*")


def _read_by(arn: dict[str, Any]) -> tuple[str | None, str]:
    """The consumer of a mapping's stream, where it may have one, and what is read."""
    if "Fn::If" not in arn:
        return None, canonical(arn)
    _, consumer, stream = arn["Fn::If"]
    return canonical(consumer).partition(".")[0], canonical(stream)


def failures(resources: Resources) -> Iterator[Need]:
    """Lambda guide, "Retaining discarded records" (S3 and its prefix) and "Capturing records of ... invocations"."""
    for kind in ("AWS::Lambda::EventSourceMapping", "AWS::Lambda::EventInvokeConfig"):
        for _, failing in of_type(resources, kind):
            destination = failing.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
            if destination is None:
                continue
            place = canonical(destination)
            role = resources[failing["FunctionName"]["Ref"]]["Properties"]["Role"]
            if resources[place]["Type"] == "AWS::S3::Bucket":
                yield from needs(role, ("s3:PutObject",), f"{place}/aws/lambda/*")
                yield from needs(role, ("s3:ListBucket",), place)
            else:
                yield from needs(role, ("sqs:SendMessage",), place)


NETWORK = (
    "AssignPrivateIpAddresses",
    "CreateNetworkInterface",
    "DeleteNetworkInterface",
    "DescribeNetworkInterfaces",
    "DescribeSubnets",
    "UnassignPrivateIpAddresses",
)
TRACES = ("GetSamplingRules", "GetSamplingTargets", "PutTelemetryRecords", "PutTraceSegments")


def networks(resources: Resources) -> Iterator[Need]:
    """Lambda guide, "Giving Lambda functions access to resources in an Amazon VPC": no resource is known before."""
    for _, function in of_type(resources, "AWS::Lambda::Function"):
        if "VpcConfig" in function:
            yield from needs(function["Role"], (f"ec2:{each}" for each in NETWORK), "*")


def traces(resources: Resources) -> Iterator[Need]:
    """X-Ray guide, "How AWS X-Ray works with IAM"; Step Functions guide, "X-Ray and Step Functions": the same four."""
    for _, function in of_type(resources, "AWS::Lambda::Function"):
        if "TracingConfig" in function:
            yield from needs(function["Role"], (f"xray:{each}" for each in TRACES), "*")
    for _, machine in of_type(resources, "AWS::StepFunctions::StateMachine"):
        if "TracingConfiguration" in machine:
            yield from needs(machine["RoleArn"], (f"xray:{each}" for each in TRACES), "*")


# --- EventBridge, Scheduler -------------------------------------------------------------------------------------------


def starts(resources: Resources) -> Iterator[Need]:
    """EventBridge guide, "Using identity-based policies"; Scheduler guide, "Execution role", "Dead-letter queue"."""
    targets = [each for _, rule in of_type(resources, "AWS::Events::Rule") for each in rule.get("Targets", [])]
    schedules = [each["Target"] for _, each in of_type(resources, "AWS::Scheduler::Schedule")]
    for target in targets + schedules:
        if "RoleArn" in target:
            yield from needs(target["RoleArn"], ("states:StartExecution",), canonical(target["Arn"]))
    for target in schedules:
        yield from needs(target["RoleArn"], ("sqs:SendMessage",), canonical(target["DeadLetterConfig"]["Arn"]))


# --- Firehose ---------------------------------------------------------------------------------------------------------


def delivery(resources: Resources) -> Iterator[Need]:
    """Firehose guide, "Grant Firehose access to an Amazon S3 destination"."""
    for _, stream in of_type(resources, "AWS::KinesisFirehose::DeliveryStream"):
        target = stream["ExtendedS3DestinationConfiguration"]
        role, bucket = target["RoleARN"], canonical(target["BucketARN"])
        yield from needs(role, ("s3:GetBucketLocation", "s3:ListBucket", "s3:ListBucketMultipartUploads"), bucket)
        for prefix in {target["Prefix"].split("/")[0], target["ErrorOutputPrefix"].split("/")[0]}:
            actions = ("s3:AbortMultipartUpload", "s3:GetObject", "s3:PutObject")
            yield from needs(role, actions, f"{bucket}/{prefix}/*")
        yield from needs(role, ("kms:Decrypt", "kms:GenerateDataKey"), "DataKey via s3")
        yield from needs(role, ("logs:PutLogEvents",), canonical(target["CloudWatchLoggingOptions"]["LogGroupName"]))


# --- CloudTrail, VPC -------------------------------------------------------------------------------------------------


def audit(resources: Resources) -> Iterator[Need]:
    """CloudTrail guide, "Role policy document for CloudTrail to use CloudWatch Logs": streams of its own name."""
    for _, trail in of_type(resources, "AWS::CloudTrail::Trail"):
        if "CloudWatchLogsRoleArn" in trail:
            group = canonical(trail["CloudWatchLogsLogGroupArn"])
            stream = f"logs:log-group:{group}:log-stream:${{AWS::AccountId}}_CloudTrail_*"
            yield from needs(trail["CloudWatchLogsRoleArn"], ("logs:CreateLogStream", "logs:PutLogEvents"), stream)


def flow_logs(resources: Resources) -> Iterator[Need]:
    """VPC guide, "IAM role for publishing flow logs to CloudWatch Logs"; the group is the template's."""
    for _, log in of_type(resources, "AWS::EC2::FlowLog"):
        role, group = log["DeliverLogsPermissionArn"], canonical(log["LogGroupName"])
        yield from needs(role, ("logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"), group)
        yield from needs(role, ("logs:DescribeLogGroups",), "*")


# --- SageMaker --------------------------------------------------------------------------------------------------------

PLACES = {
    "RetrainingJobRole": (("history", "models", "retraining", "source"), ("retraining",)),
    "MonitoringJobRole": (("capture", "models", "monitoring", "source"), ("monitoring",)),
    "SageMakerExecutionRole": (("models",), ("capture",)),
}
"""Where jobs and endpoints read and write; their locations are values that a run is told, held below these prefixes by
tests/template/test_retraining_permissions.py and test_monitoring_permissions.py."""
IMAGES = {
    "RetrainingJobRole": ("sagemaker-xgboost",),
    "MonitoringJobRole": ("sagemaker-xgboost", "sagemaker-model-monitor-analyzer"),
    "SageMakerExecutionRole": ("sagemaker-xgboost",),
}
PULLING = ("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer")
LOGGING = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents")


def sagemaker(resources: Resources) -> Iterator[Need]:
    """SageMaker guide, "How to use SageMaker AI execution roles": CreateModel, CreateTrainingJob, CreateProcessingJob.

    Volumes and outputs are encrypted with our key, for which the guide asks for CreateGrant and DescribeKey.
    """
    for role, (read, written) in PLACES.items():
        yield from needs(role, ("s3:GetObject",), *(f"ArchiveBucket/{each}/*" for each in read))
        yield from needs(role, ("s3:PutObject",), *(f"ArchiveBucket/{each}/*" for each in written))
        yield from needs(role, ("s3:GetBucketLocation", "s3:ListBucket"), "ArchiveBucket")
        yield from needs(role, PULLING, *(f"ecr:repository/{each}" for each in IMAGES[role]))
        yield from needs(role, LOGGING, "logs:log-group:/aws/sagemaker/*")
        yield from needs(role, ("cloudwatch:PutMetricData", "ecr:GetAuthorizationToken"), "*")
        yield from needs(role, ("kms:CreateGrant", "kms:DescribeKey"), "DataKey")
        if role.endswith("JobRole"):  # an artefact of gigabytes is uploaded in parts, and encrypted by the job itself
            yield from needs(role, ("s3:AbortMultipartUpload",), *(f"ArchiveBucket/{each}/*" for each in written))
            yield from needs(role, ("kms:Encrypt",), "DataKey via s3")


SCALED = (
    ("sagemaker:UpdateEndpointWeightsAndCapacities", "sagemaker:endpoint/${AWS::StackName}-a"),
    ("sagemaker:UpdateEndpointWeightsAndCapacities", "sagemaker:endpoint/${AWS::StackName}-b"),
    ("iam:CreateServiceLinkedRole", "iam:role/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/*"),
    *(
        (f"cloudwatch:{each}Alarm{ending}", "cloudwatch:alarm:TargetTracking-endpoint/${AWS::StackName}-*")
        for each, ending in (("Delete", "s"), ("PutMetric", ""))
    ),
    # As in AWS's own policy for it, which describes alarms everywhere.
    ("cloudwatch:DescribeAlarms", "cloudwatch:alarm:*"),
)
IN_CALLERS_NAMES = {
    "sagemaker:CreateModelPackage": (
        ("ecr:BatchGetImage", "ecr:repository/sagemaker-xgboost"),
        ("ecr:DescribeImages", "ecr:repository/sagemaker-xgboost"),
    ),
    "sagemaker:CreateEndpointConfig": (("kms:CreateGrant", "DataKey"), ("kms:DescribeKey", "DataKey")),
    "application-autoscaling:RegisterScalableTarget": SCALED,
}


def in_callers_names(known: Iterable[Need]) -> Iterator[Need]:
    """What a service asks for in its caller's name.

    SageMaker API reference, CreateModelPackage (its image), CreateEndpointConfig (KmsKeyId); Application Auto Scaling
    guide, "Permissions required for API actions on target services and CloudWatch".
    """
    for need in known:
        for action, place in IN_CALLERS_NAMES.get(need.action, ()):
            yield Need(need.role, action, place)


# --- KMS --------------------------------------------------------------------------------------------------------------

THROUGH = {
    "dynamodb": ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey*", "ReEncrypt*"),
    "firehose": ("GenerateDataKey*",),
    "kinesis": ("Decrypt",),
    "s3": ("Decrypt", "GenerateDataKey*"),
    "sns": ("Decrypt", "GenerateDataKey*"),
    "sqs": ("Decrypt",),
}
"""What a service asks of the key in its caller's name, by its own guide's page on encryption at rest."""
SERVED = {
    "AWS::DynamoDB::Table": "dynamodb",
    "AWS::KinesisFirehose::DeliveryStream": "firehose",
    "AWS::Kinesis::Stream": "kinesis",
    "AWS::S3::Bucket": "s3",
    "AWS::SNS::Topic": "sns",
    "AWS::SQS::Queue": "sqs",
}


def through_services(resources: Resources, known: Iterable[Need]) -> Iterator[Need]:
    """What reaches encrypted data needs the key through the service that keeps it; Firehose's guide lists its own."""
    listed = {need.role for need in delivery(resources)}
    for role, _, place in known:
        if role in listed:
            continue
        name = re.split(r"[./]", place)[0]
        kind = resources.get(name, {}).get("Type", "")
        if kind in SERVED and "DataKey" in json.dumps(resources[name]["Properties"]):
            service = SERVED[kind]
            yield from needs(role, (f"kms:{each}" for each in THROUGH[service]), f"DataKey via {service}")


RULES: tuple[Rule, ...] = (
    logs, environments, event_sources, failures, networks, traces,
    log_delivery, machines, starts, delivery, audit, flow_logs, sagemaker,
)  # fmt: skip


def derived(resources: Resources) -> set[Need]:
    return {need for rule in RULES for need in rule(resources)}
