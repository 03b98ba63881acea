"""A look at a window, whole: what it finds in quiet and in changed traffic, and what the job leaves."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pyarrow as pa
import pytest

from fraud import monitoring_findings
from fraud.monitoring_findings import Concern, Outcome
from fraud.monitoring_plan import Plan
from fraud.services import window_watch
from fraud.transaction import rfc3339
from model import baseline, baseline_document, findings, monitor, monitoring_context, monitoring_options, package
from model.findings import Finding, Findings
from tests.model.conftest import Trained
from tests.model.monitor_schemas import validated
from tests.model.monitored_market import CHALLENGER, CHAMPION, DAY, LIMITS, Seen, reference, seen

pytestmark = pytest.mark.usefixtures("quiet_log")
Look = Callable[..., Findings]


@pytest.fixture
def quiet_log(capsys: pytest.CaptureFixture[str]) -> None:
    """What the job tells is for the log."""


@pytest.fixture(scope="module")
def quiet() -> Seen:
    return seen()


@pytest.fixture
def look(tmp_path: Path) -> Look:
    def looked(given: Seen, **plan: Any) -> Findings:
        rows, arrived = given.read(tmp_path / "rows")
        return monitor.look(rows, arrived, given.context(reference(), **plan))

    return looked


def violated(found: Findings) -> set[tuple[str, str, str]]:
    return {(each.check, each.concern, each.name) for each in found.findings if each.outcome == "violated"}


# --- The look ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", [7, 8])
def test_look_at_unchanged_traffic_finds_nothing(tmp_path: Path, seed: int) -> None:
    given = seen(seed)
    rows, arrived = given.read(tmp_path)
    found = monitor.look(rows, arrived, given.context(reference(seed)))

    assert violated(found) == set()
    assert {each.check for each in found.findings} == {
        "volume_check", "completeness_check", "categorical_values_check", "decision_rate_check", "staleness_check",
        "parity_check", "score_drift_check", "feature_attribution_drift_check", "baseline_drift_check", "default_check",
        "label_feed_check", "model_quality_check", "bias_drift_check",
    }  # fmt: skip
    assert (found.rows, found.looked_at) == (given.in_window.sum(), given.in_window.sum())
    assert found.champion_age_days == pytest.approx(14, abs=0.1)


def test_look_tells_who_decided_and_how(look: Look, quiet: Seen) -> None:
    tried = quiet.in_window & (np.arange(len(quiet.at)) % 2 == 0)
    found = look(
        quiet.with_columns(model_package=pa.array(np.where(tried, CHALLENGER, CHAMPION))), challenger=CHALLENGER
    )

    champion, challenger = found.variants
    assert (champion.role, champion.model_package, challenger.role) == ("champion", CHAMPION, "challenger")
    assert challenger.rows == tried.sum() and champion.rows == quiet.in_window.sum() - tried.sum()
    assert champion.shares["approve"] > 0.9 and sum(champion.shares.values()) == pytest.approx(1)
    assert 0 < champion.largest_psi < 1 and 0 < champion.score_psi < 0.1 and challenger.score_psi is None


def test_look_at_an_empty_window_is_one_violation_and_no_crash(look: Look, quiet: Seen) -> None:
    found = look(quiet.where(~quiet.in_window))

    assert violated(found) == {("volume_check", "data", "transactions")}
    assert found.rows == 0 and found.variants[0].rows == 0


def test_look_at_no_rows_at_all_does_not_crash(look: Look, quiet: Seen) -> None:
    assert violated(look(quiet.where(np.zeros(len(quiet.at), dtype=np.bool_)))) == {
        ("volume_check", "data", "transactions")
    }


def test_look_shares_the_level_out_among_all_tests_before_it_reads(look: Look, quiet: Seen) -> None:
    alone = quiet.context(reference())
    both = quiet.context(reference(), challenger=CHALLENGER)
    quiet_found = look(quiet)
    made = sum(each.check != "staleness_check" for each in quiet_found.findings)

    assert monitor.tests(both) > monitor.tests(alone) > 100
    shared = monitor.level(alone) * monitor.tests(alone) + monitor.quality_level(alone) * monitor.quality_tests(alone)
    assert shared == pytest.approx(LIMITS.alpha)
    # The groups of a field and the features of parity share one test each.
    assert made <= monitor.tests(alone) + 2 * 20 + 2


def moved_scores(given: Seen) -> Seen:
    scores = given.table["score"].to_numpy()
    return given.with_columns(score=pa.array(np.where(given.in_window, scores**0.5, scores)))


def test_look_follows_what_moved_with_a_training(look: Look, quiet: Seen) -> None:
    assert violated(look(moved_scores(quiet))) == {("score_drift_check", "drift", "score")}


def test_look_at_broken_data_asks_for_no_training_whatever_moved_beside_it(look: Look, quiet: Seen) -> None:
    found = look(moved_scores(half_the_defaults(quiet)))

    assert "drift" not in {each.concern for each in found.findings if each.outcome == "violated"}
    (score,) = (each for each in found.findings if each.check == "score_drift_check")
    assert (score.concern, score.outcome) == ("data", "violated")
    assert "so that this is not to be learned from" in score.sentence


def half_the_defaults(given: Seen) -> Seen:
    """Features broken."""
    return given.changed("card_usual_mean_120d", lambda values: values * (np.arange(len(values)) % 2))


def new_country(given: Seen) -> Seen:
    countries = given.table["country"].to_numpy(zero_copy_only=False)
    return given.with_columns(country=pa.array(np.where(given.in_window, "BR", countries)))


def test_new_country_does_not_hide_that_scores_moved(look: Look, quiet: Seen) -> None:
    assert violated(look(moved_scores(new_country(quiet)))) == {
        ("categorical_values_check", "data", "country"),
        ("score_drift_check", "drift", "score"),
    }


def test_features_that_nobody_can_read_ask_for_no_training(look: Look, quiet: Seen) -> None:
    nothing = quiet.with_columns(features=pa.nulls(len(quiet.at), quiet.table["features"].type))
    found = violated(look(moved_scores(nothing)))

    assert found == {("data_type_check", "data", "features"), ("score_drift_check", "data", "score")}


@pytest.mark.parametrize("check", ["model_quality_check", "bias_drift_check"])
def test_lost_quality_asks_for_no_training_only_while_features_are_sound(check: str) -> None:
    lost = violation(check, "quality", "auc")
    broken, field = violation("parity_check", "data", "card"), violation("completeness_check", "data", "channel")

    assert monitor.distrusted([lost, field]) == [lost, field]
    distrusted, same = monitor.distrusted([lost, broken])
    assert (distrusted.concern, same) == ("data", broken)
    assert distrusted.sentence == (
        "It is so. But parity of card is violated in this window, so that this is not to be learned from."
    )


@pytest.mark.parametrize("name", ["channel", "country", "currency", "merchant_category"])
def test_fields_that_no_feature_reads_leave_drift_to_be_learned(name: str) -> None:
    moved = violation("baseline_drift_check", "drift", "transaction_amount")
    for check in sorted(monitor.UNSOUND - {"parity_check", "default_check"}):
        assert monitor.distrusted([moved, violation(check, "data", name)])[0] == moved
    field, feature = (violation("completeness_check", "data", each) for each in (name, "card_mean_30d"))
    assert monitor.distrusted([moved, field, feature])[0].concern == "data"


def violation(check: str, concern: Any, name: str) -> Finding:
    return Finding(
        check=check, concern=concern, name=name, variant="champion", outcome="violated", observed=1.0, limit=0.0,
        count=9, sentence="It is so.",
    )  # fmt: skip


def test_concerns_are_those_that_the_machine_follows_up(look: Look, quiet: Seen) -> None:
    assert set(get_args(findings.Concern)) == {each.value for each in Concern}
    people = {each.check for each in look(quiet).findings if each.concern == "upkeep"}
    assert people == {"decision_rate_check", "staleness_check", "label_feed_check"}


# --- Days of traffic --------------------------------------------------------------------------------------------------


def of_days(given: Seen, at: np.ndarray, tmp_path: Path) -> float:
    """Days of traffic in a window in which the last day's transactions say that they happened at other moments."""
    rows, _ = given.read(tmp_path)
    return monitoring_context.event_days(replace(rows, at=at, in_window=np.ones(len(at), dtype=np.bool_)))


