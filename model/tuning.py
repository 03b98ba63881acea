"""Chooses parameters: a bounded, seeded random search by successive halving over the folds of a backtest.

Every trial is measured on the first fold; the better third of them on the second fold too; and so on, so that most of
the work goes to parameters that may win. Trials are compared on the same folds only. Numbers of trees are not drawn:
a trial grows the most, and is measured at several smaller numbers on the way. After Jamieson and Talwalkar 2016
(arxiv.org/abs/1502.07943).
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from model import backtest, boosting, folds, metrics
from model.backtest import Table
from model.folds import Fold, Protocol

SPACE: Mapping[str, Sequence[float]] = {
    "max_depth": (3, 4, 5, 6),
    "eta": (0.03, 0.05, 0.08),
    "subsample": (0.5, 0.65, 0.8, 1.0),
    "colsample_bytree": (0.2, 0.35, 0.5, 0.7),
    "min_child_weight": (1.0, 3.0, 10.0),
    "lambda": (1.0, 3.0, 10.0, 30.0),
}
"""What is drawn, each value as likely as the others; everything else stays as `params.json` has it.

Deeper trees and more of them gained no more than noise in an earlier search, and the exact reasons of a score cost time
in proportion to the number of trees, their leaves and the square of their depth.
"""
ROUNDS = (100, 150, 200, 250, 300, 400)
KEPT_SHARE = 1 / 3


@dataclass(frozen=True, slots=True)
class Trial:
    """One set of parameters and what it reached.

    Args:
        number: the order in which it was drawn; 0 is what `params.json` holds.
        drawn: only the parameters of the space.
        reached: for every fold that it was measured on, the average precision at each number of rounds.
        seconds: that it took.
    """

    number: int
    drawn: Mapping[str, float]
    reached: tuple[tuple[float, ...], ...] = ()
    seconds: float = field(default=0.0, compare=False)

    @property
    def rounds(self) -> int:
        """The number of rounds that is best on the mean of the folds."""
        return ROUNDS[int(np.argmax(np.mean(self.reached, axis=0)))]

    @property
    def average_precision(self) -> float:
        """Mean over its folds, at that number of rounds."""
        return float(np.max(np.mean(self.reached, axis=0)))

    def parameters(self, base: Mapping[str, Any]) -> dict[str, Any]:
        """All parameters, those that were not drawn as in `base`."""
        return {**base, **self.drawn, "num_boost_round": self.rounds}


Told = Callable[[Trial], None]


def search(
    table: Table,
    protocol: Protocol,
    base: Mapping[str, Any],
    trials: int,
    seed: int,
    threads: int,
    told: Told = lambda _: None,
) -> list[Trial]:
    """Every trial, best first: those on more folds before those on fewer.

    `told` hears of each trial whenever it was measured on one more fold.
    """
    standing, dropped = draw(base, trials, seed), list[Trial]()
    schedule = folds.schedule(protocol)
    for fold in schedule:
        measured = []
        for each in standing:
            measured.append(_on_one_more(each, table, fold, base, threads))
            told(measured[-1])
        measured.sort(key=lambda each: -each.average_precision)
        kept = _kept(len(measured)) if fold != schedule[-1] else len(measured)
        standing, dropped = measured[:kept], measured[kept:] + dropped
    return standing + dropped


def draw(base: Mapping[str, Any], trials: int, seed: int) -> list[Trial]:
    """So many different trials, the first of them what is in use now."""
    rng = np.random.default_rng(seed)
    drawn = [{name: base[name] for name in SPACE}]
    while len(drawn) < trials:
        candidate = {name: values[int(rng.integers(len(values)))] for name, values in SPACE.items()}
        if candidate not in drawn:
            drawn.append(candidate)
    return [Trial(number, each) for number, each in enumerate(drawn)]


def work(trials: int, fold_count: int) -> int:
    """How many models a search fits."""
    fitted = 0
    for _ in range(fold_count):
        fitted, trials = fitted + trials, _kept(trials)
    return fitted


def _kept(trials: int) -> int:
    return max(1, round(trials * KEPT_SHARE))


def _on_one_more(trial: Trial, table: Table, fold: Fold, base: Mapping[str, Any], threads: int) -> Trial:
    began = time.perf_counter()
    parameters = {**base, **trial.drawn, "num_boost_round": ROUNDS[-1]}
    booster = backtest.learn(table, fold, parameters, threads)
    rows = folds.tested_rows(table.history, fold)
    features, is_fraud = table.features[rows], table.history.is_fraud[rows]
    scores = (boosting.score(booster[:rounds], features) for rounds in ROUNDS)
    reached = tuple(metrics.average_precision(metrics.rank(is_fraud, each)) for each in scores)
    seconds = trial.seconds + time.perf_counter() - began
    return replace(trial, reached=(*trial.reached, reached), seconds=seconds)
