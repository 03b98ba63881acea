"""A look: which window, what its job reads, and what follows from what was found."""

from __future__ import annotations

from typing import Any

import pytest

from fraud.errors import FraudError, InvalidEvidence, InvalidPlan, MonitoringRefused, StoreUnavailable
from fraud.monitoring import MOST_FINDINGS
from fraud.monitoring_plan import Plan
from fraud.services.window_watch import CURRENT, NUMBERS
from tests.fakes.monitoring import DRIFTED, VANISHED, WORSE, finding
from tests.fakes.monitoring_world import MonitoringWorld, files
from tests.fakes.samples import NOW

HOUR = 3_600
NONE = {"DriftViolations": 0, "ModelQualityViolations": 0, "DataQualityViolations": 0, "UpkeepViolations": 0}
RUN = {"MonitoringRuns": 1}


@pytest.fixture
def world() -> MonitoringWorld:
    world = MonitoringWorld().with_champion()
    world.refreshed()
    world.clock.pass_by(NOW - world.clock())
    return world


def begun(world: MonitoringWorld, **given: Any) -> dict[str, Any]:
    """A look whose query found something; what its states read."""
    answer = world.look("choose_window", input=given)
    assert answer.next == "assemble"
    world.queried(answer.run)
    assert world.look("choose_data", run=answer.run).next == "look"
    return answer.run


def argument(run: dict[str, Any], name: str) -> str:
    words = run["monitor_arguments"]
    return str(words[words.index(f"--{name}") + 1])


# --- The window -------------------------------------------------------------------------------------------------------


def test_window_of_an_empty_input_is_the_last_day(world: MonitoringWorld) -> None:
    run = begun(world)
    assert (run["since"], run["until"]) == ("2025-06-14T15:06:40.000Z", "2025-06-15T15:06:40.000Z")
    assert (argument(run, "since"), argument(run, "until")) == (run["since"], run["until"])


def test_window_that_is_asked_for_is_looked_at(world: MonitoringWorld) -> None:
    run = begun(world, since="2025-06-01T00:00:00Z", until="2025-06-03T00:00:00+02:00")
    assert (run["since"], run["until"]) == ("2025-06-01T00:00:00.000Z", "2025-06-02T22:00:00.000Z")


@pytest.mark.parametrize(
    ("asked", "error", "words"),
    [
        ([], MonitoringRefused, "The input is not"),
        ({"since": "yesterday"}, MonitoringRefused, "The input is not"),
        ({"since": "2025-06-01T00:00:00"}, MonitoringRefused, "since carries no UTC offset"),
        ({"since": "2025-06-16T00:00:00Z"}, MonitoringRefused, "empty, or not over yet"),
        ({"until": "2025-06-16T00:00:00Z"}, MonitoringRefused, "empty, or not over yet"),
        ({"since": "2025-01-01T00:00:00Z"}, MonitoringRefused, "longer than 30 days"),
        ({"plan": {"alpha": 1}}, InvalidPlan, "plan.alpha"),
    ],
)
def test_window_that_cannot_be_looked_at_is_refused(
    world: MonitoringWorld, asked: Any, error: type[FraudError], words: str
) -> None:
    with pytest.raises(error, match=words):
        world.look("choose_window", input=asked)


def test_window_without_a_model_is_not_looked_at_and_said_to_be_quiet_so_that_nobody_is_missed() -> None:
    world = MonitoringWorld()
    assert world.look("choose_window").next == "no_model"
    assert world.metrics.values == NONE | RUN


def test_window_of_a_champion_without_a_baseline_asks_for_one(world: MonitoringWorld) -> None:
    assert MonitoringWorld().with_champion().look("choose_window").next == "no_baseline"
    assert world.with_champion("b").look("choose_window").next == "no_baseline"
    # Somebody looked; what there is to find is not known.
    assert world.metrics.values == RUN


