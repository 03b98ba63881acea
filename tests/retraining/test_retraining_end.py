"""The end of a run: the lock is free, and people are called where one of them has to look."""

from __future__ import annotations

import json
from typing import Any

import pytest

from fraud.errors import RetrainingMoved, RetrainingSuperseded, StoreUnavailable
from fraud.retraining import Outcome
from tests.fakes.retraining_findings import BETTER, LEAK, SHORT, UNCLEAR, WORSE, Findings
from tests.fakes.retraining_world import DRIFT, QUALITY, RetrainingWorld, task
from tests.fakes.samples import NOW
from tests.retraining.stages import AN_HOUR, begun, chosen, judged, released

FAILURE = json.dumps({"Error": "States.TaskFailed", "Cause": '{"FailureReason": "AlgorithmError: no frauds"}'})
SAID = "States.TaskFailed: AlgorithmError: no frauds"


def after_data(*found: Any) -> RetrainingWorld:
    """The data is judged."""
    world, answer = chosen()
    Findings(found).examine(world.files.held, answer.run)
    world.judgement.data(task("data", run=answer.run))
    return world


def without_rows() -> RetrainingWorld:
    return chosen(rows=False)[0]


WAYS = {
    "approved": (lambda: judged(Findings(gain=BETTER)), Outcome.PROMOTE),
    "pending": (lambda: judged(Findings(gain=BETTER), approval="manual"), Outcome.PROMOTE),
    "pending, because unclear": (lambda: judged(Findings(gain=UNCLEAR)), Outcome.SHADOW_ONLY),
    "rejected": (lambda: judged(Findings(gain=WORSE)), Outcome.REJECT),
    "not_enough": (lambda: after_data(SHORT), Outcome.NOT_ENOUGH),
    "not_enough, because empty": (without_rows, Outcome.NOT_ENOUGH),
    "unfit": (lambda: after_data(LEAK), Outcome.UNFIT),
    "failed": (begun, Outcome.FAILED),
}
"""Runs by the word that their release answers; the last one has no outcome."""


@pytest.mark.parametrize("way", WAYS)
def test_release_answers_how_it_ended_and_frees_the_lock(way: str) -> None:
    make, outcome = WAYS[way]
    world = make()
    world.clock.pass_by(AN_HOUR)
    answer = world.end.release(task("release"))
    record = world.record
    assert answer.next == way.partition(",")[0]
    assert (record.outcome, record.ended_at, answer.sentence) == (outcome, NOW + AN_HOUR, record.sentence)
    assert world.past == [record]
    assert world.lock("second").next == "assemble"


def test_release_without_an_outcome_says_so() -> None:
    assert begun().end.release(task("release")).sentence == "It ended without an outcome."


@pytest.mark.parametrize("way", WAYS)
def test_release_calls_people_where_somebody_has_to_look(way: str) -> None:
    make, outcome = WAYS[way]
    world = make()
    world.end.release(task("release"))
    called = outcome in (Outcome.UNFIT, Outcome.FAILED)
    expected = [(f"Retraining: {outcome}", f"first: {world.record.sentence}")] if called else []
    assert world.bell.rung == expected


@pytest.mark.parametrize("way", WAYS)
def test_release_done_again_answers_the_same_and_calls_nobody_again(way: str) -> None:
    world = WAYS[way][0]()
    answer = world.end.release(task("release"))
    before = world.everything()
    assert world.end.release(task("release")) == answer
    assert world.everything() == before


@pytest.mark.parametrize("name", ["release", "fail"])
def test_end_bell_that_fails_is_rung_again_before_the_record_is_closed(name: str) -> None:
    world = after_data(LEAK) if name == "release" else begun()
    world.faults.before("bell.ring", 1, StoreUnavailable("Publish"))
    with pytest.raises(StoreUnavailable):
        getattr(world.end, name)(task(name, error=FAILURE))
    assert not world.record.is_over
    getattr(world.end, name)(task(name, error=FAILURE))
    assert (len(world.bell.rung), world.record.is_over) == (1, True)


