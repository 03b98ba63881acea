"""Rows 22 to 24 of the fault table: an endpoint may be slow, gone or wrong; the decision comes all the same."""

import io
import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from botocore.stub import Stubber

from fraud import policy
from fraud.aws.endpoint import SageMakerScorer, from_json
from fraud.batch_report import BatchReport
from fraud.deadline import LONGEST_CALL
from fraud.decision import Score
from fraud.errors import ModelUnavailable
from fraud.routing import Routing
from tests.fakes import history, samples
from tests.fakes.samples import record
from tests.fakes.world import Rows, World, in_memory

A, B = "fraud-a", "fraud-b"
REVIEW_LARGE = policy.load(
    json.dumps(
        {
            "version": "1",
            "lists": {},
            "rules": [
                {
                    "name": "large without a model",
                    "phase": "fallback",
                    "when": [{"field": "amount_minor", "at_least": 1000}],
                    "action": "review",
                    "reason": "no model answered",
                }
            ],
        }
    ).encode()
)


def routed(routing: Routing | None = None) -> World:
    world = in_memory(policy=REVIEW_LARGE)
    world.stores.set_routing(routing or samples.routing())
    return world


def batch(world: World, number: int = 1) -> BatchReport:
    """One transaction, scored."""
    assert world.score([record(number, samples.payload(f"t{number}", f"c{number}"))]) == []
    return world.reports[-1]


def slow(world: World, seconds: float) -> Callable[[Rows], list[Score | None]]:
    def answer(rows: Rows) -> list[Score | None]:
        world.clock.pass_by(seconds)
        raise ModelUnavailable("ReadTimeoutError")

    return answer


def test_fault_22_endpoint_slower_than_its_budget_falls_back_inside_the_deadline() -> None:
    world = routed()
    world.scorer.answers[A] = slow(world, LONGEST_CALL)
    started = world.clock()
    assert world.score([record(1, samples.payload())], seconds=10) == []
    [decision] = world.reports[0].decided
    assert (decision.degraded, decision.served_by, decision.slot, decision.action) == (True, "rules", "a", "review")
    assert world.clock() - started < 10


def test_fault_22_endpoint_is_not_asked_without_the_time_for_its_answer() -> None:
    world = routed()
    world.scorer.answers[A] = slow(world, LONGEST_CALL)
    world.faults.before("state.read", 1, lambda: world.clock.pass_by(0.1))
    assert world.score([record(1, samples.payload())], seconds=2 * LONGEST_CALL) == []
    assert world.scorer.asked == []
    assert world.reports[0].decided[0].degraded


def test_fault_22_two_slow_slots_still_leave_the_time_to_commit() -> None:
    world = routed(samples.routing(share_bps=10_000, challenger="b"))
    world.scorer.answers = {A: slow(world, LONGEST_CALL), B: slow(world, LONGEST_CALL)}
    assert world.score([record(1, samples.payload())], seconds=2 * LONGEST_CALL + 1) == []
    assert world.scorer.asked == [B]


def test_fault_22_no_time_left_at_all_is_reported_and_nothing_is_written() -> None:
    world = routed()
    assert world.score([record(1, samples.payload())], seconds=0.5) == ["00001"]
    assert world.stores.decided() == {}


@pytest.mark.parametrize("status", [424, 429, 500, 503, 530])
def test_fault_23_refused_call_is_an_unavailable_model(status: int) -> None:
    client = boto3.client("sagemaker-runtime")
    with Stubber(client) as stub:
        stub.add_client_error("invoke_endpoint", "ModelError", http_status_code=status)
        with pytest.raises(ModelUnavailable, match=r"^InvokeEndpoint: ModelError$"):
            SageMakerScorer(client).score(samples.model(), [[1.0]])


def test_fault_23_connection_that_breaks_is_an_unavailable_model() -> None:
    class Client:
        def invoke_endpoint(self, **request: Any) -> None:
            raise ReadTimeoutError(endpoint_url="https://example.com")

    with pytest.raises(ModelUnavailable, match=r"^InvokeEndpoint: ReadTimeoutError$"):
        SageMakerScorer(Client()).score(samples.model(), [[1.0]])


def test_fault_23_storm_opens_the_breaker_and_every_decision_is_made() -> None:
    world = routed()
    world.scorer.break_down(A)
    reports = [batch(world, number) for number in range(20)]
    assert len(world.scorer.asked) == 3
    assert all(report.decided[0].degraded for report in reports)


def test_fault_23_open_breaker_probes_once_after_its_cooldown() -> None:
    world = routed()
    world.scorer.break_down(A)
    for number in range(5):
        batch(world, number)
    world.clock.pass_by(16)
    for number in range(5, 10):
        batch(world, number)
    assert len(world.scorer.asked) == 4


