"""How often a look at quiet traffic says something, and how often it finds what changed: `python -m benchmarks.drift`.

Opens simulated markets, trains a champion on each and looks at days of it, the whole look as the job takes it. In quiet
markets nothing changes, and whatever is violated is a false alarm. In others a change is planted on the day that is
looked at, or some weeks before.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import math
import os
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, as_completed
from functools import partial
from typing import Any, NamedTuple, TypeVar

import numpy as np
from rich.console import Console
from rich.progress import track

from benchmarks.drift_tables import show
from benchmarks.gates import upper_bound
from benchmarks.planted_shifts import SHIFTS, Shift
from benchmarks.watched_markets import Market, Shape, open_market
from fraud.confidence import Cluster, of_clusters
from fraud.monitoring_plan import Plan
from model import monitor

WINDOWS_OF_A_MARKET = 7
STEP_DAYS = 5
"""Between windows of a market: all weekdays, and a month of days."""
CARDS = (300, 1_500)
SIZES = (300, 1_000, 2_500)
LARGEST = 10_000
"""Cards of the markets in which changes are planted; each pays 1.4 times a day. Of the largest there is a third,
for what needs verdicts: smaller ones have few."""
T = TypeVar("T")
R = TypeVar("R")


class Alarm(NamedTuple):
    """A violation."""

    check: str
    concern: str
    name: str


class Window(NamedTuple):
    """A quiet day that was looked at, and what was violated."""

    market: int
    rows: int
    alarms: tuple[Alarm, ...]


class Found(NamedTuple):
    """A change that was looked for, and what was violated because of it."""

    shift: str
    cards: int
    alarms: tuple[Alarm, ...]


def main() -> None:
    """Simulate, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--windows", type=int, default=2_100, help="quiet days that are looked at, about")
    parser.add_argument("--markets", type=int, help="quiet markets; without, as many as have 7 days each")
    parser.add_argument("--power-markets", type=int, default=10, help="markets of each size with changes; 0: none")
    parser.add_argument("--json", action="store_true", help="print JSON")
    given = parser.parse_args()
    began = time.perf_counter()
    markets = given.markets or -(-given.windows // WINDOWS_OF_A_MARKET)
    with ProcessPoolExecutor(os.cpu_count() or 1) as pool:
        windows = look_at_quiet(pool, markets, -(-given.windows // markets))
        found = look_for_shifts(pool, given.power_markets)
    result = {"seconds": time.perf_counter() - began, "quiet": count(windows), "power": power(found)}
    print(json.dumps(result, indent=1)) if given.json else show(result)


# --- Quiet markets ----------------------------------------------------------------------------------------------------


def look_at_quiet(pool: Executor, markets: int, windows: int) -> list[Window]:
    """Days of markets in which nothing changes; whatever is violated is a false alarm."""
    return _spread(pool, partial(quiet_windows, count=windows), range(markets), "Quiet days")


def quiet_windows(seed: int, count: int) -> list[Window]:
    """Some days of one market: old or young, larger or smaller."""
    rng = np.random.default_rng(seed)
    cards = round(float(np.exp(rng.uniform(*np.log(CARDS)))))
    # One in four has no history before its training: what features see of the past grows through all of it.
    warm_up_days = 0 if seed % 4 == 0 else 40
    training_days, reference_days = (int(days) for days in rng.integers([28, 14], [46, 29]))
    later_days = (count - 1) * STEP_DAYS + 1
    shape = Shape(10_000 + seed, cards, warm_up_days, training_days, reference_days, later_days)
    market = _silently(partial(open_market, shape, Plan()))
    days = range(shape.quiet_until, shape.days, STEP_DAYS)
    return [Window(seed, *_look(market, market.traffic, day)) for day in days]


def _look(market: Market, traffic: Any, day: int) -> tuple[int, tuple[Alarm, ...]]:
    rows, arrived, context = market.look_at(traffic, day)
    found = monitor.look(rows, arrived, context).findings
    return arrived, tuple(Alarm(each.check, each.concern, each.name) for each in found if each.outcome == "violated")


def count(windows: Sequence[Window]) -> dict[str, Any]:
    """False alarms, with bounds that are 95 % sure.

    Windows of a market share its cards and its champion. So beside Clopper and Pearson's bound over windows stand one
    over what they are worth, their number over the design effect of markets, and the most careful one, over markets as
    if all windows of a market were one: the share of windows with an alarm is at most that of markets with any.
    """
    false = [window for window in windows if window.alarms]
    of_markets = _by_market(windows)
    loud = sum(each.more > 0 for each in of_markets)
    rows = [window.rows for window in windows]
    return {
        "windows": len(windows),
        "markets": len(of_markets),
        "rows": [min(rows), float(np.median(rows)), max(rows)],
        "false_alarms": len(false),
        "share": len(false) / len(windows),
        "at_most": upper_bound(len(false), len(windows)),
        "worth": worth(of_markets),
        "at_most_clustered": _clustered_bound(of_markets),
        "markets_with_any": loud,
        "at_most_over_markets": upper_bound(loud, len(of_markets)),
        "by_concern": dict(_windows_by(false, "concern")),
        "by_check": dict(_windows_by(false, "check")),
        "by_name": dict(_windows_by(false, "name")),
    }


def _by_market(windows: Iterable[Window]) -> list[Cluster]:
    seen: dict[int, list[bool]] = {}
    for window in windows:
        seen.setdefault(window.market, []).append(bool(window.alarms))
    return [Cluster(sum(alarms), 0, len(alarms)) for alarms in seen.values()]


def worth(markets: Sequence[Cluster]) -> float:
    """Independent windows that those of some markets are worth; where none has an alarm, only as many as markets."""
    return of_clusters(markets).effective if any(each.more for each in markets) else float(len(markets))


def _clustered_bound(markets: Sequence[Cluster]) -> float:
    """Clopper and Pearson's on the effective numbers: Korn and Graubard, Survey Methodology 24(2), 1998."""
    size = max(math.floor(worth(markets)), 1)
    share = sum(each.more for each in markets) / sum(each.size for each in markets)
    # Rounded up, but not for the last digit's sake.
    return upper_bound(min(math.ceil(share * size - 1e-9), size), size)


def _windows_by(windows: Iterable[Window], what: str) -> Counter[str]:
    """Windows with an alarm of each kind."""
    return Counter(kind for window in windows for kind in {getattr(alarm, what) for alarm in window.alarms})


# --- Changes ----------------------------------------------------------------------------------------------------------


def look_for_shifts(pool: Executor, markets: int) -> list[Found]:
    """Every change in some markets of every size."""
    largest = [(LARGEST, seed) for seed in range(-(-markets // 3))]
    cases = largest + [(cards, seed) for seed in range(markets) for cards in reversed(SIZES)]
    return _spread(pool, shifted_windows, cases, "Changes")


def shifted_windows(case: tuple[int, int]) -> list[Found]:
    """Every change on one day of one market; days and markets are its own."""
    cards, seed = case
    shape = Shape(50_000 + seed, cards, warm_up_days=30, training_days=28, reference_days=14, later_days=max(_afters()))
    market = _silently(partial(open_market, shape, Plan()))
    # What the day says without any change is no change found.
    quiet = {each: _look(market, market.traffic, shape.quiet_until + each - 1)[1] for each in _afters()}
    return [
        Found(name, cards, _new(market, each, quiet[each.after]))
        for name, each in SHIFTS.items()
        if cards < LARGEST or each.needs_verdicts
    ]


def _afters() -> set[int]:
    return {each.after for each in SHIFTS.values()}


def _new(market: Market, shift: Shift, quiet: Sequence[Alarm]) -> tuple[Alarm, ...]:
    begins = market.shape.quiet_until
    _, alarms = _look(market, shift.plant(market, begins), begins + shift.after - 1)
    return tuple(alarm for alarm in alarms if alarm not in quiet)


def power(found: Sequence[Found]) -> list[dict[str, Any]]:
    """Of every change, in how many markets of each size it was found, and how often as what."""
    of = {name: [each for each in found if each.shift == name] for name in SHIFTS}
    return [_powers(name, seen) for name, seen in of.items() if seen]


def _powers(name: str, seen: Sequence[Found]) -> dict[str, Any]:
    concerns = Counter(kind for each in seen for kind in {alarm.concern for alarm in each.alarms})
    sizes = sorted({each.cards for each in seen})
    return {
        "shift": name,
        "concern": SHIFTS[name].concern,
        "markets": {size: sum(each.cards == size for each in seen) for size in sizes},
        "found": {size: _share_found([each for each in seen if each.cards == size]) for size in sizes},
        "concerns": {kind: many / len(seen) for kind, many in concerns.most_common()},
        "checks": [kind for kind, _ in Counter(_checks(seen)).most_common(2)],
    }


def _share_found(seen: Sequence[Found]) -> float:
    return sum(bool(each.alarms) for each in seen) / len(seen)


def _checks(seen: Sequence[Found]) -> Iterator[str]:
    for each in seen:
        yield from {alarm.check for alarm in each.alarms}


# --- Work and words ---------------------------------------------------------------------------------------------------


def _spread(pool: Executor, work: Callable[[T], list[R]], cases: Sequence[T], told: str) -> list[R]:
    """What comes of all cases, in their order."""
    waiting = {pool.submit(work, case): position for position, case in enumerate(cases)}
    done: dict[int, list[R]] = {}
    console = Console(stderr=True)
    for future in track(as_completed(waiting), told, len(waiting), console=console, disable=not console.is_terminal):
        done[waiting[future]] = future.result()
    return [each for position in sorted(done) for each in done[position]]


def _silently(work: Callable[[], R]) -> R:
    """Training tells how it goes."""
    with contextlib.redirect_stdout(io.StringIO()):
        return work()


if __name__ == "__main__":
    main()
