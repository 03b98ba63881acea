"""What arrives and what is decided, held against the archive's past."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from model import traffic_quality
from model.baseline_document import Baseline, Share
from model.findings import Finding
from tests.model.monitored_market import CHALLENGER, CHAMPION, DAY, LIMITS, Seen, reference, seen

ALPHA = 0.001 / 150
UPKEEP = {"decision_rate_check", "staleness_check"}
Check = Callable[..., list[Finding]]


@pytest.fixture(scope="module")
def quiet() -> Seen:
    return seen()


@pytest.fixture(scope="module")
def baseline() -> Baseline:
    return reference()


@pytest.fixture
def check(tmp_path: Path, baseline: Baseline) -> Check:
    def checked(given: Seen, of: Baseline = baseline, **plan: Any) -> list[Finding]:
        rows, arrived = given.read(tmp_path / "rows")
        return traffic_quality.check(rows, arrived, given.context(of, **plan), alpha=ALPHA)

    return checked


def violated(found: list[Finding]) -> set[tuple[str, str]]:
    assert all(each.concern == ("upkeep" if each.check in UPKEEP else "data") for each in found)
    return {(each.check, each.name) for each in found if each.outcome == "violated"}


def only(found: list[Finding], check: str, name: str) -> Finding:
    (finding,) = (each for each in found if (each.check, each.name) == (check, name))
    return finding


def in_window(given: Seen, share: float) -> np.ndarray:
    """So many of the window's rows, evenly."""
    return given.in_window & (np.arange(len(given.at)) % 100 < share * 100)


def field(given: Seen, name: str, rows: np.ndarray, value: str | None) -> Seen:
    values = np.where(rows, None if value is None else value, given.table[name].to_numpy(zero_copy_only=False))
    return given.with_columns(**{name: pa.array(values, pa.string())})


@pytest.mark.parametrize("seed", [7, 8])
def test_unchanged_traffic_violates_nothing(check: Check, seed: int) -> None:
    found = check(seen(seed), of=reference(seed))

    assert violated(found) == set() and {each.outcome for each in found} == {"passed"}


def test_half_the_volume_of_the_quietest_day_is_a_broken_upstream(check: Check, quiet: Seen) -> None:
    found = check(quiet.where(~quiet.in_window | in_window(quiet, 0.4)))

    assert violated(found) == {("volume_check", "transactions")}
    assert only(found, "volume_check", "transactions").observed < only(found, "volume_check", "transactions").limit


def test_volume_of_one_day_is_not_enough_for_three(check: Check, quiet: Seen) -> None:
    assert violated(check(quiet, since=quiet.as_of - 3 * DAY)) == {("volume_check", "transactions")}


def test_volume_without_whole_days_to_compare_with_is_skipped(check: Check, quiet: Seen, baseline: Baseline) -> None:
    found = check(quiet.where(quiet.at > quiet.as_of - 7 * DAY), of=replace(baseline, quietest_day=None))

    assert only(found, "volume_check", "transactions").outcome == "skipped"


def test_half_of_what_came_on_the_days_before_is_too_little_however_quiet_the_launch_was(
    check: Check, quiet: Seen, baseline: Baseline
) -> None:
    of = replace(baseline, quietest_day=10)
    found = only(check(quiet.where(~quiet.in_window | in_window(quiet, 0.4)), of=of), "volume_check", "transactions")

    assert violated(check(quiet, of=of)) == set()
    assert found.outcome == "violated" and "usual one of the 32 days before" in found.sentence


def test_weekday_that_is_always_quiet_is_as_usual(check: Check, quiet: Seen, baseline: Baseline) -> None:
    weekly = (quiet.as_of - quiet.at - 1) // DAY % 7 == 0
    rare = quiet.where(~weekly | (np.arange(len(quiet.at)) % 10 < 3))

    assert violated(check(rare, of=replace(baseline, quietest_day=10))) == set()


