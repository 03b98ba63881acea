"""The refresh of monitoring up to its baseline: who may begin, what stands already, and what is made."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fraud.errors import (
    FraudError,
    InvalidEvidence,
    InvalidPackage,
    InvalidPlan,
    MonitoringRefused,
    MonitoringSuperseded,
    StoreUnavailable,
)
from fraud.monitoring import Baseline, Outcome
from tests.fakes.monitoring import watch
from tests.fakes.monitoring_world import MonitoringWorld, files
from tests.fakes.samples import NOW

DAY, HOUR = 86_400, 3_600


@pytest.fixture
def world() -> MonitoringWorld:
    return MonitoringWorld().with_champion()


# --- Lock -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("empty", [None, {}])
def test_lock_empty_input_begins_a_refresh_of_the_champion(world: MonitoringWorld, empty: Any) -> None:
    answer = world.do("lock", input=empty)
    assert answer.next == "assemble"
    record = world.record
    assert (record.run_id, record.champion, record.started_at, record.baseline) == ("first", world.champion, NOW, None)
    assert world.events == [f"Asked for by person: {world.champion} serves."]


def test_lock_without_a_model_leaves_nothing() -> None:
    world = MonitoringWorld()
    answer = world.do("lock")
    assert (answer.next, world.store.read()) == ("no_model", None)
    assert "nothing to watch" in answer.sentence


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ([], MonitoringRefused, "The input is not"),
        ({"plans": {}}, MonitoringRefused, "plans"),
        ({"plan": {"window_hour": 24}}, InvalidPlan, "window_hour"),
        ({"plan": {"window_hours": 25}}, InvalidPlan, "whole days"),
        ({"plan": {"alpha": 0.5}}, InvalidPlan, "plan.alpha must lie between"),
    ],
)
def test_lock_what_cannot_be_followed_is_refused_and_leaves_nothing(
    world: MonitoringWorld, asked: Any, error: type[FraudError], words: str
) -> None:
    with pytest.raises(error, match=words):
        world.do("lock", input=asked)
    assert world.store.read() is None


def test_lock_champion_that_the_registry_forgot_leaves_the_lock_free(world: MonitoringWorld) -> None:
    world.registry.versions.clear()
    with pytest.raises(InvalidPackage):
        world.do("lock")
    assert world.store.read() is None


def test_lock_second_start_is_told_of_the_first(world: MonitoringWorld) -> None:
    world.do("lock")
    answer = world.do("lock", "second")
    assert (answer.next, answer.sentence) == ("under_way", "first is under way.")
    assert world.record.run_id == "first"


def test_lock_of_an_execution_that_is_gone_is_taken_over(world: MonitoringWorld) -> None:
    world.do("lock")
    world.executions.running.clear()
    assert world.do("lock", "second").next == "assemble"
    assert world.record.run_id == "second"


def test_lock_asked_for_again_answers_the_same(world: MonitoringWorld) -> None:
    first, before = world.do("lock"), world.record
    world.clock.pass_by(600)
    assert (world.do("lock"), world.record) == (first, before)


def test_lock_of_an_execution_whose_refresh_is_over_is_superseded(world: MonitoringWorld) -> None:
    world.refreshed()
    with pytest.raises(MonitoringSuperseded, match="is over"):
        world.do("lock")


# --- What is read -----------------------------------------------------------------------------------------------------


def test_lock_says_where_everything_lies(world: MonitoringWorld) -> None:
    run = world.do("lock", input={"plan": {"reference_days": 14, "instance_type": "ml.m5.large"}}).run
    mine = files("first", "baselines")
    assert f"TO '{mine.dataset}'" in run["query"]
    assert "'2025-06-01T15:06:40.000Z' AND '2025-06-15T15:06:40.000Z'" in run["query"]
    assert run["baseline_uri"] == mine.found == "s3://archive/monitoring/baselines/first/baseline/"
    assert run["baseline_name"] == mine.job("baseline")
    assert run["champion_uri"] == world.registry.describe(world.champion).artefact_uri
    # Of features, those of the newest day alone.
    assert "'2025-06-14T15:06:40.000Z' > ''" in run["query"]
    assert world.files.held[run["source_uri"]] == world.source.archive()
    assert (run["instance_type"], run["run_seconds"]) == ("ml.m5.large", 3_600)


def test_choose_reference_archive_that_holds_something_is_the_reference(world: MonitoringWorld) -> None:
    run = world.do("lock").run
    world.queried(run)
    answer = world.do("choose_reference", run=run)
    assert answer.next == "baseline"
    assert answer.run["reference_uri"] == files("first", "baselines").dataset
    assert answer.run["baseline_arguments"] == [
        "--champion", world.champion, "--reference", "archive", "--as-of", "2025-06-15T15:06:40.000Z",
    ]  # fmt: skip


def test_choose_reference_empty_archive_leaves_the_package_alone(world: MonitoringWorld) -> None:
    answer = world.do("choose_reference", run=world.do("lock").run)
    assert answer.run["reference_uri"] == answer.run["source_uri"]
    assert "none" in answer.run["baseline_arguments"]
    assert "package alone" in answer.sentence


def test_choose_reference_of_another_execution_is_superseded(world: MonitoringWorld) -> None:
    run = world.do("lock").run
    with pytest.raises(MonitoringSuperseded):
        world.do("choose_reference", "second", run=run)


# --- What was made ----------------------------------------------------------------------------------------------------


def test_judge_baseline_notes_what_was_made(world: MonitoringWorld) -> None:
    run = world.do("lock").run
    world.baseline_made(run, rows=1_234, days=3)
    answer = world.do("judge_baseline", run=run)
    assert answer.next == "schedules"
    assert answer.sentence == "The baseline is made: the package, and 1,234 decisions of 3 days."
    assert world.record.baseline is not None and world.record.baseline.is_complete
    found = world.record.baseline
    assert found is not None
    assert (found.champion, found.uri, found.made_at) == (world.champion, run["baseline_uri"], NOW)
    assert world.record.made_baseline


def test_judge_baseline_that_is_not_complete_says_so(world: MonitoringWorld) -> None:
    run = world.do("lock").run
    world.baseline_made(run, rows=1_234, days=20, is_complete=False)
    answer = world.do("judge_baseline", run=run)
    assert answer.sentence == (
        "The baseline is made: the package, and 1,234 decisions of 20 days, not yet of a whole week of the champion's."
    )
    assert world.record.baseline is not None and not world.record.baseline.is_complete


@pytest.mark.parametrize(
    ("document", "words"),
    [({"champion": "another"}, "was to be of"), ({"schema_version": 2}, "not what a baseline job leaves")],
)
def test_judge_baseline_that_is_not_the_champions_is_not_taken(
    world: MonitoringWorld, document: dict[str, Any], words: str
) -> None:
    run = world.do("lock").run
    world.baseline_made(run, **document)
    with pytest.raises(InvalidEvidence, match=words):
        world.do("judge_baseline", run=run)
    assert world.record.baseline is None


def test_judge_baseline_without_a_document_is_not_taken(world: MonitoringWorld) -> None:
    run = world.do("lock").run
    with pytest.raises(InvalidEvidence):
        world.do("judge_baseline", run=run)


# --- What stands already ----------------------------------------------------------------------------------------------


def test_refresh_again_changes_nothing(world: MonitoringWorld) -> None:
    assert world.refreshed().next == "refreshed"
    before = world.record.baseline
    world.clock.pass_by(8 * DAY)
    world.watches.put(watch(until=world.clock(), ended_at=world.clock()))
    answer = world.refreshed("second")
    assert answer.next == "unchanged", world.events
    assert world.record.baseline == before
    assert world.record.outcome is Outcome.UNCHANGED
    assert "The baseline stands" in answer.sentence


def test_refresh_of_another_champion_makes_its_baseline(world: MonitoringWorld) -> None:
    world.refreshed()
    world.with_champion("b")
    assert world.do("lock", "second").next == "assemble"


def test_refresh_on_request_makes_the_baseline_anew_once(world: MonitoringWorld) -> None:
    world.refreshed()
    asked = {"plan": {"rebaseline": True}}
    answer = world.do("lock", "second", input=asked)
    assert answer.next == "assemble"
    world.baseline_made(answer.run)
    world.do("judge_baseline", "second", run=answer.run)
    assert world.do("lock", "second", input=asked).next == "schedules"


def test_baseline_of_an_empty_archive_is_made_anew_once_there_is_traffic(world: MonitoringWorld) -> None:
    world.refreshed(rows=0)
    world.clock.pass_by(30 * DAY)
    assert world.do("lock", "second").next == "schedules"
    world.executions.running.clear()
    assert world.with_traffic().do("lock", "third").next == "assemble"


@pytest.mark.parametrize(
    ("is_complete", "later", "following"),
    [(True, 30 * DAY, "schedules"), (False, DAY - HOUR, "schedules"), (False, DAY, "assemble")],
)
def test_baseline_that_is_not_complete_is_made_anew_after_a_day_however_many_days_it_has(
    world: MonitoringWorld, is_complete: bool, later: int, following: str
) -> None:
    world.refreshed(is_complete=is_complete)
    assert world.record.baseline is not None and world.record.baseline.days == 28
    world.clock.pass_by(later)
    assert world.do("lock", "second").next == following


def test_baseline_of_an_older_record_is_made_anew(world: MonitoringWorld) -> None:
    """Records did not say whether it was complete."""
    world.refreshed()
    assert world.record.baseline is not None
    older = msgspec.to_builtins(world.record.baseline)
    del older["is_complete"]
    baseline = msgspec.convert(older, Baseline)
    world.store.save(msgspec.structs.replace(world.record, baseline=baseline))
    world.clock.pass_by(2 * DAY)
    assert world.do("lock", "second").next == "assemble"


# --- Interrupted ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("call", ["store.begin", "files.write", "registry.describe", "routing.read"])
def test_lock_that_is_interrupted_goes_on_when_it_is_asked_again(world: MonitoringWorld, call: str, side: str) -> None:
    getattr(world.faults, side)(call, 1, StoreUnavailable("throttled"))
    with pytest.raises(StoreUnavailable):
        world.do("lock")
    assert world.do("lock").next == "assemble"
    assert world.record.run_id == "first"


@pytest.mark.parametrize("side", ["before", "after"])
def test_judge_baseline_that_is_interrupted_notes_it_once(world: MonitoringWorld, side: str) -> None:
    run = world.do("lock").run
    world.baseline_made(run)
    getattr(world.faults, side)("store.save", 1, StoreUnavailable("throttled"))
    with pytest.raises(StoreUnavailable):
        world.do("judge_baseline", run=run)
    assert world.do("judge_baseline", run=run).next == "schedules"
    assert world.record.baseline is not None
