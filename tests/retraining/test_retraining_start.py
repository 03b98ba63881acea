"""Before anything is learned: who may begin, who is answered by the run under way, and where the rows come from."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from fraud.errors import (
    DeploymentInterrupted,
    FraudError,
    InvalidPackage,
    InvalidPlan,
    RetrainingMoved,
    RetrainingRefused,
    RetrainingSuperseded,
    StoreUnavailable,
)
from fraud.retraining import Kind, Outcome
from fraud.retraining_plan import DAY
from tests.fakes.retraining_findings import Findings
from tests.fakes.retraining_world import DRIFT, QUALITY, RetrainingWorld, execution, task
from tests.fakes.samples import NOW
from tests.retraining.stages import AN_HOUR, FIRST, begun, by_alarm, chosen, judged, plan, released, run_of

REMINDER = {"trigger": "reminder"}
SCHEDULE = {"trigger": "schedule"}
UNBIDDEN = [by_alarm(DRIFT), REMINDER]
STARTED = "2025-06-15 15:06 UTC"


# --- Asked for --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [None, {}])
def test_lock_empty_input_begins_a_run_of_the_stacks_plan(empty: Any) -> None:
    world = RetrainingWorld(plan={"training_days": 30}).with_champion()
    answer = world.lock("first", empty)
    assert (answer.next, answer.run["train_name"]) == ("assemble", world.lock().run["train_name"])
    record = world.record
    assert (record.run_id, record.owner, record.champion) == ("first", execution("first"), FIRST)
    assert (record.started_at, record.as_of, record.ended_at) == (NOW, NOW, 0)
    assert (record.trigger.kind, record.plan.training_days, record.plan.gap_days) == (Kind.PERSON, 30, 7)
    assert answer.sentence == f"a person asks for a new model. It is measured against {FIRST}."


def test_lock_plan_that_is_asked_for_goes_over_the_stacks() -> None:
    world = RetrainingWorld(plan={"training_days": 30, "spot": False, "hyperparameters": {"eta": 0.1, "max_depth": 3}})
    answer = world.lock("first", plan(training_days=60, hyperparameters={"max_depth": 6}))
    told = world.record.plan
    assert (told.training_days, told.spot) == (60, False)
    assert told.hyperparameters == {"eta": 0.1, "max_depth": 6}
    assert answer.run["hyperparameters"].items() >= {"eta": "0.1", "max_depth": "6"}.items()


def test_lock_without_a_champion_says_so() -> None:
    world = begun(champion=False)
    assert (world.record.champion, world.events) == ("", ["a person asks for a new model. No model serves yet."])


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ({"plans": {}}, RetrainingRefused, "plans"),
        ([], RetrainingRefused, "The input is not"),
        ("a text", RetrainingRefused, "The input is not"),
        ({"trigger": "the moon"}, RetrainingRefused, "the moon"),
        (plan(training_day=5), InvalidPlan, "training_day"),
        (plan(training_days=0), InvalidPlan, "plan.training_days must lie between 2 and 730, not 0"),
        (plan(hyperparameters=[]), InvalidPlan, "plan.hyperparameters must be an object"),
        (plan(hyperparameters={"max_dept": 6}), InvalidPlan, "plan.hyperparameters may set .*, not max_dept"),
        (plan(hyperparameters={"eta": "slow"}), InvalidPlan, "plan.hyperparameters.eta must be a number, not 'slow'"),
    ],
)
def test_lock_what_cannot_be_followed_is_refused_and_leaves_nothing(
    asked: Any, error: type[FraudError], words: str
) -> None:
    world = RetrainingWorld().with_champion()
    with pytest.raises(error, match=words):
        world.lock("first", asked)
    assert world.store.read() is None


def test_lock_champion_that_the_registry_forgot_is_refused_and_leaves_the_lock_free() -> None:
    world = RetrainingWorld().with_champion()
    world.registry.versions.clear()
    with pytest.raises(InvalidPackage, match=f"there is no model package {FIRST}"):
        world.lock()
    assert world.store.read() is None


def test_lock_stores_what_the_jobs_run_under_its_digest() -> None:
    world = begun()
    [address] = [uri for uri, content in world.files.held.items() if content == world.source.archive()]
    assert address == run_of(world)["source_uri"]
    assert address.startswith("s3://archive/source/") and address.endswith("/source.tar.gz")


def test_lock_query_reads_as_far_back_as_the_plan_says() -> None:
    query = run_of(begun(training_days=30, maturity_days=7))["query"]
    assert query.startswith("UNLOAD (") and "TO 's3://archive/retraining/first/dataset/'" in query
    assert "at BETWEEN '2025-05-09T15:06:40.000Z' AND '2025-06-15T15:06:40.000Z'" in query


# --- One at a time ----------------------------------------------------------------------------------------------------


def test_lock_second_start_is_answered_by_the_run_under_way() -> None:
    world = begun()
    answer = world.lock("second", {"started_by": "grace"})
    assert (answer.next, answer.run) == ("under_way", {})
    assert answer.sentence == f"first is under way since {STARTED}."
    assert world.record.owner == execution("first")
    assert world.events[1:] == ["person grace asks as well: this run answers it."]


def test_lock_asker_is_noted_once() -> None:
    world = begun()
    for number in range(20):
        assert world.lock(f"again-{number}", by_alarm(DRIFT)).next == "under_way"
    world.lock("another", by_alarm(QUALITY))
    assert world.events[1:] == [f"alarm {name} asks as well: this run answers it." for name in (DRIFT, QUALITY)]
    assert world.record.revision == 3


def test_lock_reminder_during_a_run_changes_nothing() -> None:
    world = begun()
    before = world.record
    assert world.lock("second", REMINDER).next == "under_way"
    assert world.record == before


def test_lock_asked_for_again_by_its_execution_answers_the_same() -> None:
    world = RetrainingWorld().with_champion()
    first = world.lock()
    before = world.record
    world.clock.pass_by(AN_HOUR)
    assert world.lock() == first
    assert world.record == before


def test_lock_of_an_execution_whose_run_is_over_is_superseded() -> None:
    world = released()
    before = world.everything()
    with pytest.raises(RetrainingSuperseded, match="This execution's run is over: It is better"):
        world.lock()
    assert world.everything() == before


def test_lock_after_a_run_that_is_over_begins() -> None:
    world = released()
    assert world.lock("second").next == "assemble"
    assert (world.record.owner, world.record.outcome, [each.run_id for each in world.past]) == (
        execution("second"),
        None,
        ["first"],
    )


def test_lock_of_an_execution_that_does_not_run_is_taken_over() -> None:
    world = begun()
    world.clock.pass_by(AN_HOUR)
    world.executions.running.clear()
    assert world.lock("second").next == "assemble"
    [left] = world.past
    assert (left.run_id, left.outcome, left.ended_at) == ("first", Outcome.ABANDONED, NOW + AN_HOUR)
    assert left.sentence == "first ended without releasing its lock."
    assert world.record.owner == execution("second")


def test_lock_taken_over_keeps_the_outcome_that_stands() -> None:
    world = judged()
    world.executions.running.clear()
    world.lock("second")
    [left] = world.past
    assert (left.outcome, left.model_package, left.is_over) == (Outcome.PROMOTE, f"{FIRST[:-1]}2", True)
    assert left.sentence.startswith("It is better")


def test_lock_that_cannot_be_told_to_run_is_left_as_it_is() -> None:
    world = begun()
    before = world.record
    world.faults.before("executions.is_running", 1, StoreUnavailable("DescribeExecution"))
    with pytest.raises(StoreUnavailable):
        world.lock("second")
    assert world.record == before


def test_lock_taken_by_another_meanwhile_is_asked_for_again() -> None:
    world = RetrainingWorld().with_champion()
    world.faults.before("store.begin", 1, lambda: world.lock("second"))
    with pytest.raises(RetrainingMoved):
        world.lock()
    assert world.lock().next == "under_way"
    assert world.record.owner == execution("second")


def test_lock_whose_answer_was_lost_is_held_and_answered_again() -> None:
    world = RetrainingWorld().with_champion()
    world.faults.after("store.begin", 1, StoreUnavailable("TransactWriteItems"))
    with pytest.raises(StoreUnavailable):
        world.lock()
    assert world.lock().next == "assemble"
    assert world.record.revision == 1


def test_lock_registry_that_does_not_answer_leaves_nothing() -> None:
    world = RetrainingWorld().with_champion()
    world.faults.before("registry.describe", 1, DeploymentInterrupted("looking the model package up"))
    with pytest.raises(DeploymentInterrupted):
        world.lock()
    assert world.store.read() is None


# --- Alarms and reminders ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("asked", UNBIDDEN)
def test_lock_alarm_that_is_off_by_now_begins_nothing(asked: Any) -> None:
    world = RetrainingWorld().with_champion()
    answer = world.lock("first", asked)
    assert (answer.next, answer.sentence) == ("nothing", "No alarm that asks for a new model is on.")
    assert world.store.read() is None


@pytest.mark.parametrize("asked", UNBIDDEN)
def test_lock_alarm_that_is_on_begins_a_run(asked: Any) -> None:
    world = RetrainingWorld().with_champion()
    world.alarms.on = {DRIFT}
    assert world.lock("first", asked).next == "assemble"
    assert world.record.trigger.kind == asked["trigger"]


@pytest.mark.parametrize("asked", UNBIDDEN)
def test_lock_alarm_soon_after_the_last_run_begins_nothing_and_says_when(asked: Any) -> None:
    world = released(cooldown_hours=2)
    world.alarms.on, before = {DRIFT, QUALITY}, world.record
    world.clock.pass_by(2 * AN_HOUR - 1)
    answer = world.lock("second", asked)
    assert answer.next == "nothing"
    assert answer.sentence == (
        f"{DRIFT}, {QUALITY} is on, and the last run ended only at {STARTED}: "
        "a reminder asks after 2025-06-15 17:06 UTC."
    )
    assert world.record == before


@pytest.mark.parametrize("asked", UNBIDDEN)
def test_lock_alarm_that_is_on_still_when_the_rest_is_over_begins_a_run(asked: Any) -> None:
    world = released(cooldown_hours=2)
    world.alarms.on = {DRIFT}
    world.clock.pass_by(2 * AN_HOUR)
    assert world.lock("second", asked).next == "assemble"


@pytest.mark.parametrize("asked", [{}, SCHEDULE, SCHEDULE | plan(training_days=30)])
def test_lock_person_and_schedule_need_no_alarm_and_no_rest(asked: Any) -> None:
    world = released(cooldown_hours=2)
    assert world.lock("second", asked).next == "assemble"


def test_lock_alarm_takes_a_dead_run_over_and_leaves_it_its_rest() -> None:
    world = begun()
    world.executions.running.clear()
    world.alarms.on = {DRIFT}
    assert world.lock("second", by_alarm(DRIFT)).next == "nothing"
    assert (world.record.outcome, world.record.is_over) == (Outcome.ABANDONED, True)
    world.clock.pass_by(DAY)
    assert world.lock("third", REMINDER).next == "assemble"


@given(st.lists(st.sampled_from(["asks", "tries again", "ends"]), min_size=20, max_size=40))
def test_lock_storm_of_alarms_begins_one_run(happenings: list[str]) -> None:
    """Alarms ask, are turned away by each other's writes, and the run under way ends at some time, and rests."""
    world = RetrainingWorld().with_champion()
    world.alarms.on = {DRIFT, QUALITY}
    words: Counter[str] = Counter()
    for number, happening in enumerate(happenings):
        name = f"alarm-{number}"
        if happening == "tries again":
            rival = f"rival-{number}"
            world.faults.before("store.begin", world.faults.count("store.begin") + 1, lambda r=rival: storm(world, r))
        words[storm(world, name)] += 1
        if happening == "ends" and world.store.read() and not world.record.is_over:
            who = world.record.run_id
            world.end.fail(task("fail", who, error="It was no good."))
            world.executions.running.discard(execution(who))
    assert len({each.run_id for each in world.past} | {world.record.run_id}) == 1
    assert words["assemble"] <= 1
    assert len([said for said in world.events if "asks for a new model" in said]) == 1


