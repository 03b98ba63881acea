"""What features of the last minutes and hours are worth: `python -m benchmarks.velocity`.

Simulates a market with card-testing bursts and account takeovers, and measures the same model on the same days twice:
with all features, and without those that look at less than a day. The windows that the second side keeps still take in
every transaction at once: it is not a nightly batch, which would know nothing of today and was not measured.
The published transactions of the Handbook cannot show the difference: nothing in them happens within hours.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from rich.console import Console
from rich.table import Table as Grid

from fraud import features
from fraud.entities import DAY
from model import backtest, boosting, comparison, folds, offline_features
from model.backtest import FoldResult, Table
from model.bootstrap import Interval
from model.folds import Protocol
from model.history import History
from model.simulator import Simulation, SimulationConfig, simulate
from model.weighted_metrics import Outcomes

MARKET = SimulationConfig(cards=3000, terminals=4000, days=84)
FIRST_TRAINING_DAY = 35
TRAIN_DAYS = 28
# Amounts need no such fine bins to show a burst.
QUICK = {"max_bin": 256, "num_boost_round": 200}
DRAWS = 200
OTHERS_THAT_LOOK_AT_LESS = ("card_seconds_since_last",)
"""Besides the windows that are shorter than a day."""

Texts = npt.NDArray[np.str_]


class Found(NamedTuple):
    """A kind of fraud, and which share of its transactions each side caught."""

    kind: str
    frauds: int
    real_time: float
    daily: float


def main() -> None:
    """Simulate, measure both sides, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--folds", type=int, default=4)
    arguments = parser.parse_args()
    market = simulate(replace(MARKET, seed=arguments.seed))
    history = history_of(market)
    protocol = Protocol(MARKET.start + timedelta(days=FIRST_TRAINING_DAY), arguments.folds, TRAIN_DAYS)
    table = Table(history, features.NAMES, offline_features.compute(history))
    sides = {name: run(table.without(dropped), protocol) for name, dropped in SIDES.items()}
    show(sides, history, kinds_of(market, history))


def fresh_features() -> list[str]:
    """Features that look at less than a day."""
    return [*OTHERS_THAT_LOOK_AT_LESS, *(feature.name for feature in features.TABLE if _is_short(feature))]


def _is_short(feature: features.Feature) -> bool:
    if feature.window is None:
        return False
    window = features.WINDOWS[feature.entity][feature.window]
    return features.SHAPES[feature.entity].levels[window.level].width * window.tiles < DAY


SIDES: Mapping[str, list[str]] = {"all features": [], "a day and more": fresh_features()}


def history_of(market: Simulation) -> History:
    """Transactions, with the moment when each fraud's first label came."""
    verdicts = market.labels.filter(market.labels["is_fraud"]).sort_by("labelled_at")
    position = pc.index_in(market.transactions["transaction_id"], value_set=verdicts["transaction_id"])
    labelled = market.transactions.append_column("labelled_at", verdicts["labelled_at"].take(position))
    return History.from_table(labelled, timedelta(days=7))


def kinds_of(market: Simulation, history: History) -> Texts:
    """The kind of each row of the history."""
    position = pc.index_in(history.transaction_ids, value_set=market.transactions["transaction_id"].combine_chunks())
    kinds: Texts = market.transactions["fraud_kind"].cast(pa.string()).take(position).to_numpy().astype(np.str_)
    return kinds


def run(table: Table, protocol: Protocol) -> list[FoldResult]:
    """Every fold."""
    return list(backtest.run(table, protocol, {**boosting.chosen(), **QUICK}, os.cpu_count() or 1))


def show(sides: Mapping[str, list[FoldResult]], history: History, kinds: Texts) -> None:
    """The metrics of both sides, what each caught of every kind, and how sure the difference is."""
    out = Console()
    means = {name: backtest.mean(results) for name, results in sides.items()}
    grid = Grid("metric", *sides, box=None)
    for metric in ("average_precision", "auc", "card_precision_100", "recall_at_fpr_001", "recall_at_fpr_005", "cost"):
        grid.add_row(metric.replace("_", " "), *(f"{means[name][metric]:.3f}" for name in sides))
    out.print(grid)
    caught = Grid("caught at .5 % false positives", "frauds", *sides, box=None)
    for each in caught_by_kind(sides["all features"], sides["a day and more"], kinds):
        caught.add_row(each.kind, f"{each.frauds:,}", f"{each.real_time:.1%}", f"{each.daily:.1%}")
    out.print(caught)
    gain = difference(sides["all features"], sides["a day and more"], history)
    words = "average precision of all features over those of a day and more, paired, cards drawn again"
    out.print(f"{words}: {gain.difference:+.4f} (95 % {gain.low:+.4f} to {gain.high:+.4f})")


def caught_by_kind(real_time: list[FoldResult], daily: list[FoldResult], kinds: Texts) -> Iterator[Found]:
    """Share of each kind's frauds above the score that .5 % of the genuine rows reach."""
    rows = np.concatenate([kinds[each.rows] for each in real_time])
    caught = [np.concatenate([_alerted(each) for each in side]) for side in (real_time, daily)]
    for kind in sorted(set(rows.tolist()) - {"genuine"}):
        of_kind = rows == kind
        yield Found(kind, int(of_kind.sum()), *(float(side[of_kind].mean()) for side in caught))


def _alerted(result: FoldResult) -> folds.Flags:
    threshold = np.quantile(result.scores[~result.is_fraud], 1 - backtest.FALSE_POSITIVE_RATES["005"])
    alerted: folds.Flags = result.scores > threshold
    return alerted


def difference(real_time: list[FoldResult], daily: list[FoldResult], history: History) -> Interval:
    """On the rows of all folds at once."""
    rows = np.concatenate([each.rows for each in real_time])
    before, after = (np.concatenate([each.scores for each in side]) for side in (daily, real_time))
    card, cards = history.card[rows].astype(np.int64), len(history.card_tokens)
    outcomes = Outcomes(history.is_fraud[rows], card, cards, history.at[rows] // DAY, history.amount_minor[rows])
    gain = comparison.gain(outcomes, before, after, DRAWS)
    assert gain is not None, "the market has frauds on many cards"
    return gain


if __name__ == "__main__":
    main()
