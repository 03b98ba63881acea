"""The two sides of the comparison see what their names say, on the same rows."""

from __future__ import annotations

from datetime import UTC, datetime

import numpy as np
import pytest

from benchmarks import velocity
from model.backtest import FoldResult
from model.folds import Fold
from model.simulator import SimulationConfig, simulate


def test_daily_side_sees_no_window_shorter_than_a_day() -> None:
    dropped = velocity.fresh_features()

    assert {"card_count_15m", "card_count_1h", "card_count_6h", "card_seconds_since_last"} <= set(dropped)
    assert not {"card_count_24h", "card_count_7d", "terminal_frauds_7d", "transaction_amount"} & set(dropped)


def test_history_learns_of_a_fraud_when_its_first_label_came() -> None:
    market = simulate(SimulationConfig(cards=60, terminals=60, days=20, fraud_rate=0.05))
    history = velocity.history_of(market)
    kinds = velocity.kinds_of(market, history)

    assert ((kinds != "genuine") == history.is_fraud).all()
    frauds = market.labels.filter(market.labels["is_fraud"])
    first: dict[str, datetime] = {}
    for label in frauds.sort_by("labelled_at").to_pylist():
        first.setdefault(label["transaction_id"], label["labelled_at"])
    ids = history.transaction_ids.to_pylist()
    for row in np.flatnonzero(history.is_fraud).tolist():
        known = datetime.fromtimestamp(int(history.known_at[row]), UTC)
        assert known == first[ids[row]].replace(microsecond=0)


def test_caught_by_kind_counts_what_lies_above_the_genuine_rows() -> None:
    kinds = np.array(["genuine"] * 1000 + ["burst"] * 4)
    fraud = kinds == "burst"
    sides = [np.concatenate([np.linspace(0, 0.5, 1000), scores]) for scores in ([0.9] * 4, [0.9, 0.1, 0.1, 0.1])]
    real_time, daily = ([FoldResult(Fold(0, 0, 0, 0, 0), np.arange(1004), side, fraud, {}, {})] for side in sides)

    (found,) = velocity.caught_by_kind(real_time, daily, kinds)
    assert found[:2] == ("burst", 4)
    assert found[2:] == pytest.approx((1.0, 0.25))
