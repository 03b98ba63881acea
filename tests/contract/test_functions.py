"""The functions take AWS's events and answer with what must come again."""

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
