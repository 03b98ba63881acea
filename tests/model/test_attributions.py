"""Which features move the scores, and whether they still do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost as xgb
from hypothesis import given
from hypothesis import strategies as st

from fraud import features
from model import attributions, quality_files
from model.findings import Finding
from tests.model.conftest import Trained
from tests.model.monitor_schemas import validate
from tests.model.monitored_market import LIMITS, Seen, reference, seen

EXPECTED = {"transaction_amount": 1.0, "card_count_1h": 0.5, "transaction_hour": 0.25}
REVERSED = {"transaction_amount": 0.1, "card_count_1h": 0.2, "transaction_hour": 0.3}


@pytest.fixture(scope="module")
def quiet() -> Seen:
    return seen()


def looked(quiet: Seen, folder: Path, found: Any, expected: Mapping[str, float] = EXPECTED, **plan: Any) -> Finding:
    rows, _ = quiet.read(folder / "rows")
    context = quiet.context(replace(reference(), attributions=expected), limits=replace(LIMITS, **plan))
    (finding,) = attributions.check(rows, replace(context, attribute=found))
    return finding


def test_gain_of_the_same_ranking_is_one_whatever_its_values() -> None:
    assert attributions.gain(EXPECTED, {name: value * 7 for name, value in EXPECTED.items()}) == 1.0


def test_gain_of_another_ranking_is_what_its_definition_says() -> None:
    best = 1.0 / 1 + 0.5 / np.log2(3) + 0.25 / 2
    reversed_ = 0.25 / 1 + 0.5 / np.log2(3) + 1.0 / 2
    assert attributions.gain(EXPECTED, REVERSED) == pytest.approx(reversed_ / best)


@given(st.lists(st.floats(0, 10), min_size=2, max_size=8), st.randoms(use_true_random=False))
def test_gain_lies_between_nothing_and_one(values: list[float], random: Any) -> None:
    expected = {f"f{place}": value for place, value in enumerate(values)}
    shuffled = random.sample(values, len(values))
    found = dict(zip(expected, shuffled, strict=True))
    assert 0 <= attributions.gain(expected, found) <= 1 + 1e-12


def test_attribute_of_a_model_names_what_it_reads(trained: Trained) -> None:
    booster = xgb.Booster(model_file=str(trained.model_dir / "model.ubj"))
    names = booster.feature_names or []
    rows = np.random.default_rng(1).normal(100, 50, (300, len(names))).astype(np.float32)
    found = attributions.attribute(booster, names, rows)
    assert list(found) == names and max(found.values()) > 0
    assert attributions.attribute(booster, names, rows[:0]) == {}


def test_attributions_that_stayed_are_no_violation(quiet: Seen, tmp_path: Path) -> None:
    assert looked(quiet, tmp_path, lambda rows: EXPECTED).outcome == "passed"


def test_attributions_that_turned_round_are_drift_in_the_schema_of_clarify(quiet: Seen, tmp_path: Path) -> None:
    found = looked(quiet, tmp_path, lambda rows: REVERSED)
    assert (found.outcome, found.concern, found.check) == ("violated", "drift", "feature_attribution_drift_check")
    document = quality_files.attribution_violations([found])
    validate(document, "explainability_violations")
    assert len(document["violations"]) == 1


def test_attributions_that_turned_in_one_half_of_the_cards_are_chance(quiet: Seen, tmp_path: Path) -> None:
    answers = iter((REVERSED, EXPECTED))
    assert looked(quiet, tmp_path, lambda rows: next(answers)).outcome == "passed"


@pytest.mark.parametrize(
    ("found", "expected", "plan"),
    [
        (None, EXPECTED, {}),
        (lambda rows: EXPECTED, {}, {}),
        (lambda rows: EXPECTED, EXPECTED, {"fewest_rows": 1_000_000}),
    ],
)
def test_attributions_that_cannot_be_told_are_skipped(
    quiet: Seen, tmp_path: Path, found: Any, expected: Mapping[str, float], plan: dict[str, Any]
) -> None:
    assert looked(quiet, tmp_path, found, expected, **plan).outcome == "skipped"


def test_matrix_has_the_columns_of_the_contract_in_its_order(quiet: Seen, tmp_path: Path) -> None:
    rows, _ = quiet.read(tmp_path / "rows")
    names = ("transaction_hour", "transaction_amount")
    chosen = attributions.matrix(rows, rows.in_window, names)
    for column, name in enumerate(names):
        np.testing.assert_array_equal(chosen[:, column], rows.features[rows.in_window][:, features.NAMES.index(name)])
