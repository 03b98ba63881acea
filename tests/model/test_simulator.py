"""The simulated market: what its rows look like, and that they are the same every time."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from fraud.transaction import parse
from model import fraudsters
from model.simulator import Drift, Simulation, SimulationConfig, label_events, simulate, transaction_events
from tests.model.conftest import CUT, MARKET

SMALL = SimulationConfig(seed=5, cards=80, terminals=120, days=30)
DRIFT_DAY = 20


def of_kind(simulation: Simulation, kind: str) -> pa.Table:
    rows = simulation.transactions
    return rows.filter(pc.equal(rows["fraud_kind"], kind))


def seconds(table: pa.Table, column: str = "occurred_at") -> list[float]:
    return [moment.timestamp() for moment in table[column].to_pylist()]


def test_simulate_same_configuration_gives_the_same_rows() -> None:
    first, second = simulate(SMALL), simulate(SMALL)

    assert first.transactions.equals(second.transactions)
    assert first.labels.equals(second.labels)


def test_simulate_another_seed_shares_no_identifier() -> None:
    first, second = simulate(SMALL).transactions, simulate(replace(SMALL, seed=6)).transactions

    for column in ("transaction_id", "card_token"):
        assert not set(first[column].to_pylist()) & set(second[column].to_pylist())


def test_simulate_identifiers_are_unique_hexadecimal(market: Simulation) -> None:
    ids = market.transactions["transaction_id"].to_pylist()

    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch("[0-9a-f]{32}", identifier) for identifier in ids[:1000])


def test_simulate_rows_are_in_order_and_within_the_days(market: Simulation) -> None:
    times = market.transactions["occurred_at"].to_pylist()

    assert all(earlier <= later for earlier, later in pairwise(times))
    assert times[0] >= MARKET.start
    assert times[-1] < MARKET.start + timedelta(days=MARKET.days)


@pytest.mark.parametrize("rate", [0.005, 0.01, 0.03])
def test_simulate_fraud_rate_is_about_the_configured_one(rate: float) -> None:
    rows = simulate(replace(MARKET, fraud_rate=rate)).transactions

    assert pc.mean(rows["is_fraud"]).as_py() == pytest.approx(rate, rel=0.2)


def test_simulate_every_kind_of_fraud_is_there_before_and_after_a_cut(market: Simulation) -> None:
    known = set(fraudsters.KINDS) - {"gift_card_run"}

    for part in market.cut(CUT):
        assert set(part.transactions["fraud_kind"].to_pylist()) == known


def test_simulate_large_amounts_lie_above_the_threshold(market: Simulation) -> None:
    assert pc.min(of_kind(market, "large_amount")["amount_minor"]).as_py() >= fraudsters.LARGE_AMOUNT


@pytest.mark.parametrize(
    ("kind", "entity", "days"), [("compromised_terminal", "terminal_id", 28), ("compromised_card", "card_token", 14)]
)
def test_simulate_compromise_lasts_its_days(market: Simulation, kind: str, entity: str, days: int) -> None:
    rows = of_kind(market, kind)

    assert rows.num_rows
    for times in rows.group_by(entity).aggregate([("occurred_at", "min"), ("occurred_at", "max")]).to_pylist():
        assert times["occurred_at_max"] - times["occurred_at_min"] < timedelta(days=days)


def test_simulate_compromised_card_pays_about_five_times_as_much(market: Simulation) -> None:
    genuine = of_kind(market, "genuine").group_by("card_token").aggregate([("amount_minor", "mean")])
    usual = dict(zip(genuine["card_token"].to_pylist(), genuine["amount_minor_mean"].to_pylist(), strict=True))
    rows = of_kind(market, "compromised_card").select(["card_token", "amount_minor"]).to_pylist()

    assert 4 < np.mean([row["amount_minor"] / usual[row["card_token"]] for row in rows]) < 6


def test_simulate_card_testing_is_dozens_of_small_amounts_within_minutes(market: Simulation) -> None:
    rows = of_kind(market, "card_testing")
    bursts = rows.group_by("card_token").aggregate(
        [("occurred_at", "min"), ("occurred_at", "max"), ("occurred_at", "count"), ("terminal_id", "count_distinct")]
    )

    assert pc.max(rows["amount_minor"]).as_py() < 500
    assert set(rows["channel"].to_pylist()) == {"ecommerce"}
    for burst in bursts.to_pylist():
        assert 12 <= burst["occurred_at_count"] <= 40
        assert burst["occurred_at_max"] - burst["occurred_at_min"] < timedelta(minutes=30)
        assert burst["terminal_id_count_distinct"] <= 3


def test_simulate_account_takeover_rises_in_another_country_within_hours(market: Simulation) -> None:
    home = {
        row["card_token"]: Counter(row["country_list"]).most_common(1)[0][0]
        for row in of_kind(market, "genuine").group_by("card_token").aggregate([("country", "list")]).to_pylist()
    }
    rows = of_kind(market, "account_takeover")
    grouped = rows.group_by("card_token", use_threads=False).aggregate(
        [("occurred_at", "min"), ("occurred_at", "max"), ("amount_minor", "list"), ("country", "list")]
    )
    steps = [np.diff(np.log(account["amount_minor_list"])).mean() for account in grouped.to_pylist()]

    assert np.mean(steps) > 0.1
    assert all(a["occurred_at_max"] - a["occurred_at_min"] < timedelta(hours=12) for a in grouped.to_pylist())
    abroad = [country != home[a["card_token"]] for a in grouped.to_pylist() for country in a["country_list"]]
    assert np.mean(abroad) > 0.9  # a few cards live on favourites abroad


def test_simulate_spending_is_diurnal(market: Simulation) -> None:
    hours = Counter(moment.hour for moment in of_kind(market, "genuine")["occurred_at"].to_pylist())

    assert sum(hours[hour] for hour in range(11, 18)) > 4 * sum(hours[hour] for hour in range(7))


def test_simulate_every_fraud_is_labelled_after_it_happened(market: Simulation) -> None:
    joined = market.labels.join(market.transactions, "transaction_id", right_suffix="_row")
    delays = [
        (row["labelled_at"] - row["occurred_at"], row["source"], row["is_fraud"], row["is_fraud_row"])
        for row in joined.to_pylist()
    ]

    assert {identifier for identifier, fraud in _outcomes(market) if fraud} <= set(
        market.labels["transaction_id"].to_pylist()
    )
    assert all(label == truth for *_, label, truth in delays)
    assert all(
        timedelta(days=1) <= delay <= timedelta(days=7) for delay, source, *_ in delays if source == "chargeback"
    )
    assert all(timedelta(hours=1) <= delay <= timedelta(hours=12) for delay, source, *_ in delays if source == "review")
    assert any(not label for *_, label, _ in delays)
    assert seconds(market.labels, "labelled_at") == sorted(seconds(market.labels, "labelled_at"))


def _outcomes(simulation: Simulation) -> list[tuple[str, bool]]:
    rows = simulation.transactions
    return list(zip(rows["transaction_id"].to_pylist(), rows["is_fraud"].to_pylist(), strict=True))


def test_cut_keeps_every_row_and_label_on_its_side(market: Simulation) -> None:
    before, after = market.cut(CUT)

    assert before.transactions.num_rows + after.transactions.num_rows == market.transactions.num_rows
    assert before.labels.num_rows + after.labels.num_rows == market.labels.num_rows
    assert max(seconds(before.transactions)) < CUT.timestamp() <= min(seconds(after.transactions))
    assert max(seconds(before.labels, "labelled_at")) < CUT.timestamp() <= min(seconds(after.labels, "labelled_at"))


def test_drift_leaves_the_days_before_it_as_they_were() -> None:
    drift = Drift(DRIFT_DAY, amount_scale=3.0, new_pattern=True, vanishing_field="channel")
    day = SMALL.start + timedelta(days=DRIFT_DAY)
    plain, _ = simulate(SMALL).cut(day)
    drifted, _ = simulate(replace(SMALL, drift=drift)).cut(day)

    assert drifted.transactions.equals(plain.transactions)
    assert drifted.labels.equals(plain.labels)


def test_drift_amount_scale_multiplies_later_amounts() -> None:
    day = SMALL.start + timedelta(days=DRIFT_DAY)
    _, plain = simulate(SMALL).cut(day)
    _, drifted = simulate(replace(SMALL, drift=Drift(DRIFT_DAY, amount_scale=3.0))).cut(day)

    assert drifted.transactions["amount_minor"].to_pylist() == [
        3 * a for a in plain.transactions["amount_minor"].to_pylist()
    ]


def test_drift_vanishing_field_is_absent_from_later_events() -> None:
    drifted = simulate(replace(SMALL, drift=Drift(DRIFT_DAY, vanishing_field="merchant_category")))
    before, after = drifted.cut(SMALL.start + timedelta(days=DRIFT_DAY))

    assert all("merchant_category" in event for event in transaction_events(before.transactions))
    assert not any("merchant_category" in event for event in transaction_events(after.transactions))


def test_drift_new_pattern_appears_only_from_its_day() -> None:
    drifted = simulate(replace(MARKET, drift=Drift(DRIFT_DAY, new_pattern=True)))
    runs = of_kind(drifted, "gift_card_run")

    assert runs.num_rows
    assert min(seconds(runs)) >= (MARKET.start + timedelta(days=DRIFT_DAY)).timestamp()


def test_transaction_events_are_accepted_by_the_parser(market: Simulation) -> None:
    columns = market.transactions.slice(0, 500)

    for event, occurred_at in zip(transaction_events(columns), columns["occurred_at"].to_pylist(), strict=True):
        accepted = parse(json.dumps(event).encode(), sequence_number="1", arrived_at=occurred_at.timestamp())
        assert accepted.transaction.occurred_at == occurred_at
        assert "is_fraud" not in event and "fraud_kind" not in event


def test_label_events_carry_time_in_utc(market: Simulation) -> None:
    event = next(label_events(market.labels))

    assert set(event) == {"schema_version", "transaction_id", "is_fraud", "source", "labelled_at"}
    assert datetime.fromisoformat(str(event["labelled_at"])).tzinfo == UTC
