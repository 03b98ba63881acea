"""The job that makes a baseline: what it takes of the package, what of the archive, and what it leaves."""

from __future__ import annotations

import json
import runpy
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fraud import drift, features
from fraud.transaction import rfc3339
from model import baseline, baseline_document, package
from model.baseline_document import Baseline
from model.packaged import UnusablePackage
from tests.model.conftest import Trained
from tests.model.monitor_schemas import validated
from tests.model.monitored_market import CHALLENGER, CHAMPION, DAY, Seen, reference, seen

pytestmark = pytest.mark.usefixtures("quiet_log")
Describe = Callable[..., Baseline]


@pytest.fixture
def quiet_log(capsys: pytest.CaptureFixture[str]) -> None:
    """What the job tells is for the log."""


@pytest.fixture(scope="module")
def quiet() -> Seen:
    return seen()


@pytest.fixture
def describe(tmp_path: Path) -> Describe:
    def described(given: Seen, **changes: Any) -> Baseline:
        rows, _ = replace(given, as_of=given.as_of).read(tmp_path / "rows")
        return baseline.describe({**given.document, **changes}, rows, len(rows), CHAMPION, given.as_of)

    return described


# --- What the package says --------------------------------------------------------------------------------------------


def test_features_and_scores_are_what_the_package_says(quiet: Seen, describe: Describe) -> None:
    made = describe(quiet)

    assert set(made.features) == set(features.NAMES)
    amount, given = made.features["transaction_amount"], quiet.document["baseline"]["transaction_amount"]
    assert {name: getattr(amount, name) for name in given} == given
    assert made.scores is not None and made.scores.counts == quiet.document["scores"]["counts"]
    assert made.trained_to == quiet.document["training"]["last_at"]
    assert made.trained_rows_per_day == pytest.approx(quiet.document["training"]["rows"] / 20, rel=0.01)


def test_older_package_that_says_less_is_taken_with_care(quiet: Seen, describe: Describe) -> None:
    given = quiet.document["baseline"]
    older = {name: {key: each[key] for key in ("edges", "counts", "missing")} for name, each in given.items()}
    made = describe(replace(quiet, document={k: v for k, v in quiet.document.items() if k != "scores"}), baseline=older)

    amount = made.features["transaction_amount"]
    assert (amount.zeros, amount.design_effect, amount.is_steady) == (None, drift.DEFAULT_DESIGN_EFFECT, True)
    assert made.scores is None


def test_promise_and_thresholds_are_the_packages(quiet: Seen, describe: Describe) -> None:
    training = {**quiet.document["training"], "metrics": {"auc": 0.9}}
    made = describe(quiet, training=training)

    assert (made.promise, made.thresholds) == ({"auc": 0.9}, quiet.document["thresholds"])


def test_package_that_does_not_say_what_it_learned_from_is_refused(quiet: Seen, describe: Describe) -> None:
    with pytest.raises(UnusablePackage, match="does not say what it learned from"):
        describe(quiet, training={"rows": 3})


# --- What the archive says --------------------------------------------------------------------------------------------


def test_fields_are_counted(quiet: Seen, describe: Describe) -> None:
    channels = quiet.table["channel"].to_pylist()
    holes = pa.array([None if place % 10 == 0 else value for place, value in enumerate(channels)])
    made = describe(quiet.with_columns(channel=holes)).fields

    assert set(made) == {"channel", "country", "currency", "merchant_category"}
    channel = made["channel"]
    assert (channel.missing, channel.present, channel.others) == (holes.null_count, len(holes) - holes.null_count, 0)
    assert sum(channel.values.values()) == channel.present and channel.design_effect >= 1


def test_most_frequent_values_of_a_field_are_named_and_the_others_counted(quiet: Seen, describe: Describe) -> None:
    codes = pa.array([f"{place % 150:04d}" for place in range(len(quiet.at))])
    made = describe(quiet.with_columns(merchant_category=codes)).fields["merchant_category"]

    assert len(made.values) == 100 and made.others + sum(made.values.values()) == made.present


