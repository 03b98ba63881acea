"""The search is bounded, gives the same again, compares on equal folds and keeps what did better."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fraud import features
from model import backtest, boosting, folds, offline_features, tuning
from model.backtest import Table
from model.folds import Protocol
from model.history import History
from model.simulator import Simulation
from model.tuning import Trial
from tests.model.conftest import MARKET

PROTOCOL = Protocol(MARKET.start + timedelta(days=5), folds=3)
BASE = {**boosting.chosen(), "max_bin": 64}


@pytest.fixture(scope="module")
def table(market: Simulation) -> Table:
    history = History.from_table(market.transactions, timedelta(days=7))
    return Table(history, features.NAMES, offline_features.compute(history))


@pytest.fixture(autouse=True)
def few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tuning, "ROUNDS", (5, 10))


def test_search_spends_most_on_what_did_best(table: Table) -> None:
    heard: list[Trial] = []
    found = tuning.search(table, PROTOCOL, BASE, 6, 1, 1, heard.append)

    assert [len(each.reached) for each in found] == [3, 2, 1, 1, 1, 1]
    assert len(heard) == tuning.work(6, PROTOCOL.folds) == 6 + 2 + 1
    first_fold = {each.number: max(each.reached[0]) for each in found}
    assert min(first_fold[each.number] for each in found[:2]) >= max(first_fold[each.number] for each in found[2:])
    assert {each.number for each in found} == set(range(6))


def test_search_with_the_same_seed_finds_the_same(table: Table) -> None:
    short = Protocol(PROTOCOL.train_start, folds=1)

    assert tuning.search(table, short, BASE, 2, 4, 1) == tuning.search(table, short, BASE, 2, 4, 1)


def test_search_reaches_what_a_backtest_with_its_parameters_reaches(table: Table) -> None:
    (best,) = tuning.search(table, Protocol(PROTOCOL.train_start, folds=1), BASE, 1, 4, 1)
    (fold,) = folds.schedule(Protocol(PROTOCOL.train_start, folds=1))

    measured = backtest.run_fold(table, fold, best.parameters(BASE), 1).metrics["average_precision"]
    assert best.average_precision == pytest.approx(measured)


def test_draw_begins_with_what_is_in_use_and_repeats_nothing() -> None:
    drawn = tuning.draw(BASE, 30, 3)

    assert drawn[0].drawn == {name: BASE[name] for name in tuning.SPACE}
    assert len({tuple(each.drawn.values()) for each in drawn}) == 30
    assert all(each.drawn[name] in values for each in drawn[1:] for name, values in tuning.SPACE.items())
    assert tuning.draw(BASE, 30, 3) == drawn != tuning.draw(BASE, 30, 4)


def test_trial_takes_the_rounds_that_are_best_over_its_folds() -> None:
    trial = Trial(1, {"eta": 0.02}, reached=((0.5, 0.6), (0.8, 0.6)))

    assert (trial.rounds, trial.average_precision) == (5, pytest.approx(0.65))
    assert trial.parameters({"eta": 0.1, "seed": 7}) == {"eta": 0.02, "seed": 7, "num_boost_round": 5}
