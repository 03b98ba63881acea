"""Is one model better than another? Paired on the same rows, with the doubt that comes from who happened to pay."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from model import bootstrap, metrics
from model.bootstrap import Interval
from model.metrics import Floats
from model.segments import Part
from model.thresholds import Thresholds
from model.weighted_metrics import Measure, Outcomes, Sorted

SEED = 1
LOWER_IS_BETTER = frozenset({"cost", "ece"})
UNKNOWN_ENDS = (-1.0, 1.0)
"""Every metric lies between 0 and 1: where no interval can be estimated, nothing more is known of a difference."""

Progress = Callable[[int, int], None]
"""Called with draws done and draws in all."""


@dataclass(frozen=True, slots=True)
class Compared:
    """Two models on the same rows.

    Args:
        first, second: each one's metrics.
        gains: of the second over the first, by metric.
        parts: of the second over the first in average precision, by the part's name; where it can be estimated.
    """

    first: dict[str, float]
    second: dict[str, float]
    gains: dict[str, Interval]
    parts: dict[str, Interval]


class Mapped(NamedTuple):
    """A threshold of one model among the scores of another.

    Args:
        name: of the threshold.
        score: the first model's.
        share: of rows at or above it.
        equal: lowest score of the second model at or above which lie no more; None where every score is given to more.
    """

    name: str
    score: float
    share: float
    equal: float | None


def compare(
    outcomes: Outcomes,
    first: Floats,
    second: Floats,
    review_share: float,
    parts: Sequence[Part],
    draws: int,
    progress: Progress | None = None,
) -> Compared:
    """All metrics, and average precision on parts of the rows, from the same draws of cards.

    Args:
        outcomes: of the rows.
        first: scores of the rows by one model.
        second: by the other.
        review_share: what people can review, the same for both.
        parts: of the rows.
        draws: how often cards are drawn again.
        progress: called now and then.
    """
    before, after = (Measure(outcomes, scores, review_share) for scores in (first, second))
    pairs = {part.name: Pair(outcomes.among(part.rows), first[part.rows], second[part.rows]) for part in parts}

    def measure(counts: Floats) -> dict[str, float]:
        whole = _difference(before(counts), after(counts))
        return whole | {name: gain for name, pair in pairs.items() if (gain := pair.gain(counts)) is not None}

    once = np.ones(outcomes.cards)
    found = measure(once)
    drawn = bootstrap.measure_again(measure, _told(bootstrap.draw_cards(outcomes.cards, draws, SEED), draws, progress))
    ends = {name: _interval(name, value, drawn, _cards(name, pairs, outcomes)) for name, value in found.items()}
    return Compared(
        first=before(once),
        second=after(once),
        gains={name: ends[name] or Interval(found[name], *UNKNOWN_ENDS) for name in found if name not in pairs},
        parts={name: given for name in pairs if (given := ends.get(name)) is not None},
    )


def gain(outcomes: Outcomes, first: Floats, second: Floats, draws: int) -> Interval | None:
    """Average precision of the second over the first; None where it cannot be estimated."""
    pair = Pair(outcomes, first, second)
    found = pair.gain(np.ones(outcomes.cards))
    drawn = bootstrap.measure_again(pair, bootstrap.draw_cards(outcomes.cards, draws, SEED))
    return None if found is None else _interval("gain", found, drawn, pair.cards)


class Pair:
    """Two models' scores of the same rows."""

    def __init__(self, outcomes: Outcomes, first: Floats, second: Floats) -> None:
        self._first, self._second = Sorted(outcomes, first), Sorted(outcomes, second)
        self.cards = defrauded_cards(outcomes)

    def gain(self, counts: Floats) -> float | None:
        """Average precision of the second over the first when each card counts so often."""
        before, after = self._first.draw(counts), self._second.draw(counts)
        if before is None or after is None:
            return None
        return metrics.average_precision(after.ranking) - metrics.average_precision(before.ranking)

    def __call__(self, counts: Floats) -> dict[str, float]:
        """The gain by its name."""
        found = self.gain(counts)
        return {} if found is None else {"gain": found}


def defrauded_cards(outcomes: Outcomes) -> int:
    """How many cards have a fraud: what there is little of."""
    return len(np.unique(outcomes.card[outcomes.is_fraud]))


def equal_share(first: Floats, second: Floats, chosen: Thresholds) -> list[Mapped]:
    """Where the first model's thresholds lie among the second's scores, by the share of rows above them."""
    levels, counts = np.unique(second, return_counts=True)
    above = counts[::-1].cumsum()[::-1]
    found = []
    for name, score in chosen._asdict().items():
        rows = int(np.count_nonzero(first >= score))
        within = levels[above <= rows]
        found.append(Mapped(name, score, rows / len(first), float(within[0]) if len(within) else None))
    return found


def is_better(name: str, gained: Interval) -> bool | None:
    """Whether a difference in a metric is proven to be a gain, or a loss; None where it is not proven."""
    if gained.low <= 0 <= gained.high:
        return None
    return (gained.low > 0) != (name in LOWER_IS_BETTER)


def _interval(name: str, found: float, drawn: Mapping[str, Floats], cards: int) -> Interval | None:
    return bootstrap.interval(found, drawn[name], cards) if name in drawn else None


def _difference(first: Mapping[str, float], second: Mapping[str, float]) -> dict[str, float]:
    return {name: second[name] - value for name, value in first.items() if name in second}


def _cards(name: str, pairs: Mapping[str, Pair], outcomes: Outcomes) -> int:
    return pairs[name].cards if name in pairs else defrauded_cards(outcomes)


def _told(draws: Iterator[Floats], count: int, progress: Progress | None) -> Iterator[Floats]:
    for done, counts in enumerate(draws, start=1):
        yield counts
        if progress is not None and (done % 100 == 0 or done == count):
            progress(done, count)
