"""Drift, missing values and defaults of features and scores, planted in a quiet market."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fraud import drift, features
from model import data_quality, feature_columns, monitored_rows
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

    finding = only(found, "data_type_check", "features")
    assert violated(found) == {("data_type_check", "data", "features")}
    assert finding.observed == pytest.approx(0.5, abs=0.03) and finding.count == quiet.in_window.sum()
    assert f"{(odd & quiet.in_window).sum():,} hold features of another contract" in finding.sentence


@pytest.mark.parametrize("fewest_rows", [200, 1_000_000])
def test_window_whose_features_nobody_can_read_is_broken_data_however_small(
    check: Check, quiet: Seen, fewest_rows: int
) -> None:
    nothing = quiet.with_columns(features=pa.nulls(len(quiet.at), quiet.table["features"].type))
    found = check(nothing, limits=replace(LIMITS, fewest_rows=fewest_rows))

    assert violated(found) == {("data_type_check", "data", "features")}
    finding = only(found, "data_type_check", "features")
    assert (finding.observed, finding.limit, finding.count) == (1.0, LIMITS.least_share, quiet.in_window.sum())
    assert "hold no features: 100.0% are left out" in finding.sentence


@pytest.mark.parametrize(("share", "is_violated"), [(0.03, False), (0.08, True)])
def test_rows_that_nobody_can_read_are_a_fault_where_they_are_many(
    check: Check, quiet: Seen, share: float, is_violated: bool
) -> None:
    lost = np.arange(len(quiet.at)) % 100 < share * 100
    kinds = quiet.table["features"].type
    maps = pa.chunked_array([pa.concat_arrays(quiet.table["features"].chunks)])
    maps = pc.if_else(pa.array(~lost), maps, pa.scalar(None, kinds))
    finding = only(check(quiet.with_columns(features=maps)), "data_type_check", "features")

    assert finding.outcome == ("violated" if is_violated else "passed")
    assert finding.observed == pytest.approx(share, abs=0.01)


def test_few_rows_of_which_one_cannot_be_read_say_nothing(check: Check, quiet: Seen) -> None:
    first = np.flatnonzero(quiet.in_window)[:9]
    contracts = quiet.table["contract"].to_numpy().copy()
    contracts[first[0]] = "0" * 16
    few = np.isin(np.arange(len(quiet.at)), first)

    assert violated(check(quiet.with_columns(contract=pa.array(contracts)).where(few))) == set()


def test_challenger_whose_features_nobody_can_read_is_told_of(check: Check, quiet: Seen) -> None:
    tried = quiet.in_window & (np.arange(len(quiet.at)) % 300 == 0)
    contracts = pa.array(np.where(tried, "0" * 16, quiet.table["contract"].to_numpy()))
    packages = pa.array(np.where(tried, CHALLENGER, CHAMPION))
    split = quiet.with_columns(contract=contracts, model_package=packages)

    assert violated(check(split)) == set()
    assert violated(check(split, "challenger")) == {("data_type_check", "data", "features")}


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


# --- Canaries ---------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory, quiet: Seen) -> Rows:
    """Seven days that the champion and another serve."""
    folder = tmp_path_factory.mktemp("week")
    quiet.write(folder)
    rows, _ = monitored_rows.read(folder, quiet.as_of - 7 * DAY, quiet.as_of, 1_000_000)
    return replace(rows, packages=(CHAMPION, CHALLENGER))


def tried_on(rows: Rows, share: float, seed: int) -> Rows:
    """The same, a share of the cards being the challenger's."""
    cards = rows.events["card_token"].combine_chunks().dictionary_encode()
    drawn = np.random.default_rng(seed).random(len(cards.dictionary)) < share
    return replace(rows, package=drawn[cards.indices.to_numpy()].astype(np.int32))


def test_honest_canary_of_few_cards_raises_no_alarm_in_a_week(week: Rows, quiet: Seen, baseline: Baseline) -> None:
    context = quiet.context(baseline, challenger=CHALLENGER, since=quiet.as_of - 7 * DAY)
    some = [feature_columns.see(tried_on(week, 0.04, seed), "challenger", context) for seed in range(20)]
    found, as_if_of_all = (
        [violated(data_quality.features_of(each, context, alpha=ALPHA).findings) for each in those]
        for those in (some, [replace(each, draws=math.inf) for each in some])
    )

    assert min(each.count for each in some) >= LIMITS.fewest_rows
    assert not any(found) and sum(map(bool, as_if_of_all)) > 2


def test_canary_of_few_cards_that_is_told_nonsense_is_found_all_the_same(
    week: Rows, quiet: Seen, baseline: Baseline
) -> None:
    context = quiet.context(baseline, challenger=CHALLENGER, since=quiet.as_of - 7 * DAY)
    rows = tried_on(week, 0.04, seed=1)
    matrix = rows.features.copy()
    matrix[rows.package == 1, feature_columns.POSITION["card_mean_30d"]] = np.nan
    seen = feature_columns.see(replace(rows, features=matrix), "challenger", context)

    found = violated(data_quality.features_of(seen, context, alpha=ALPHA).findings)
    assert found == {("missing_column_check", "data", "card_mean_30d")}


def test_rows_of_a_variant_are_worth_the_cards_that_it_serves(week: Rows, quiet: Seen, baseline: Baseline) -> None:
    context = quiet.context(baseline, challenger=CHALLENGER, since=quiet.as_of - 7 * DAY)
    rows = tried_on(week, 0.04, seed=1)
    tokens = np.array(rows.events["card_token"].to_pylist())
    cards = [len(set(tokens[rows.in_window & (rows.package == which)])) for which in (0, 1)]
    champion, challenger = (feature_columns.see(rows, role, context).draws for role in context.roles)

    assert 0.3 * cards[1] < challenger < cards[1]
    # What is nearly all of the cards hardly differs from all of them.
    assert champion > 10 * cards[0]
    assert feature_columns.see(week, "champion", quiet.context(baseline)).draws == math.inf
    assert feature_columns.draws_of_cards(rows, np.zeros_like(rows.in_window), context) == math.inf


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
