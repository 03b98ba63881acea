"""What AWS refuses becomes our own errors; only what was refused is asked for again."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import EndpointConnectionError
from botocore.stub import ANY, Stubber

from fraud import entities, windows
from fraud.aws.batch_get import MOST_TRIES, BatchGet
from fraud.aws.decision_log import DynamoDecisionLog
from fraud.aws.event_bus import EventBridgeBus
from fraud.aws.firehose import FirehoseArchive
from fraud.aws.projection_store import DynamoProjectionStore
from fraud.aws.rollout_store import DynamoRolloutStore
from fraud.errors import RolloutMoved, StoreUnavailable
from fraud.ports import Cancellation, TerminalCommit
from tests.fakes import rollouts, samples
from tests.fakes.aws import client
from tests.fakes.faults import Inline
from tests.fakes.memory import recorded
from tests.fakes.samples import NOW


@pytest.fixture
def dynamodb() -> Iterator[Stubber]:
    with Stubber(boto3.client("dynamodb")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def commit(stub: Stubber) -> Cancellation | None:
    log = DynamoDecisionLog(stub.client, "entities", "decisions", 1, 1, lambda: NOW)
    return log.commit([samples.commit(samples.decision())])


def cancelled(stub: Stubber, *reasons: dict[str, Any]) -> None:
    stub.add_client_error(
        "transact_write_items", "TransactionCanceledException", modeled_fields={"CancellationReasons": list(reasons)}
    )


@pytest.mark.parametrize(
    "code",
    ["ThrottlingException", "ProvisionedThroughputExceededException", "InternalServerError", "RequestLimitExceeded"],
)
def test_fault_19_refused_write_is_unavailable(dynamodb: Stubber, code: str) -> None:
    dynamodb.add_client_error("transact_write_items", code)
    with pytest.raises(StoreUnavailable, match=rf"^TransactWriteItems: {code}$"):
        commit(dynamodb)


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_fault_20_conflict_cancels_and_names_no_decision(dynamodb: Stubber, code: str) -> None:
    cancelled(dynamodb, {"Code": "None"}, {"Code": code})
    assert commit(dynamodb) == Cancellation({})


def test_commit_conflict_beside_a_standing_decision_names_the_decision(dynamodb: Stubber) -> None:
    item = {"transaction_id": {"S": "t1"}, "payload_hash": {"S": "hash"}}
    cancelled(dynamodb, {"Code": "ConditionalCheckFailed", "Item": item}, {"Code": "TransactionConflict"})
    assert commit(dynamodb) == Cancellation({"t1": "hash"})


@pytest.mark.parametrize("codes", [("TransactionConflict", "None"), ("None", "TransactionConflict")])
def test_fault_27_conflict_of_two_moves_is_a_rollout_that_moved(dynamodb: Stubber, codes: tuple[str, str]) -> None:
    cancelled(dynamodb, *({"Code": code} for code in codes))
    before = rollouts.rollout(revision=1)
    with pytest.raises(RolloutMoved):
        DynamoRolloutStore(dynamodb.client, "rollouts").commit(before, samples.routing(epoch=1))


def test_fault_36_conflict_is_not_taken_for_a_mark(dynamodb: Stubber) -> None:
    cancelled(dynamodb, {"Code": "TransactionConflict"}, {"Code": "ConditionalCheckFailed"}, {"Code": "None"})
    store = DynamoProjectionStore(dynamodb.client, "entities", "decisions", "rollouts", 1, lambda: NOW)
    each = recorded(samples.decision(), "1")
    state = entities.visit(windows.empty(entities.TERMINAL), NOW)
    assert store.commit([TerminalCommit("terminal#m1", 0, state, (each,))]) == frozenset()


KEYS = {"entities": [{"entity": {"S": "card#c1"}}, {"entity": {"S": "card#c2"}}]}


def test_batch_get_unprocessed_keys_are_asked_for_again(dynamodb: Stubber) -> None:
    left = {"entities": {"Keys": KEYS["entities"][1:], "ConsistentRead": True}}
    for found, unprocessed in ([KEYS["entities"][:1], left], [KEYS["entities"][1:], {}]):
        dynamodb.add_response("batch_get_item", {"Responses": {"entities": found}, "UnprocessedKeys": unprocessed})
    pauses: list[int] = []
    assert BatchGet(dynamodb.client, Inline(), pauses.append).items(KEYS) == KEYS
    assert pauses == [1]


def test_fault_19_keys_that_stay_unprocessed_are_unavailable(dynamodb: Stubber) -> None:
    left = {"entities": {"Keys": KEYS["entities"], "ConsistentRead": True}}
    for _ in range(MOST_TRIES):
        dynamodb.add_response("batch_get_item", {"Responses": {}, "UnprocessedKeys": left})
    with pytest.raises(StoreUnavailable):
        BatchGet(dynamodb.client, Inline(), lambda attempt: None).items(KEYS)


def test_batch_get_every_read_is_consistent(dynamodb: Stubber) -> None:
    request = {"RequestItems": {"entities": {"Keys": KEYS["entities"], "ConsistentRead": True}}}
    dynamodb.add_response("batch_get_item", {"Responses": {}}, request)
    assert BatchGet(dynamodb.client, Inline(), lambda attempt: None).items(KEYS) == {"entities": []}


def test_calls_connection_that_fails_is_unavailable() -> None:
    class Client:
        def batch_get_item(self, **request: Any) -> None:
            raise EndpointConnectionError(endpoint_url="https://example.com")

    with pytest.raises(StoreUnavailable, match=r"^BatchGetItem: EndpointConnectionError$"):
        BatchGet(Client(), Inline(), lambda attempt: None).items(KEYS)


def test_firehose_only_refused_records_are_sent_again() -> None:
    with Stubber(client("firehose")) as stub:
        answers = ([{"RecordId": "1"}, {"ErrorCode": "ServiceUnavailableException"}], [{"RecordId": "2"}])
        sent = ([{"Data": b'{"n":1}\n'}, {"Data": b'{"n":2}\n'}], [{"Data": b'{"n":2}\n'}])
        for records, responses in zip(sent, answers, strict=True):
            failed = sum("ErrorCode" in each for each in responses)
            answer = {"FailedPutCount": failed, "RequestResponses": responses}
            stub.add_response("put_record_batch", answer, {"DeliveryStreamName": "archive", "Records": records})
        FirehoseArchive(stub.client, "archive", lambda attempt: None).append([{"n": 1}, {"n": 2}])
        stub.assert_no_pending_responses()


def test_firehose_records_that_stay_refused_are_unavailable() -> None:
    with Stubber(client("firehose")) as stub:
        for _ in range(4):
            refused = {"FailedPutCount": 1, "RequestResponses": [{"ErrorCode": "ServiceUnavailableException"}]}
            stub.add_response("put_record_batch", refused)
        with pytest.raises(StoreUnavailable):
            FirehoseArchive(stub.client, "archive", lambda attempt: None).append([{"n": 1}])


def test_event_bus_only_refused_entries_are_sent_again() -> None:
    whole = [recorded(samples.decision(samples.accepted(key)), key) for key in ("t1", "t2")]
    decisions = [replace(each, document={"transaction_id": each.transaction_id}) for each in whole]
    with Stubber(client("events")) as stub:
        refused = {"FailedEntryCount": 1, "Entries": [{"EventId": "1"}, {"ErrorCode": "ThrottlingException"}]}
        stub.add_response("put_events", refused, {"Entries": ANY})
        again = {
            "EventBusName": "fraud",
            "Source": "fraud.decisions",
            "DetailType": "Transaction Approved",
            "Detail": '{"transaction_id":"t2"}',
        }
        stub.add_response("put_events", {"FailedEntryCount": 0, "Entries": [{"EventId": "2"}]}, {"Entries": [again]})
        EventBridgeBus(stub.client, "fraud", Inline(), lambda attempt: None).publish(decisions)
        stub.assert_no_pending_responses()


def test_failed_call_is_logged_with_its_cause(dynamodb: Stubber, caplog: pytest.LogCaptureFixture) -> None:
    dynamodb.add_client_error("transact_write_items", "AccessDeniedException", "secret of the item")
    with pytest.raises(StoreUnavailable):
        commit(dynamodb)
    [line] = caplog.records
    assert (line.__dict__["operation"], line.__dict__["cause"]) == ("TransactWriteItems", "AccessDeniedException")
    assert "secret" not in str(line.__dict__)


def test_cancellation_is_logged_unless_a_condition_explains_it(
    dynamodb: Stubber, caplog: pytest.LogCaptureFixture
) -> None:
    cancelled(dynamodb, {"Code": "ConditionalCheckFailed"}, {"Code": "None"})
    commit(dynamodb)
    assert caplog.records == []
    cancelled(dynamodb, {"Code": "ThrottlingError"}, {"Code": "None"})
    commit(dynamodb)
    assert caplog.records[0].__dict__["causes"] == {"ThrottlingError": 1}
