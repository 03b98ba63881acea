"""The stream and the queue as sinks: per-record errors, and requests whose outcome is unknown."""

from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from cli.producer import Put, Record, Unanswered
from cli.sinks import queue_sink, stream_sink
from cli.target import Target

RECORDS = [Record("a", b"1"), Record("b", b"2")]


class FakeClient:
    """Answers or raises what it is given, for every operation."""

    def __init__(self, answer: Any) -> None:
        self.answer = answer

    def put_records(self, **_: Any) -> Any:
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer

    send_message_batch = put_records


def sink(stack: Target, make: Any, answer: Any) -> Put:
    stack.__dict__["client"] = lambda *_, **__: FakeClient(answer)
    put: Put = make(stack)
    return put


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": ""}}, "PutRecords")


def test_stream_names_the_error_of_each_refused_record(stack: Target) -> None:
    answer = {"Records": [{"SequenceNumber": "1"}, {"ErrorCode": "InternalFailure"}]}
    assert sink(stack, stream_sink, answer)(RECORDS) == [None, "InternalFailure"]


def test_queue_names_the_error_of_each_refused_message(stack: Target) -> None:
    answer = {"Successful": [{"Id": "1"}], "Failed": [{"Id": "0", "Code": "InternalError"}]}
    assert sink(stack, queue_sink, answer)(RECORDS) == ["InternalError", None]


@pytest.mark.parametrize(
    "error",
    [
        ReadTimeoutError(endpoint_url="x"),
        EndpointConnectionError(endpoint_url="x"),
        refusal("ProvisionedThroughputExceededException"),
    ],
    ids=repr,
)
@pytest.mark.parametrize("make", [stream_sink, queue_sink])
def test_request_without_an_answer_may_be_sent_again(stack: Target, make: Any, error: Exception) -> None:
    with pytest.raises(Unanswered):
        sink(stack, make, error)(RECORDS)


def test_request_that_is_refused_for_good_is_not(stack: Target) -> None:
    with pytest.raises(ClientError, match="AccessDenied"):
        sink(stack, stream_sink, refusal("AccessDenied"))(RECORDS)


def test_sinks_let_the_producer_do_the_retrying(stack: Target) -> None:
    """Fault 16: botocore would send whole requests again, unseen."""
    asked: list[dict[str, Any]] = []
    stack.__dict__["client"] = lambda service, **config: asked.append(config)
    stream_sink(stack)
    queue_sink(stack)
    assert [config["retries"] for config in asked] == [{"total_max_attempts": 1}] * 2
