"""What the application relies on in the services of the running stack: each line here was checked, and is kept so."""

import gzip
import json
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Running, eventually


@pytest.fixture
def table(stack: Running) -> str:
    """A table without a stream or readers."""
    name = f"t{uuid.uuid4().hex}"
    stack.client("dynamodb").create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )
    return name


def put(table: str, name: str, value: int, **more: Any) -> dict[str, Any]:
    return {"Put": {"TableName": table, "Item": {"id": {"S": name}, "value": {"N": str(value)}}, **more}}


def test_kinesis_loses_nothing_of_concurrent_writers(stack: Running) -> None:
    kinesis = stack.client("kinesis")
    stream = f"s{uuid.uuid4().hex}"
    kinesis.create_stream(StreamName=stream, ShardCount=2)
    eventually(lambda: kinesis.describe_stream(StreamName=stream)["StreamDescription"]["StreamStatus"] == "ACTIVE")

    def write(writer: int) -> None:
        client = stack.client("kinesis")
        for start in range(0, 500, 100):
            names = [f"{writer}-{number}" for number in range(start, start + 100)]
            client.put_records(StreamName=stream, Records=[{"Data": name, "PartitionKey": name} for name in names])

    with ThreadPoolExecutor(4) as writers:
        list(writers.map(write, range(4)))
    read = [
        record
        for shard in kinesis.list_shards(StreamName=stream)["Shards"]
        for record in records(kinesis, stream, shard)
    ]
    assert sorted(record["Data"].decode() for record in read) == sorted(
        f"{w}-{n}" for w in range(4) for n in range(500)
    )
    assert all(abs((datetime.now(UTC) - record["ApproximateArrivalTimestamp"]).total_seconds()) < 60 for record in read)


def records(kinesis: Any, stream: str, shard: dict[str, Any]) -> list[dict[str, Any]]:
    iterator = kinesis.get_shard_iterator(
        StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON"
    )["ShardIterator"]
    found: list[dict[str, Any]] = kinesis.get_records(ShardIterator=iterator)["Records"]
    return found


def test_a_cancelled_transaction_answers_the_stored_item_and_writes_nothing(stack: Running, table: str) -> None:
    dynamodb = stack.client("dynamodb")
    dynamodb.transact_write_items(TransactItems=[put(table, "first", 1)])
    new = {"ConditionExpression": "attribute_not_exists(id)", "ReturnValuesOnConditionCheckFailure": "ALL_OLD"}
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException) as cancelled:
        dynamodb.transact_write_items(TransactItems=[put(table, "first", 2, **new), put(table, "second", 2, **new)])
    reasons = cancelled.value.response["CancellationReasons"]
    assert [reason["Code"] for reason in reasons] == ["ConditionalCheckFailed", "None"]
    assert reasons[0]["Item"] == {"id": {"S": "first"}, "value": {"N": "1"}}
    assert "Item" not in dynamodb.get_item(TableName=table, Key={"id": {"S": "second"}})


def test_a_transaction_takes_a_hundred_actions_and_no_more(stack: Running, table: str) -> None:
    dynamodb = stack.client("dynamodb")
    dynamodb.transact_write_items(TransactItems=[put(table, str(number), number) for number in range(100)])
    with pytest.raises(ClientError, match="100"):
        dynamodb.transact_write_items(TransactItems=[put(table, str(number), number) for number in range(101)])


def test_a_transaction_names_an_item_once(stack: Running, table: str) -> None:
    with pytest.raises(ClientError, match="multiple operations on one item"):
        stack.client("dynamodb").transact_write_items(TransactItems=[put(table, "same", 1), put(table, "same", 2)])


def test_add_starts_an_absent_attribute_at_zero(stack: Running, table: str) -> None:
    dynamodb = stack.client("dynamodb")
    change = {"TableName": table, "Key": {"id": {"S": "counter"}}, "UpdateExpression": "ADD seen :one"}
    for _ in range(2):
        dynamodb.transact_write_items(
            TransactItems=[{"Update": {**change, "ExpressionAttributeValues": {":one": {"N": "1"}}}}]
        )
    assert dynamodb.get_item(TableName=table, Key={"id": {"S": "counter"}})["Item"]["seen"] == {"N": "2"}


def test_a_version_condition_refuses_the_second_writer(stack: Running, table: str) -> None:
    dynamodb = stack.client("dynamodb")
    unchanged = {"ConditionExpression": "#v = :v", "ExpressionAttributeNames": {"#v": "value"}}
    dynamodb.transact_write_items(TransactItems=[put(table, "card", 1)])
    change = put(table, "card", 2, ExpressionAttributeValues={":v": {"N": "1"}}, **unchanged)
    dynamodb.transact_write_items(TransactItems=[change])
    with pytest.raises(dynamodb.exceptions.TransactionCanceledException):
        dynamodb.transact_write_items(TransactItems=[change])