def test_fault_23_probe_that_succeeds_closes_the_breaker() -> None:
    world = routed()
    world.scorer.break_down(A)
    for number in range(5):
        batch(world, number)
    world.scorer.recover(A)
    world.clock.pass_by(16)
    assert not any(batch(world, number).decided[0].degraded for number in range(5, 9))
    assert len(world.scorer.asked) == 7


def test_fault_23_challenger_storm_leaves_the_champion_answering() -> None:
    world = routed(samples.routing(share_bps=10_000, challenger="b"))
    world.scorer.break_down(B)
    decisions = [batch(world, number).decided[0] for number in range(8)]
    assert {(each.slot, each.served_by, each.degraded) for each in decisions} == {("b", "a", True)}
    assert world.scorer.asked.count(B) == 3


def test_fault_23_challenger_breaker_is_not_the_champions() -> None:
    world = routed(samples.routing(share_bps=5_000, challenger="b"))
    world.scorer.break_down(B)
    for number in range(30):
        batch(world, number)
    assert world.scorer.asked.count(A) == 30


MALFORMED = {
    "text": b"0.5",
    "not json": b"<html>",
    "not utf-8": b'{"scores":[0.5],"reasons":[[["\xff",1.0]]]}',
    "nan": b'{"scores":[NaN],"reasons":[null]}',
    "infinity": b'{"scores":[1e999],"reasons":[null]}',
    "above one": b'{"scores":[1.7],"reasons":[null]}',
    "below zero": b'{"scores":[-0.1],"reasons":[null]}',
    "score as text": b'{"scores":["0.5"],"reasons":[null]}',
    "too few": b'{"scores":[],"reasons":[]}',
    "too many": b'{"scores":[0.5,0.5],"reasons":[null,null]}',
    "reasons of another length": b'{"scores":[0.5],"reasons":[]}',
    "no reasons": b'{"scores":[0.5]}',
    "endless": b'{"scores":[0.5],"reasons":[null],"x":' + b"[" * 9000 + b"]" * 9000 + b"}",
    "empty": b"",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_fault_24_answer_that_cannot_be_believed_is_refused(body: bytes) -> None:
    with pytest.raises(ModelUnavailable):
        from_json(body, 1)


@pytest.mark.parametrize("score", [0, 0.0, 0.5, 1, 1.0])
def test_from_json_score_within_zero_to_one_is_taken(score: float) -> None:
    body = json.dumps({"scores": [score, None], "reasons": [[["a", 2.0], ["b", 1.0]], None]}).encode()
    assert from_json(body, 2) == [Score(float(score), ("a", "b")), None]


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED)
def test_fault_24_malformed_answer_falls_back_and_counts_against_the_variant(body: bytes) -> None:
    class Client:
        def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
            return {"Body": io.BytesIO(body)}

    world = in_memory(scorer=SageMakerScorer(Client()))
    world.stores.set_routing(samples.routing())
    report = batch(world)
    [decision] = report.decided
    assert (decision.degraded, decision.served_by, decision.score) == (True, "rules", None)
    assert [(call.slot, call.failed) for call in report.calls] == [("a", True)]
    history.check(world, [record(1, samples.payload("t1", "c1"))])


def test_fault_24_malformed_answers_open_the_breaker() -> None:
    world = routed()
    world.scorer.break_down(A)
    for number in range(6):
        batch(world, number)
    assert len(world.scorer.asked) == 3


def test_fault_24_row_the_model_cannot_read_falls_back_alone() -> None:
    world = routed()
    world.scorer.answers[A] = lambda rows: [None, *[Score(0.1)] * (len(rows) - 1)]
    records = [record(number, samples.payload(f"t{number}", f"c{number}")) for number in range(3)]
    assert world.score(records) == []
    assert [each.degraded for each in world.reports[0].decided] == [True, False, False]


def test_score_rows_that_a_contract_names_are_sent_in_its_order() -> None:
    sent: dict[str, Any] = {}

    class Client:
        def invoke_endpoint(self, **request: Any) -> dict[str, Any]:
            sent.update(request)
            return {"Body": io.BytesIO(b'{"scores":[0.25,0.5],"reasons":[null,null]}')}

    rows = [[1000, None, 0.1], [1, 2.5, 1e-7]]
    assert SageMakerScorer(Client()).score(samples.model(), rows) == [Score(0.25), Score(0.5)]
    assert sent["Body"] == b"1000,,0.1\n1,2.5,1e-07"
    assert (sent["EndpointName"], sent["ContentType"], sent["Accept"]) == (A, "text/csv", "application/json")
