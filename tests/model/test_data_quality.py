"""Drift, missing values and defaults of features and scores, planted in a quiet market."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fraud import drift, features
from model import data_quality, feature_columns
from model.baseline_document import Baseline
from model.findings import Finding
from model.monitored_rows import Rows
from tests.model.monitored_market import CHALLENGER, CHAMPION, DAY, LIMITS, Seen, reference, seen

ALPHA = 0.001 / 150
AMOUNTS = {name for name in features.NAMES if any(word in name for word in ("amount", "mean", "spend"))}
Check = Callable[..., list[Finding]]


@pytest.fixture(scope="module")
def quiet() -> Seen:
    return seen()


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return reference()


@pytest.fixture
def check(tmp_path: Path, baseline: Baseline) -> Check:
    """All findings on the champion's features and scores."""

    def checked(given: Seen, role: str = "champion", of: Baseline = baseline, **plan: Any) -> list[Finding]:
        rows, _ = given.read(tmp_path / "rows")
        context = given.context(of, challenger=CHALLENGER, **plan)
        found = data_quality.features_of(feature_columns.see(rows, role, context), context, alpha=ALPHA)
        scores = data_quality.scores_of(rows, context, alpha=ALPHA)
        return [*found.findings, *(scores.findings if role == "champion" else ())]

    return checked


def violated(found: list[Finding]) -> set[tuple[str, str, str]]:
    return {(each.check, each.concern, each.name) for each in found if each.outcome == "violated"}


def only(found: list[Finding], check: str, name: str) -> Finding:
    (finding,) = (each for each in found if (each.check, each.name) == (check, name))
    return finding


@pytest.mark.parametrize("seed", [7, 8])
def test_features_of_unchanged_traffic_violate_nothing(check: Check, seed: int) -> None:
    found = check(seen(seed), of=reference(seed))

    assert violated(found) == set()
    assert sum(each.outcome == "passed" for each in found) > 100


def test_amounts_twice_as_large_are_drift_of_amounts_alone(check: Check, quiet: Seen) -> None:
    found = check(quiet.changed("transaction_amount", lambda values: values * 2))

    assert violated(found) == {("baseline_drift_check", "drift", "transaction_amount")}
    finding = only(found, "baseline_drift_check", "transaction_amount")
    assert finding.observed > finding.limit >= LIMITS.least_psi and finding.count == quiet.in_window.sum()
    assert "transaction_amount of the champion moved" in finding.sentence


def test_all_amounts_twice_as_large_are_drift_and_no_other_feature_is(check: Check, quiet: Seen) -> None:
    moved = quiet
    for name in AMOUNTS - {"card_amount_zscore_30d"}:
        moved = moved.changed(name, lambda values: values * 2)
    found = violated(check(moved))

    assert {kind[:2] for kind in found} == {("baseline_drift_check", "drift")}
    assert (
        {"transaction_amount", "card_mean_30d", "card_amount_over_mean_30d"} <= {name for *_, name in found} <= AMOUNTS
    )


def test_feature_that_vanished_is_missing_data_and_not_drift(check: Check, quiet: Seen) -> None:
    found = check(quiet.changed("card_amount_over_mean_30d", lambda values: np.full_like(values, np.nan)))

    assert violated(found) == {("missing_column_check", "data", "card_amount_over_mean_30d")}


@pytest.mark.parametrize("name", ["transaction_weekday", "card_seconds_since_first"])
def test_feature_that_is_never_steady_is_still_missed_when_it_is_gone(check: Check, quiet: Seen, name: str) -> None:
    found = check(quiet.changed(name, lambda values: np.full_like(values, np.nan)))

    assert ("missing_column_check", "data", name) in violated(found)


def test_feature_that_is_often_missing_is_incomplete(check: Check, quiet: Seen) -> None:
    def drop(values: np.ndarray) -> np.ndarray:
        return np.where(np.arange(len(values)) % 3 == 0, np.nan, values).astype(np.float32)

    found = check(quiet.changed("transaction_hour", drop))

    assert violated(found) == {("completeness_check", "data", "transaction_hour")}
    finding = only(found, "completeness_check", "transaction_hour")
    assert finding.observed == pytest.approx(1 / 3, abs=0.01) and finding.limit < finding.observed


def test_feature_full_of_defaults_is_broken_data_beside_its_drift(check: Check, quiet: Seen) -> None:
    found = check(quiet.changed("card_usual_mean_120d", lambda values: values * (np.arange(len(values)) % 2)))

    assert {
        ("default_check", "data", "card_usual_mean_120d"),
        ("baseline_drift_check", "drift", "card_usual_mean_120d"),
    } == violated(found)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("card_count_24h", np.inf, "a whole number from 0"),
        ("card_count_24h", 1.5, "a whole number from 0"),
        ("card_mean_30d", -1.0, "a whole number from 0"),
        ("card_amount_zscore_30d", -np.inf, "a number in"),
    ],
)
def test_value_that_a_feature_cannot_have_is_told(
    check: Check, quiet: Seen, name: str, value: float, told: str
) -> None:
    found = check(quiet.changed(name, lambda values: np.append(values[:-1], np.float32(value))))

    assert violated(found) == {("data_type_check", "data", name)}
    assert told in only(found, "data_type_check", name).sentence