def test_concurrent_additions_are_all_counted(stack: Running, table: str) -> None:
    def add(_: int) -> None:
        stack.client("dynamodb").update_item(
            TableName=table,
            Key={"id": {"S": "counter"}},
            UpdateExpression="ADD seen :one",
            ExpressionAttributeValues={":one": {"N": "1"}},
        )

    with ThreadPoolExecutor(8) as writers:
        list(writers.map(add, range(40)))
    item = stack.client("dynamodb").get_item(TableName=table, Key={"id": {"S": "counter"}})["Item"]
    assert item["seen"] == {"N": "40"}


def test_firehose_writes_the_records_as_they_came_compressed_under_the_prefix(
    stack: Running, outputs: dict[str, str]
) -> None:
    records = [{"Data": json.dumps({"number": number}) + "\n"} for number in range(300)]
    answer = stack.client("firehose").put_record_batch(DeliveryStreamName=outputs["Delivery"], Records=records)
    assert answer["FailedPutCount"] == 0
    s3 = stack.client("s3")
    prefix = f"decisions/dt={datetime.now(UTC):%Y-%m-%d}/"
    (entry,) = eventually(lambda: s3.list_objects_v2(Bucket=outputs["Archive"], Prefix=prefix).get("Contents"))
    assert entry["Key"].endswith(".gz")
    content = gzip.decompress(s3.get_object(Bucket=outputs["Archive"], Key=entry["Key"])["Body"].read())
    assert content == "".join(record["Data"] for record in records).encode()


def test_a_rule_on_the_bus_sends_matching_events_to_a_queue(stack: Running, outputs: dict[str, str]) -> None:
    events, sqs = stack.client("events"), stack.client("sqs")
    queue = sqs.create_queue(QueueName=f"q{uuid.uuid4().hex}")["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    pattern = {"source": ["fraud.decisions"], "detail-type": ["Transaction Blocked"]}
    events.put_rule(Name="blocked", EventBusName=outputs["Bus"], EventPattern=json.dumps(pattern))
    events.put_targets(Rule="blocked", EventBusName=outputs["Bus"], Targets=[{"Id": "queue", "Arn": arn}])
    kinds = ("Transaction Approved", "Transaction Blocked")
    events.put_events(
        Entries=[
            {"Source": "fraud.decisions", "DetailType": kind, "Detail": '{"n":1}', "EventBusName": outputs["Bus"]}
            for kind in kinds
        ]
    )
    (message,) = eventually(lambda: sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"))
    assert json.loads(message["Body"])["detail-type"] == "Transaction Blocked"


def test_embedded_metrics_reach_cloudwatch(stack: Running, outputs: dict[str, str]) -> None:
    invoke(stack, outputs, "measure")
    (point,) = stack.client("cloudwatch").get_metric_statistics(
        Namespace="Obedient",
        MetricName="Orders",
        Dimensions=[{"Name": "service", "Value": "reader"}],
        StartTime=datetime.now(UTC) - timedelta(minutes=5),
        EndTime=datetime.now(UTC) + timedelta(minutes=5),
        Period=3600,
        Statistics=["Sum", "SampleCount"],
    )["Datapoints"]
    assert (point["Sum"], point["SampleCount"]) == (7.0, 2.0)


def invoke(stack: Running, outputs: dict[str, str], command: str) -> tuple[Any, str | None]:
    """A function's answer and, if it failed, how."""
    answer = stack.client("lambda").invoke(FunctionName=outputs["Reader"], Payload=json.dumps({"command": command}))
    return json.loads(answer["Payload"].read()), answer.get("FunctionError")


def test_an_exception_is_answered_with_its_type_and_keeps_the_environment(
    stack: Running, outputs: dict[str, str]
) -> None:
    before, _ = invoke(stack, outputs, "nothing")
    failure, kind = invoke(stack, outputs, "raise")
    after, _ = invoke(stack, outputs, "nothing")
    assert kind == "Unhandled"
    assert (failure["errorType"], failure["errorMessage"]) == ("LookupError", "told to")
    assert before["pid"] == after["pid"]


def test_a_process_that_ends_is_an_exit_error_and_is_replaced(stack: Running, outputs: dict[str, str]) -> None:
    failure, _ = invoke(stack, outputs, "exit")
    assert failure["errorType"] == "Runtime.ExitError"
    answer, kind = invoke(stack, outputs, "nothing")
    assert kind is None and 1500 < answer["remaining"] <= 2000


def test_every_invocation_counts_among_the_functions_own_metrics(stack: Running, outputs: dict[str, str]) -> None:
    """Also what no client invoked, and an asynchronous one, which the stand-in never sees fail."""
    stack.client("events").put_events(
        Entries=[{"Source": "laptop.tests", "DetailType": "Order", "Detail": '{"id": "x", "do": "raise"}'}]
    )
    dimensions = [{"Name": "FunctionName", "Value": outputs["Watcher"]}]

    def errors() -> float:
        points = stack.client("cloudwatch").get_metric_statistics(
            Namespace="AWS/Lambda",
            MetricName="Errors",
            Dimensions=dimensions,
            StartTime=datetime.now(UTC) - timedelta(minutes=5),
            EndTime=datetime.now(UTC) + timedelta(minutes=5),
            Period=3600,
            Statistics=["Sum"],
        )["Datapoints"]
        return float(sum(point["Sum"] for point in points))

    assert eventually(errors) >= 1
