"""Metrics that Lambda publishes of an event source."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping
from typing import Any

from verification.errors import TookTooLong
from verification.probe import Answer, Place, Probe, Term, differs, inconclusive, judged
from verification.sandbox import Sandbox
from verification.stages import PASS, ROLE_CALLS, allow, make_role

METRIC = "PolledEventCount"
MAPPING = "EventSourceMappingUUID"
_CODE = "def handle(event, context):\n    return {'batchItemFailures': []}\n"


def _make_stream(sandbox: Sandbox) -> str:
    name, kinesis = sandbox.name("stream"), sandbox.client("kinesis")
    tags = {each["Key"]: each["Value"] for each in sandbox.tags}
    sandbox.make("stream", name, lambda: kinesis.create_stream(StreamName=name, ShardCount=1, Tags=tags))

    def look() -> str | None:
        about = kinesis.describe_stream(StreamName=name)["StreamDescription"]
        return about["StreamARN"] if about["StreamStatus"] == "ACTIVE" else None

    return sandbox.until("the stream is ready", look, 3)


def _make_function(sandbox: Sandbox, stream: str) -> str:
    reads = ["kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords"]
    reads += ["kinesis:GetShardIterator", "kinesis:ListShards"]
    writes = ["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]
    role = make_role(sandbox, "function", {"Service": "lambda.amazonaws.com"}, [allow(reads, stream), allow(writes)])
    name, tags = sandbox.name("function"), {each["Key"]: each["Value"] for each in sandbox.tags}
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("handler.py", _CODE)
    sandbox.ledger_logs(f"/aws/lambda/{name}")
    sandbox.make_with_new(
        "function",
        name,
        lambda: sandbox.client("lambda").create_function(
            FunctionName=name,
            Runtime="python3.11",
            Handler="handler.handle",
            Role=role,
            Code={"ZipFile": archive.getvalue()},
            Tags=tags,
        ),
    )
    return name


def _make_mapping(sandbox: Sandbox, function: str, stream: str) -> str:
    """An event source as the template has them; its id."""
    client = sandbox.client("lambda")
    made: Mapping[str, Any] = sandbox.make_with_new(
        "mappings",
        function,
        lambda: client.create_event_source_mapping(
            FunctionName=function,
            EventSourceArn=stream,
            StartingPosition="TRIM_HORIZON",
            FunctionResponseTypes=["ReportBatchItemFailures"],
            MetricsConfig={"Metrics": ["EventCount"]},
        ),
    )
    return str(made["UUID"])


def _ask(sandbox: Sandbox) -> Answer:
    stream = _make_stream(sandbox)
    mapping = _make_mapping(sandbox, _make_function(sandbox, stream), stream)
    cloudwatch, kinesis = sandbox.client("cloudwatch"), sandbox.client("kinesis")

    def look() -> list[list[str]] | None:
        kinesis.put_record(StreamARN=stream, Data=b"{}", PartitionKey="1")
        metrics = cloudwatch.list_metrics(
            Namespace="AWS/Lambda", MetricName=METRIC, Dimensions=[{"Name": MAPPING, "Value": mapping}]
        )["Metrics"]
        return [sorted(dimension["Name"] for dimension in each["Dimensions"]) for each in metrics] or None

    try:
        found = sandbox.until(f"{METRIC} is listed", look, 20, every=30)
    except TookTooLong as error:
        return _others(sandbox, str(error))
    return judged([MAPPING] in found, f"{METRIC} is listed with the dimensions {found}")


def _others(sandbox: Sandbox, why: str) -> Answer:
    """The metric has not our dimension: what others it has, if it is there at all."""
    listed = sandbox.client("cloudwatch").list_metrics(Namespace="AWS/Lambda", MetricName=METRIC)["Metrics"]
    names = sandbox.name("")
    ours = [each["Dimensions"] for each in listed if any(names in every["Value"] for every in each["Dimensions"])]
    return differs(f"{METRIC} is listed with {ours}") if ours else inconclusive(why)


PROBES = (
    Probe(
        "event-count",
        "Which dimensions have the EventCount metrics of an event source?",
        "EventSourceMappingUUID alone, and this is all that the alarms on records given up look at.",
        (Place("template.yaml", "Dimensions: [{ Name: EventSourceMappingUUID"),),
        _ask,
        (
            "kinesis.create_stream",
            "kinesis.describe_stream",
            "kinesis.put_record",
            "lambda.create_function",
            "lambda.create_event_source_mapping",
            "cloudwatch.list_metrics",
            *ROLE_CALLS,
            *PASS,
        ),
        minutes=26,
        terms=(
            Term("kinesis_shard", 1, hourly=True),
            Term("kinesis_put", 41),
            Term("lambda_request", 41),
            Term("cloudwatch_metric", 6 / 730, hourly=True),
        ),
    ),
)
