"""Smaller parts: embedded metrics, on-failure records, the template's translation."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from local import emf, pace, template
from local.streams import destination
from local.streams.reader import AGE_EXCEEDED, RETRIES_EXHAUSTED, Batch, Discard, Record

ORIGIN = destination.Origin("uuid", "arn:function", "arn:stream", "shardId-0", "KinesisBatchInfo")
MOMENT = datetime(2024, 3, 1, 12, 30, 45, 678000, tzinfo=UTC)


def document(**fields: object) -> str:
    directive = {"Namespace": "N", "Dimensions": [["service"], []], "Metrics": [{"Name": "Latency", "Unit": "Seconds"}]}
    return json.dumps({"_aws": {"CloudWatchMetrics": [directive]}, "service": "score", **fields})


def test_each_value_is_a_data_point_in_each_set_of_dimensions() -> None:
    points = [(metric.value, metric.dimensions) for metric in emf.metrics(document(Latency=[1, 2]))]
    assert points == [(1.0, (("service", "score"),)), (2.0, (("service", "score"),)), (1.0, ()), (2.0, ())]


@pytest.mark.parametrize("log", ["", "plain text", '{"_aws": ', '{"_aws": 1}', '{"level": "INFO"}'])
def test_other_lines_are_no_metrics(log: str) -> None:
    assert list(emf.metrics(log)) == []


def given_up(condition: str, invocations: int) -> dict[str, object]:
    records = [Record("1", 10.0, {"n": 1}), Record("2", 20.5, {"n": 2})]
    discard = Discard(Batch(records, invocations=invocations), condition)
    body: dict[str, object] = json.loads(destination.body(ORIGIN, discard, MOMENT))
    return body


def test_an_on_failure_record_says_what_lambda_says_and_holds_the_event() -> None:
    body = given_up(RETRIES_EXHAUSTED, 3)
    request_id = body["requestContext"].pop("requestId")  # type: ignore[attr-defined]
    assert request_id
    assert body.pop("payload") == '{"Records": [{"n": 1}, {"n": 2}]}'
    assert body == {
        "requestContext": {
            "functionArn": "arn:function",
            "condition": "RetryAttemptsExhausted",
            "approximateInvokeCount": 3,
        },
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2024-03-01T12:30:45.678Z",
        "KinesisBatchInfo": {
            "shardId": "shardId-0",
            "startSequenceNumber": "1",
            "endSequenceNumber": "2",
            "approximateArrivalOfFirstRecord": "1970-01-01T00:00:10.000Z",
            "approximateArrivalOfLastRecord": "1970-01-01T00:00:20.500Z",
            "batchSize": 2,
            "streamArn": "arn:stream",
        },
    }


def test_a_batch_that_was_never_tried_has_no_response() -> None:
    assert "responseContext" not in given_up(AGE_EXCEEDED, 0)


def test_the_key_is_lambdas() -> None:
    key = destination.key(ORIGIN, MOMENT)
    assert key.startswith("aws/lambda/uuid/shardId-0/2024/03/01/2024-03-01T12.30.45-")


TEMPLATE = """
Transform: AWS::Serverless-2016-10-31
Globals: {Function: {Runtime: python3.11, CodeUri: code/}}
Resources:
  Function:
    Type: AWS::Serverless::Function
    Properties: {Handler: a.b, Role: !Sub "arn:${AWS::Partition}:iam::1:role/x"}
  Table:
    Type: AWS::DynamoDB::Table
    Properties: {Version: 2012-10-17}
  Trail: {Type: AWS::CloudTrail::Trail}
