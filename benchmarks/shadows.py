"""Simulated shadows: two models that decide on the same transactions, of cards that come back.

A few cards make most of the transactions, and where a card's transaction was blocked, by one model or by both, its next
one is likely to be so again.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.canaries import activity
from fraud import analysis
from fraud.analysis import LATENCY_EDGES_MS, Latency, Outcome, Pairs, Shadow
from fraud.gates import judge_shadow
from fraud.rollout_plan import Gates
from fraud.routing import BUCKETS

_QUICK = Latency(counts=(200, *(0,) * len(LATENCY_EDGES_MS)), total_ms=200.0)
"""So many calls of a millisecond that latency holds nothing up."""


class Shadowing(NamedTuple):
    """What is simulated.

    Args:
        challenger_block: share of transactions that the challenger would block.
        champion_block: share that the champion blocks.
        review: share that each sends to review.
        overlap: of the blocks, and of the reviews, of the model with fewer of them, the share that both make; what one
            model alone blocks or reviews, the other approves.
        cards: how many.
        tail: exponent of the Pareto distribution of transactions per card; the smaller, the more a few cards make.
        likeness: how alike cards are, as a Dirichlet distribution's sum; a card's decisions correlate by one over one
            more than it.
        pairs: transactions that both models decided on.
        looks: evenly spread.
    """

    challenger_block: float = 0.01
    champion_block: float = 0.01
    review: float = 0.03
    overlap: float = 0.8
    cards: int = 4_000
    tail: float = 1.5
    likeness: float = 3.0
    pairs: int = 6_000
    looks: int = 60

    @property
    def shares(self) -> list[float]:
        """Of each kind of transaction: blocked by both, by the challenger, by the champion alone; reviews; the rest."""
        block, review = (
            self._kinds(*rates) for rates in ((self.challenger_block, self.champion_block), (self.review, self.review))
        )
        return [*block, *review, 1 - sum(block) - sum(review)]

    def _kinds(self, challenger: float, champion: float) -> tuple[float, float, float]:
        both = self.overlap * min(challenger, champion)
        return both, challenger - both, champion - both


class End(NamedTuple):
    """How a shadow would end.

    Args:
        passed: pairs at the first look that passes it, if it did not fail before.
        failed: pairs at the first look that fails it, even if it would have passed before.
    """

    passed: int | None
    failed: int | None


def ends(shadowing: Shadowing, gates: Gates, seed: int) -> End:
    """What the looks at a shadow say, all of them."""
    seen = list(simulate(shadowing, seed))
    outcomes = [analysis.worst(judge_shadow(gates, shadow, ())) for shadow in seen]
    failed = _first(outcomes, Outcome.FAIL)
    passed = _first(outcomes[:failed], Outcome.PASS)
    return End(*(None if at is None else _pairs(seen[at]) for at in (passed, failed)))


def _first(outcomes: Sequence[Outcome], wanted: Outcome) -> int | None:
    return outcomes.index(wanted) if wanted in outcomes else None


def _pairs(seen: Shadow) -> int:
    return sum(each.transactions for each in seen.pairs.values())


def simulate(shadowing: Shadowing, seed: int) -> Iterator[Shadow]:
    """A shadow as it is seen at each look."""
    # Shadowings that differ share no draws, so that their ends may be counted together.
    rng = np.random.default_rng([zlib.crc32(repr(shadowing).encode()), seed])
    weights = activity(rng, shadowing.cards, shadowing.tail)
    bucket = rng.integers(0, BUCKETS, shadowing.cards)
    shares = shadowing.shares
    # Of the kinds before the last, summed up: rounding cannot lead beyond the last.
    chances = rng.dirichlet(shadowing.likeness * np.array(shares), shadowing.cards).cumsum(axis=1)[:, :-1]
    card = rng.choice(shadowing.cards, shadowing.pairs, p=weights)
    kind = (chances[card] <= rng.random((shadowing.pairs, 1))).sum(axis=1)
    look = np.arange(shadowing.pairs) * shadowing.looks // shadowing.pairs
    shape = (shadowing.looks, BUCKETS, len(shares))
    place = np.ravel_multi_index((look, bucket[card], kind), shape)
    counts = np.bincount(place, minlength=np.prod(shape)).reshape(shape).cumsum(axis=0)
    for at in counts.tolist():
        yield Shadow(pairs=dict(enumerate(_counted(*each) for each in at)), champion=_QUICK, challenger=_QUICK)


def _counted(
    both_block: int, our_block: int, their_block: int, both_review: int, our_review: int, their_review: int, rest: int
) -> Pairs:
    return Pairs(
        transactions=both_block + our_block + their_block + both_review + our_review + their_review + rest,
        champion_block=both_block + their_block,
        challenger_block=both_block + our_block,
        both_block=both_block,
        champion_review=both_review + their_review,
        challenger_review=both_review + our_review,
        both_review=both_review,
    )
