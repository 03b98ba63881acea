"""Groups: a difference counts when cards prove it beyond the gap that is allowed."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fraud.entities import DAY
from model import group_bias
from model.findings import Finding
from model.monitored_rows import Rows
from tests.model import judged_market
from tests.model.judged_market import CHALLENGER

UNTIL = 1_800_000_000
ALPHA = 1e-4
REVIEW, BLOCK = 1, 2


def traffic(shares: dict[str, float], rows: int = 2_000, per_card: int = 4, seed: int = 1) -> Rows:
    """As many genuine rows of each country, of which a share is reviewed; a card pays in one country."""
    rng = np.random.default_rng(seed)
    country = np.repeat(list(shares), rows)
    card = np.arange(len(country)) // per_card
    reviewed = rng.random(len(country)) < np.repeat(list(shares.values()), rows)
    events = pa.table(
        {
            "transaction_id": [f"transaction-{row}" for row in range(len(country))],
            "card_token": [f"card-{each}" for each in card],
            "country": pa.array(country.tolist()),
            "channel": pa.array(["pos"] * len(country)),
        }
    )
    at = np.sort(UNTIL - 7 * DAY - rng.integers(0, 7 * DAY, len(country)))
    return replace(judged_market.plain(events, at), action=(REVIEW * reviewed).astype(np.int8))


def look(given: Rows, challenger: str = "", **limits: object) -> dict[str, Finding]:
    found = group_bias.check(given, judged_market.context(UNTIL, challenger, **limits), alpha=ALPHA)
    assert {each.check for each in found} == {"bias_drift_check"}
    assert {each.concern for each in found} == {"quality"}
    return {each.name if not challenger else f"{each.variant} {each.name}": each for each in found}


def violated(found: dict[str, Finding]) -> set[str]:
    return {name for name, each in found.items() if each.outcome == "violated"}


@pytest.mark.parametrize("seed", range(10))
def test_groups_that_are_treated_alike_are_no_violation(seed: int) -> None:
    found = look(traffic({"DE": 0.05, "FR": 0.05, "NL": 0.06}, seed=seed))

    assert {each.outcome for each in found.values()} == {"passed"}
    assert len(found) == 3


def test_a_group_that_is_alerted_on_far_more_often_is_a_violation() -> None:
    found = look(traffic({"DE": 0.05, "FR": 0.05, "NL": 0.35}))

    assert violated(found) == {"country NL false_positive_rate"}
    worst = found["country NL false_positive_rate"]
    assert worst.observed == pytest.approx(0.3, abs=0.05)
    assert (worst.limit, worst.count) == (0.1, 2_000)


def test_a_difference_within_the_gap_is_no_violation_however_certain() -> None:
    assert not violated(look(traffic({"DE": 0.05, "FR": 0.14}, rows=20_000)))


def test_a_difference_that_few_cards_make_is_not_proven() -> None:
    assert not violated(look(traffic({"DE": 0.05, "NL": 0.35}, rows=200)))
    given = traffic({"DE": 0.0, "NL": 0.0})
    few_cards = given.events["card_token"].to_pylist()
    few_cards = [f"card-{row % 10}" if row >= 2_000 else each for row, each in enumerate(few_cards)]
    action = np.where((np.arange(4_000) >= 2_000) & (np.arange(4_000) % 10 < 4), REVIEW, 0).astype(np.int8)
    events = given.events.set_column(1, "card_token", pa.array(few_cards))

    found = look(replace(given, events=events, action=action))

    assert found["country NL false_positive_rate"].observed == pytest.approx(0.4)
    assert not violated(found)


def test_frauds_and_blocks_without_a_verdict_are_no_false_positives() -> None:
    given = traffic({"DE": 0.0, "NL": 0.0})
    nl = np.arange(4_000) >= 2_000
    half = np.arange(4_000) % 2 == 0
    found = look(
        replace(
            given,
            action=np.where(nl & half, BLOCK, 0).astype(np.int8),
            is_fraud=nl & half & (np.arange(4_000) % 4 == 0),
            judged=nl & half & (np.arange(4_000) % 4 == 0),
        )
    )

    assert found["country NL false_positive_rate"].observed == 0
    assert not violated(found)


def test_a_group_with_far_more_fraud_that_is_caught_is_no_violation() -> None:
    given = traffic({"DE": 0.0, "NL": 0.0}, rows=4_000)
    caught = (np.arange(8_000) >= 4_000) & (np.arange(8_000) % 2 == 0)
    found = look(replace(given, action=np.where(caught, REVIEW, 0).astype(np.int8), is_fraud=caught, judged=caught))

    assert not violated(found)
    assert {each.outcome for each in found.values()} == {"passed"}


def test_a_value_that_may_be_the_number_of_a_card_is_not_told() -> None:
    found = look(traffic({"DE": 0.05, "FR": 0.05, "4111 1111 1111 1111": 0.35}))

    assert violated(found) == {"country a value of 19 characters false_positive_rate"}
    assert not any("1111" in each.name + each.sentence for each in found.values())


def test_groups_with_few_genuine_rows_are_left_out() -> None:
    found = look(traffic({"DE": 0.05}, rows=500))

    assert [each.outcome for each in found.values()] == ["skipped"]


def test_a_field_has_its_twenty_largest_groups_compared() -> None:
    found = look(traffic({f"{first}{second}": 0.05 for first in "ABCDE" for second in "ABCDE"}, rows=250))

    assert len(found) == group_bias.MOST_GROUPS


def test_a_missing_field_is_a_group_of_its_own() -> None:
    given = traffic({"DE": 0.05, "FR": 0.05})
    countries = pc.if_else(pc.equal(given.events["country"], "FR"), None, given.events["country"])

    found = look(replace(given, events=given.events.set_column(2, "country", countries)))

    assert "country unknown false_positive_rate" in found


def test_each_model_has_groups_of_its_own() -> None:
    given = traffic({"DE": 0.05, "FR": 0.05, "NL": 0.3}, rows=4_000, per_card=2)
    by_challenger = (np.arange(len(given)) // 2 % 2).astype(np.int32)
    fair = replace(given, package=by_challenger, action=np.where(by_challenger == 0, 0, given.action).astype(np.int8))

    found = look(fair, CHALLENGER)

    assert violated(found) == {"challenger country NL false_positive_rate"}


def test_a_name_is_read_back_whatever_its_value() -> None:
    assert group_bias.named("channel far away false_positive_rate") == ("channel", "far away", "false_positive_rate")


def test_no_field_is_nothing_to_compare() -> None:
    assert group_bias.check(traffic({"DE": 0.1}), judged_market.context(UNTIL, fairness=()), alpha=ALPHA) == []
