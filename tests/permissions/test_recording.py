"""What a request on the wire is to IAM: requests as botocore makes them, and what AWS authorises them by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.awsrequest import AWSPreparedRequest

from local import calls
from local.environments import Function
from tests.permissions import recording

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/"
SAGEMAKER = "arn:aws:sagemaker:us-east-1:000000000000:"
KEY = {"pk": {"S": "rollout"}}
SESSION = boto3.Session("key", "secret", region_name="us-east-1")
EXECUTION = "arn:aws:states:us-east-1:000000000000:execution:machine:run"
TOPIC = "arn:aws:sns:us-east-1:000000000000:topic"


class _Caught(Exception):
    def __init__(self, request: AWSPreparedRequest) -> None:
        self.request = request


def sent(service: Any, operation: str, parameters: dict[str, Any]) -> set[tuple[str, str]]:
    """What is asked of IAM for a call."""
    client = SESSION.client(service, endpoint_url="http://127.0.0.1:1")
    client.meta.events.register("before-send", _catch)
    with pytest.raises(_Caught) as caught:
        getattr(client, operation)(**parameters)
    request = caught.value.request
    headers = {name.lower(): str(_text(value)) for name, value in request.headers.items()}
    address = urlsplit(request.url)
    body = request.body or b""
    body = body if isinstance(body, bytes) else body.read() if hasattr(body, "read") else str(body).encode()
    query = parse_qs(address.query, keep_blank_values=True)
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        query |= parse_qs(body.decode())
    return set(calls.needs(request.method, address.path, headers, body, query, "us-east-1"))


def _catch(request: AWSPreparedRequest, **_: Any) -> None:
    raise _Caught(request)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize(
    ("service", "operation", "parameters", "asked"),
    [
        ("dynamodb", "get_item", {"TableName": "t", "Key": KEY}, {("dynamodb:GetItem", TABLE + "t")}),
        (
            "dynamodb",
            "batch_get_item",
            {"RequestItems": {"t": {"Keys": [KEY]}, "u": {"Keys": [KEY]}}},
            {("dynamodb:BatchGetItem", TABLE + "t"), ("dynamodb:BatchGetItem", TABLE + "u")},
        ),
        (
            "dynamodb",
            "transact_write_items",
            {
                "TransactItems": [
                    {"Put": {"TableName": "t", "Item": KEY}},
                    {"Update": {"TableName": "u", "Key": KEY, "UpdateExpression": "SET a = b"}},
                    {"Delete": {"TableName": "t", "Key": KEY}},
                    {"ConditionCheck": {"TableName": "u", "Key": KEY, "ConditionExpression": "a = b"}},
                ]
            },
            {
                ("dynamodb:PutItem", TABLE + "t"),
                ("dynamodb:UpdateItem", TABLE + "u"),
                ("dynamodb:DeleteItem", TABLE + "t"),
                ("dynamodb:ConditionCheckItem", TABLE + "u"),
            },
        ),
        (
            "s3",
            "put_object",
            {"Bucket": "b", "Key": "poison/labels/dt=2026-01-01/x.jsonl", "Body": b"x"},
            {("s3:PutObject", "arn:aws:s3:::b/poison/labels/*")},
        ),
        ("s3", "head_object", {"Bucket": "b", "Key": "models/9f/x"}, {("s3:GetObject", "arn:aws:s3:::b/models/*")}),
        ("s3", "list_objects_v2", {"Bucket": "b", "Prefix": "models/"}, {("s3:ListBucket", "arn:aws:s3:::b")}),
        ("sns", "publish", {"TopicArn": TOPIC, "Message": "m"}, {("sns:Publish", TOPIC)}),
        (
            "events",
            "put_events",
            {"Entries": [{"EventBusName": "bus", "Source": "s", "DetailType": "d", "Detail": "{}"}]},
            {("events:PutEvents", "arn:aws:events:us-east-1:000000000000:event-bus/bus")},
        ),
        (
            "firehose",
            "put_record_batch",
            {"DeliveryStreamName": "f", "Records": [{"Data": b"x"}]},
            {("firehose:PutRecordBatch", "arn:aws:firehose:us-east-1:000000000000:deliverystream/f")},
        ),
        ("stepfunctions", "describe_execution", {"executionArn": EXECUTION}, {("states:DescribeExecution", EXECUTION)}),
        ("stepfunctions", "send_task_success", {"taskToken": "t", "output": "{}"}, {("states:SendTaskSuccess", "*")}),
        (
            "cloudwatch",
            "put_metric_data",
            {"Namespace": "n", "MetricData": [{"MetricName": "m", "Value": 1.0}]},
            {("cloudwatch:PutMetricData", "*")},
        ),
        (
            "cloudwatch",
            "describe_alarm_history",
            {"AlarmName": "a"},
            {("cloudwatch:DescribeAlarmHistory", "arn:aws:cloudwatch:us-east-1:000000000000:alarm:a")},
        ),
        (
            "sagemaker-runtime",
            "invoke_endpoint",
            {"EndpointName": "e", "Body": b"1"},
            {("sagemaker:InvokeEndpoint", SAGEMAKER + "endpoint/e")},
        ),
        (
            "sagemaker",
            "create_endpoint",
            {"EndpointName": "e", "EndpointConfigName": "c"},
            {
                ("sagemaker:CreateEndpoint", SAGEMAKER + "endpoint/e"),
                ("sagemaker:CreateEndpoint", SAGEMAKER + "endpoint-config/c"),
            },
        ),
        (
            "sagemaker",
            "create_model",
            {
                "ModelName": "m",
                "ExecutionRoleArn": "arn:aws:iam::000000000000:role/r",
                "Containers": [{"ModelPackageName": SAGEMAKER + "model-package/g/1"}],
            },
            {
                ("sagemaker:CreateModel", SAGEMAKER + "model/m"),
                ("sagemaker:CreateModel", SAGEMAKER + "model-package/g/1"),
                ("iam:PassRole", "arn:aws:iam::000000000000:role/r"),
            },
        ),
        (
            "application-autoscaling",
            "deregister_scalable_target",
            {
                "ServiceNamespace": "sagemaker",
                "ResourceId": "endpoint/e/variant/v",
                "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
            },
            {
                (
                    "application-autoscaling:DeregisterScalableTarget",
                    "arn:aws:application-autoscaling:us-east-1:000000000000:scalable-target/*",
                )
            },
        ),
        (
            "application-autoscaling",
            "describe_scalable_targets",
            {"ServiceNamespace": "sagemaker"},
            {("application-autoscaling:DescribeScalableTargets", "*")},
        ),
        (
            "sagemaker",
            "list_data_quality_job_definitions",
            {"EndpointName": "e"},
            {("sagemaker:ListDataQualityJobDefinitions", "*")},
        ),
    ],
)
def test_a_call_is_what_iam_is_asked_for(
    service: str, operation: str, parameters: dict[str, Any], asked: set[tuple[str, str]]
) -> None:
    assert sent(service, operation, parameters) == asked


NAMES = {
    ("dynamodb", "s-table"): "EntityTable",
    ("s3", "bucket"): "ArchiveBucket",
    ("states", "machine"): "RetrainingMachine",
    ("sagemaker", "s-1"): "ModelPackageGroup",
    ("events", "s"): "EventBus",
}


@pytest.mark.parametrize(
    ("resource", "written"),
    [
        ("*", "*"),
        (TABLE + "s-table", "EntityTable"),
        ("arn:aws:s3:::bucket/models/*", "ArchiveBucket/models/*"),
        ("arn:aws:s3:::bucket", "ArchiveBucket"),
        ("arn:aws:events:us-east-1:000000000000:event-bus/s", "EventBus"),
        (EXECUTION, "states:execution:RetrainingMachine:*"),
        (SAGEMAKER + "model-package/s-1/7", "sagemaker:model-package/ModelPackageGroup/*"),
        (SAGEMAKER + "endpoint/s-a", "sagemaker:endpoint/${AWS::StackName}-a"),
        (SAGEMAKER + "model/s-a-v12-3bb58c1b", "sagemaker:model/${AWS::StackName}-a-v*"),
        (
            SAGEMAKER + "training-job/s-0123456789ab-train",
            "sagemaker:training-job/${AWS::StackName}-????????????-train",
        ),
        (
            SAGEMAKER + "monitoring-schedule/s-b-data-quality",
            "sagemaker:monitoring-schedule/${AWS::StackName}-?-data-quality",
        ),
    ],
)
def test_a_resource_is_written_as_policies_write_it(resource: str, written: str) -> None:
    assert calls.canonical(resource, "s", NAMES) == written


def test_a_function_has_the_credentials_of_its_role() -> None:
    configuration = {
        "FunctionName": "f",
        "FunctionArn": "arn:aws:lambda:us-east-1:000000000000:function:f",
        "Role": "arn:aws:iam::000000000000:role/s-ScoreTransactionsRole-1",
        "Handler": "h.handler",
        "LoggingConfig": {"LogGroup": "g"},
    }
    assert Function.from_configuration(configuration, Path()).role == "s-ScoreTransactionsRole-1"


def test_calls_that_are_not_known_are_told_with_what_takes_them_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recording, "RECORDED", tmp_path / "recorded.jsonl")
    monkeypatch.delenv(recording.TAKE_IN, raising=False)
    known, new = (json.dumps(["Role", "sns:Publish", place]) for place in ("Known", "New"))
    recording.RECORDED.write_text(f"{known}\n")
    seen = tmp_path / "seen"
    seen.mkdir()
    (seen / "1.jsonl").write_text(f"{known}\n{new}\n")
    assert recording.unknown(seen) == [new]
    assert new in recording.advice([new]) and "RECORD_CALLS=1" in recording.advice([new])
    monkeypatch.setenv(recording.TAKE_IN, "1")
    assert recording.unknown(seen) == []
    assert recording.RECORDED.read_text().splitlines() == [known, new]