def test_days_before_count_all_cards_where_only_some_are_looked_at(tmp_path: Path, quiet: Seen) -> None:
    less = quiet.where(~quiet.in_window | in_window(quiet, 0.4))
    rows, arrived = less.read(tmp_path, most_rows=200)
    kept = int(rows.in_window.sum()) / arrived
    context = quiet.context(replace(reference(), quietest_day=None), kept=kept)

    found = only(traffic_quality.check(rows, arrived, context, alpha=ALPHA), "volume_check", "transactions")
    assert kept < 0.6 and found.outcome == "violated"


def test_window_of_which_no_card_is_looked_at_is_held_against_its_quietest_day_alone(check: Check, quiet: Seen) -> None:
    assert "quietest day" in only(check(quiet, kept=0.0), "volume_check", "transactions").sentence


def test_late_transactions_do_not_raise_the_volume_that_is_asked_for(check: Check, quiet: Seen) -> None:
    limits = [only(check(quiet, event_days=days), "volume_check", "transactions").limit for days in (0.0, 3.0)]

    assert limits[0] == limits[1] > 0


def test_past_that_is_caught_up_with_in_no_whole_day_has_no_volume(check: Check, quiet: Seen) -> None:
    found = check(quiet, since=quiet.as_of - DAY / 2, event_days=3.0)

    assert only(found, "volume_check", "transactions").outcome == "skipped"


def test_volume_of_a_part_of_a_day_is_skipped(check: Check, quiet: Seen) -> None:
    found = check(quiet, since=quiet.as_of - DAY / 2)

    assert "no whole day" in only(found, "volume_check", "transactions").sentence


def test_volume_of_a_trickle_may_halve_by_chance(check: Check, quiet: Seen, baseline: Baseline) -> None:
    few = quiet.where(quiet.in_window & (np.cumsum(quiet.in_window) <= 9))

    assert violated(check(few, of=replace(baseline, quietest_day=20))) == set()
    assert violated(check(few, of=replace(baseline, quietest_day=2_000))) == {("volume_check", "transactions")}


def test_window_in_which_nothing_arrived_is_told_by_its_volume_alone(check: Check, quiet: Seen) -> None:
    found = check(quiet.where(~quiet.in_window))

    assert violated(found) == {("volume_check", "transactions")}
    skipped = {each.check for each in found if each.outcome == "skipped"}
    assert skipped == {"completeness_check", "categorical_values_check", "decision_rate_check"}


# --- Fields -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["channel", "country", "currency", "merchant_category"])
def test_field_that_is_gone_is_a_missing_column(check: Check, quiet: Seen, name: str) -> None:
    assert violated(check(field(quiet, name, quiet.in_window, None))) == {("missing_column_check", name)}


def test_field_that_is_often_missing_is_incomplete(check: Check, quiet: Seen) -> None:
    found = check(field(quiet, "channel", in_window(quiet, 0.2), None))

    assert violated(found) == {("completeness_check", "channel")}
    assert only(found, "completeness_check", "channel").observed == pytest.approx(0.2, abs=0.03)


def test_new_country_is_told_by_name(check: Check, quiet: Seen) -> None:
    found = check(field(quiet, "country", in_window(quiet, 0.2), "BR"))

    assert violated(found) == {("categorical_values_check", "country")}
    assert "most often BR" in only(found, "categorical_values_check", "country").sentence


def test_value_that_may_be_the_number_of_a_card_is_not_told(check: Check, quiet: Seen) -> None:
    found = check(field(quiet, "merchant_category", in_window(quiet, 0.2), "4111 1111 1111 1111"))

    told = only(found, "categorical_values_check", "merchant_category")
    assert told.outcome == "violated" and "most often a value of 19 characters," in told.sentence
    assert not any("1111" in each.sentence for each in found)


def test_few_transactions_from_a_new_country_are_not_worth_telling(check: Check, quiet: Seen) -> None:
    assert violated(check(field(quiet, "country", in_window(quiet, 0.02), "BR"))) == set()


