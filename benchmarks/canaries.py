"""Simulated canaries: two models that decide on different cards, which come back.

A few cards make most of the transactions, and a card that was blocked is likely to be blocked again.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from fraud.analysis import Arm, Outcome, Tally
from fraud.gates import judge_canary
from fraud.rollout_plan import Gates
from fraud.routing import BUCKETS

_SURE = 1.959964

Counts = npt.NDArray[np.int64]


class Canary(NamedTuple):
    """What is simulated.

    Args:
        challenger_block: share of transactions that the challenger blocks.
        champion_block: share that the champion blocks.
        review: share that either sends to review.
        share: of the cards, the challenger's.
        cards: how many.
        tail: exponent of the Pareto distribution of transactions per card; the smaller, the more a few cards make.
        likeness: how alike cards are, as a beta distribution's a + b; a card's transactions correlate by one over one
            more than it.
        transactions: of both.
        looks: evenly spread.
    """

    challenger_block: float = 0.01
    champion_block: float = 0.01
    review: float = 0.05
    share: float = 0.5
    cards: int = 4_000
    tail: float = 1.5
    likeness: float = 3.0
    transactions: int = 20_000
    looks: int = 60


class Look(NamedTuple):
    """What was counted until a look."""

    champion: Arm
    challenger: Arm


Stopper = Callable[[Look], bool]


def stops(canary: Canary, gates: Gates, seed: int) -> tuple[int | None, int | None, int | None]:
    """The challenger's transactions when each side stops a canary, or None."""
    looks = list(simulate(canary, seed))
    return (
        _first(looks, partial(_failed, gates)),
        _first(looks, _differs),
        _first(looks[-1:], _differs),
    )


def _first(looks: Sequence[Look], stopped: Stopper) -> int | None:
    return next((_sum(look.challenger, "transactions") for look in looks if stopped(look)), None)


def _failed(gates: Gates, look: Look) -> bool:
    verdicts = judge_canary(gates, look.champion, look.challenger, ())
    return any(each.outcome is Outcome.FAIL for each in verdicts)


def _differs(look: Look) -> bool:
    """The textbook's two-sided test of two shares at 5 %, block rates only."""
    ours, theirs = (_sum(arm, "transactions") for arm in (look.challenger, look.champion))
    blocked, others = (_sum(arm, "block") for arm in (look.challenger, look.champion))
    if not (ours and theirs and blocked + others):
        return False
    pooled = (blocked + others) / (ours + theirs)
    error = math.sqrt(pooled * (1 - pooled) * (1 / ours + 1 / theirs))
    return abs(blocked / ours - others / theirs) > _SURE * error


def _sum(arm: Arm, field: str) -> int:
    return sum(getattr(each, field) for each in arm.values())


def simulate(canary: Canary, seed: int) -> Iterator[Look]:
    """A canary as it is seen at each look."""
    rng = np.random.default_rng(seed)
    weights = activity(rng, canary.cards, canary.tail)
    is_challenger = rng.random(canary.cards) < canary.share
    bucket = rng.integers(0, BUCKETS, canary.cards)
    block = np.where(
        is_challenger, *(_rates(rng, canary, rate) for rate in (canary.challenger_block, canary.champion_block))
    )
    review = _rates(rng, canary, canary.review)
    card = rng.choice(canary.cards, canary.transactions, p=weights)
    blocked = rng.random(canary.transactions) < block[card]
    reviewed = ~blocked & (rng.random(canary.transactions) < review[card])
    look = np.arange(canary.transactions) * canary.looks // canary.transactions
    place = (look * 2 + is_challenger[card]) * BUCKETS + bucket[card]
    counts = [_until(canary.looks, place[chosen]) for chosen in (slice(None), blocked, reviewed)]
    for at in range(canary.looks):
        yield Look(*(_arm(*(each[at, arm] for each in counts)) for arm in (0, 1)))


def activity(rng: np.random.Generator, cards: int, tail: float) -> npt.NDArray[np.float64]:
    """Share of the transactions that each card makes: a Pareto distribution's draws."""
    weights: npt.NDArray[np.float64] = rng.pareto(tail, cards) + 1
    shares: npt.NDArray[np.float64] = weights / weights.sum()
    return shares


def _rates(rng: np.random.Generator, canary: Canary, mean: float) -> npt.NDArray[np.float64]:
    return rng.beta(mean * canary.likeness, (1 - mean) * canary.likeness, canary.cards)


def _until(looks: int, place: Counts) -> Counts:
    """Transactions until each look, by arm and bucket."""
    return np.bincount(place, minlength=looks * 2 * BUCKETS).reshape(looks, 2, BUCKETS).cumsum(axis=0)


def _arm(transactions: Counts, block: Counts, review: Counts) -> Arm:
    counted = zip(transactions.tolist(), block.tolist(), review.tolist(), strict=True)
    return {
        bucket: Tally(transactions=total, block=blocked, review=reviewed, approve=total - blocked - reviewed)
        for bucket, (total, blocked, reviewed) in enumerate(counted)
        if total
    }
