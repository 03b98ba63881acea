"""What comes in a request's body, and what its answer looks like."""

import json

import pytest

from fraud import answer
from fraud.answer import MOST_TRANSACTIONS, UNDECIDED, Answer, AnswerReport, Outcome
from fraud.errors import InvalidTransaction
from tests.fakes import samples


def test_read_object_is_one_transaction_as_it_came() -> None:
    body = b' {"a": 1}'
    assert answer.read(body) == answer.Request([body], listed=False)


def test_read_list_is_cut_without_looking_into_its_transactions() -> None:
    assert answer.read(b' [{"a": [1]}, 2]') == answer.Request([b'{"a": [1]}', b"2"], listed=True)


@pytest.mark.parametrize("body", [b"[{]", b"[1,", b"[" * 100_000], ids=["broken", "cut", "deep"])
def test_read_list_that_is_not_json_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidTransaction, match="not_json"):
        answer.read(body)


@pytest.mark.parametrize("count", [0, MOST_TRANSACTIONS + 1])
def test_read_list_of_none_or_too_many_is_refused(count: int) -> None:
    assert len(answer.read(json.dumps([1] * MOST_TRANSACTIONS).encode()).payloads) == 25
    with pytest.raises(InvalidTransaction, match="wrong_number"):
        answer.read(json.dumps([1] * count).encode())


def test_verdict_rounds_the_score_as_the_table_does() -> None:
    assert answer.verdict(samples.decision(score=0.12345678)).score == 0.123457
    assert answer.verdict(samples.decision()).score is None


DECIDED = Answer(Outcome.DECIDED, answer.verdict(samples.decision(score=0.25)))
CONFLICT = Answer(Outcome.CONFLICT, DECIDED.verdict, "id_reused", "used before")


def test_document_of_a_decision_has_no_error() -> None:
    assert DECIDED.document() == {
        "status": 200,
        "transaction_id": "t1",
        "action": "approve",
        "reasons": (),
        "score": 0.25,
        "degraded": True,
        "model_package": None,
    }


def test_document_of_a_conflict_has_the_decision_that_stands_and_the_error() -> None:
    document = CONFLICT.document()
    assert (document["status"], document["action"], document["error"]) == (409, "approve", "id_reused")


def test_report_of_a_list_has_the_gravest_status() -> None:
    answers = [DECIDED, CONFLICT, Answer(Outcome.REFUSED, error="too_large", detail="too large")]
    assert AnswerReport(answers, True, 0.1).status == 409
    assert AnswerReport([*answers, UNDECIDED], True, 0.1).status == 503
    assert AnswerReport(answers, True, 0.1).summary() == {
        "decided": 1,
        "conflict": 1,
        "refused": 1,
        "transaction_id": ["t1", "t1"],
    }
    assert AnswerReport([DECIDED], False, 0.1).summary() == {"decided": 1, "transaction_id": "t1"}
    assert AnswerReport([UNDECIDED], False, 0.1).summary() == {"undecided": 1}


def test_report_answers_a_list_with_a_list_and_one_with_one() -> None:
    assert json.loads(AnswerReport([DECIDED], True, 0.1).body())[0]["action"] == "approve"
    assert json.loads(AnswerReport([DECIDED], False, 0.1).body())["action"] == "approve"
