"""Files in Model Monitor's schemas: what they say of data, of models and of bias."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as reference_metrics

from fraud import features
from model import monitor_files, quality_files
from model.baseline_document import Baseline
from model.findings import Concern, Finding
from model.label_quality import Outcomes
from model.monitoring_context import judged, skipped
from tests.model.monitor_schemas import validate
from tests.model.monitored_market import LIMITS, reference, seen


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return reference()


def finding(check: str, name: str, concern: Concern = "data", *, is_violated: bool = True) -> Finding:
    return judged(
        check, concern, name, "champion", is_violated=is_violated, observed=0.5, limit=0.1, count=9, sentence="Moved."
    )


# --- Statistics -------------------------------------------------------------------------------------------------------


def test_statistics_of_numbers_are_those_of_their_values() -> None:
    values = np.array([4.0, np.nan, 1.0, 10.0, 1.0])
    found = monitor_files.statistics({"card_count_24h": values}, {}, len(values))
    validate(found, "data_statistics")

    (feature,) = found["features"]
    numbers = feature["numerical_statistics"]
    assert (feature["name"], feature["inferred_type"]) == ("card_count_24h", "Integral")
    assert numbers["common"] == {"num_present": 4, "num_missing": 1}
    assert (numbers["mean"], numbers["sum"], numbers["min"], numbers["max"]) == (4.0, 16.0, 1.0, 10.0)
    assert numbers["std_dev"] == pytest.approx(np.nanstd(values))
    buckets = numbers["distribution"]["kll"]["buckets"]
    assert [bucket["count"] for bucket in buckets] == [2, 0, 0, 1, 0, 0, 0, 0, 0, 1]
    assert buckets[0]["lower_bound"] == 1.0 and buckets[-1]["upper_bound"] == 10.0
    assert [bucket["upper_bound"] for bucket in buckets[:-1]] == [bucket["lower_bound"] for bucket in buckets[1:]]


def test_statistics_of_a_ratio_are_fractional_whatever_its_values() -> None:
    found = monitor_files.statistics({"card_amount_over_mean_7d": np.ones(3), "score": np.ones(3)}, {}, 3)

    assert [each["inferred_type"] for each in found["features"]] == ["Fractional", "Fractional"]


@pytest.mark.parametrize("values", [[7.0, 7.0, 7.0], [np.inf, 7.0], [-np.inf, np.nan], [np.nan, np.nan], []])
def test_statistics_of_odd_columns_are_of_the_schema(values: list[float]) -> None:
    column = np.array(values, dtype=np.float32)
    found = monitor_files.statistics({"transaction_amount": column}, {}, len(column))
    validate(found, "data_statistics")

    numbers = found["features"][0]["numerical_statistics"]
    finite = int(np.isfinite(column).sum())
    assert numbers["common"] == {"num_present": finite, "num_missing": len(column) - finite}
    if finite:
        assert sum(bucket["count"] for bucket in numbers["distribution"]["kll"]["buckets"]) == finite


def test_statistics_of_texts_count_their_values_the_most_frequent_first() -> None:
    texts = pa.chunked_array([["pos", "web"], ["pos", None]])
    found = monitor_files.statistics({}, {"channel": texts}, 4)
    validate(found, "data_statistics")

    (feature,) = found["features"]
    assert feature["string_statistics"] == {
        "common": {"num_present": 3, "num_missing": 1},
        "distinct_count": 2.0,
        "distribution": {"categorical": {"buckets": [{"value": "pos", "count": 2}, {"value": "web", "count": 1}]}},
    }


def test_statistics_of_a_market_are_of_the_schema() -> None:
    quiet = seen()
    numbers = {name: quiet.matrix[:, column] for column, name in enumerate(features.NAMES)}
    texts = {name: quiet.table[name] for name in ("channel", "country", "currency", "merchant_category")}

    validate(monitor_files.statistics(numbers, texts, len(quiet.at)), "data_statistics")


@given(st.integers(1, 20_000), st.integers(0, 2**32 - 1))
def test_sketch_stands_for_every_value_and_keeps_the_ranks(count: int, seed: int) -> None:
    ordered = np.sort(np.random.default_rng(seed).normal(size=count))
    levels = monitor_files.sketch(ordered)
    values = np.concatenate([np.array(level) for level in levels])
    weights = np.concatenate([np.full(len(level), 2.0**height) for height, level in enumerate(levels)])

    assert weights.sum() == count and len(values) <= monitor_files.MOST_SKETCHED + len(levels)
    order = np.argsort(values)
    ranks = np.searchsorted(ordered, values[order], side="right") / count
    assert np.abs(ranks - weights[order].cumsum() / count).max() <= 2 / monitor_files.MOST_SKETCHED


@pytest.mark.parametrize(("given_name", "name"), [("Amount", "amount"), ("card-count 7d", "card_count_7d")])
def test_column_name_is_one_that_spark_takes(given_name: str, name: str) -> None:
    assert monitor_files.column_name(given_name) == name


# --- Constraints ------------------------------------------------------------------------------------------------------


def test_constraints_of_what_an_endpoint_sees_are_its_features_in_their_order(baseline: Baseline) -> None:
    found = monitor_files.constraints(baseline, features.NAMES, with_fields=False)
    validate(found, "data_constraints")

    assert [each["name"] for each in found["features"]] == list(features.NAMES)
    compared = found["monitoring_config"]["distribution_constraints"]
    assert (compared["comparison_threshold"], compared["comparison_method"]) == (0.1, "Robust")


def test_constraints_of_a_decision_hold_its_score_and_its_fields_too(baseline: Baseline) -> None:
    found = monitor_files.constraints(baseline, features.NAMES[:1], with_fields=True)
    validate(found, "data_constraints")

    by_name = {each["name"]: each for each in found["features"]}
    assert list(by_name) == ["transaction_amount", "score", *baseline.fields]
    assert by_name["country"]["string_constraints"]["domains"] == sorted(baseline.fields["country"].values)


def test_constraints_of_a_field_with_too_many_values_have_no_domain(baseline: Baseline) -> None:
    many = replace(baseline.fields["country"], others=1)
    found = monitor_files.constraints(replace(baseline, fields={"country": many}), (), with_fields=True)

    assert "string_constraints" not in found["features"][-1]


def test_constraints_leave_room_for_chance_in_a_small_window(baseline: Baseline) -> None:
    found = {
        each["name"]: each
        for each in monitor_files.constraints(baseline, features.NAMES, with_fields=False)["features"]
    }
    amount, mean = found["transaction_amount"], found["card_mean_24h"]
    usual = baseline.features["card_mean_24h"]

    assert amount["completeness"] == pytest.approx(0.95)
    assert 0.3 < mean["completeness"] < 1 - usual.missing / (sum(usual.counts) + usual.missing) - 0.05


def test_constraints_know_what_may_be_negative(baseline: Baseline) -> None:
    found = monitor_files.constraints(baseline, features.NAMES, with_fields=False)["features"]

    assert [each["name"] for each in found if not each["num_constraints"]["is_non_negative"]] == [
        "card_amount_zscore_30d"
    ]


def test_constraints_are_not_evaluated_where_a_distance_would_mean_nothing(baseline: Baseline) -> None:
    plain = replace(baseline.features["transaction_amount"], is_steady=True, design_effect=1.0)
    of = {
        "transaction_amount": plain,
        "transaction_hour": plain,
        "card_count_7d": replace(plain, is_steady=False),
        "card_count_30d": replace(plain, design_effect=40.0),
    }
    given_baseline = replace(baseline, features=of, trained_rows_per_day=2_000.0)
    found = monitor_files.constraints(given_baseline, tuple(of), with_fields=False)

    disabled = [each["name"] for each in found["features"] if "monitoringConfigOverrides" in each]
    assert disabled == ["transaction_hour", "card_count_7d", "card_count_30d"]
    assert found["features"][1]["monitoringConfigOverrides"] == {"evaluate_constraints": "Disabled"}


# --- Violations -------------------------------------------------------------------------------------------------------


def test_violations_are_those_that_model_monitor_has_a_check_for() -> None:
    found = monitor_files.violations(
        [
            finding("baseline_drift_check", "transaction_amount", "drift"),
            finding("completeness_check", "channel", is_violated=False),
            finding("volume_check", "transactions"),
            skipped("data_type_check", "data", "features", "champion", 1, "Unreadable."),
        ]
    )
    validate(found, "data_violations")

    assert found["violations"] == [
        {
            "feature_name": "transaction_amount",
            "constraint_check_type": "baseline_drift_check",
            "description": "Moved.",
        }
    ]


def test_violations_of_quality_name_the_metric_as_model_monitor_does() -> None:
    lost = [finding("model_quality_check", name, "quality") for name in ("auc", "alert_recall")]
    found = quality_files.violations([*lost, finding("bias_drift_check", "country DE alert_rate", "quality")])
    validate(found, "quality_violations")

    assert [each["metric_name"] for each in found["violations"]] == ["auc", "recall"]


def test_violations_of_bias_name_field_and_group() -> None:
    found = quality_files.bias_violations([finding("bias_drift_check", "country DE alert_rate", "quality")])
    validate(found, "bias_violations")

    (violation,) = found["violations"]
    assert (violation["facet"], violation["facet_value"], violation["metric_name"]) == ("country", "DE", "alert_rate")


# --- Model quality ----------------------------------------------------------------------------------------------------


def known(count: int, seed: int = 3) -> Outcomes:
    generator = np.random.default_rng(seed)
    is_fraud = generator.random(count) < 0.2
    scores = np.round(generator.beta(2 + 3 * is_fraud, 4), 6)
    return Outcomes(is_fraud, scores, np.arange(count), np.ones(count))


def test_quality_statistics_are_the_metrics_of_the_literature(baseline: Baseline) -> None:
    context = seen().context(replace(baseline, thresholds={"review": 0.5, "block": 0.9}))
    outcomes = known(2_000)
    found = quality_files.statistics(outcomes, context)
    validate(found, "quality_statistics")

    measured = {name: each["value"] for name, each in found["binary_classification_metrics"].items() if "value" in each}
    alerted = outcomes.score >= 0.5
    expected = {
        "recall": reference_metrics.recall_score(outcomes.is_fraud, alerted),
        "precision": reference_metrics.precision_score(outcomes.is_fraud, alerted),
        "accuracy": reference_metrics.accuracy_score(outcomes.is_fraud, alerted),
        "auc": reference_metrics.roc_auc_score(outcomes.is_fraud, outcomes.score),
        "f2": reference_metrics.fbeta_score(outcomes.is_fraud, alerted, beta=2),
        "f0_5": reference_metrics.fbeta_score(outcomes.is_fraud, alerted, beta=0.5),
        "accuracy_best_constant_classifier": 1 - outcomes.is_fraud.mean(),
        "recall_best_constant_classifier": 0.0,
    }
    assert {name: measured[name] for name in expected} == pytest.approx(expected)
    matrix = reference_metrics.confusion_matrix(outcomes.is_fraud, alerted)
    told = found["binary_classification_metrics"]["confusion_matrix"]
    assert [[told[a][b] for b in "01"] for a in "01"] == matrix.tolist()
    assert 0 < found["binary_classification_metrics"]["auc"]["standard_deviation"] < 0.05


def test_quality_statistics_of_few_rows_have_no_deviation(baseline: Baseline) -> None:
    found = quality_files.statistics(known(199), seen().context(baseline))
    validate(found, "quality_statistics")

    assert found["binary_classification_metrics"]["auc"]["standard_deviation"] == "NaN"


@pytest.mark.parametrize("count", [0, 1])
def test_quality_statistics_without_both_outcomes_have_no_metrics(baseline: Baseline, count: int) -> None:
    found = quality_files.statistics(known(count), seen().context(baseline))
    validate(found, "quality_statistics")

    assert found["binary_classification_metrics"] == {}


def test_quality_constraints_are_the_promise_less_what_may_be_lost(baseline: Baseline) -> None:
    promise = {"auc": 0.9, "alert_recall": 0.7, "average_precision": 0.6}
    context = seen().context(replace(baseline, promise=promise), limits=replace(LIMITS, quality_loss=0.2))
    found = quality_files.constraints(context)
    validate(found, "quality_constraints")

    asked = found["binary_classification_constraints"]
    assert {name: each["threshold"] for name, each in asked.items()} == pytest.approx({"auc": 0.7, "recall": 0.5})