Outputs: {Arn: {Value: !GetAtt Function.Arn}}
"""


def test_a_template_is_translated_with_its_code_in_place_and_without_what_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(TEMPLATE)
    read = template.read(path)
    assert template.code_directories(read) == {"code/"}
    deployable = {"AWS::Lambda::Function", "AWS::DynamoDB::Table"}
    translated = template.translate(read, {"code/": "s3://bucket/code.zip"}, deployable, "eu-west-1")
    native = json.loads(translated.body)
    assert translated.left_out == ("Trail (AWS::CloudTrail::Trail)",)
    assert native["Resources"]["Function"]["Properties"]["Code"] == {"S3Bucket": "bucket", "S3Key": "code.zip"}
    assert native["Resources"]["Table"]["Properties"] == {"Version": "2012-10-17"}
    assert native["Outputs"]["Arn"]["Value"] == {"Fn::GetAtt": ["Function", "Arn"]}


REGIONAL = """
Transform: AWS::Serverless-2016-10-31
Mappings: {Offered: {eu-west-1: {Trail: "yes"}, us-east-1: {Trail: "no"}}}
Conditions: {HasTrail: !Equals [!FindInMap [Offered, !Ref AWS::Region, Trail], "yes"]}
Resources: {Trail: {Type: AWS::CloudTrail::Trail, Condition: HasTrail}}
"""


def test_what_another_region_would_have_is_not_left_out(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(REGIONAL)
    regions = ("eu-west-1", "us-east-1")
    left_out = [template.translate(template.read(path), {}, set(), region).left_out for region in regions]
    assert left_out == [("Trail (AWS::CloudTrail::Trail)",), ()]
    with pytest.raises(template.NotSupported, match="'ap-east-2'"):
        template.translate(template.read(path), {}, set(), "ap-east-2")


FANNED_OUT = """
Transform: AWS::Serverless-2016-10-31
Parameters: {FanOut: {Type: String, Default: "no"}}
Conditions: {FansOut: !Equals [!Ref FanOut, "yes"]}
Resources:
  Stream: {Type: AWS::Kinesis::Stream, Properties: {ShardCount: 1}}
  Consumer: {Type: AWS::Kinesis::StreamConsumer, Condition: FansOut}
  Mapping:
    Type: AWS::Lambda::EventSourceMapping
    Properties:
      FunctionName: !Ref Function
      EventSourceArn: !If [FansOut, !GetAtt Consumer.ConsumerARN, !GetAtt Stream.Arn]
"""


def test_function_that_would_read_through_what_cannot_be_deployed_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "template.yaml"
    path.write_text(FANNED_OUT)
    deployable = {"AWS::Kinesis::Stream", "AWS::Lambda::EventSourceMapping"}
    assert template.translate(template.read(path), {}, deployable, "eu-west-1").left_out == ()
    with pytest.raises(
        template.NotSupported, match=r"Function would read from Consumer \(AWS::Kinesis::StreamConsumer\)"
    ):
        template.translate(template.read(path), {}, deployable, "eu-west-1", {"FanOut": "yes"})


MACHINE = """
Transform: AWS::Serverless-2016-10-31
Resources:
  Machine:
    Type: AWS::Serverless::StateMachine
    Properties:
      DefinitionUri: machines/rollout.asl.json
      DefinitionSubstitutions: { TopicArn: !Ref Topic }
      Role: !GetAtt Role.Arn
"""


def test_a_state_machines_definition_is_taken_from_beside_the_template(tmp_path: Path) -> None:
    (tmp_path / "machines").mkdir()
    definition = {"StartAt": "Stop", "States": {"Stop": {"Type": "Fail", "Cause": "${TopicArn}"}}}
    (tmp_path / "machines" / "rollout.asl.json").write_text(json.dumps(definition))
    (tmp_path / "template.yaml").write_text(MACHINE)
    read = template.read(tmp_path / "template.yaml")
    translated = template.translate(read, {}, {"AWS::StepFunctions::StateMachine"}, "eu-west-1")
    machine = json.loads(translated.body)["Resources"]["Machine"]["Properties"]
    assert json.loads("".join(machine["DefinitionString"]["Fn::Join"][1])) == definition
    assert machine["DefinitionSubstitutions"] == {"TopicArn": {"Ref": "Topic"}}
    assert machine["RoleArn"] == {"Fn::GetAtt": ["Role", "Arn"]}


def test_a_copy_is_deep_whatever_it_holds() -> None:
    for value in ({"a": [{"b": b"1"}], "n": None}, {"moment": [MOMENT]}):
        copy = pace.copied(value)
        assert copy == value and copy is not value
        assert all(copy[name] is not value[name] for name in value if value[name] is not None)
