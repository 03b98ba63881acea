"""Whether what arrives, and what is decided on it, is as it was when the baseline was made."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from statistics import NormalDist

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from fraud import drift
from fraud.drift import ShareShift
from fraud.entities import DAY
from model.baseline_document import Field, Share
from model.examples import Flags
from model.findings import ALL, CHAMPION, Finding
from model.monitored_rows import ACTIONS, Rows
from model.monitoring_context import Context, judged, of_package, quoted, seconds, skipped

FIELDS = {
    "channel": re.compile(r"[a-z0-9_]{1,24}"),
    "country": re.compile(r"[A-Z]{2}"),
    "currency": re.compile(r"[A-Z]{3}"),
    "merchant_category": re.compile(r"[0-9]{4}"),
}
"""What is looked at of a transaction beside its features, and what its values look like."""
DEGRADED = "degraded"
FEWEST_DAYS = 7
"""Whole days of arrival before one of them is called usual: weekdays differ."""


def tests(context: Context) -> int:
    """How many tests are made at most: missing and new values of each field, decisions, volume by two measures."""
    return 2 * len(context.baseline.fields) + len(ACTIONS) + 3


def check(rows: Rows, arrived: int, context: Context, *, alpha: float) -> list[Finding]:
    """All checks of traffic.

    Args:
        rows: of the look.
        arrived: rows of the window, those that are not looked at included.
        context: of the look.
        alpha: probability of a false alarm that each test may have.
    """
    return [
        _volume(rows, arrived, context, alpha),
        *_fields(rows, context, alpha),
        *_decisions(rows, context, alpha),
        _staleness(context),
    ]


def shares(rows: Rows, package: str) -> dict[str, float]:
    """How a model's decisions of the window part; degraded ones are those that were made on the cards of any model."""
    own = rows.action[rows.in_window & of_package(rows, package)]
    parted = {action: float((own == word).mean()) if len(own) else 0.0 for word, action in enumerate(ACTIONS)}
    degraded = rows.degraded[rows.in_window]
    return parted | {DEGRADED: float(degraded.mean()) if len(degraded) else 0.0}


def champion_age(context: Context) -> float | None:
    """Age of the newest row that the champion learned from, seconds; None where that is not known."""
    trained_to = context.baseline.trained_to
    return context.until - seconds(trained_to) if trained_to else None


# --- How much arrives ------------------------------------------------------------------------------------------------


def _volume(rows: Rows, arrived: int, context: Context, alpha: float) -> Finding:
    check, measures = "volume_check", dict(_usual(rows, context))
    if not measures:
        return skipped(check, "data", "transactions", ALL, arrived, "There are no seven whole days to compare with.")
    if context.window_days < 1:
        return skipped(check, "data", "transactions", ALL, arrived, "Hours of a day differ: that is no whole day.")
    what = max(measures, key=lambda each: measures[each])
    limit = _fewest(measures[what] * context.window_days, context, alpha)
    return judged(
        check,
        "data",
        "transactions",
        ALL,
        is_violated=arrived < limit,
        observed=float(arrived),
        limit=limit,
        count=arrived,
        sentence=f"{arrived:,} transactions arrived in {context.window_days:.3g} days; "
        f"{what} had {measures[what]:,.0f} (limit {limit:,.0f}).",
    )


