"""How often the gates stop a good challenger, and how soon a bad one: `python -m benchmarks.gates`.

Simulates canaries on cards that come back: a few make most of the transactions, and a card that was blocked is likely
to be blocked again. Every canary is looked at sixty times, and stopped at the first look that says so. In an A/A canary
both models are the same, and every stop is a false alarm.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from fraud.analysis import Arm, Outcome, Tally
from fraud.gates import judge_canary
from fraud.rollout_plan import Gates
from fraud.routing import BUCKETS

OURS, EVERY_LOOK, ONE_LOOK = "gates", "z-test at every look", "z-test at the last look"
BLOCK_RATES = (0.02, 0.03, 0.05, 0.10)
NO_MARGIN = Gates(error_rate=1, block_rate=1, review_rate=1, block_rate_increase=0, review_rate_increase=0)
"""Any difference is harm, so that an A/A canary stands on the very edge; a margin only makes false alarms rarer."""
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
        likeness: how unlike cards are, as a beta distribution's a + b; a card's transactions correlate by one over one
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


def main() -> None:
    """Simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--canaries", type=int, default=2_000, help="A/A canaries")
    parser.add_argument("--bad-canaries", type=int, default=100, help="canaries of each block rate")
    arguments = parser.parse_args()
    show(run(Canary(), arguments.canaries, arguments.bad_canaries, os.cpu_count() or 1))


def run(canary: Canary, count: int, bad_count: int, processes: int) -> dict[str, list[float]]:
    """Row → one figure for each side: OURS, EVERY_LOOK, ONE_LOOK."""
    with ProcessPoolExecutor(processes) as pool:
        alike = list(pool.map(partial(stops, canary, NO_MARGIN), range(count), chunksize=10))
        false = [sum(each[side] is not None for each in alike) for side in range(3)]
        rows = {
            "A/A: false alarms": [each / count for each in false],
            "A/A: at most, 95 % sure": [upper_bound(each, count) for each in false],
        }
        for rate in BLOCK_RATES:
            bad = partial(stops, canary._replace(challenger_block=rate), Gates())
            rows |= _power(rate, list(pool.map(bad, range(bad_count), chunksize=10)))
    return rows


def _power(rate: float, stopped: Sequence[Sequence[int | None]]) -> dict[str, list[float]]:
    """Share of canaries stopped, and the median of the challenger's transactions until then; infinite for never."""
    at = [[_or_never(each[side]) for each in stopped] for side in range(3)]
    return {
        f"blocks {rate:.0%}: stopped": [sum(map(math.isfinite, side)) / len(side) for side in at],
        f"blocks {rate:.0%}: after": [statistics.median_high(side) for side in at],
    }


def _or_never(transactions: int | None) -> float:
    return math.inf if transactions is None else transactions


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
    weights = rng.pareto(canary.tail, canary.cards) + 1
    is_challenger = rng.random(canary.cards) < canary.share
    bucket = rng.integers(0, BUCKETS, canary.cards)
    block = np.where(
        is_challenger, *(_rates(rng, canary, rate) for rate in (canary.challenger_block, canary.champion_block))
    )
    review = _rates(rng, canary, canary.review)
    card = rng.choice(canary.cards, canary.transactions, p=weights / weights.sum())
    blocked = rng.random(canary.transactions) < block[card]
    reviewed = ~blocked & (rng.random(canary.transactions) < review[card])
    look = np.arange(canary.transactions) * canary.looks // canary.transactions
    place = (look * 2 + is_challenger[card]) * BUCKETS + bucket[card]
    counts = [_until(canary.looks, place[chosen]) for chosen in (slice(None), blocked, reviewed)]
    for at in range(canary.looks):
        yield Look(*(_arm(*(each[at, arm] for each in counts)) for arm in (0, 1)))


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


def upper_bound(events: int, count: int) -> float:
    """Clopper and Pearson's one-sided 95 % bound of a share."""
    low, high = events / count, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(events, count, middle) > 0.05 else (low, middle)
    return high


def _at_most(events: int, count: int, share: float) -> float:
    """Probability of so many events or fewer."""
    if share in (0.0, 1.0):
        return float(share == 0.0 or events == count)
    whole = math.lgamma(count + 1)
    return math.fsum(
        math.exp(
            whole
            - math.lgamma(k + 1)
            - math.lgamma(count - k + 1)
            + k * math.log(share)
            + (count - k) * math.log1p(-share)
        )
        for k in range(events + 1)
    )


def show(rows: Mapping[str, Sequence[float]]) -> None:
    """Print a table: one column for each side."""
    table = Table(title=_TITLE, title_justify="left", caption_justify="left", caption=_CAPTION)
    table.add_column("")
    for name in (OURS, EVERY_LOOK, ONE_LOOK):
        table.add_column(name, justify="right")
    for label, values in rows.items():
        table.add_row(label, *(_told(value) for value in values))
    Console(width=None if Console().is_terminal else 120).print(table)


def _told(value: float) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if value > 1 else f"{value:.4f}"


_TITLE = f"Canaries of {Canary().transactions:,} transactions, half of them the challenger's, {Canary().looks} looks"
_CAPTION = (
    "A/A: both block 1 % and review 5 %; the gates allow no difference and may err in 5 % of all canaries, errors, "
    "block and review rate together. The z-tests watch the block rate alone, at 5 %. Below, the champion blocks 1 %, "
    "and the gates have their defaults: 1 point more is no harm, and 5 % the cap. After: the challenger's "
    "transactions until the stop, median."
)


if __name__ == "__main__":
    main()
