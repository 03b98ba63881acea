"""The backtest learns the past, measures the future, gives the same numbers again, and says when it cannot."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from fraud import features
from model import backtest, boosting, offline_features
from model.backtest import FoldResult, NothingToMeasure, Table
from model.folds import Protocol
from model.history import History
from model.simulator import Simulation
from tests.model.conftest import MARKET

PROTOCOL = Protocol(MARKET.start + timedelta(days=12), folds=2)
PARAMETERS = {**boosting.chosen(), "num_boost_round": 30, "max_bin": 256, "max_depth": 4, "eta": 0.1}


@pytest.fixture(scope="module")
def table(market: Simulation) -> Table:
    history = History.from_table(market.transactions, timedelta(days=7))
    return Table(history, features.NAMES, offline_features.compute(history))


@pytest.fixture(scope="module")
def results(table: Table) -> list[FoldResult]:
    return list(backtest.run(table, PROTOCOL, PARAMETERS, 1))


def test_backtest_metrics_are_those_of_its_scores(results: list[FoldResult]) -> None:
    assert len(results) == 2
    for each in results:
        assert each.metrics["average_precision"] == pytest.approx(average_precision_score(each.is_fraud, each.scores))
        assert each.metrics["auc"] == pytest.approx(roc_auc_score(each.is_fraud, each.scores))
        assert each.metrics["average_precision"] > 5 * each.is_fraud.mean()
        assert 0 < each.metrics["card_precision_100"] <= each.metrics["card_precision_25"] <= 1


def test_backtest_runs_twice_the_same(table: Table, results: list[FoldResult]) -> None:
    again = list(backtest.run(table, PROTOCOL, PARAMETERS, 1))

    for first, second in zip(results, again, strict=True):
        np.testing.assert_array_equal(first.scores, second.scores)
        untimed = [{**each.metrics, "seconds": 0} for each in (first, second)]
        assert untimed[0] == untimed[1]


def test_backtest_does_not_learn_from_the_test_days(table: Table, results: list[FoldResult]) -> None:
    later = table.history.at >= results[0].fold.learn_to
    history = replace(table.history, is_fraud=np.where(later, ~table.history.is_fraud, table.history.is_fraud))

    booster = backtest.learn(replace(table, history=history), results[0].fold, PARAMETERS, 1)
    np.testing.assert_array_equal(boosting.score(booster, table.features[results[0].rows]), results[0].scores)


def test_backtest_mean_is_over_folds(results: list[FoldResult]) -> None:
    first, second = (each.metrics["auc"] for each in results)

    assert backtest.mean(results)["auc"] == pytest.approx((first + second) / 2)
    assert sum(backtest.mean_importance(results).values()) == pytest.approx(1)


def test_backtest_without_a_feature_does_not_use_it(table: Table, results: list[FoldResult]) -> None:
    name = next(iter(results[0].importance))
    without = backtest.run_fold(table.without([name]), results[0].fold, PARAMETERS, 1)

    assert name in results[0].importance and name not in without.importance


def test_backtest_beyond_the_file_says_so(table: Table) -> None:
    late = replace(PROTOCOL, train_start=MARKET.start + timedelta(days=33))

    with pytest.raises(NothingToMeasure, match="0 rows and 0 frauds to measure on"):
        list(backtest.run(table, late, PARAMETERS, 1))


def test_backtest_before_the_file_says_so(table: Table) -> None:
    early = replace(PROTOCOL, train_start=MARKET.start - timedelta(days=33))

    with pytest.raises(NothingToMeasure, match="to learn from"):
        list(backtest.run(table, early, PARAMETERS, 1))
