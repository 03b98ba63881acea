"""The functions take AWS's events and answer with what must come again."""

import base64
import json
from typing import Any

import pytest

from tests.fakes.functions import Functions, golden, kinesis_event
from tests.fakes.samples import payload


def test_score_transactions_golden_event_is_decided(functions: Functions) -> None:
    assert functions.invoke("score_transactions", golden("kinesis_transactions")) == []
    assert functions.stores.decided()["t1"].action == "approve"


def test_score_transactions_empty_answer_means_everything_was_settled(functions: Functions) -> None:
    assert functions.score(payload(), b"{", payload("t2")) == []
    assert set(functions.stores.decided()) == {"t1", "t2"}
    assert len(functions.stores.quarantined()) == 1


def test_score_transactions_failing_store_reports_every_record_lowest_first(functions: Functions) -> None:
    event = kinesis_event(payload(), payload("t2"))
    functions.stores.dynamodb.delete_table(TableName="entities")
    numbers = [each["kinesis"]["sequenceNumber"] for each in event["Records"]]
    assert functions.invoke("score_transactions", event) == numbers


def test_score_transactions_metrics_count_the_batch(functions: Functions) -> None:
    functions.score(payload(), payload(), b"{", payload("t2", amount_minor=60_000))
    told = {name: functions.metric(name) for name in ("Decisions", "Degraded", "Repeated", "Quarantined", "Approved")}
    assert told == {"Decisions": 2, "Degraded": 2, "Repeated": 1, "Quarantined": 1, "Approved": 1}
    assert functions.metric("SentToReview") == 1


def request(*payloads: bytes, listed: bool = False) -> dict[str, Any]:
    """The golden request with another body."""
    body = b"[" + b",".join(payloads) + b"]" if listed else payloads[0]
    return golden("function_url_request") | {"body": body.decode()}


def test_answer_transaction_golden_request_is_answered_with_its_decision(functions: Functions) -> None:
    answer = functions.call("answer_transaction", golden("function_url_request"))
    assert (answer["statusCode"], answer["headers"]) == (200, {"Content-Type": "application/json"})
    assert json.loads(answer["body"]) == {
        "status": 200,
        "transaction_id": "t1",
        "action": "approve",
        "reasons": [],
        "score": None,
        "degraded": True,
        "model_package": None,
    }
    assert functions.stores.decided()["t1"].action == "approve"


def test_answer_transaction_repeated_request_gets_the_same_answer(functions: Functions) -> None:
    first, second = (functions.call("answer_transaction", golden("function_url_request")) for _ in range(2))
    assert first == second


def test_answer_transaction_encoded_body_is_decoded(functions: Functions) -> None:
    body = base64.b64encode(payload("t2")).decode()
    event = golden("function_url_request") | {"body": body, "isBase64Encoded": True}
    assert functions.call("answer_transaction", event)["statusCode"] == 200
    assert set(functions.stores.decided()) == {"t2"}


def test_answer_transaction_list_is_answered_in_its_order_with_its_gravest_status(functions: Functions) -> None:
    answer = functions.call("answer_transaction", request(payload("t2"), b"{}", payload(), listed=True))
    told = [(each["status"], each.get("transaction_id")) for each in json.loads(answer["body"])]
    assert (answer["statusCode"], told) == (400, [(200, "t2"), (400, None), (200, "t1")])


@pytest.mark.parametrize("body", [None, "", "{", "\ud800"])
def test_answer_transaction_body_that_is_no_transaction_is_refused_with_a_reason(
    functions: Functions, body: str | None
) -> None:
    answer = functions.call("answer_transaction", golden("function_url_request") | {"body": body})
    assert (answer["statusCode"], json.loads(answer["body"])["error"]) == (400, "not_json")
    assert functions.stores.quarantined() == {}


def test_answer_transaction_failing_store_asks_to_come_again(functions: Functions) -> None:
    functions.stores.dynamodb.delete_table(TableName="entities")
    answer = functions.call("answer_transaction", golden("function_url_request"))
    assert (answer["statusCode"], answer["headers"]["Retry-After"]) == (503, "1")
    assert json.loads(answer["body"])["error"] == "not_in_time"


def test_answer_transaction_metrics_are_the_requests_own_but_slots_are_counted_with_the_streams(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("POWERTOOLS_SERVICE_NAME", "answer_transaction")
    functions.call("answer_transaction", request(payload(), payload(), b"{}", listed=True))
    told = {name: functions.metric(name) for name in ("Decisions", "Degraded", "Answered", "Refused", "Repeated")}
    assert told == {"Decisions": 1, "Degraded": 1, "Answered": 2, "Refused": 1, "Repeated": 1}
    lines = [line for line in functions.lines() if "_aws" in line]
    assert [line["service"] for line in lines if "Slot" in line] == ["score_transactions"]
    [own] = [line for line in lines if "RequestLatency" in line]
    assert (own["service"], len(own["RequestLatency"]), "DecisionLatency" in own) == ("answer_transaction", 1, False)


def test_project_decisions_golden_event_is_counted_once(functions: Functions) -> None:
    event = golden("dynamodb_decisions")
    item = event["Records"][0]["dynamodb"]["NewImage"]
    functions.stores.dynamodb.put_item(TableName="decisions", Item=item)
    assert functions.invoke("project_decisions", event) == []
    assert functions.invoke("project_decisions", event) == []
    [counter] = functions.stores.counters().values()
    assert counter == {"transactions": 1, "approve": 1, "degraded": 1, "amount_minor": 1000}


def test_record_labels_golden_event_is_kept(functions: Functions) -> None:
    assert functions.invoke("record_labels", golden("sqs_labels")) == []
    assert functions.stores.early()["t1"].is_fraud


@pytest.mark.parametrize("name", ["score_transactions", "project_decisions", "record_labels"])
def test_functions_empty_batch_is_settled(functions: Functions, name: str) -> None:
    assert functions.invoke(name, {"Records": []}) == []
