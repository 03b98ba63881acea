"""Each check says what it found, what is allowed, and whether patience or a person is needed."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import dataset_checks, features
from model import checks, probe
from model.probe import Finding
from tests.model.test_split import examples

DAY, HOUR = 86_400, 3_600
KNOWN = dict.fromkeys(features.NAMES, 2_000)


def finding(name: str, rows: int, following: int, transaction_id: str = "t") -> Finding:
    """Each row on a day of its own."""
    return Finding(name, rows, following, rows, following, transaction_id)


def test_outcomes_are_those_that_the_state_machine_judges_by() -> None:
    assert get_args(checks.Outcome) == tuple(dataset_checks.Outcome)


@pytest.mark.parametrize(
    ("rows", "frauds", "outcomes"),
    [
        (1_000, 50, ["passed", "passed"]),
        (1_000, 49, ["not_enough", "passed"]),
        (99, 50, ["passed", "not_enough"]),
        (0, 0, ["not_enough", "not_enough"]),
    ],
)
def test_kinds_need_frauds_and_as_many_genuine_rows(rows: int, frauds: int, outcomes: list[str]) -> None:
    assert [each.outcome for each in checks.kinds("learn_from", rows, frauds, 50)] == outcomes


def test_kinds_too_few_say_how_many_are_needed() -> None:
    few, _ = checks.kinds("measure_on", 5_000, 12, 20)

    assert few.name == "frauds_to_measure_on" and (few.observed, few.limit) == (12, 20)
    assert few.sentence.startswith("Only 12 frauds to measure on; 20 are needed: wait for more verdicts")


@pytest.mark.parametrize(("frauds", "outcome"), [(0, "passed"), (20, "passed"), (21, "unfit")])
def test_fraud_share_beyond_belief_is_unfit(frauds: int, outcome: str) -> None:
    found = checks.fraud_share(frauds, 100, 0.2)

    assert (found.outcome, found.observed) == (outcome, frauds / 100)


def test_fraud_share_of_no_rows_is_none() -> None:
    assert checks.fraud_share(0, 0, 0.2).outcome == "passed"


@pytest.mark.parametrize(("enough", "outcome"), [(True, "passed"), (False, "not_enough")])
def test_readable_says_how_many_rows_are_left_out_and_is_a_reason_where_the_others_are_too_few(
    enough: bool, outcome: str
) -> None:
    found = checks.readable(10, 7, enough=enough)

    assert (found.outcome, found.observed) == (outcome, 3) and found.sentence.startswith("3 of 10 rows are left out")
    assert checks.readable(10, 10, enough=enough).outcome == "passed"


def test_schema_names_the_feature_that_no_row_has() -> None:
    found = checks.schema(["card_count_1h"], KNOWN | {"card_count_1h": 0}, 10)

    assert found.outcome == "unfit" and found.sentence == "card_count_1h is known in none of 10 rows."


def test_schema_feature_that_is_there_but_never_known_is_unfit_with_enough_rows() -> None:
    known = KNOWN | {"card_mean_24h": 0}

    assert checks.schema([], known, checks.FEWEST_ROWS).outcome == "unfit"
    assert checks.schema([], known, checks.FEWEST_ROWS - 1).outcome == "passed"


def test_schema_feature_that_reads_verdicts_may_be_unknown_while_there_are_none() -> None:
    known = KNOWN | {feature.name: 0 for feature in probe.PROBED}

    assert checks.schema([], known, 100_000).outcome == "passed"
    assert checks.schema([probe.PROBED[0].name], known, 100_000).outcome == "unfit"


def test_schema_of_no_rows_accuses_nobody() -> None:
    assert checks.schema(features.NAMES, dict.fromkeys(features.NAMES, 0), 0).outcome == "passed"


def test_schema_names_some_of_many() -> None:
    found = checks.schema(features.NAMES, KNOWN, 10)

    assert found.sentence.count("_") < 20 and "and 38 more are known in none" in found.sentence


def test_finite_names_the_feature_with_infinite_values() -> None:
    assert checks.finite(dict.fromkeys(features.NAMES, 0)).outcome == "passed"
    found = checks.finite({"card_mean_24h": 3, "card_mean_7d": 0})
    assert found.outcome == "unfit" and "card_mean_24h" in found.sentence and "card_mean_7d" not in found.sentence


@pytest.mark.parametrize(("distinct", "outcome"), [(10, "passed"), (9, "unfit")])
def test_duplicates_break_the_promise_of_the_query(distinct: int, outcome: str) -> None:
    assert checks.duplicates(10, distinct).outcome == outcome


@pytest.mark.parametrize(("rows", "outcome"), [(0, "passed"), (1, "unfit")])
def test_later_rows_break_the_promise_of_the_query(rows: int, outcome: str) -> None:
    assert checks.later(rows).outcome == outcome


@pytest.mark.parametrize(("age", "outcome"), [(None, "not_enough"), (72 * HOUR, "passed"), (72 * HOUR + 1, "unfit")])
def test_decisions_that_stopped_coming_are_unfit(age: int | None, outcome: str) -> None:
    found = checks.decisions_fresh(age, 72 * HOUR)

    assert found.outcome == outcome
    assert ("is the stream archived?" in found.sentence) == (outcome == "unfit")


@pytest.mark.parametrize(("age", "outcome"), [(None, "not_enough"), (14 * DAY, "passed"), (14 * DAY + 1, "unfit")])
def test_verdicts_that_stopped_coming_are_unfit(age: int | None, outcome: str) -> None:
    assert checks.verdicts_fresh(age, 14 * DAY).outcome == outcome


@pytest.mark.parametrize(("late", "outcome"), [(0, "passed"), (20, "passed"), (21, "unfit")])
def test_label_delay_beyond_the_maturity_is_unfit_and_always_told(late: int, outcome: str) -> None:
    found = checks.label_delay(late, 100, 7 * DAY)

    assert found.outcome == outcome and found.sentence.startswith(f"{late}% of the frauds became known later than 7.0")
    assert ("give plan.maturity_days more" in found.sentence) == (outcome == "unfit")


def test_label_delay_without_frauds_passes() -> None:
    assert checks.label_delay(0, 0, 7 * DAY).outcome == "passed"


# --- What the features know -------------------------------------------------------------------------------------------


def test_leakage_names_feature_and_rows_and_keeps_the_transaction_out_of_the_sentence() -> None:
    found = checks.leakage([finding("a", 100, 30, "t1"), finding("b", 200, 180, "t2"), finding("c", 10, 10, "t3")])

    assert (found.outcome, found.observed, found.limit) == ("unfit", 0.9, probe.LARGEST_SHARE)
    assert "b knew verdicts before they came in 180 of 200 rows that would show it (90% of 200 days" in found.sentence
    assert "days of terminals); another feature did too" in found.sentence and "t2" not in found.sentence
    assert found.details == {"feature": "b", "transaction_id": "t2"}


def test_leakage_counts_the_others() -> None:
    found = checks.leakage([finding(name, 100, 90) for name in "abc"])

    assert "; 2 other features did too;" in found.sentence
    assert "did too" not in checks.leakage([finding("a", 100, 90), finding("b", 100, 0)]).sentence


@pytest.mark.parametrize(("following", "outcome"), [(0, "passed"), (20, "passed"), (21, "unfit")])
def test_leakage_allows_for_a_few_rows(following: int, outcome: str) -> None:
    assert checks.leakage([finding("a", 100, following)]).outcome == outcome


@pytest.mark.parametrize(("days", "outcome"), [(probe.FEWEST_DAYS - 1, "passed"), (probe.FEWEST_DAYS, "unfit")])
def test_leakage_with_too_few_days_cannot_be_told_however_many_rows(days: int, outcome: str) -> None:
    found = checks.leakage([Finding("a", 5_000, 5_000, days, days, "t")])

    assert found.outcome == outcome
    assert (found.observed is None and "cannot be told" in found.sentence) == (outcome == "passed")


@pytest.mark.parametrize(("area", "outcome"), [(0.9, "passed"), (0.995, "unfit"), (1.0, "unfit")])
def test_giveaway_names_the_feature(area: float, outcome: str) -> None:
    found = checks.giveaway(("card_mean_24h", area))

    assert found.outcome == outcome and found.sentence.startswith("card_mean_24h alone")


def test_giveaway_of_too_few_frauds_cannot_be_told() -> None:
    assert checks.giveaway(None).outcome == "passed"


@pytest.mark.parametrize(
    ("fraud", "genuine"), [(1.0, 0.0), (0.0, 1.0), (1.0, np.nan), (np.nan, 1.0), (-5.0, np.nan), (np.nan, -5.0)]
)
def test_most_telling_finds_what_gives_the_outcome_away_whichever_way(fraud: float, genuine: float) -> None:
    rows = examples(list(range(2_000)))
    is_fraud = np.random.default_rng(1).random(2_000) < 0.05
    rows.features[:, 7] = np.where(is_fraud, fraud, genuine)
    found = checks.most_telling(replace(rows, is_fraud=is_fraud), np.ones(2_000, dtype=np.bool_))

    assert found == (features.NAMES[7], 1.0)


@pytest.mark.parametrize("side", [-1.0, 1.0])
def test_most_telling_takes_what_is_not_known_for_either_end(side: float) -> None:
    rows = examples(list(range(2_000)))
    is_fraud = np.arange(2_000) < 50
    rows.features[:, 7] = np.where(is_fraud, 0.0, np.where(np.arange(2_000) % 2, side, np.nan))

    assert checks.most_telling(replace(rows, is_fraud=is_fraud), is_fraud | ~is_fraud) == (features.NAMES[7], 1.0)


def test_most_telling_says_nothing_of_too_few_frauds_or_of_rows_that_are_not_used() -> None:
    rows = examples(list(range(100)))
    is_fraud = np.arange(100) < checks.FEWEST_TO_TELL
    every = np.ones(100, dtype=np.bool_)

    assert checks.most_telling(replace(rows, is_fraud=is_fraud), every) is not None
    assert checks.most_telling(replace(rows, is_fraud=is_fraud), np.arange(100) > 0) is None
    assert checks.most_telling(replace(rows, is_fraud=~is_fraud), np.arange(100) > 0) is None


@given(st.integers(0, 10_000), st.integers(0, 10_000), st.integers(0, 10_000))
def test_numbers_of_a_check_are_finite_whatever_was_counted(rows: int, frauds: int, late: int) -> None:
    made = [
        *checks.kinds("learn_from", rows, min(frauds, rows), 50),
        checks.fraud_share(min(frauds, rows), rows, 0.2),
        checks.label_delay(min(late, frauds), frauds, 7 * DAY),
        checks.leakage([finding("a", rows, min(frauds, rows))]),
    ]

    assert all(np.isfinite(number) for each in made for number in (each.observed, each.limit) if number is not None)
