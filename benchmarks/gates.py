"""How often the gates stop a good challenger, and how soon they tell: `python -m benchmarks.gates`.

Simulates canaries and shadows on cards that come back, all of which are looked at sixty times. A canary is stopped at
the first look that says so; in an A/A canary both models are the same, and every stop is a false alarm. A shadow has to
be passed besides, and takes as many pairs as that needs.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from itertools import chain
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from benchmarks import canaries, shadows
from benchmarks.canaries import Canary
from benchmarks.shadows import End, Shadowing
from fraud.rollout_plan import Gates

Rows = dict[str, list[float]]

BLOCK_RATES = (0.02, 0.03, 0.05, 0.10)
NO_MARGIN = Gates(error_rate=1, block_rate=1, review_rate=1, block_rate_increase=0, review_rate_increase=0)
"""Any difference is harm, so that equal models stand on the very edge; a margin only makes false alarms rarer."""

UNLIKE, ALIKE = Shadowing(), Shadowing(tail=3.0, likeness=20.0)
"""Cards as in the canaries, and cards that are more alike."""
EQUAL = (
    Shadowing(champion_block=0.005, challenger_block=0.005, review=0.02),
    Shadowing(),
    Shadowing(overlap=0.5),
    Shadowing(cards=300),
    Shadowing(cards=100),
    Shadowing(review=0.08, overlap=0.9),
)
"""Models of equal rates; each is simulated on both kinds of cards."""
OTHERS = {
    "equal, no difference allowed; alike": (ALIKE, NO_MARGIN),
    "equal, no difference allowed; unlike": (UNLIKE, NO_MARGIN),
    "blocks 3 %; alike": (ALIKE._replace(challenger_block=0.03), Gates()),
    "blocks 3 %; unlike": (UNLIKE._replace(challenger_block=0.03), Gates()),
    "blocks 2 %; alike": (ALIKE._replace(challenger_block=0.02), Gates()),
    "blocks 2 %; unlike": (UNLIKE._replace(challenger_block=0.02), Gates()),
    "blocks 2 %; tail 1.2, overlap 100 %": (
        UNLIKE._replace(challenger_block=0.02, tail=1.2, overlap=1.0),
        Gates(),
    ),
}
"""The last is the worst that was found for a rate on its margin: all differences lie in one direction."""


class Sheet(NamedTuple):
    """A table without its rows."""

    title: str
    columns: Sequence[str]
    caption: str


def main() -> None:
    """Simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--canaries", type=int, default=2_000, help="A/A canaries")
    parser.add_argument("--bad-canaries", type=int, default=100, help="canaries of each block rate")
    parser.add_argument("--shadows", type=int, default=40, help="of equal models, for each row and kind of cards")
    parser.add_argument("--other-shadows", type=int, default=100, help="for each other row")
    given = parser.parse_args()
    with ProcessPoolExecutor(os.cpu_count() or 1) as pool:
        show(CANARIES, of_canaries(pool, Canary(), given.canaries, given.bad_canaries))
        equal = of_equal(pool, EQUAL, given.shadows)
        show(PASSED, {label: [*until_passed(alike), *until_passed(unlike)] for label, (alike, unlike) in equal.items()})
        pooled = list(chain.from_iterable(chain.from_iterable(equal.values())))
        show(ENDED, {"equal, all of the above": ended(pooled)} | of_others(pool, OTHERS, given.other_shadows))


def of_canaries(pool: Executor, canary: Canary, count: int, bad_count: int) -> Rows:
    """One figure for each side."""
    alike = list(pool.map(partial(canaries.stops, canary, NO_MARGIN), range(count), chunksize=10))
    false = [sum(each[side] is not None for each in alike) for side in range(3)]
    rows = {
        "A/A: false alarms": [each / count for each in false],
        "A/A: at most, 95 % sure": [upper_bound(each, count) for each in false],
    }
    for rate in BLOCK_RATES:
        bad = partial(canaries.stops, canary._replace(challenger_block=rate), Gates())
        rows |= _power(rate, list(pool.map(bad, range(bad_count), chunksize=10)))
    return rows


def _power(rate: float, stopped: Sequence[Sequence[int | None]]) -> Rows:
    """Share of canaries stopped, and the median of the challenger's transactions until then; infinite for never."""
    at = [_or_never(each[side] for each in stopped) for side in range(3)]
    return {
        f"blocks {rate:.0%}: stopped": [sum(map(math.isfinite, side)) / len(side) for side in at],
        f"blocks {rate:.0%}: after": [statistics.median_high(side) for side in at],
    }