def test_scores_that_moved_are_drift(check: Check, quiet: Seen) -> None:
    scores = quiet.table["score"].to_numpy()
    moved = np.where(quiet.in_window, scores**0.5, scores)
    found = check(quiet.with_columns(score=pa.array(moved)))

    assert violated(found) == {("score_drift_check", "drift", "score")}


# --- What cannot be told ----------------------------------------------------------------------------------------------


def test_too_few_rows_are_skipped_with_the_reason(check: Check, quiet: Seen) -> None:
    found = check(quiet, limits=replace(LIMITS, fewest_rows=10_000))

    assert {each.outcome for each in found} == {"skipped"}
    assert all("10,000 are needed" in each.sentence for each in found)


def test_feature_that_moved_through_training_is_skipped(check: Check, quiet: Seen, baseline: Baseline) -> None:
    unsteady = replace(baseline.features["transaction_amount"], is_steady=False)
    of = replace(baseline, features={**baseline.features, "transaction_amount": unsteady})
    found = check(quiet.changed("transaction_amount", lambda values: values * 2), of=of)

    assert violated(found) == set()
    assert "moved by itself" in only(found, "baseline_drift_check", "transaction_amount").sentence


def test_feature_that_differs_too_much_from_day_to_day_is_skipped(
    check: Check, quiet: Seen, baseline: Baseline
) -> None:
    wild = replace(baseline.features["transaction_amount"], design_effect=5_000.0)
    of = replace(baseline, features={**baseline.features, "transaction_amount": wild})
    found = check(quiet.changed("transaction_amount", lambda values: values * 2), of=of)

    assert violated(found) == set()
    assert "from day to day" in only(found, "baseline_drift_check", "transaction_amount").sentence


def test_hour_of_a_window_shorter_than_a_day_is_skipped(check: Check, quiet: Seen) -> None:
    found = check(quiet, since=quiet.as_of - DAY // 4)

    finding = only(found, "baseline_drift_check", "transaction_hour")
    assert finding.outcome == "skipped" and "no whole day" in finding.sentence


def test_older_package_is_looked_at_as_far_as_it_says(check: Check, quiet: Seen, baseline: Baseline) -> None:
    older = {
        name: replace(each, zeros=None, design_effect=drift.DEFAULT_DESIGN_EFFECT, is_steady=True)
        for name, each in baseline.features.items()
    }
    of = replace(baseline, features=older, scores=None)
    found = check(quiet.changed("transaction_amount", lambda values: values * 2), of=of)

    assert ("baseline_drift_check", "drift", "transaction_amount") in violated(found)
    assert not any(each.check == "default_check" for each in found)
    assert only(found, "score_drift_check", "score").outcome == "skipped"


def test_rows_of_another_contract_are_left_out_and_said(check: Check, quiet: Seen) -> None:
    moved = quiet.changed("transaction_amount", lambda values: values * 50)
    odd = np.arange(len(quiet.at)) % 2 == 0
    contracts = pa.array(np.where(odd, "0000000000000000", quiet.table["contract"].to_numpy()))
    matrix = np.where(odd[:, None], moved.matrix, quiet.matrix)
    found = check(quiet.with_features(matrix).with_columns(contract=contracts))

    assert violated(found) == set()
    finding = only(found, "data_type_check", "features")
    assert finding.outcome == "skipped" and finding.count == (odd & quiet.in_window).sum()
    assert "another contract" in finding.sentence


def test_degraded_rows_are_no_evidence_on_the_model(check: Check, quiet: Seen) -> None:
    moved = quiet.changed(
        "transaction_amount", lambda values: np.where(np.arange(len(values)) % 4 == 0, 50, 1) * values
    )
    inflated = moved.matrix[:, 0] != quiet.matrix[:, 0]
    found = check(moved.with_columns(degraded=pa.array(inflated)))

    assert inflated.any() and violated(found) == set()


def test_variants_are_told_apart(check: Check, quiet: Seen) -> None:
    tried = quiet.in_window & (np.arange(len(quiet.at)) % 2 == 0)
    matrix = quiet.matrix.copy()
    matrix[tried, 0] *= 3
    packages = pa.array(np.where(tried, CHALLENGER, CHAMPION))
    split = quiet.with_features(matrix).with_columns(model_package=packages)

    assert violated(check(split)) == set()
    assert violated(check(split, "challenger")) == {("baseline_drift_check", "drift", "transaction_amount")}


def test_only_features_of_the_contract_are_looked_at(check: Check, quiet: Seen) -> None:
    contracts = {CHAMPION: ("transaction_amount", "card_count_24h")}
    found = check(quiet, contracts=contracts)

    assert {each.name for each in found} == {"transaction_amount", "card_count_24h", "score"}


def test_more_rows_tell_of_a_smaller_change(tmp_path: Path, quiet: Seen, baseline: Baseline) -> None:
    rows, _ = quiet.read(tmp_path)
    limits = [
        data_quality.features_of(feature_columns.see(some, "champion", context), context, alpha=ALPHA)
        for some, context in ((rows, quiet.context(baseline)), (_first(rows, 500), quiet.context(baseline)))
    ]
    name = "card_count_24h"
    all_rows, few_rows = (only(each.findings, "baseline_drift_check", name).limit for each in limits)

    assert few_rows > all_rows


def _first(rows: Rows, count: int) -> Rows:
    chosen = rows.in_window & (np.cumsum(rows.in_window) <= count)
    return replace(rows, in_window=chosen)