def storm(world: RetrainingWorld, name: str) -> str:
    """An alarm's execution, whose machine asks again where somebody was faster; the word it gets."""
    for _ in range(3):
        try:
            answer = world.lock(name, by_alarm(DRIFT))
        except RetrainingMoved:
            continue
        if answer.next != "assemble":
            world.executions.running.discard(execution(name))
        return answer.next
    raise AssertionError("it is never answered")


# --- Where the rows come from -----------------------------------------------------------------------------------------


def test_choose_data_rows_of_the_archive_are_examined() -> None:
    world, answer = chosen(history_uri="s3://archive/history/2024/", cold_start="simulator")
    assert (answer.next, world.record.source) == ("examine", "archive")
    assert answer.run["data_uri"] == "s3://archive/retraining/first/dataset/"
    assert answer.run["examine_arguments"][:2] == ["--source", "archive"]
    assert answer.sentence == "The rows come from the archive."


def test_choose_data_keeps_what_the_lock_found_out() -> None:
    world = begun()
    run = run_of(world)
    world.files.held["s3://archive/retraining/first/dataset/part-0"] = b"rows"
    assert world.start.choose_data(task("choose_data", run=run)).run == run


def test_choose_data_empty_archive_is_replaced_by_the_history() -> None:
    world = begun(history_uri="s3://archive/history/2024/", cold_start="simulator")
    world.files.held |= {"s3://archive/history/2024/part-0": b"rows"}
    answer = world.start.choose_data(task("choose_data", run=run_of(world)))
    assert (answer.next, world.record.source) == ("examine", "history")
    assert answer.run["data_uri"] == "s3://archive/history/2024/"