@pytest.mark.parametrize("champion", [None, "b"])
def test_window_that_is_past_and_not_looked_at_is_no_look_either(world: MonitoringWorld, champion: str | None) -> None:
    past = {"until": "2025-06-10T00:00:00Z"}
    if champion is None:
        world.routing = None
    else:
        world.with_champion(champion)
    assert world.look("choose_window", input=past).next in ("no_model", "no_baseline")
    assert world.metrics.published == []


def test_window_that_is_to_be_looked_at_is_no_look_yet(world: MonitoringWorld) -> None:
    begun(world)
    assert world.metrics.published == []


@pytest.mark.parametrize("side", ["before", "after"])
def test_window_without_a_model_that_is_interrupted_is_asked_for_again(side: str) -> None:
    world = MonitoringWorld()
    getattr(world.faults, side)("metrics.publish", 1, StoreUnavailable("throttled"))
    with pytest.raises(StoreUnavailable):
        world.look("choose_window")
    assert world.look("choose_window").next == "no_model"


# --- What the job reads -----------------------------------------------------------------------------------------------


def test_query_reads_what_has_to_be_mature_and_features_of_the_window_only(world: MonitoringWorld) -> None:
    query = begun(world)["query"]
    assert "'2025-05-31T15:06:40.000Z' AND '2025-06-15T15:06:40.000Z'" in query
    assert "'2025-06-14T15:06:40.000Z' > ''" in query
    assert f"TO '{files('look', 'windows').dataset}'" in query


def test_query_reads_all_of_a_window_that_is_longer(world: MonitoringWorld) -> None:
    query = begun(world, since="2025-05-17T00:00:00Z", until="2025-06-15T00:00:00Z")["query"]
    assert "'2025-05-17T00:00:00.000Z' AND" in query


def test_every_number_of_the_plan_reaches_the_job(world: MonitoringWorld) -> None:
    run = begun(world, plan={"least_psi": 0.25, "fairness": ["country", "channel"], "most_rows": 5_000})
    assert (argument(run, "least-psi"), argument(run, "fairness")) == ("0.25", "country,channel")
    assert argument(run, "most-rows") == "5000"
    told = {*NUMBERS, "fairness"}
    others = {"window_hours", "reference_days", "instance_type", "run_seconds", "rebaseline"}
    assert told | others == set(Plan.__struct_fields__)


def test_without_a_challenger_the_champion_stands_in(world: MonitoringWorld) -> None:
    run = begun(world)
    assert (argument(run, "challenger"), run["challenger_uri"]) == ("none", run["champion_uri"])
    assert argument(run, "champion") == run["champion"] == world.champion


def test_challenger_is_looked_at_beside_the_champion(world: MonitoringWorld) -> None:
    run = begun(world.with_challenger())
    assert world.routing is not None
    assert argument(run, "challenger") == world.routing.slots["b"].model_package
    assert run["challenger_uri"] != run["champion_uri"]


def test_baseline_is_the_champions(world: MonitoringWorld) -> None:
    baseline = world.record.baseline
    assert baseline is not None
    assert begun(world)["baseline_uri"] == baseline.uri


# --- What follows -----------------------------------------------------------------------------------------------------


def test_quiet_window_is_published_as_such_so_that_alarms_end(world: MonitoringWorld) -> None:
    run = begun(world)
    world.looked(run)
    answer = world.look("judge", run=run)
    assert (answer.next, answer.sentence) == ("quiet", world.last.sentence)
    assert world.metrics.values.items() >= (NONE | {"MonitoringRuns": 1, "WindowDecisions": 3_000}).items()
    assert world.metrics.values["ReviewShare champion"] == 0.02
    assert (world.last.run_id, world.last.rows, world.last.findings) == ("look", 3_000, ())