@pytest.mark.parametrize("name", ["release", "fail"])
@pytest.mark.parametrize("error", [StoreUnavailable("TransactWriteItems"), RetrainingMoved("another was faster")])
def test_end_record_that_is_not_written_is_closed_by_the_next_try(name: str, error: Exception) -> None:
    world = begun()
    world.faults.before("store.save", 1, error)
    with pytest.raises(type(error)):
        getattr(world.end, name)(task(name, error=FAILURE))
    assert not world.record.is_over
    assert getattr(world.end, name)(task(name, error=FAILURE)).next == "failed"
    assert world.record.is_over


def test_end_lost_answer_is_answered_again() -> None:
    world = judged()
    world.faults.after("store.save", world.faults.count("store.save") + 1, StoreUnavailable("TransactWriteItems"))
    with pytest.raises(StoreUnavailable):
        world.end.release(task("release"))
    assert world.end.release(task("release")).next == "approved"
    assert len(world.past) == 1


def test_release_tells_of_alarms_that_are_on_still() -> None:
    world = judged(cooldown_hours=5)
    world.alarms.on = {DRIFT, QUALITY}
    said = world.end.release(task("release")).sentence
    assert said == (f"{world.record.sentence} {DRIFT}, {QUALITY} is on still: reminders see to it after 5 hours.")


def test_release_is_not_failed_by_alarms_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def unread(_: object) -> list[str]:
        raise StoreUnavailable("DescribeAlarms: Throttling")

    world = judged()
    monkeypatch.setattr(type(world.alarms), "firing", unread)
    assert world.end.release(task("release")).sentence == world.record.sentence
    assert world.record.is_over


def test_release_after_the_lock_was_taken_over_is_superseded() -> None:
    """Its record is closed, and whoever took over did not begin, or not yet: nobody has to look."""
    world = begun()
    world.executions.running.clear()
    world.lock("second", {"trigger": "reminder"})
    world.alarms.on, before = {DRIFT}, world.everything()
    assert world.end.release(task("release")).next == "superseded"
    assert world.everything() == before


def test_release_without_the_lock_is_superseded_and_changes_nothing() -> None:
    world = judged()
    world.executions.running.clear()
    world.lock("second")
    before = world.everything()
    with pytest.raises(RetrainingSuperseded):
        world.end.release(task("release"))
    assert world.everything() == before


# --- Failed -----------------------------------------------------------------------------------------------------------


def test_fail_closes_the_record_with_the_reason_in_words() -> None:
    world = begun()
    answer = world.end.fail(task("fail", error=FAILURE))
    assert (answer.next, answer.sentence) == ("failed", SAID)
    assert (world.record.outcome, world.record.sentence, world.record.is_over) == (Outcome.FAILED, SAID, True)
    assert world.bell.rung == [("Retraining: failed", f"first: {SAID}")]


def test_fail_before_the_lock_was_taken_leaves_nothing() -> None:
    world = RetrainingWorld()
    assert world.end.fail(task("fail", error=FAILURE)).sentence == SAID
    assert (world.store.read(), world.bell.rung) == (None, [])


def test_fail_without_the_lock_changes_nothing() -> None:
    world = begun("second")
    before = world.everything()
    assert world.end.fail(task("fail", error=FAILURE)).next == "failed"
    assert world.everything() == before


def test_fail_after_a_judgement_keeps_what_was_judged_and_calls_people() -> None:
    world = judged()
    answer = world.end.fail(task("fail", error=FAILURE))
    assert (answer.next, answer.sentence) == ("failed", SAID)
    assert (world.record.outcome, world.record.is_over) == (Outcome.PROMOTE, True)
    assert world.bell.rung == [("Retraining: failed", f"first: {SAID}")]


def test_fail_of_a_run_that_is_over_changes_nothing() -> None:
    world = released()
    before = world.everything()
    assert world.end.fail(task("fail", error=FAILURE)).next == "failed"
    assert world.everything() == before