def test_decisions_are_the_champions_own_and_degraded_ones_of_all(quiet: Seen, describe: Describe) -> None:
    tried = np.arange(len(quiet.at)) % 2 == 0
    degraded = pa.array(tried & (np.arange(len(quiet.at)) % 4 == 0))
    action = pa.array(np.where(tried, "block", "approve"))
    packages = pa.array(np.where(tried, CHALLENGER, CHAMPION))
    made = describe(quiet.with_columns(action=action, model_package=packages, degraded=degraded)).decisions

    assert (made["block"].count, made["approve"].count, made["approve"].rows) == (0, (~tried).sum(), (~tried).sum())
    assert made["degraded"].rows == len(quiet.at) and made["degraded"].count == pa.compute.sum(degraded).as_py()


def test_decisions_of_a_champion_that_decided_nothing_yet_are_not_known(quiet: Seen, describe: Describe) -> None:
    made = describe(quiet.with_columns(model_package=pa.repeat("former", len(quiet.at))))

    assert set(made.decisions) == {"degraded"}


def test_quietest_day_is_a_whole_one(quiet: Seen, describe: Describe) -> None:
    day = quiet.at // DAY
    ends = (day == day.min()) | (day == day.max())
    quieter = (day == day.min() + 5) & (np.arange(len(day)) % 2 == 0)
    made = describe(quiet.where((~ends | (np.arange(len(day)) % 10 == 0)) & ~quieter))

    assert made.quietest_day == ((day == day.min() + 5) & ~quieter).sum()


def test_quietest_day_of_a_week_that_is_not_whole_is_not_known(quiet: Seen, describe: Describe) -> None:
    assert describe(quiet.where(quiet.at > quiet.as_of - 8 * DAY)).quietest_day is None
    assert describe(quiet.where(quiet.at > quiet.as_of - 9 * DAY)).quietest_day is not None


@pytest.mark.parametrize(("days", "whole"), [(9, True), (8, False)])
def test_baseline_of_a_champion_that_decided_a_whole_week_is_complete(
    quiet: Seen, describe: Describe, days: int, whole: bool
) -> None:
    assert describe(quiet.where(quiet.at > quiet.as_of - days * DAY)).is_complete == whole


@pytest.mark.parametrize(("days", "whole"), [(9, True), (8, False), (0, False)])
def test_baseline_with_weeks_of_others_decisions_is_complete_after_a_week_of_the_champions_own(
    quiet: Seen, describe: Describe, days: int, whole: bool
) -> None:
    packages = pa.array(np.where(quiet.at > quiet.as_of - days * DAY, CHAMPION, "former"))
    made = describe(quiet.with_columns(model_package=packages))

    assert made.quietest_day is not None and made.days > 20
    assert made.is_complete == whole


def test_archive_that_holds_nothing_leaves_fields_decisions_and_volume_open(quiet: Seen, describe: Describe) -> None:
    made = describe(quiet.where(np.zeros(len(quiet.at), dtype=np.bool_)))

    assert (made.rows, made.days, made.fields, made.decisions, made.quietest_day) == (0, 0, {}, {}, None)
    assert made.features and not made.is_complete


def test_volume_counts_cards_that_were_not_looked_at(quiet: Seen, tmp_path: Path) -> None:
    rows, _ = quiet.read(tmp_path)
    whole = baseline.describe(quiet.document, rows, len(rows), CHAMPION, quiet.as_of)
    sampled = baseline.describe(quiet.document, rows, 4 * len(rows), CHAMPION, quiet.as_of)

    assert sampled.quietest_day == 4 * whole.quietest_day and sampled.rows == 4 * whole.rows


# --- The job ----------------------------------------------------------------------------------------------------------


class Job:
    """The directory of a processing job."""

    def __init__(self, base: Path, trained: Trained) -> None:
        self.base = base / "processing"
        package.build_archive(trained.model_dir, self.base / "input" / "champion" / "model.tar.gz")

    def hold(self, given: Seen) -> Job:
        given.write(self.base / "input" / "rows")
        return self

    def run(self, as_of: float, source: str = "archive") -> Baseline:
        baseline.main([str(self.base), "--champion", CHAMPION, "--reference", source, "--as-of", rfc3339(as_of)])
        return baseline_document.read(self.base / "output")


@pytest.fixture
def job(tmp_path: Path, trained: Trained) -> Job:
    return Job(tmp_path, trained)