def of_equal(pool: Executor, cases: Iterable[Shadowing], count: int) -> dict[str, tuple[list[End], list[End]]]:
    """How shadows end at default gates, on alike cards and on unlike ones."""
    return {
        _named(case): (
            _ends(pool, case._replace(tail=ALIKE.tail, likeness=ALIKE.likeness), Gates(), count),
            _ends(pool, case._replace(tail=UNLIKE.tail, likeness=UNLIKE.likeness), Gates(), count),
        )
        for case in cases
    }


def _named(case: Shadowing) -> str:
    rates = f"{100 * case.challenger_block:g} % / {100 * case.review:g} %"
    return f"{case.cards:,} cards, {rates}, {100 * case.overlap:g} %"


def of_others(pool: Executor, cases: Mapping[str, tuple[Shadowing, Gates]], count: int) -> Rows:
    """How shadows end whose models differ, or may not."""
    return {label: ended(_ends(pool, case, gates, count)) for label, (case, gates) in cases.items()}


def _ends(pool: Executor, case: Shadowing, gates: Gates, count: int) -> list[End]:
    return list(pool.map(partial(shadows.ends, case, gates), range(count), chunksize=5))


def until_passed(ends: Sequence[End]) -> list[float]:
    """Share passed; pairs until then, median and 90th percentile of all."""
    pairs = _or_never(each.passed for each in ends)
    return [sum(map(math.isfinite, pairs)) / len(pairs), statistics.median_high(pairs), _ninetieth(pairs)]


def ended(ends: Sequence[End]) -> list[float]:
    """Shadows; share failed and passed, each with its upper bound; pairs until they fail."""
    count = len(ends)
    passed, failed = (sum(at is not None for at in each) for each in zip(*ends, strict=True))
    pairs = _or_never(each.failed for each in ends)
    shares = [share for events in (failed, passed) for share in (events / count, upper_bound(events, count))]
    return [count, *shares, statistics.median_high(pairs), _ninetieth(pairs)]


def _or_never(counts: Iterable[int | None]) -> list[float]:
    return [math.inf if each is None else each for each in counts]


def _ninetieth(values: Sequence[float]) -> float:
    """The smallest that at most a tenth lies above."""
    return sorted(values)[-1 - len(values) // 10]


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


def show(sheet: Sheet, rows: Mapping[str, Sequence[float]]) -> None:
    """Print a table."""
    table = Table(title=sheet.title, title_justify="left", caption_justify="left", caption=sheet.caption)
    table.add_column("", no_wrap=True)
    for name in sheet.columns:
        table.add_column(name, justify="right")
    for label, values in rows.items():
        table.add_row(label, *(_told(value) for value in values))
    Console(width=None if Console().is_terminal else 120).print(table)


def _told(value: float) -> str:
    if math.isinf(value):
        return "never"
    return f"{value:,.0f}" if value > 1 else f"{value:.4f}"


CANARIES = Sheet(
    f"Canaries of {Canary().transactions:,} transactions, half of them the challenger's, {Canary().looks} looks",
    ("gates", "z-test at every look", "z-test at the last look"),
    "A/A: both block 1 % and review 5 %; the gates allow no difference and may err in 5 % of all canaries, errors, "
    "block and review rate together. The z-tests watch the block rate alone, at 5 %. Below, the champion blocks 1 %, "
    "and the gates have their defaults: 1 point more is no harm, and 5 % the cap. After: the challenger's "
    "transactions until the stop, median.",
)
PASSED = Sheet(
    f"Shadows of {UNLIKE.pairs:,} pairs, {UNLIKE.looks} looks: pairs until a model of equal rates passes",
    ("alike: passed", "median", "90th percentile", "unlike: passed", "median", "90th percentile"),
    "Cards, block rate / review rate, and the share of each model's blocks and reviews that both make; the gates have "
    f"their defaults. Alike cards: Pareto exponent {ALIKE.tail:g}, correlation {1 / (ALIKE.likeness + 1):.2f}; unlike "
    f"ones, as in the canaries: {UNLIKE.tail:g} and {1 / (UNLIKE.likeness + 1):.2f}.",
)
ENDED = Sheet(
    "How shadows end",
    ("shadows", "failed", "at most", "passed", "at most", "fails after: median", "90th percentile"),
    f"Below the first row: {UNLIKE.cards:,} cards, the champion blocks 1 %, both review 3 %, overlap 80 %; 2 % blocked "
    "lie on the margin. Failed: at any look, even after one that would have passed it. At most: 95 % sure.",
)


if __name__ == "__main__":
    main()
