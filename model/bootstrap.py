"""How sure is a number that was measured on these cards? Draw as many cards again, and measure again.

Frauds of one card are alike, so cards are drawn rather than rows: how often each is drawn is multinomial, and every row
counts as often as its card (Field and Welsh 2007, doi.org/10.1111/j.1467-9868.2007.00593.x). An interval lies between
percentiles of what was measured, further out the fewer cards were defrauded: a sample of few varies too little, and
by a known amount (Hesterberg 2015, doi.org/10.1080/00031305.2015.1089789, "expanded percentile interval").
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from statistics import NormalDist
from typing import NamedTuple

import numpy as np

from model.metrics import Floats

CONFIDENCE = 0.95
FEWEST_CARDS = 2
"""Defrauded cards; one alone says nothing of how cards differ."""
_NORMAL = NormalDist()

Measure = Callable[[Floats], Mapping[str, float]]
"""Values by name when every card counts so often; what cannot be measured is left out."""


class Interval(NamedTuple):
    """One model less another as measured, and where that may lie: of such intervals 95 in 100 are right."""

    difference: float
    low: float
    high: float


def draw_cards(cards: int, draws: int, seed: int) -> Iterator[Floats]:
    """How often each of the cards counts, for every draw."""
    rng = np.random.default_rng(seed)
    for _ in range(draws):
        yield np.bincount(rng.integers(0, cards, cards), minlength=cards).astype(np.float64)


def measure_again(measure: Measure, counts: Iterator[Floats]) -> dict[str, Floats]:
    """What every draw gives, by name; draws in which a value cannot be measured are left out of it."""
    drawn: dict[str, list[float]] = {}
    for each in counts:
        for name, value in measure(each).items():
            drawn.setdefault(name, []).append(value)
    return {name: np.array(values) for name, values in drawn.items()}


def interval(value: float, drawn: Floats, cards: int) -> Interval | None:
    """The 95 % interval of a value; None where it cannot be estimated.

    Args:
        value: measured with every card once.
        drawn: measured again.
        cards: that were defrauded, as far as the value is about them.
    """
    if cards < FEWEST_CARDS:
        return None
    tail = _NORMAL.cdf(expanded(_NORMAL.inv_cdf((1 - CONFIDENCE) / 2), cards))
    low, high = np.quantile(drawn, [tail, 1 - tail]).tolist()
    return Interval(value, low, high)


def expanded(z: float, cards: int) -> float:
    """A normal quantile, moved out to what Student's t and the smaller spread of a drawn sample ask for.

    The first terms of Cornish and Fisher's expansion (Abramowitz and Stegun, 26.7.5).
    """
    freedom = cards - 1
    t = z + (z**3 + z) / (4 * freedom) + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
    return t * math.sqrt(cards / freedom)