def test_value_among_those_that_the_baseline_does_not_list_is_expected(
    check: Check, quiet: Seen, baseline: Baseline
) -> None:
    listed = baseline.fields["merchant_category"]
    kept = dict(list(listed.values.items())[:2])
    rest = replace(listed, values=kept, others=listed.present - sum(kept.values()))
    of = replace(baseline, fields={**baseline.fields, "merchant_category": rest})

    assert violated(check(quiet, of=of)) == set()


def test_value_that_no_such_field_can_have_is_told(check: Check, quiet: Seen) -> None:
    found = check(field(quiet, "country", in_window(quiet, 0.01), "Brazil"))

    assert violated(found) == {("data_type_check", "country")}


def test_fields_without_an_archive_to_compare_with_are_skipped(check: Check, quiet: Seen, baseline: Baseline) -> None:
    of = replace(baseline, fields={}, decisions={}, quietest_day=None, rows=0, days=0)
    found = check(quiet.where(quiet.in_window), of=of)

    assert violated(found) == set()
    assert [each.check for each in found if each.outcome != "skipped"] == ["staleness_check"]


# --- Decisions --------------------------------------------------------------------------------------------------------


def test_many_more_blocks_are_told(check: Check, quiet: Seen) -> None:
    action = pa.array(np.where(in_window(quiet, 0.05), "block", quiet.table["action"].to_numpy(zero_copy_only=False)))
    found = check(quiet.with_columns(action=action))

    assert violated(found) == {("decision_rate_check", "block")}


def test_many_fewer_reviews_are_told(check: Check, quiet: Seen, baseline: Baseline) -> None:
    usual = {**baseline.decisions, "review": Share(count=10_000, rows=50_000, design_effect=2.0)}
    found = check(quiet, of=replace(baseline, decisions=usual))

    assert violated(found) == {("decision_rate_check", "review")}
    assert only(found, "decision_rate_check", "review").observed < only(found, "decision_rate_check", "review").limit


def test_many_degraded_decisions_are_told_of_all(check: Check, quiet: Seen) -> None:
    found = check(quiet.with_columns(degraded=pa.array(in_window(quiet, 0.1))))

    assert violated(found) == {("decision_rate_check", "degraded")}
    assert only(found, "decision_rate_check", "degraded").variant == "all"


def test_decisions_of_a_challenger_are_not_the_champions(check: Check, quiet: Seen) -> None:
    tried = in_window(quiet, 0.3)
    action = pa.array(np.where(tried, "block", quiet.table["action"].to_numpy(zero_copy_only=False)))
    packages = pa.array(np.where(tried, CHALLENGER, CHAMPION))

    assert violated(check(quiet.with_columns(action=action, model_package=packages))) == set()


# --- The champion -----------------------------------------------------------------------------------------------------


def test_champion_that_learned_long_ago_is_stale(check: Check, quiet: Seen) -> None:
    found = check(quiet, limits=replace(LIMITS, stale=10 * DAY))

    assert violated(found) == {("staleness_check", "champion")}
    assert only(found, "staleness_check", "champion").observed == pytest.approx(14, abs=0.1)


def test_shares_of_a_variant_are_of_its_own_decisions(quiet: Seen, tmp_path: Path) -> None:
    tried = in_window(quiet, 0.5)
    action = pa.array(np.where(tried, "block", "approve"))
    packages = pa.array(np.where(tried, CHALLENGER, CHAMPION))
    rows, _ = quiet.with_columns(action=action, model_package=packages).read(tmp_path)

    assert traffic_quality.shares(rows, CHALLENGER) == {"approve": 0, "review": 0, "block": 1, "degraded": 0}
    assert traffic_quality.shares(rows, CHAMPION)["approve"] == 1
    assert traffic_quality.shares(rows, "another") == dict.fromkeys(("approve", "review", "block", "degraded"), 0)