@pytest.mark.parametrize("history", ["", "s3://archive/history/2024/"])
def test_choose_data_empty_archive_and_history_are_replaced_by_the_simulator(history: str) -> None:
    world, answer = chosen(rows=False, history_uri=history, cold_start="simulator")
    assert (answer.next, world.record.source) == ("examine", "simulator")
    assert answer.run["data_uri"] == answer.run["source_uri"]
    assert answer.run["examine_arguments"][:2] == answer.run["evaluate_arguments"][:2] == ["--source", "simulator"]


def test_choose_data_marks_without_content_are_no_rows() -> None:
    world = begun()
    world.files.held["s3://archive/retraining/first/dataset/_SUCCESS"] = b""
    assert world.start.choose_data(task("choose_data", run=run_of(world))).next == "not_enough"


def test_choose_data_nothing_at_all_is_not_enough() -> None:
    world, answer = chosen(rows=False)
    assert answer.next == "not_enough"
    assert answer.sentence == (
        "The archive holds no decisions yet, and the plan names neither a history nor the simulator."
    )
    assert (world.record.outcome, world.record.sentence) == (Outcome.NOT_ENOUGH, answer.sentence)


def test_choose_data_done_again_answers_the_same() -> None:
    world, answer = chosen()
    assert world.start.choose_data(task("choose_data", run=answer.run)) == answer


@pytest.mark.parametrize("who", ["first", "second"])
def test_choose_data_without_the_lock_is_superseded(who: str) -> None:
    """Its run is over, or was never begun."""
    world = released(Findings())
    before = world.everything()
    with pytest.raises(RetrainingSuperseded):
        world.start.choose_data(task("choose_data", who, run={}))
    assert world.everything() == before


def test_choose_data_somebody_elses_note_meanwhile_is_met_by_asking_again() -> None:
    world = begun()
    run = run_of(world)
    world.faults.before("store.save", 1, lambda: world.store.save(replace(world.record)))
    with pytest.raises(RetrainingMoved):
        world.start.choose_data(task("choose_data", run=run))
    assert world.start.choose_data(task("choose_data", run=run)).next == "not_enough"
