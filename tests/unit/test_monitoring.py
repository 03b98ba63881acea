"""The record of a refresh, and the names and places that follow from an execution."""

from __future__ import annotations

import re

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from fraud.monitoring import Files, Outcome, Refresh, Watch
from fraud.retraining import LONGEST_SENTENCE, MOST_EVENTS, Said
from tests.fakes.monitoring import DRIFTED, REFRESH, baseline, labels, refresh, watch
from tests.fakes.samples import NOW

BASELINE = Files("archive", "fraud-detection", REFRESH, "first", "baselines")
WINDOW = Files("archive", "fraud-detection", REFRESH, "first", "windows")
JOBS = ("baseline", "monitor")
NAME_OF_A_JOB = re.compile(r"[a-zA-Z0-9](-*[a-zA-Z0-9]){0,62}")
"""SageMaker's own pattern."""
STACKS = st.from_regex(r"[a-zA-Z][a-zA-Z0-9-]{0,127}", fullmatch=True)
EXECUTIONS = st.from_regex(
    r"arn:aws:states:eu-central-1:[0-9]{12}:execution:(monitoring|drift):[a-zA-Z0-9-]{1,80}", fullmatch=True
)


def test_refresh_begins_under_way() -> None:
    assert not refresh().is_over


def test_told_keeps_the_order_and_the_changes() -> None:
    record = refresh().told(NOW, "first").told(NOW + 1, "second", baseline=baseline())
    assert record.events == (Said(NOW, "first"), Said(NOW + 1, "second"))
    assert record.baseline == baseline()


def test_told_forgets_the_oldest_and_shortens_what_is_too_long() -> None:
    record = refresh()
    for number in range(MOST_EVENTS + 1):
        record = record.told(NOW + number, "x" * (LONGEST_SENTENCE + 1))
    assert [each.at for each in record.events] == [NOW + number for number in range(1, MOST_EVENTS + 1)]
    assert {len(each.sentence) for each in record.events} == {LONGEST_SENTENCE}


def test_ended_frees_the_lock_and_says_how() -> None:
    record = refresh().ended(NOW + 60, Outcome.REFRESHED, "The baseline is new.")
    assert record.is_over
    assert (record.outcome, record.sentence, record.ended_at) == (Outcome.REFRESHED, "The baseline is new.", NOW + 60)
    assert record.events[-1] == Said(NOW + 60, "The baseline is new.")


def test_ended_keeps_the_baseline_that_stands() -> None:
    record = refresh(baseline=baseline(), made_baseline=True).ended(NOW + 60, Outcome.FAILED, "no")
    assert (record.baseline, record.made_baseline) == (baseline(), True)


def test_ended_shortens_what_is_too_long() -> None:
    record = refresh().ended(NOW + 60, Outcome.FAILED, "x" * (LONGEST_SENTENCE + 1))
    assert record.sentence == record.events[-1].sentence == "x" * LONGEST_SENTENCE


def test_ended_again_changes_nothing() -> None:
    record = refresh().ended(NOW + 60, Outcome.UNCHANGED, "As it was.")
    assert record.ended(NOW + 99, Outcome.FAILED, "again") == record


@pytest.mark.parametrize(
    ("record", "kind"),
    [
        (refresh(baseline=baseline(), outcome=Outcome.ABANDONED), Refresh),
        (
            watch(findings=(DRIFTED,), labels=labels(), violations={"drift": 1}, metrics={"ScorePsi champion": 0.1}),
            Watch,
        ),
    ],
    ids=["refresh", "watch"],
)
def test_record_is_read_as_it_was_written(record: Refresh | Watch, kind: type) -> None:
    assert msgspec.json.decode(msgspec.json.encode(record), type=kind) == record


def test_files_of_a_baseline_lie_below_its_name() -> None:
    assert BASELINE.root == "s3://archive/monitoring/baselines/first"
    assert BASELINE.dataset == "s3://archive/monitoring/datasets/baselines/first/"
    assert BASELINE.found == "s3://archive/monitoring/baselines/first/baseline/"


def test_files_of_a_look_lie_below_its_name() -> None:
    assert WINDOW.root == "s3://archive/monitoring/windows/first"
    assert WINDOW.dataset == "s3://archive/monitoring/datasets/windows/first/"
    assert WINDOW.found == "s3://archive/monitoring/windows/first/findings/"


def test_files_names_of_jobs_are_these_for_ever() -> None:
    """Another name would start a second job beside one that runs, when an execution goes on under newer code."""
    assert [BASELINE.job(what) for what in JOBS] == [f"fraud-detection-ad34bce7c03b-{what}" for what in JOBS]


@example("s" * 128, REFRESH)
@given(STACKS, EXECUTIONS)
def test_files_names_of_jobs_are_valid_and_each_its_own(stack: str, execution: str) -> None:
    names = [Files("archive", stack, execution, "run", "windows").job(what) for what in JOBS]
    assert all(NAME_OF_A_JOB.fullmatch(name) for name in names), names
    assert len(set(names)) == len(JOBS)


@given(STACKS, st.lists(EXECUTIONS, min_size=2, max_size=2, unique=True))
def test_files_no_two_executions_share_a_name(stack: str, executions: list[str]) -> None:
    first, second = (Files("archive", stack, execution, "run", "windows") for execution in executions)
    assert not {first.job(what) for what in JOBS} & {second.job(what) for what in JOBS}