def test_job_leaves_the_document_and_files_of_model_monitors_schemas(job: Job, quiet: Seen) -> None:
    made = job.hold(quiet).run(quiet.as_of)

    assert (made.champion, made.rows, made.as_of) == (CHAMPION, len(quiet.at), rfc3339(quiet.as_of))
    assert made.promise["auc"] > 0.5 and made.thresholds["review"] < made.thresholds["block"]
    statistics = validated(job.base / "output" / "statistics.json", "data_statistics")
    constraints = validated(job.base / "output" / "constraints.json", "data_constraints")
    names = [each["name"] for each in constraints["features"]]
    assert names == [each["name"] for each in statistics["features"]] == list(made.features)
    assert statistics["dataset"]["item_count"] == len(quiet.at)


def test_job_leaves_a_preprocessor_that_gives_captured_rows_the_names_of_the_constraints(job: Job, quiet: Seen) -> None:
    job.run(quiet.as_of, "none")
    script = runpy.run_path(str(job.base / "output" / baseline.PREPROCESSOR))
    constraints = json.loads((job.base / "output" / "constraints.json").read_text())
    names = [each["name"] for each in constraints["features"]]
    row = ",".join(str(place + 1) for place in range(len(names)))
    captured = SimpleNamespace(endpoint_input=SimpleNamespace(data=row, encoding="CSV"))

    (found,) = script["preprocess_handler"](captured)
    assert list(found) == names


def test_job_without_a_reference_reads_no_rows_and_says_nothing_of_their_values(job: Job, quiet: Seen) -> None:
    rows = job.base / "input" / "rows"
    rows.mkdir(parents=True)
    (rows / "stand-in").write_text("no parquet")
    made = job.run(quiet.as_of, "none")

    assert (made.rows, made.fields, made.quietest_day) == (0, {}, None)
    statistics = validated(job.base / "output" / "statistics.json", "data_statistics")
    assert statistics["features"] == []
    assert validated(job.base / "output" / "constraints.json", "data_constraints")["features"]


def test_job_tells_of_values_what_it_has_features_of(job: Job, quiet: Seen) -> None:
    """Those of the newest day: of the rest the query hands on none, because they are most of the bytes."""
    maps = pa.array(quiet.table["features"].to_pylist(), quiet.table.schema.field("features").type)
    newest = pa.array(quiet.in_window)
    without = pc.if_else(newest, maps, pa.nulls(len(maps), maps.type))
    made = job.hold(quiet.with_columns(features=without)).run(quiet.as_of)

    assert made.rows == len(quiet.at) and made.is_complete
    statistics = validated(job.base / "output" / "statistics.json", "data_statistics")
    assert statistics["dataset"]["item_count"] == quiet.in_window.sum() > 0
    amount = next(each for each in statistics["features"] if each["name"] == "transaction_amount")
    told = amount["numerical_statistics"]["common"]
    assert told["num_present"] + told["num_missing"] == quiet.in_window.sum() and told["num_present"] > 0


def test_job_looks_at_nothing_that_arrived_later(job: Job, quiet: Seen) -> None:
    made = job.hold(quiet).run(quiet.as_of - 10 * DAY)

    assert made.rows == (quiet.at <= quiet.as_of - 10 * DAY).sum()


def run_as_script(job: Job, monkeypatch: pytest.MonkeyPatch, *words: str) -> str:
    """The sentence that it ends with."""
    monkeypatch.setattr(sys, "argv", ["baseline", str(job.base), "--champion", CHAMPION, *words])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(baseline.__file__, run_name="__main__")
    return str(ended.value.code)


@pytest.mark.parametrize("place", ["input/champion", "input/rows"])
def test_job_that_cannot_read_its_inputs_says_so_in_a_sentence(
    job: Job, quiet: Seen, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    job.hold(quiet)
    for path in (job.base / place).iterdir():
        path.write_text("damaged")
    messages = job.base.parent / "output"
    messages.mkdir()
    said = run_as_script(job, monkeypatch, "--reference", "archive", "--as-of", rfc3339(quiet.as_of))

    assert said.startswith("baseline: ") and "\n" not in said
    assert (messages / "message").read_text() == said


def test_document_that_does_not_say_whether_it_is_complete_is_not(tmp_path: Path) -> None:
    reference().write(tmp_path)
    path = tmp_path / baseline_document.NAME
    older = json.loads(path.read_text())
    assert older.pop("is_complete")
    path.write_text(json.dumps(older))

    assert not baseline_document.read(tmp_path).is_complete


def test_document_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = reference()
    made.write(tmp_path)

    assert baseline_document.read(tmp_path) == replace(
        made, features={name: replace(each, edges=list(each.edges)) for name, each in made.features.items()}
    )
