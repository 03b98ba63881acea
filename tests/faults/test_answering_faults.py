"""A caller waits: every request is answered in time, and what is answered is what stands."""

import json

import pytest

from fraud import bootstrap
from fraud.answer import AnswerReport
from fraud.aws.endpoint import SageMakerScorer
from fraud.aws.verdict_reader import DynamoVerdictReader
from fraud.deadline import CALL_SHARE
from fraud.errors import ModelUnavailable, StoreUnavailable
from tests.fakes import history, samples
from tests.fakes.functions import ENVIRONMENT
from tests.fakes.samples import record
from tests.fakes.world import BUDGET, Rows, World, in_memory

FAILED = StoreUnavailable("TransactWriteItems: ConnectTimeoutError")
CALL = CALL_SHARE * BUDGET


def test_calls_are_made_once_and_three_in_a_row_fit_into_the_budget() -> None:
    use_case, _ = bootstrap.answering(ENVIRONMENT)
    assert isinstance(use_case.verdicts, DynamoVerdictReader)
    assert isinstance(use_case.scoring.assessment.models.scorer, SageMakerScorer)
    for client in (use_case.verdicts.batch_get.client, use_case.scoring.assessment.models.scorer.client):
        config = client.meta.config
        assert (config.connect_timeout, config.read_timeout) == (pytest.approx(0.15), pytest.approx(0.3))
        assert config.retries["total_max_attempts"] == 1
    assert use_case.budget * CALL_SHARE == pytest.approx(0.45)
    assert 3 * CALL_SHARE < 1


def statuses(report: AnswerReport) -> list[int]:
    return [int(each.outcome) for each in report.answers]


def test_a_request_is_decided_on_the_card_as_the_stream_left_it(world: World) -> None:
    assert world.score([record(1, samples.payload())]) == []
    report = world.answer(samples.payload("t2"))
    assert statuses(report) == [200]
    assert world.spent("c1") == (2, 2000)


def test_what_is_sent_both_ways_is_decided_once(world: World) -> None:
    first = world.answer(samples.payload())
    records = [record(1, samples.payload())]
    assert world.score(records) == []
    assert world.reports[0].repeated == 1
    assert world.spent("c1") == (1, 1000)
    assert world.answer(samples.payload()).answers == first.answers


def test_a_repeated_request_gets_the_decision_that_stands_and_writes_nothing(world: World) -> None:
    world.stores.set_routing(samples.routing())
    first = world.answer(samples.payload())
    world.scorer.break_down("fraud-a")
    again = world.answer(samples.payload())
    assert again.answers == first.answers
    assert (again.batch.repeated, again.batch.decided) == (1, [])


def test_another_content_for_an_id_is_a_conflict_with_the_decision_that_stands(world: World) -> None:
    first = world.answer(samples.payload())
    other = world.answer(samples.payload(amount_minor=5))
    assert statuses(other) == [409]
    assert (other.answers[0].error, other.answers[0].verdict) == ("id_reused", first.answers[0].verdict)
    assert world.stores.quarantined() == {}
    assert world.stores.decided()["t1"].amount_minor == 1000


def test_what_cannot_be_accepted_is_answered_and_neither_quarantined_nor_in_the_way_of_others(world: World) -> None:
    events = [samples.event(), samples.event("t2", currency="euro"), samples.event("t3"), samples.event()]
    report = world.answer(json.dumps(events).encode())
    assert statuses(report) == [200, 400, 200, 200]
    assert (report.answers[1].error, report.answers[1].verdict) == ("invalid_currency", None)
    assert report.answers[0] == report.answers[3]
    assert world.stores.quarantined() == {}
    assert set(world.stores.decided()) == {"t1", "t3"}


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[]", b"\xff", b'["\xff"]'])
def test_a_body_that_is_no_transaction_is_refused(body: bytes) -> None:
    world = in_memory()
    assert statuses(world.answer(body)) == [400]
    assert world.faults.calls == []


def test_a_store_that_cannot_be_read_is_answered_with_undecided(world: World) -> None:
    world.faults.always("state.read", FAILED)
    assert statuses(world.answer(samples.payload())) == [503]
    assert world.stores.decided() == {}


def test_a_commit_whose_answer_is_lost_is_found_standing_in_the_next_round(world: World) -> None:
    world.faults.after("decisions.commit", 1, FAILED)
    report = world.answer(samples.payload())
    assert statuses(report) == [200]
    assert world.spent("c1") == (1, 1000)
    history.check(world, [record(1, samples.payload())])


def test_a_commit_whose_answer_is_lost_for_good_is_undecided_and_asking_again_gets_the_decision(world: World) -> None:
    def lose() -> None:
        world.clock.pass_by(BUDGET)
        raise FAILED

    world.faults.after("decisions.commit", 1, lose)
    assert statuses(world.answer(samples.payload())) == [503]
    assert statuses(world.answer(samples.payload())) == [200]
    assert world.spent("c1") == (1, 1000)


def test_a_decision_that_stands_but_cannot_be_read_is_undecided(world: World) -> None:
    world.answer(samples.payload())
    world.faults.always("verdicts.read", FAILED)
    assert statuses(world.answer(samples.payload())) == [503]


def test_a_card_that_the_stream_moves_meanwhile_is_folded_again(world: World) -> None:
    world.faults.before("decisions.commit", 1, lambda: world.score([record(1, samples.payload("t2"))]))
    assert statuses(world.answer(samples.payload())) == [200]
    assert world.spent("c1") == (2, 2000)
    assert set(world.stores.decided()) == {"t1", "t2"}


def test_a_model_that_is_not_heard_of_in_time_leaves_time_to_commit_what_rules_say() -> None:
    world = in_memory()
    world.stores.set_routing(samples.routing())

    def slow(rows: Rows) -> list[None]:
        world.clock.pass_by(CALL)
        raise ModelUnavailable("ReadTimeoutError")

    world.scorer.answers["fraud-a"] = slow
    world.faults.before("state.read", 1, lambda: world.clock.pass_by(CALL))
    report = world.answer(samples.payload())
    assert world.scorer.asked == ["fraud-a"]
    assert (statuses(report), report.answers[0].verdict and report.answers[0].verdict.degraded) == ([200], True)
    assert report.seconds == pytest.approx(2 * CALL)


def test_three_calls_in_a_row_at_their_longest_end_within_the_budget() -> None:
    world = in_memory()
    world.stores.set_routing(samples.routing())
    world.faults.before("state.read", 1, lambda: world.clock.pass_by(CALL))
    world.faults.after("decisions.commit", 1, lambda: world.clock.pass_by(CALL))

    def late(rows: Rows) -> list[None]:
        world.clock.pass_by(CALL)
        raise ModelUnavailable("ReadTimeoutError")

    world.scorer.answers["fraud-a"] = late
    report = world.answer(samples.payload())
    assert statuses(report) == [200]
    assert report.seconds <= BUDGET