@pytest.mark.parametrize(
    ("found", "metric", "concern"),
    [
        (DRIFTED, "DriftViolations", "drift"),
        (WORSE, "ModelQualityViolations", "quality"),
        (VANISHED, "DataQualityViolations", "data"),
    ],
)
def test_violation_is_counted_where_its_alarm_looks(
    world: MonitoringWorld, found: Any, metric: str, concern: str
) -> None:
    run = begun(world)
    world.looked(run, found, finding())
    assert world.look("judge", run=run).next == "violated"
    violations = {name: value for name, value in world.metrics.values.items() if name.endswith("Violations")}
    assert violations == NONE | {metric: 1}
    assert world.last.violations == {concern: 1}
    assert [each.sentence for each in world.last.findings] == [found.sentence]


def test_many_violations_are_all_counted_and_the_record_stays_small(world: MonitoringWorld) -> None:
    run = begun(world)
    world.looked(run, *[DRIFTED] * 200)
    world.look("judge", run=run)
    assert world.metrics.values["DriftViolations"] == 200
    assert len(world.last.findings) == MOST_FINDINGS


def test_window_that_is_past_is_noted_and_no_alarm_hears_of_it(world: MonitoringWorld) -> None:
    run = begun(world)
    world.clock.pass_by(CURRENT + 1)
    world.looked(run, DRIFTED)
    answer = world.look("judge", run=run)
    assert answer.next == "violated"
    assert (world.metrics.published, world.last.violations) == ([], {"drift": 1})
    assert "no alarm hears of it" in answer.sentence


def test_older_window_does_not_replace_a_newer_look(world: MonitoringWorld) -> None:
    run = begun(world)
    world.looked(run)
    world.look("judge", run=run)
    older = world.look("choose_window", "older", input={"until": "2025-06-10T00:00:00Z"}).run
    world.looked(older)
    world.look("judge", "older", run=older)
    assert world.last.run_id == "look"


@pytest.mark.parametrize("field", ["since", "until", "champion"])
def test_findings_about_something_else_are_not_taken(world: MonitoringWorld, field: str) -> None:
    run = begun(world)
    world.looked(run, **{field: "another"})
    with pytest.raises(InvalidEvidence, match="another window, or another champion"):
        world.look("judge", run=run)
    assert world.watches.read() is None


def test_findings_that_are_none_are_not_taken(world: MonitoringWorld) -> None:
    run = begun(world)
    world.files.held[f"{run['findings_uri']}monitoring.json"] = b"{}"
    with pytest.raises(InvalidEvidence):
        world.look("judge", run=run)


def test_silence_after_there_was_traffic_is_a_violation_of_the_data(world: MonitoringWorld) -> None:
    run = world.look("choose_window").run
    assert world.look("choose_data", run=run).next == "nothing"
    assert world.metrics.values == NONE | {"DataQualityViolations": 1, "MonitoringRuns": 1}
    assert world.last.findings[0].check == "volume_check"


def test_silence_of_a_stack_that_never_had_traffic_is_none() -> None:
    world = MonitoringWorld().with_champion()
    world.refreshed(rows=0)
    run = world.look("choose_window").run
    assert world.look("choose_data", run=run).next == "nothing"
    assert world.metrics.values == NONE | {"MonitoringRuns": 1}


@pytest.mark.parametrize("side", ["before", "after"])
@pytest.mark.parametrize("call", ["metrics.publish", "watches.put", "files.read"])
def test_judge_that_is_interrupted_goes_on_when_it_is_asked_again(world: MonitoringWorld, call: str, side: str) -> None:
    run = begun(world)
    world.looked(run, DRIFTED)
    getattr(world.faults, side)(call, world.faults.count(call) + 1, StoreUnavailable("throttled"))
    with pytest.raises(StoreUnavailable):
        world.look("judge", run=run)
    assert world.look("judge", run=run).next == "violated"
    assert (world.last.violations, world.last.ended_at) == ({"drift": 1}, NOW)


def test_fail_says_why() -> None:
    assert MonitoringWorld().look("fail", error="it is gone").sentence == "it is gone"