def _usual(rows: Rows, context: Context) -> Iterator[tuple[str, float]]:
    """Transactions of a day, by what was measured.

    After a ramp-up the quietest day is long past, so the days before the window count as well; and so does the same
    day of the weeks before, because some weekdays are always quiet.
    """
    if context.baseline.quietest_day is not None:
        yield "the quietest day of the baseline", context.baseline.quietest_day
    before = context.since - rows.arrived_at[rows.arrived_at <= context.since]
    whole = int(before.max() // DAY) if len(before) else 0
    if whole >= FEWEST_DAYS and context.kept > 0:
        counts = np.bincount((before // DAY).astype(np.int64), minlength=whole)[:whole]
        usual = min(np.median(counts), np.median(counts[FEWEST_DAYS - 1 :: FEWEST_DAYS]))
        yield f"a usual one of the {whole} days before", float(usual) / context.kept


def _fewest(expected: float, context: Context, alpha: float) -> float:
    """Transactions below which something upstream is broken; of few, half as many may come by chance."""
    chance = expected - NormalDist().inv_cdf(1 - alpha) * math.sqrt(expected * drift.DEFAULT_DESIGN_EFFECT)
    return min(expected * context.limits.least_volume, max(chance, 0.0))


# --- What arrives ----------------------------------------------------------------------------------------------------


def _fields(rows: Rows, context: Context, alpha: float) -> Iterator[Finding]:
    count = int(rows.in_window.sum())
    if reason := _why_not(count, context):
        yield skipped("completeness_check", "data", "fields", ALL, count, reason)
        yield skipped("categorical_values_check", "data", "fields", ALL, count, reason)
        return
    window = pa.array(rows.in_window)
    for name, baseline in context.baseline.fields.items():
        yield from _field(name, baseline, rows.events[name].filter(window), context, alpha)


def _why_not(count: int, context: Context) -> str:
    """Why nothing can be told of fields; empty if it can."""
    if not context.baseline.fields:
        return "The baseline was made before the archive held any decision."
    fewest = context.limits.fewest_rows
    return f"Only {count:,} rows; {fewest:,} are needed." if count < fewest else ""


def _field(name: str, baseline: Field, values: pa.ChunkedArray, context: Context, alpha: float) -> Iterator[Finding]:
    count, missing = len(values), values.null_count
    total = baseline.present + baseline.missing
    gone = _share(Share(baseline.missing, total, baseline.design_effect), missing, count, context, alpha)
    is_missing = missing == count and gone.observed > gone.high
    check = "missing_column_check" if is_missing else "completeness_check"
    yield _more(check, name, gone, count, f"{name} is missing in")
    seen = dict(zip(*_counted(values), strict=True))
    impossible = sum(many for value, many in seen.items() if not FIELDS[name].fullmatch(value))
    if impossible:
        yield judged(
            "data_type_check", "data", name, ALL, is_violated=True, observed=impossible / count, limit=0.0, count=count,
            sentence=f"{name} is no value that it can have in {impossible:,} rows.",
        )  # fmt: skip
    if not baseline.present or count == missing:
        return
    new = {value: many for value, many in seen.items() if value not in baseline.values}
    others = Share(baseline.others, baseline.present, baseline.design_effect)
    found = _share(others, sum(new.values()), count - missing, context, alpha)
    first = max(new, key=lambda value: new[value], default="")
    what = f"{name} has values not seen before{f', most often {quoted(first)},' * bool(first)} in"
    yield _more("categorical_values_check", name, found, count - missing, what)


def _counted(values: pa.ChunkedArray) -> tuple[list[str], list[int]]:
    found = pc.value_counts(values.drop_null().combine_chunks())
    return found.field("values").to_pylist(), found.field("counts").to_pylist()


def _share(baseline: Share, count: int, rows: int, context: Context, alpha: float, floor: float = -1) -> ShareShift:
    whole = context.baseline
    most = whole.rows / max(whole.days, 1) * context.days
    return drift.share_shift(
        baseline.count,
        baseline.rows,
        count,
        rows,
        expected_size=drift.effective(baseline.rows, math.inf, baseline.design_effect),
        observed_size=drift.effective(rows, most, baseline.design_effect),
        alpha=alpha,
        floor=context.limits.least_share if floor < 0 else floor,
    )


def _more(check: str, name: str, found: ShareShift, count: int, what: str) -> Finding:
    """Only more of it is a fault."""
    return judged(
        check,
        "data",
        name,
        ALL,
        is_violated=found.observed > found.high,
        observed=found.observed,
        limit=found.high,
        count=count,
        sentence=f"{what} {found.observed:.1%} of rows; {found.expected:.1%} in the baseline (limit {found.high:.1%}).",
    )


# --- What is decided -------------------------------------------------------------------------------------------------


def _decisions(rows: Rows, context: Context, alpha: float) -> Iterator[Finding]:
    own = rows.in_window & of_package(rows, context.champion)
    flags = {action: rows.action == word for word, action in enumerate(ACTIONS)}
    for action, happened in flags.items():
        yield _rate(action, happened[own], CHAMPION, context, alpha)
    yield _rate(DEGRADED, rows.degraded[rows.in_window], ALL, context, alpha)


def _rate(name: str, happened: Flags, variant: str, context: Context, alpha: float) -> Finding:
    check, count = "decision_rate_check", len(happened)
    baseline = context.baseline.decisions.get(name, Share(0, 0, drift.DEFAULT_DESIGN_EFFECT))
    fewest = context.limits.fewest_rows
    if min(count, baseline.rows) < fewest:
        reason = f"{count:,} decisions, and {baseline.rows:,} in the baseline; {fewest:,} of each are needed."
        return skipped(check, "upkeep", name, variant, count, reason)
    found = _share(baseline, int(happened.sum()), count, context, alpha, floor=0.0)
    ratio = context.limits.least_ratio
    low, high = min(found.low, found.expected / ratio), min(max(found.high, found.expected * ratio), 1.0)
    if name == DEGRADED:
        # Never too few, and an outage of minutes has an alarm of its own.
        low, high = 0.0, max(high, found.expected + context.limits.least_share)
    return judged(
        check,
        "upkeep",
        name,
        variant,
        is_violated=not low <= found.observed <= high,
        observed=found.observed,
        limit=low if found.observed < found.expected else high,
        count=count,
        sentence=f"{found.observed:.2%} of decisions are {name}; {found.expected:.2%} in the baseline "
        f"(limits {low:.2%} and {high:.2%}).",
    )


# --- What decides ----------------------------------------------------------------------------------------------------


def _staleness(context: Context) -> Finding:
    check, age, stale = "staleness_check", champion_age(context), context.limits.stale / DAY
    if age is None:
        return skipped(check, "upkeep", "champion", CHAMPION, 0, "The package does not say when its training ended.")
    return judged(
        check,
        "upkeep",
        "champion",
        CHAMPION,
        is_violated=age > context.limits.stale,
        observed=age / DAY,
        limit=stale,
        count=0,
        sentence=f"The champion learned from rows until {age / DAY:.1f} days ago (limit {stale:g}).",
    )
