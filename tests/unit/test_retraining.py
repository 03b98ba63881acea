"""The record of a retraining, and the names and places that follow from its execution."""

from __future__ import annotations

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fraud.retraining import LONGEST_SENTENCE, MOST_EVENTS, Files, Kind, Outcome, Said, Trigger
from fraud.retraining_plan import Plan
from tests.fakes.retraining import EXECUTION, retraining
from tests.fakes.samples import NOW

FILES = Files("archive", "fraud-detection", EXECUTION, "first")
JOBS = ("examine", "train", "evaluate")
NAME_OF_A_JOB = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
"""SageMaker's own pattern."""
STACKS = st.from_regex(r"[a-zA-Z][a-zA-Z0-9-]{0,127}", fullmatch=True)
EXECUTIONS = st.from_regex(
    r"arn:aws:states:eu-central-1:[0-9]{12}:execution:retraining:[a-zA-Z0-9-]{1,80}", fullmatch=True
)


def test_record_begins_under_way() -> None:
    assert not retraining().is_over


def test_told_keeps_the_order_and_the_changes() -> None:
    record = retraining().told(NOW, "first").told(NOW + 1, "second", source="history")
    assert record.events == (Said(NOW, "first"), Said(NOW + 1, "second"))
    assert record.source == "history"


def test_told_forgets_the_oldest_and_shortens_what_is_too_long() -> None:
    record = retraining()
    for number in range(MOST_EVENTS + 1):
        record = record.told(NOW + number, "x" * (LONGEST_SENTENCE + 1))
    assert [each.at for each in record.events] == [NOW + number for number in range(1, MOST_EVENTS + 1)]
    assert {len(each.sentence) for each in record.events} == {LONGEST_SENTENCE}


def test_ended_frees_the_lock_and_says_how() -> None:
    record = retraining().ended(NOW + 60, Outcome.NOT_ENOUGH, "Too few frauds.")
    assert record.is_over
    assert (record.outcome, record.sentence, record.ended_at) == (Outcome.NOT_ENOUGH, "Too few frauds.", NOW + 60)
    assert record.events[-1] == Said(NOW + 60, "Too few frauds.")


def test_ended_keeps_the_outcome_that_was_judged() -> None:
    judged = retraining(outcome=Outcome.PROMOTE, sentence="It is better.")
    record = judged.ended(NOW + 60, Outcome.FAILED, "The lock was lost.")
    assert (record.is_over, record.outcome, record.sentence) == (True, Outcome.PROMOTE, "It is better.")


def test_ended_again_changes_nothing() -> None:
    record = retraining().ended(NOW + 60, Outcome.REJECT, "It is worse.")
    assert record.ended(NOW + 99, Outcome.FAILED, "again") == record


def test_ended_sentence_is_no_longer_than_an_item_bears() -> None:
    assert len(retraining().ended(NOW, Outcome.FAILED, "x" * 5_000).sentence) == LONGEST_SENTENCE


@pytest.mark.parametrize(("hours", "seconds"), [(0, 0), (24, 86_400)])
def test_rests_so_many_hours_after_its_end(hours: int, seconds: int) -> None:
    record = retraining(plan=Plan(cooldown_hours=hours)).ended(NOW + 60, Outcome.PROMOTE, "It is better.")
    assert record.rests_until == NOW + 60 + seconds


def test_kind_only_people_and_the_schedule_are_followed_at_once() -> None:
    assert [kind for kind in Kind if kind.is_bidden] == [Kind.PERSON, Kind.SCHEDULE]


@pytest.mark.parametrize(
    ("kind", "name", "words"),
    [
        (Kind.PERSON, "ada", "person ada"),
        (Kind.ALARM, "stack-drift", "alarm stack-drift"),
        (Kind.SCHEDULE, "", "the schedule"),
        (Kind.PERSON, "", "a person"),
    ],
)
def test_trigger_in_words(kind: Kind, name: str, words: str) -> None:
    assert str(Trigger(kind=kind, name=name, at=NOW)) == words


def test_files_of_a_run_lie_below_its_name() -> None:
    digest = FILES.job("train").split("-")[-2]
    assert FILES.root == "s3://archive/retraining/first"
    assert FILES.dataset == "s3://archive/retraining/first/dataset/"
    assert FILES.examined == "s3://archive/retraining/first/examined/"
    assert FILES.checkpoints == "s3://archive/retraining/first/checkpoints/"
    assert FILES.model == "s3://archive/retraining/first/model/"
    assert FILES.artefact == (f"s3://archive/retraining/first/model/fraud-detection-{digest}-train/output/model.tar.gz")
    assert FILES.evaluated == "s3://archive/retraining/first/evaluated/"


def test_files_names_of_jobs_are_these_for_ever() -> None:
    """Another name would start a second job beside one that runs, when a run goes on under newer code."""
    assert [FILES.job(what) for what in JOBS] == [f"fraud-detection-76601f91c3e2-{what}" for what in JOBS]


def test_files_long_stack_leaves_room_for_what_makes_a_name_its_own() -> None:
    for stack, begin in (("s" * 128, "s" * 36), ("s" * 35 + "-production", "s" * 35)):
        name = Files("archive", stack, EXECUTION, "first").job("evaluate")
        assert name == f"{begin}-76601f91c3e2-evaluate"
        assert NAME_OF_A_JOB.fullmatch(name)


@example("s" * 128, EXECUTION)
@given(STACKS, EXECUTIONS)
def test_files_names_of_jobs_are_valid_and_each_its_own(stack: str, execution: str) -> None:
    files = Files("archive", stack, execution, "run")
    names = [files.job(what) for what in JOBS]
    assert all(NAME_OF_A_JOB.fullmatch(name) for name in names), names
    assert len(set(names)) == len(JOBS)
    assert names == [Files("archive", stack, execution, "run").job(what) for what in JOBS]


@given(STACKS, st.lists(EXECUTIONS, min_size=2, max_size=2, unique=True))
def test_files_no_two_executions_share_a_name(stack: str, executions: list[str]) -> None:
    first, second = (Files("archive", stack, execution, "run") for execution in executions)
    assert not {first.job(what) for what in JOBS} & {second.job(what) for what in JOBS}
