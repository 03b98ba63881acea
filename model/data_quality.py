"""Whether what a model read, and what it said, is spread as it was in training.

A change is called drift, which a new model can learn, unless the feature is incomplete or full of defaults as well:
that is broken data, which nothing should learn from.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from fraud import drift
from fraud.drift import Floors, ShareShift, Shift
from model import feature_columns
from model.baseline_document import Distribution
from model.feature_columns import CLOCK, Seen, binned
from model.findings import CHAMPION, Concern, Finding
from model.monitored_rows import Rows
from model.monitoring_context import Context, judged, of_package, skipped

SCORE_DECIMALS = 6
"""As many as a decision keeps of its score."""


class Drifted(NamedTuple):
    """What came of a model's features, or of its scores.

    Args:
        findings: of all checks.
        largest_psi: stability index of what moved most; None where nothing could be judged.
    """

    findings: list[Finding]
    largest_psi: float | None = None


def tests(context: Context) -> int:
    """How many tests are made at most: how each feature is spread, its missing values, its defaults; and the scores."""
    return 3 * sum(len(context.contract(role)) for role in context.roles) + 1


def features_of(seen: Seen, context: Context, *, alpha: float) -> Drifted:
    """All checks of a model's features.

    Args:
        seen: its rows.
        context: of the look.
        alpha: probability of a false alarm that each test may have.
    """
    findings = list(_unreadable(seen, context))
    if seen.count < context.limits.fewest_rows:
        reason = f"Only {seen.count:,} rows of the {seen.role}; {context.limits.fewest_rows:,} are needed."
        checks: tuple[tuple[str, Concern], ...] = (("baseline_drift_check", "drift"), ("completeness_check", "data"))
        return Drifted(
            [*findings, *(skipped(*each, "features", seen.role, seen.count, reason) for each in checks)], None
        )
    sound = [check for name in seen.columns for check in _soundness(name, seen, context, alpha)]
    shifts = {name: _shift(name, seen, context, alpha) for name in seen.columns if _why_not(name, seen, context) == ""}
    moved = [_moved(name, seen, context, shifts.get(name)) for name in seen.columns]
    told = [each.psi for each in shifts.values() if _can_tell(each)]
    return Drifted([*findings, *moved, *sound], max(told, default=None))


def scores_of(rows: Rows, context: Context, *, alpha: float) -> Drifted:
    """Whether the champion's scores are spread as they were in training.

    Args:
        rows: of the look.
        context: of the look.
        alpha: probability of a false alarm that the test may have.
    """
    check, baseline = "score_drift_check", context.baseline.scores
    scored = rows.in_window & of_package(rows, context.champion) & ~np.isnan(rows.score)
    scores = rows.score[scored]
    if baseline is None or (reason := _why_no_scores(baseline, len(scores), context)):
        reason = "The package does not say how scores were spread." if baseline is None else reason
        return Drifted([skipped(check, "drift", "score", CHAMPION, len(scores), reason)])
    counts = binned(scores, np.asarray([round(edge, SCORE_DECIMALS) for edge in baseline.edges]))
    found = distance(baseline, counts, feature_columns.draws_of_cards(rows, scored, context), context, alpha)
    if not _can_tell(found):
        return Drifted([skipped(check, "drift", "score", CHAMPION, len(scores), _VARYING.format("score"))])
    return Drifted([_told(check, "score", CHAMPION, found, len(scores))], found.psi)


def distance(baseline: Distribution, counts: Sequence[int], draws: float, context: Context, alpha: float) -> Shift:
    """How far values are from their baseline, and how far they may be.

    Args:
        baseline: of the values.
        counts: between its edges.
        draws: of cards; see `feature_columns.draws_of_cards`.
        context: of the look.
        alpha: probability of a false alarm.
    """
    return drift.shift(
        baseline.counts,
        counts,
        expected_size=drift.effective(sum(baseline.counts), math.inf, baseline.design_effect),
        observed_size=_size(sum(counts), draws, baseline.design_effect, context),
        alpha=alpha,
        floors=Floors(context.limits.least_psi, context.limits.least_ks),
    )


def effect_on_share(count: int, rows: int, design_effect: float, floor: float) -> float:
    """The design effect of a share of values, such as missing ones, from that of the values.

    How values vary tells how what is often missing does. What is hardly ever missing does not vary, however its values
    do: a weekday is another one every day, and always there.

    Args:
        count: of such values.
        rows: of so many.
        design_effect: of the values.
        floor: share below which they are hardly ever.
    """
    return min(design_effect, drift.DEFAULT_DESIGN_EFFECT) if count < floor * rows else design_effect


# --- What it is held against -----------------------------------------------------------------------------------------

_UNSTEADY = "{} moved by itself all through training: it can say nothing of change."
_VARYING = "{} differs so much from day to day that no window of this size could tell a change."


def _unreadable(seen: Seen, context: Context) -> Iterator[Finding]:
    """Rows whose features nobody can read: all is well with the rest of them, but it is less than it seems."""
    if not seen.unreadable:
        return
    rows = seen.count + seen.unreadable
    share, limit = seen.unreadable / rows, context.limits.least_share
    kinds = {"hold no features": seen.absent, "hold features of another contract": seen.foreign}
    told = " and ".join(f"{many:,} {what}" for what, many in kinds.items() if many)
    yield judged(
        "data_type_check",
        "data",
        "features",
        seen.role,
        # Few rows may all be odd by chance, but when nothing at all can be read, nothing else will tell.
        is_violated=not seen.count or (share > limit and rows >= context.limits.fewest_rows),
        observed=share,
        limit=limit,
        count=rows,
        sentence=f"Of {rows:,} rows of the {seen.role}, {told}: {share:.1%} are left out (limit {limit:.1%}).",
    )


def _why_not(name: str, seen: Seen, context: Context) -> str:
    """Why nothing can be told of how a feature is spread; empty if it can."""
    present, baseline = seen.columns[name].present, context.baseline.features[name]
    if not baseline.is_steady:
        return _UNSTEADY.format(name)
    if feature_columns.measure(name) in CLOCK and context.days < 1:
        return f"{name} tells the time, and the window is no whole day."
    if not sum(baseline.counts):
        return f"{name} was known in no row of training."
    if present < context.limits.fewest_rows:
        return f"{name} is known in only {present:,} rows; {context.limits.fewest_rows:,} are needed."
    return ""


def _why_no_scores(baseline: Distribution, count: int, context: Context) -> str:
    if not baseline.is_steady:
        return _UNSTEADY.format("score")
    fewest = context.limits.fewest_rows
    return f"Only {count:,} scores; {fewest:,} are needed." if count < fewest else ""


def _shift(name: str, seen: Seen, context: Context, alpha: float) -> Shift:
    return distance(context.baseline.features[name], seen.columns[name].counts, seen.draws, context, alpha)


def _can_tell(found: Shift) -> bool:
    """Whether any distance could be beyond its limit."""
    return found.ks_limit < 1


def _size(rows: int, draws: float, design_effect: float, context: Context) -> float:
    """Independent rows that those of a model are worth: the variance of days, and that of drawing cards beside it."""
    # More rows than training saw in so long a time, and estimated the effect on, do not help.
    of_days = drift.effective(rows, context.baseline.trained_rows_per_day * context.days, design_effect)
    return max(1 / (1 / of_days + 1 / draws), 1.0)


def _moved(name: str, seen: Seen, context: Context, found: Shift | None) -> Finding:
    check, present = "baseline_drift_check", seen.columns[name].present
    if found is None:
        return skipped(check, "drift", name, seen.role, present, _why_not(name, seen, context))
    if not _can_tell(found):
        return skipped(check, "drift", name, seen.role, present, _VARYING.format(name))
    return _told(check, name, seen.role, found, present)


def _told(check: str, name: str, role: str, found: Shift, count: int) -> Finding:
    """A distance in words; the index stands for both, unless only the other one is beyond its limit."""
    by_ks = found.ks > found.ks_limit and found.psi <= found.psi_limit
    return judged(
        check,
        "drift",
        name,
        role,
        is_violated=found.is_shifted,
        observed=found.ks if by_ks else found.psi,
        limit=found.ks_limit if by_ks else found.psi_limit,
        count=count,
        sentence=f"{name} of the {role} {'moved' if found.is_shifted else 'stayed'}: stability index {found.psi:.3f} "
        f"(limit {found.psi_limit:.3f}), largest distance {found.ks:.3f} (limit {found.ks_limit:.3f}).",
    )


def _soundness(name: str, seen: Seen, context: Context, alpha: float) -> Iterator[Finding]:
    """Missing values, defaults, and values that cannot be."""
    column, baseline, role = seen.columns[name], context.baseline.features[name], seen.role
    missing = _share(baseline.missing, column.missing, name, seen, context, alpha)
    gone = not column.present and missing.observed > missing.high
    yield _more(
        "missing_column_check" if gone else "completeness_check", name, role, missing, seen.count, "without a value"
    )
    if baseline.zeros is not None:
        zeros = _share(baseline.zeros, column.zeros, name, seen, context, alpha)
        yield _more("default_check", name, role, zeros, seen.count, "0")
    if column.impossible:
        kind = "a whole number" if feature_columns.is_integral(name) else "a number"
        bound = " from 0" if feature_columns.is_non_negative(name) else ""
        yield judged(
            "data_type_check",
            "data",
            name,
            role,
            is_violated=True,
            observed=column.impossible / seen.count,
            limit=0.0,
            count=seen.count,
            sentence=f"{name} of the {role} is not {kind}{bound} in {column.impossible:,} rows, as it has to be.",
        )


def _share(expected: int, observed: int, name: str, seen: Seen, context: Context, alpha: float) -> ShareShift:
    baseline = context.baseline.features[name]
    rows = sum(baseline.counts) + baseline.missing
    effect = effect_on_share(expected, rows, baseline.design_effect, context.limits.least_share)
    return drift.share_shift(
        expected,
        rows,
        observed,
        seen.count,
        expected_size=drift.effective(rows, math.inf, effect),
        observed_size=_size(seen.count, seen.draws, effect, context),
        alpha=alpha,
        floor=context.limits.least_share,
    )


def _more(check: str, name: str, role: str, found: ShareShift, count: int, what: str) -> Finding:
    """Only more of it is a fault."""
    return judged(
        check,
        "data",
        name,
        role,
        is_violated=found.observed > found.high,
        observed=found.observed,
        limit=found.high,
        count=count,
        sentence=f"{name} of the {role} is {what} in {found.observed:.1%} of rows; it was in {found.expected:.1%} "
        f"(limit {found.high:.1%}).",
    )
