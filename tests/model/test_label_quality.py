"""Quality on mature transactions: what counts, what is proven to be lost, and what is known of verdicts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from fraud.entities import DAY
from model import clustered_shares, label_quality, mature_rows, metrics
from model.examples import Flags, rfc3339
from model.findings import Finding, Labels
from model.history import NEVER
from model.label_quality import Measured
from model.monitored_rows import ACTIONS, NO_VERDICT, Rows
from model.monitoring_context import Context
from tests.model import judged_market
from tests.model.judged_market import CHALLENGER, PROMISE

UNTIL = 1_800_000_000
ALPHA = 1e-5
APPROVE, REVIEW, BLOCK = range(len(ACTIONS))
GENUINE_A_DAY = 400


def traffic(days: int = 15, frauds_a_day: int = 8, caught: float = 0.8, seed: int = 1) -> Rows:
    """A champion that catches a share of frauds, each on a card of its own; verdicts come within two days."""
    rng = np.random.default_rng(seed)
    a_day = GENUINE_A_DAY + frauds_a_day
    count = days * a_day
    at = np.sort(UNTIL - rng.integers(0, days * DAY, count))
    is_fraud = np.zeros(count, dtype=np.bool_)
    is_fraud[rng.choice(count, days * frauds_a_day, replace=False)] = True
    score = np.where(is_fraud & (rng.random(count) < caught), rng.uniform(0.5, 0.89, count), rng.uniform(0, 0.4, count))
    score = np.where(~is_fraud & (rng.random(count) < 0.01), 0.6, score)
    known_at = np.where(is_fraud, at + 2 * DAY, NEVER)
    judged = known_at <= UNTIL
    given = judged_market.plain(events(count, rng), at)
    return replace(
        given,
        score=score,
        action=np.where(score >= 0.9, BLOCK, np.where(score >= 0.5, REVIEW, APPROVE)).astype(np.int8),
        in_window=at > UNTIL - DAY,
        judged=judged,
        is_fraud=is_fraud & judged,
        known_at=np.where(judged, known_at, NEVER),
        first_fraud_at=np.where(judged, known_at, NEVER),
        chargeback=np.where(judged, 1, NO_VERDICT).astype(np.int8),
    )


def events(count: int, rng: np.random.Generator) -> pa.Table:
    cards = rng.integers(0, count // 5, count).tolist()
    return pa.table(
        {
            "transaction_id": [f"transaction-{row}" for row in range(count)],
            "card_token": [f"card-{card}" for card in cards],
            "terminal_id": [f"terminal-{number}" for number in range(len(cards))],
            "country": pa.array(rng.choice(["DE", "FR"], count)),
        }
    )


def look(given: Rows, context: Context | None = None) -> tuple[dict[str, Finding], dict[str, Any], Labels]:
    findings, quality, labels = label_quality.check(given, context or judged_market.context(UNTIL), alpha=ALPHA)
    return {f"{each.variant} {each.name}": each for each in findings}, quality, labels


# --- What is lost -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(20))
def test_quality_as_promised_is_no_violation(seed: int) -> None:
    found, quality, _ = look(traffic(seed=seed))

    assert {each.outcome for each in found.values()} == {"passed"}
    assert quality["champion"]["alert_recall"] == pytest.approx(0.8, abs=0.15)


def test_frauds_that_are_no_longer_caught_are_a_loss_of_quality() -> None:
    found, quality, _ = look(traffic(caught=0.2, frauds_a_day=15))

    lost = found["champion alert_recall"]
    assert (lost.check, lost.concern, lost.outcome) == ("model_quality_check", "quality", "violated")
    assert lost.observed == quality["champion"]["alert_recall"]
    assert lost.limit == pytest.approx(0.7)
    assert found["champion auc"].outcome == "violated"


def test_few_frauds_prove_no_loss() -> None:
    found, _, _ = look(traffic(caught=0.5, frauds_a_day=3))

    assert found["champion alert_recall"].outcome == "passed"
    assert found["champion alert_recall"].observed is not None
    assert found["champion alert_recall"].observed < 0.65


def test_too_few_frauds_are_skipped() -> None:
    found, quality, _ = look(traffic(frauds_a_day=2))

    assert {found[f"champion {name}"].outcome for name in label_quality.JUDGED} == {"skipped"}
    assert "20" in found["champion auc"].sentence
    assert quality == {}


def test_one_card_with_all_frauds_proves_nothing() -> None:
    given = traffic(caught=0.2, frauds_a_day=15)
    cards = np.array(given.events["card_token"].to_pylist(), dtype=object)
    cards[given.is_fraud] = "card-x"
    events = given.events.set_column(1, "card_token", pa.array(cards.tolist()))

    found, _, _ = look(replace(given, events=events))

    assert found["champion alert_recall"].outcome == "passed"
    assert found["champion auc"].outcome == "passed"


def test_precision_is_measured_at_the_promised_share_of_frauds() -> None:
    """Half as many frauds, caught as before: no loss, though fewer alerts hit."""
    few, many = traffic(days=15, frauds_a_day=4), traffic(days=15, frauds_a_day=16)

    plain = []
    for given in (few, many):
        _, quality, _ = look(given)
        known = label_quality.outcomes(given, "champion", judged_market.context(UNTIL))
        plain.append(float(known.is_fraud[known.score >= 0.5].mean()))
        assert quality["champion"]["alert_precision"] == pytest.approx(0.62, abs=0.08)
    assert plain[1] > plain[0] + 0.2


def test_metrics_are_those_of_the_package_where_all_rows_count_once() -> None:
    given = traffic()
    known = label_quality.outcomes(given, "champion", judged_market.context(UNTIL))
    share = float(known.is_fraud.mean())
    context = judged_market.context(UNTIL, promise={**PROMISE, "fraud_share": share})

    _, quality, _ = look(given, context)

    ranking = metrics.rank(known.is_fraud, known.score)
    alerted = known.score >= 0.5
    assert quality["champion"]["average_precision"] == pytest.approx(metrics.average_precision(ranking))
    assert quality["champion"]["auc"] == pytest.approx(metrics.roc_auc(ranking))
    assert quality["champion"]["alert_recall"] == pytest.approx(float(alerted[known.is_fraud].mean()))
    assert quality["champion"]["alert_precision"] == pytest.approx(float(known.is_fraud[alerted].mean()))


def test_a_package_that_says_no_share_of_frauds_promises_no_precision() -> None:
    promise = {name: value for name, value in PROMISE.items() if name != "fraud_share"}

    found, _, _ = look(traffic(), judged_market.context(UNTIL, promise=promise))

    assert found["champion alert_precision"].outcome == "skipped"
    assert found["champion alert_recall"].outcome == "passed"


# --- Which rows count -------------------------------------------------------------------------------------------------


def test_only_rows_that_are_mature_and_recent_count() -> None:
    given = traffic(days=20)

    chosen = mature_rows.cohort(given, judged_market.context(UNTIL))

    ages = (UNTIL - given.at[chosen]) / DAY
    assert ages.min() >= 7
    assert ages.max() < 14
    assert mature_rows.cohort(
        replace(given, at=np.full(len(given), UNTIL - 7 * DAY)), judged_market.context(UNTIL)
    ).all()
    assert not mature_rows.cohort(
        replace(given, at=np.full(len(given), UNTIL - 14 * DAY)), judged_market.context(UNTIL)
    ).any()


def blocked_frauds(frauds_a_day: int = 40, seed: int = 1) -> Rows:
    """A champion that blocks most of the frauds that it catches, of which nobody hears again."""
    given = traffic(frauds_a_day=frauds_a_day, seed=seed)
    hit = given.is_fraud & (given.score >= 0.5) & (np.arange(len(given)) % 4 > 0)
    return replace(
        given,
        score=np.where(hit, 0.95, given.score),
        action=np.where(hit, BLOCK, given.action).astype(np.int8),
        judged=given.judged & ~hit,
        is_fraud=given.is_fraud & ~hit,
    )


def test_blocks_that_nobody_judged_are_left_out_but_prove_no_loss() -> None:
    given = blocked_frauds()

    found, quality, labels = look(given)

    assert quality["champion"]["alert_recall"] < 0.6
    assert found["champion alert_recall"].outcome == "passed"
    assert labels.unknown > 150
    context = judged_market.context(UNTIL)
    unknown = mature_rows.cohort(given, context) & (given.action == BLOCK) & ~given.judged
    known = label_quality.outcomes(given, "champion", context)
    assert len(known.score) == int(mature_rows.cohort(given, context).sum() - unknown.sum())
    without = replace(given, score=np.where(given.action == BLOCK, 0.6, given.score))
    blocked_by_rules, _, _ = look(without)
    assert blocked_by_rules["champion alert_recall"].outcome == "violated"


def test_released_transactions_stand_for_those_that_were_blocked() -> None:
    given = blocked_frauds()
    blocked = given.action == BLOCK
    passed = blocked & (np.arange(len(given)) % 5 == 0)
    propensity = np.where(passed, 0.25, np.where(blocked, 0.75, 1.0))
    judged = given.judged | passed
    released = replace(
        given,
        action=np.where(passed, APPROVE, given.action).astype(np.int8),
        propensity=propensity,
        judged=judged,
        is_fraud=given.is_fraud | passed,
    )

    _, before, _ = look(given)
    _, quality, labels = look(released)

    assert quality["champion"]["alert_recall"] > before["champion"]["alert_recall"] + 0.1
    assert labels.weight == pytest.approx(4.0)
    assert set(mature_rows.weights(released)[passed].tolist()) == {4.0}
    assert set(mature_rows.weights(released)[~passed].tolist()) == {1.0}


def with_releases(given: Rows, share: float, seed: int, frauds: Flags) -> Rows:
    """A share of the blocks let pass by chance; of these alone it is known which were fraud."""
    passed = (given.action == BLOCK) & (np.random.default_rng(seed).random(len(given)) < share)
    return replace(
        given,
        action=np.where(passed, REVIEW, given.action).astype(np.int8),
        propensity=np.where(passed, share, np.where(given.action == BLOCK, 1 - share, 1.0)),
        judged=given.judged | passed,
        is_fraud=given.is_fraud | (passed & frauds),
    )


@pytest.mark.parametrize("share", [0.0, 0.0005, 0.01, 0.02, 0.05])
def test_few_releases_prove_no_loss_of_a_model_that_is_as_promised(share: float) -> None:
    for seed in range(20):
        given = blocked_frauds(60, seed)

        found, _, _ = look(with_releases(given, share, seed, given.action == BLOCK))

        lost = {name for name, each in found.items() if each.outcome == "violated"}
        assert not lost, seed


@pytest.mark.parametrize("share", [0.0, 0.01, 0.05])
def test_frauds_that_pass_are_a_loss_whatever_is_blocked_and_released(share: float) -> None:
    """Of the frauds that the promise would have caught, most are approved."""
    given = blocked_frauds()
    missed = given.action == BLOCK
    missed &= np.arange(len(given)) % 8 > 0
    worse = replace(
        given,
        score=np.where(missed, 0.1, given.score),
        action=np.where(missed, APPROVE, given.action).astype(np.int8),
        judged=given.judged | missed,
        is_fraud=given.is_fraud | missed,
    )

    found, _, _ = look(with_releases(worse, share, 1, worse.action == BLOCK))

    assert found["champion alert_recall"].outcome == "violated"


def test_a_release_is_doubted_as_one_among_the_blocks_that_kept_their_promise() -> None:
    given = blocked_frauds()
    released = with_releases(given, 0.05, 1, given.action == BLOCK)
    context = judged_market.context(UNTIL)
    cohort = mature_rows.cohort(released, context)

    doubted = label_quality.outcomes(released, "champion", context, doubt=True)

    assert doubted.weight.sum() == pytest.approx(cohort.sum())
    assert doubted.weight.max() == 1.0


def test_a_release_counts_a_hundred_times_at_most() -> None:
    given = replace(traffic(), propensity=np.full(len(traffic()), 1e-6))

    assert set(mature_rows.weights(given).tolist()) == {mature_rows.LARGEST_WEIGHT}


def test_each_model_is_measured_on_what_it_scored() -> None:
    given = traffic(frauds_a_day=20)
    half = (np.arange(len(given)) % 2).astype(np.int32)
    context = judged_market.context(UNTIL, challenger=CHALLENGER)

    found, quality, _ = look(replace(given, package=half), context)

    assert quality.keys() == {"champion", "challenger"}
    assert quality["challenger"].keys() == {"average_precision", "auc"}
    assert found["challenger auc"].outcome == "skipped"
    ours = label_quality.outcomes(replace(given, package=half), "champion", context)
    theirs = label_quality.outcomes(replace(given, package=half), "challenger", context)
    assert len(ours.score) + len(theirs.score) == int(mature_rows.cohort(given, context).sum())


def test_decisions_in_anothers_stead_do_not_count() -> None:
    given = traffic()

    _, quality, _ = look(replace(given, degraded=np.ones(len(given), dtype=np.bool_)))

    assert quality == {}


# --- Intervals --------------------------------------------------------------------------------------------------------


def test_the_interval_of_the_ranking_holds_as_often_as_it_says() -> None:
    rounds = 60
    context = judged_market.context(UNTIL)
    values: list[Measured] = [
        label_quality.measure(traffic(seed=seed), "champion", context, 0.05)["auc"] for seed in range(rounds)
    ]
    truth = float(np.mean([each.value for each in values]))
    inside = sum(each.low <= truth <= each.high for each in values)
    assert inside / rounds >= 0.85


def test_a_share_of_clusters_is_as_sure_as_their_number_allows() -> None:
    alone, together = np.arange(1000), np.repeat(np.arange(100), 10)
    events = np.repeat(np.arange(100) % 5 == 0, 10)

    of_rows = clustered_shares.of(events, alone, 0.025)
    of_cards = clustered_shares.of(events, together, 0.025)

    assert of_rows.value == of_cards.value == pytest.approx(0.2)
    assert of_rows.design_effect == pytest.approx(1.0, rel=0.01)
    assert of_cards.design_effect == pytest.approx(10.0, rel=0.05)
    assert of_cards.low < of_rows.low < 0.2 < of_rows.high < of_cards.high


def test_a_share_that_was_never_seen_may_still_be_there() -> None:
    found = clustered_shares.of(np.zeros(100, dtype=np.bool_), np.arange(100), 0.001)

    assert (found.value, found.low) == (0.0, 0.0)
    # Exactly the bound of so many coins, but for what is not trusted of so few clusters.
    assert 1 - 0.001 ** (1 / 100) < found.high < 1 - 0.001 ** (1 / 90)


def test_the_bounds_of_a_share_err_as_seldom_as_they_say() -> None:
    rng = np.random.default_rng(4)
    cards = np.repeat(np.arange(80), 6)
    wrong = 0
    for _ in range(400):
        often = rng.beta(0.3, 2.7, 80)
        found = clustered_shares.of(rng.random(480) < np.repeat(often, 6), cards, 0.05)
        wrong += (found.low > 0.1) + (found.high < 0.1)
    assert wrong <= 2 * 0.05 * 400


# --- Verdicts ---------------------------------------------------------------------------------------------------------


def test_verdicts_are_counted_by_source_on_mature_transactions() -> None:
    at = UNTIL - DAY * np.array([10, 9, 9, 8, 8, 1])
    given = judged_market.plain(events(6, np.random.default_rng(1)), at)
    yes = np.array([True, True, True, False, False, True])
    given = replace(
        given,
        review=np.array([1, 0, -1, -1, -1, 1], dtype=np.int8),
        chargeback=np.array([1, 1, -1, -1, -1, -1], dtype=np.int8),
        judged=np.array([True, True, False, False, False, True]),
        is_fraud=np.array([True, True, False, False, False, True]),
        action=np.array([0, 0, 0, 0, BLOCK, 0], dtype=np.int8),
        known_at=np.where(yes, at + DAY // 2, NEVER),
        first_fraud_at=np.where(yes, at + DAY // 2, NEVER),
    )

    _, _, labels = look(given)

    assert labels.by_source == {
        "chargeback": {"frauds": 2, "genuine": 0},
        "review": {"frauds": 1, "genuine": 1},
    }
    assert (labels.disagreements, labels.mature, labels.immature) == (1, 5, 1)
    assert (labels.unlabelled, labels.unknown) == (2, 1)
    assert labels.newest_known_at == rfc3339(UNTIL - DAY // 2)


def test_how_soon_frauds_are_known_is_told_up_to_the_age_of_maturity() -> None:
    _, _, labels = look(traffic())

    assert labels.known_after == {"1": 0.0, "2": 1.0, "3": 1.0, "5": 1.0, "7": 1.0}


def test_no_fraud_says_nothing_of_how_soon_it_is_known() -> None:
    _, _, labels = look(traffic(frauds_a_day=0))

    assert labels.known_after == {}
    assert labels.newest_known_at == ""


def feed(given: Rows, **limits: Any) -> Finding:
    return look(given, judged_market.context(UNTIL, **limits))[0]["all verdicts"]


def silent(given: Rows, days: int) -> Rows:
    """Without the verdicts of the last days."""
    kept = given.judged & (given.known_at <= UNTIL - days * DAY)
    return replace(given, judged=kept, is_fraud=given.is_fraud & kept, known_at=np.where(kept, given.known_at, NEVER))


def test_verdicts_that_ended_while_decisions_go_on_are_for_people_to_decide_on() -> None:
    found = feed(silent(traffic(days=25), 15))

    assert (found.check, found.concern, found.outcome) == ("label_feed_check", "upkeep", "violated")
    assert found.observed == pytest.approx(15, abs=0.3)
    assert found.limit == 14


def test_verdicts_that_still_come_are_a_feed() -> None:
    assert feed(traffic()).outcome == "passed"
    assert feed(silent(traffic(days=25), 13)).outcome == "passed"


def test_an_archive_too_young_for_a_verdict_is_skipped() -> None:
    young = traffic(days=10, frauds_a_day=0)

    assert feed(young).outcome == "skipped"
    assert feed(young, freshest_label=5 * DAY).outcome == "violated"


def test_no_decision_asks_for_no_verdict() -> None:
    given = silent(traffic(days=25), 15)

    assert feed(replace(given, in_window=np.zeros(len(given), dtype=np.bool_))).outcome == "skipped"


def test_no_row_at_all_is_no_error() -> None:
    nothing = judged_market.plain(events(5, np.random.default_rng(1)).slice(0, 0), np.zeros(0, dtype=np.int64))

    found, quality, labels = look(nothing)

    assert {each.outcome for each in found.values()} == {"skipped"}
    assert quality == {}
    assert labels.mature == 0


def test_frauds_of_one_terminal_prove_as_little_as_those_of_one_card() -> None:
    count = 400
    events, cards = np.arange(count) % 4 > 0, np.arange(count)
    apart = label_quality.Outcomes(~events, np.zeros(count), cards, np.ones(count), cards)
    together = replace(apart, terminal=np.arange(count) // 100)
    everything = np.ones(count, dtype=np.bool_)
    narrow, wide = (
        label_quality._share("recall", events, each, everything, 1e-4)["recall"] for each in (apart, together)
    )
    assert wide.value == narrow.value == 0.75
    assert wide.low < narrow.low and narrow.high < wide.high
