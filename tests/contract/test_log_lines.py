"""What went wrong with a transaction is found in the log by its id; what went well takes a line a batch."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fraud.transaction_lines import MOST_LINES
from tests.fakes import samples
from tests.fakes.functions import Functions, golden, kinesis_event
from tests.fakes.samples import payload

PAN = "4111111111111111"


def told(functions: Functions) -> list[tuple[str, Any]]:
    """Message and transaction of every line about transactions, in their order; None for one without a usable id."""
    lines = [line for line in functions.lines() if line.keys() & {"transaction_id", "reason"} and "_aws" not in line]
    return [(line["message"], line.get("transaction_id")) for line in lines]


def messages(functions: Functions) -> list[str]:
    return [line["message"] for line in functions.lines() if "_aws" not in line]


def ask(functions: Functions, body: bytes) -> dict[str, Any]:
    return functions.call("answer_transaction", golden("function_url_request") | {"body": body.decode()})


def test_good_batch_takes_one_line_and_names_nobody(functions: Functions) -> None:
    functions.score(*(payload(f"t{number}") for number in range(20)))
    assert (messages(functions), told(functions)) == (["batch scored"], [])


def test_poison_record_is_told_with_its_id_and_reason(functions: Functions) -> None:
    functions.score(payload("t1"), payload("t2", amount_minor=-1), b"{")
    assert told(functions) == [("transaction quarantined", "t2"), ("transaction quarantined", None)]
    reasons = [line["reason"] for line in functions.lines() if "reason" in line]
    assert reasons == ["invalid_amount_minor", "not_json"]


def test_id_used_for_two_contents_is_told(functions: Functions) -> None:
    functions.score(payload("t1"), payload("t1", amount_minor=7))
    assert told(functions) == [("transaction quarantined", "t1")]


def test_id_that_looks_like_a_card_number_is_not_told(functions: Functions) -> None:
    functions.score(payload(PAN))
    assert told(functions) == [("transaction quarantined", None)]
    assert PAN not in functions.log.getvalue()


def test_log_of_a_batch_that_fails_altogether_is_bounded(functions: Functions) -> None:
    functions.score(*(payload(f"t{number}", amount_minor=-1) for number in range(3 * MOST_LINES)))
    assert [name for _, name in told(functions)] == [f"t{number}" for number in range(MOST_LINES)]
    [batch] = [line for line in functions.lines() if line.get("message") == "batch scored"]
    assert batch["quarantined"] == {"invalid_amount_minor": 3 * MOST_LINES}


def test_decision_whose_model_did_not_answer_is_told_with_its_slot(
    functions: Functions, monkeypatch: pytest.MonkeyPatch
) -> None:
    # moto answers for endpoints that do not exist, with what is no score.
    functions.stores.set_routing(samples.routing())
    functions.score(payload("t1"))
    assert functions.stores.decided()["t1"].degraded
    assert told(functions) == [("transaction decided without its model", "t1")]
    assert [line["slot"] for line in functions.lines() if "slot" in line] == ["a"]


def test_transaction_that_could_not_be_decided_is_told(functions: Functions) -> None:
    functions.stores.dynamodb.delete_table(TableName="decisions")
    assert functions.invoke("score_transactions", kinesis_event(payload("t1")))
    assert told(functions) == [("transaction not decided", "t1")]


def test_poison_that_could_not_be_set_aside_is_told(functions: Functions) -> None:
    functions.stores.s3.delete_bucket(Bucket="quarantine")
    assert functions.score(payload("t2", amount_minor=-1))
    assert told(functions) == [("transaction not set aside", "t2")]


def test_answered_request_takes_one_line_with_its_id_and_the_requests(functions: Functions) -> None:
    event = golden("function_url_request")
    functions.call("answer_transaction", event)
    assert told(functions) == [("request answered", "t1")]
    [line] = [line for line in functions.lines() if "_aws" not in line]
    assert line["correlation_id"] == event["requestContext"]["requestId"]


def test_answered_list_names_every_transaction_in_its_one_line(functions: Functions) -> None:
    ask(functions, b"[%s,%s]" % (payload("t1"), payload("t2")))
    assert told(functions) == [("request answered", ["t1", "t2"])]


def test_refused_answer_is_told_with_its_id_and_reason(functions: Functions) -> None:
    event = golden("function_url_request")
    assert ask(functions, payload("t2", amount_minor=-1))["statusCode"] == 400
    assert told(functions) == [("transaction refused", "t2")]
    [line] = [line for line in functions.lines() if "reason" in line]
    assert (line["reason"], line["correlation_id"]) == ("invalid_amount_minor", event["requestContext"]["requestId"])


def test_answer_that_was_not_in_time_is_told(functions: Functions) -> None:
    functions.stores.dynamodb.delete_table(TableName="decisions")
    assert ask(functions, payload("t1"))["statusCode"] == 503
    assert told(functions) == [("transaction not decided", "t1")]


def test_decision_that_could_not_be_projected_is_told(functions: Functions) -> None:
    functions.stores.dynamodb.delete_table(TableName="entities")
    assert functions.invoke("project_decisions", golden("dynamodb_decisions"))
    assert told(functions) == [("decision not projected", "t1")]


def test_label_that_could_not_be_recorded_is_told(functions: Functions) -> None:
    functions.stores.dynamodb.delete_table(TableName="entities")
    assert functions.invoke("record_labels", golden("sqs_labels"))
    assert told(functions) == [("label not recorded", "t1")]


def test_no_line_holds_a_card_or_what_else_was_sent(functions: Functions) -> None:
    functions.score(
        payload("t1", card="secret-card", note="secret-note"), payload("t2", card="secret", amount_minor=-1)
    )
    ask(functions, payload("t3", card="secret-card", amount_minor=-1))
    assert len(told(functions)) == 2
    assert "secret" not in json.dumps(functions.lines())
