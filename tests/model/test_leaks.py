"""The check finds features that read the future, names them, and accuses no other."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pyarrow.compute as pc
import pytest

from fraud import features
from model import leaks, offline_features
from model.backtest import Table
from model.folds import DAY, Protocol
from model.history import History
from model.simulator import Simulation
from tests.model.conftest import MARKET

PROTOCOL = Protocol(MARKET.start + timedelta(days=12), folds=2)


@pytest.fixture(scope="module")
def past(market: Simulation) -> History:
    return History.from_table(market.transactions, timedelta(days=7))


def table(history: History, compute: leaks.Compute) -> Table:
    return Table(history, features.NAMES, compute(history))


def without_delay(history: History) -> leaks.Matrix:
    """Terminal risk that knows of a fraud at once."""
    return offline_features.compute(replace(history, known_at=np.where(history.is_fraud, history.at, leaks.NEVER)))


def next_amount(history: History) -> leaks.Matrix:
    """The amount of the transaction after this one."""
    found = offline_features.compute(history)
    found[:, features.NAMES.index("transaction_amount")] = np.append(history.amount_minor[1:], 0)
    return found


def test_features_as_they_are_served_read_nothing_of_the_future(past: History) -> None:
    assert leaks.check(table(past, offline_features.compute), PROTOCOL, offline_features.compute) > 500


def test_terminal_risk_without_label_delay_is_caught_by_name(past: History) -> None:
    with pytest.raises(leaks.LeakFound, match="terminal_fraud") as caught:
        leaks.check(table(past, without_delay), PROTOCOL, without_delay)

    assert {leak.feature.split("_")[0] for leak in caught.value.leaks} == {"terminal"}


def test_table_with_a_leak_that_the_computation_has_not_is_caught(past: History) -> None:
    with pytest.raises(leaks.LeakFound, match="terminal_fraud"):
        leaks.check(table(past, without_delay), PROTOCOL, offline_features.compute)


def test_feature_that_reads_the_next_transaction_is_caught(past: History) -> None:
    with pytest.raises(leaks.LeakFound) as caught:
        leaks.check(table(past, next_amount), PROTOCOL, next_amount)

    assert [leak.feature for leak in caught.value.leaks] == ["transaction_amount"]
    assert "transaction_amount differs on 1 of" in str(caught.value)


def test_dropped_feature_is_not_accused(past: History) -> None:
    leaking = table(past, next_amount).without(["transaction_amount"])

    assert leaks.check(leaking, PROTOCOL, next_amount) > 500


def test_as_known_at_removes_later_rows_and_labels_that_came_later(past: History) -> None:
    moment = int((MARKET.start + timedelta(days=20)).timestamp())
    then = leaks.as_known_at(past, moment)

    assert then.at.max() <= moment
    assert len(then) == len(then.transaction_ids) == int((past.at <= moment).sum())
    recent = then.at > moment - 7 * DAY
    assert past.is_fraud[: len(then)][recent].any() and not then.is_fraud[recent].any()
    np.testing.assert_array_equal(then.is_fraud[~recent], past.is_fraud[: len(then)][~recent])
    assert pc.equal(then.transaction_ids, past.transaction_ids[: len(then)]).to_pylist()[-1]