@pytest.mark.parametrize("begin", [0, 0.3, 0.7])
def test_late_transactions_are_no_days_of_traffic(tmp_path: Path, quiet: Seen, begin: float) -> None:
    end = quiet.as_of - begin * DAY
    day = quiet.at[(quiet.at > end - DAY) & (quiet.at <= end)]
    late = np.random.default_rng(3).integers(end - 4 * DAY, end - DAY, len(day) // 50)

    assert of_days(quiet, np.sort(np.append(day, late)), tmp_path) <= 1
    assert 0.9 < of_days(quiet, day, tmp_path) <= 1


@pytest.mark.parametrize("begin", [0, 0.3, 0.7])
def test_past_of_three_days_is_three_days_of_traffic_however_soon_it_arrives(
    tmp_path: Path, quiet: Seen, begin: float
) -> None:
    end = quiet.as_of - begin * DAY
    past = quiet.at[(quiet.at > end - 3 * DAY) & (quiet.at <= end)]

    assert of_days(quiet, past, tmp_path) == pytest.approx(3, abs=0.25)


def test_part_of_a_day_is_no_day_of_traffic_even_with_late_transactions(tmp_path: Path, quiet: Seen) -> None:
    end = quiet.as_of - DAY // 4
    hours = quiet.at[(quiet.at > end - DAY // 4) & (quiet.at <= end)]
    late = np.random.default_rng(3).integers(end - 3 * DAY, end - DAY // 4, len(hours) // 50)

    assert of_days(quiet, np.sort(np.append(hours, late)), tmp_path) == pytest.approx(0.25, abs=0.1)


def test_window_without_a_transaction_has_no_day_of_traffic(tmp_path: Path, quiet: Seen) -> None:
    assert of_days(quiet, quiet.at[:0], tmp_path) == 0


def test_planted_error_of_the_online_features_is_found_by_parity(look: Look, quiet: Seen) -> None:
    found = look(
        quiet.changed("card_count_24h", lambda values: values + 1), limits=replace(LIMITS, parity_entities=300)
    )

    assert ("parity_check", "data") in {kind[:2] for kind in violated(found)}


# --- The arguments ----------------------------------------------------------------------------------------------------


def arguments(**given: Any) -> list[str]:
    window = window_watch.Window(1_772_236_800.0, 1_772_323_200.0)
    return list(window_watch._arguments(Plan(**given), window, CHAMPION, ""))


def test_arguments_of_the_machine_are_read_as_the_plan_has_them() -> None:
    plan = Plan(fairness=("country", "channel"), alpha=1e-6, most_rows=5_000)
    asked = monitoring_options.parse(["base", *arguments(fairness=plan.fairness, alpha=1e-6, most_rows=5_000)])

    days = {
        "maturity": "maturity_days",
        "quality": "quality_days",
        "stale": "stale_days",
        "freshest_label": "freshest_label_days",
    }
    expected = {each.name: getattr(plan, days.get(each.name, each.name)) for each in fields(asked.limits)}
    assert {
        name: value // DAY if name in days else value
        for name, value in ((each.name, getattr(asked.limits, each.name)) for each in fields(asked.limits))
    } == expected
    assert (asked.since, asked.until) == (1_772_236_800.0, 1_772_323_200.0)
    assert (asked.champion, asked.challenger, asked.most_rows) == (CHAMPION, "", 5_000)


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("--since", "2026-03-01T00:00:00", "invalid seconds value"),
        ("--since", "2026-04-01T00:00:00Z", "--since must lie before --until"),
        ("--alpha", "nan", "is no number from 0"),
        ("--fewest-rows", "-1", "is less than none"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(
    capsys: pytest.CaptureFixture[str], name: str, value: str, said: str
) -> None:
    with pytest.raises(SystemExit):
        monitoring_options.parse(["base", *arguments(), name, value])

    assert said in capsys.readouterr().err


# --- The job ----------------------------------------------------------------------------------------------------------


class Job:
    """The directory of a processing job, in a container that keeps exit messages."""

    def __init__(self, base: Path, trained: Trained, given: Seen) -> None:
        self.base, self.given = base / "processing", given
        self.message = base / "output" / "message"
        self.message.parent.mkdir()
        package.build_archive(trained.model_dir, self.base / "input" / "champion" / "model.tar.gz")
        given.write(self.base / "input" / "rows")
        self._baseline()

    def _baseline(self) -> None:
        as_of = rfc3339(self.given.as_of - DAY)
        baseline.main([str(self.base), "--champion", CHAMPION, "--reference", "archive", "--as-of", as_of])
        (self.base / "output").rename(self.base / "input" / "baseline")

    def arguments(self, challenger: str = "", **plan: Any) -> list[str]:
        window = window_watch.Window(self.given.as_of - DAY, self.given.as_of)
        return [str(self.base), *window_watch._arguments(Plan(**plan), window, CHAMPION, challenger)]

    def run(self, challenger: str = "", **plan: Any) -> monitoring_findings.Findings:
        monitor.main(self.arguments(challenger, **plan))
        return monitoring_findings.parse((self.base / "output" / "monitoring.json").read_bytes())


@pytest.fixture
def job(tmp_path: Path, trained: Trained, quiet: Seen) -> Job:
    return Job(tmp_path, trained, quiet)


def test_job_leaves_findings_that_the_machine_reads(job: Job) -> None:
    found = job.run()

    assert (found.champion, found.rows) == (CHAMPION, job.given.in_window.sum())
    assert (found.since, found.until) == (rfc3339(job.given.as_of - DAY), rfc3339(job.given.as_of))
    assert {metric.name for metric in monitoring_findings.metrics(found)} >= {"DriftViolations", "ChampionAgeDays"}


def test_job_leaves_files_of_model_monitors_schemas(job: Job) -> None:
    found = job.run()
    output = job.base / "output"
    files = {
        "champion": ("data_statistics", "data_constraints", "data_violations"),
        "champion/model_quality": ("quality_statistics", "quality_constraints", "quality_violations"),
    }
    for folder, schemas in files.items():
        for name, schema in zip(("statistics", "constraints", "constraint_violations"), schemas, strict=True):
            validated(output / folder / f"{name}.json", schema)
    validated(output / "champion/bias/constraint_violations.json", "bias_violations")
    validated(output / "champion/explainability/constraint_violations.json", "explainability_violations")

    told = json.loads((output / "champion/constraint_violations.json").read_text())["violations"]
    drifted = {
        each.name for each in found.violations if each.concern is Concern.DRIFT and each.check.startswith("base")
    }
    assert {each["feature_name"] for each in told if each["constraint_check_type"] == "baseline_drift_check"} >= drifted
    columns = json.loads((output / "champion/statistics.json").read_text())["features"]
    assert {"transaction_amount", "score", "country"} <= {each["name"] for each in columns}
    assert "<html" in (output / "report.html").read_text()


def test_job_looks_at_a_challenger_beside_the_champion(job: Job, trained: Trained) -> None:
    package.build_archive(trained.model_dir, job.base / "input" / "challenger" / "model.tar.gz")
    found = job.run(CHALLENGER)

    assert [each.role for each in found.variants] == ["champion", "challenger"]
    assert validated(job.base / "output/challenger/statistics.json", "data_statistics")["dataset"]["item_count"] == 0


def test_job_that_found_something_says_so_as_model_monitor_does(job: Job) -> None:
    found = job.run(fewest_rows=1_000_000, fewest_frauds=1_000_000, stale_days=1)

    assert len(found.violations) == 1
    assert job.message.read_text() == "CompletedWithViolations: 1 violations"


def test_job_that_found_nothing_leaves_no_message(job: Job) -> None:
    found = job.run(fewest_rows=1_000_000, fewest_frauds=1_000_000)

    assert found.violations == () and not job.message.exists()


def test_job_of_many_rows_looks_at_some_cards_and_counts_all(job: Job) -> None:
    found = job.run(most_rows=1_000)

    assert found.looked_at == pytest.approx(1_000, rel=0.3) and found.rows == job.given.in_window.sum()
    (volume,) = (each for each in found.findings if each.check == "volume_check")
    assert volume.outcome is Outcome.PASSED


def run_as_script(job: Job, monkeypatch: pytest.MonkeyPatch) -> str:
    """The sentence that it ends with."""
    monkeypatch.setattr(sys, "argv", ["monitor", *job.arguments()])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(monitor.__file__, run_name="__main__")
    return str(ended.value.code)


@pytest.mark.parametrize("place", ["input/champion", "input/rows", "input/baseline"])
def test_job_that_cannot_read_its_inputs_says_so_in_a_sentence(
    job: Job, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    for path in (job.base / place).iterdir():
        path.write_text("damaged")
    said = run_as_script(job, monkeypatch)

    assert said.startswith("monitor: ") and "\n" not in said
    assert job.message.read_text() == said
    assert not (job.base / "output" / "monitoring.json").exists()


def test_job_refuses_a_baseline_of_another_champion(job: Job, monkeypatch: pytest.MonkeyPatch) -> None:
    replace(baseline_document.read(job.base / "input/baseline"), champion=CHALLENGER).write(job.base / "input/baseline")

    assert run_as_script(job, monkeypatch) == f"monitor: the baseline is of {CHALLENGER}, not of {CHAMPION}"
