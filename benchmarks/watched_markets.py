"""Simulated markets with a champion that serves them, as a look at any of their days finds them in the archive.

A market is learned from once: its first days come before the archive, or are all that there is; then training, and a
week in which its verdicts come. From then on the champion scores and policy decides, the archive fills, and the
baseline is made of it. Features are computed by the implementation that training uses, verdicts come as the simulator
lets them, and rows arrive when they happen.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from fraud import features
from fraud.entities import DAY
from fraud.monitoring_plan import Plan
from model import baseline, boosting, offline_features, package_json, thresholds, train
from model.baseline_document import Baseline
from model.examples import EVENT, Flags, Matrix
from model.history import NEVER, History, Seconds, seconds
from model.limits import Limits
from model.monitored_rows import NO_VERDICT, Rows, Words
from model.monitoring_context import Context
from model.simulator import Drift, Simulation, SimulationConfig, simulate
from model.thresholds import Thresholds

CHAMPION = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/1"
PARAMETERS = boosting.chosen() | {"num_boost_round": 60, "eta": 0.2, "max_bin": 128, "early_stopping_rounds": 20}
"""Fewer and larger steps than a package's: scores are what matters here, not how good they are."""
MATURITY_DAYS = 7
ORDER = [("occurred_at", "ascending"), ("transaction_id", "ascending")]


class Shape(NamedTuple):
    """Size and age of a market.

    Args:
        seed: of its random numbers.
        cards: that pay.
        warm_up_days: before training; 0 where the archive begins with it, so that features are young.
        training_days: that the champion learns from.
        reference_days: in which it serves before the baseline is made.
        later_days: after that; all that is looked at.
    """

    seed: int
    cards: int
    warm_up_days: int = 40
    training_days: int = 35
    reference_days: int = 21
    later_days: int = 31

    @property
    def serves_from(self) -> int:
        """Day on which the champion takes over."""
        return self.warm_up_days + self.training_days + MATURITY_DAYS

    @property
    def quiet_until(self) -> int:
        """Day on which the baseline is made, and the first that can be looked at."""
        return self.serves_from + self.reference_days

    @property
    def days(self) -> int:
        """Of all."""
        return self.quiet_until + self.later_days


@dataclass(frozen=True)
class Traffic:
    """What happened.

    Args:
        events: transactions by time, the columns of `examples.EVENT`.
        history: the same with the verdicts that said fraud.
        known_at: when a verdict came, NEVER without.
        is_review: whether a reviewer gave it.
        matrix: features.
    """

    events: pa.Table
    history: History
    known_at: Seconds
    is_review: Flags
    matrix: Matrix

    @classmethod
    def of(cls, simulation: Simulation) -> Traffic:
        """Lay a simulation out, and compute its features."""
        ordered, labels = simulation.transactions.sort_by(ORDER), simulation.labels
        row = pc.index_in(ordered["transaction_id"], value_set=labels["transaction_id"])
        judged = pc.is_valid(row).to_numpy()
        place = pc.fill_null(row, 0).to_numpy()
        given_at = np.where(judged, seconds(labels["labelled_at"])[place], NEVER)
        is_review = judged & pc.equal(labels["source"], "review").to_numpy()[place]
        history = History.from_table(ordered, timedelta())
        history = replace(history, known_at=np.where(history.is_fraud & judged, given_at, NEVER))
        matrix = offline_features.compute(history)
        return cls(ordered.select(list(EVENT)), history, given_at, is_review, matrix)

    def with_amounts(self, amounts: npt.NDArray[np.int64]) -> Traffic:
        """The same payments for other amounts."""
        history = replace(self.history, amount_minor=amounts)
        return replace(
            self.with_field("amount_minor", pa.array(amounts)),
            history=history,
            matrix=offline_features.compute(history),
        )

    def with_field(self, name: str, values: pa.Array | pa.ChunkedArray) -> Traffic:
        """With other values of a field that no feature reads."""
        return replace(self, events=self.events.set_column(self.events.column_names.index(name), name, values))

    def with_features(self, matrix: Matrix) -> Traffic:
        """With other features than its own: something went wrong on the way."""
        return replace(self, matrix=matrix)

    def where(self, kept: Flags) -> Traffic:
        """Some of the rows, as if there had never been others."""
        columns = {name: getattr(self.history, name)[kept] for name in _COLUMNS}
        ids = self.history.transaction_ids.filter(pa.array(kept))
        history = replace(self.history, transaction_ids=ids, **columns)
        return Traffic(
            self.events.filter(pa.array(kept)),
            history,
            self.known_at[kept],
            self.is_review[kept],
            offline_features.compute(history),
        )


_COLUMNS = ("at", "card", "terminal", "amount_minor", "is_fraud", "known_at")


@dataclass(frozen=True)
class Market:
    """A market and its champion; see `open_market`."""

    shape: Shape
    plan: Plan
    start: int
    traffic: Traffic
    booster: Any
    document: dict[str, Any]

    @cached_property
    def baseline(self) -> Baseline:
        """As the baseline job makes it."""
        rows = self.rows(self.traffic, self.shape.quiet_until, self.shape.reference_days, self.shape.quiet_until)
        return baseline.describe(self.document, rows, len(rows), CHAMPION, self.moment(self.shape.quiet_until))

    def moment(self, day: int) -> int:
        """Begin of a day, seconds since 1970."""
        return self.start + day * DAY

    def look_at(self, traffic: Traffic, day: int, days: int = 1) -> tuple[Rows, int, Context]:
        """What `monitor.look` takes to look at some days; the last of them is `day`."""
        rows = self.rows(traffic, day + 1, self.plan.archive_days + days - 1, day + 1 - days)
        context = Context(
            since=self.moment(day + 1 - days),
            until=self.moment(day + 1),
            champion=CHAMPION,
            challenger="",
            baseline=self.baseline,
            limits=limits_of(self.plan),
            contracts={CHAMPION: features.NAMES},
        )
        return rows, int(rows.in_window.sum()), context

    def rows(self, traffic: Traffic, until_day: int, days: int, window_from_day: int) -> Rows:
        """The archive of some days up to one, the window's features included, as it was then."""
        until = self.moment(until_day)
        at = traffic.history.at
        # The query takes what arrived after one moment and until another, which a transaction at midnight belongs to.
        first, end = np.searchsorted(at, [self.moment(until_day - days), until], side="right")
        part = slice(int(first), int(end))
        known_at, judged = traffic.known_at[part], traffic.known_at[part] <= until
        is_fraud = judged & traffic.history.is_fraud[part]
        in_window = at[part] > self.moment(window_from_day)
        matrix = np.where(in_window[:, None], traffic.matrix[part], np.float32(np.nan))
        return Rows(
            events=traffic.events.slice(part.start, part.stop - part.start),
            at=at[part],
            arrived_at=at[part],
            in_window=in_window,
            features=matrix,
            readable=in_window,
            **self._served(traffic, part),
            judged=judged,
            is_fraud=is_fraud,
            known_at=np.where(judged, known_at, NEVER),
            first_fraud_at=np.where(is_fraud, known_at, NEVER),
            review=_verdict(judged & traffic.is_review[part], is_fraud),
            chargeback=_verdict(judged & ~traffic.is_review[part], is_fraud),
        )

    def _served(self, traffic: Traffic, part: slice) -> dict[str, Any]:
        """What the champion said from the day on which it took over; before, another did."""
        scores = boosting.score(self.booster, traffic.matrix[part])
        chosen = Thresholds(**self.document["thresholds"])
        own = traffic.history.at[part] >= self.moment(self.shape.serves_from)
        count = len(scores)
        return {
            "action": ((scores >= chosen.review).astype(np.int8) + (scores >= chosen.block).astype(np.int8)),
            "score": scores,
            "propensity": np.ones(count),
            "package": np.where(own, 0, 1).astype(np.int32),
            "packages": (CHAMPION, CHAMPION[:-1] + "0"),
            "degraded": np.zeros(count, dtype=np.bool_),
        }


def _verdict(given: Flags, is_fraud: Flags) -> Words:
    return np.where(given, is_fraud, NO_VERDICT).astype(np.int8)


def open_market(shape: Shape, plan: Plan) -> Market:
    """Simulate a market in which nothing changes, and train its champion."""
    config = configured(shape)
    traffic = Traffic.of(simulate(config))
    start = int(config.start.timestamp())
    day = (traffic.history.at - start) // DAY
    learned = (day >= shape.warm_up_days) & (day < shape.warm_up_days + shape.training_days)
    rows = train.Rows(
        features.NAMES, traffic.matrix[learned], traffic.history.is_fraud[learned], traffic.history.at[learned]
    )
    booster, document = _trained(rows)
    return Market(shape, plan, start, traffic, booster, document)


def configured(shape: Shape, drift: Drift | None = None) -> SimulationConfig:
    """The same market, with or without a change."""
    return SimulationConfig(
        seed=shape.seed, days=shape.days, cards=shape.cards, terminals=max(shape.cards * 4 // 3, 200), drift=drift
    )


def _trained(rows: train.Rows) -> tuple[Any, dict[str, Any]]:
    learning, validation = train.cut(rows, PARAMETERS["validation_share"])
    booster = train.fit(learning, validation, PARAMETERS, threads=1)
    scores = boosting.score(booster, validation.features)
    chosen = thresholds.choose(scores, validation.is_fraud, PARAMETERS["review_share"], PARAMETERS["block_precision"])
    measured = train.measure(scores, validation.is_fraud, chosen)
    return booster, package_json.describe(booster, rows, validation, scores, chosen, {"metrics": measured})


def limits_of(plan: Plan) -> Limits:
    """The plan as a look is told of it."""
    return Limits(
        **{name: getattr(plan, name) for name in _SAME},
        maturity=plan.maturity_days * DAY,
        quality=plan.quality_days * DAY,
        stale=plan.stale_days * DAY,
        freshest_label=plan.freshest_label_days * DAY,
    )


_SAME = (
    "fewest_rows", "fewest_frauds", "alpha", "least_psi", "least_ks", "least_share", "least_ratio", "least_volume",
    "quality_loss", "bias_gap", "fairness", "most_parity_mismatches", "parity_entities",
)  # fmt: skip
