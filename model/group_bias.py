"""Whether a model treats groups of transactions differently, beyond what the plan allows and chance explains.

Of every group the share of genuine transactions that were reviewed or blocked (the false positive rate) is held against
that of all others together, as it was decided, rules included. Of all transactions such a share would say little: where
there is more fraud, more has to be reviewed. A difference counts as proven only where the intervals of the two shares
lie apart by more than the gap: wider than an interval of the difference, and right also where cards pay in both groups.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from model import clustered_shares, mature_rows, monitoring_context, segments
from model.examples import Flags
from model.findings import Finding
from model.monitored_rows import ACTIONS, Rows
from model.monitoring_context import Context
from model.segments import Part

CHECK = "bias_drift_check"
MOST_GROUPS = 20
"""Of a field: the largest."""
METRIC = "false_positive_rate"


class Named(NamedTuple):
    """What the name of a finding stands for."""

    field: str
    value: str
    metric: str


class Difference(NamedTuple):
    """A group's share, that of all others, and the ends of what their difference may be."""

    group: float
    others: float
    low: float
    high: float
    rows: int

    @property
    def value(self) -> float:
        """How much larger the group's share is."""
        return self.group - self.others


def name_of(part: Part) -> str:
    """The name of a finding; `named` reads it."""
    return f"{part.by} {monitoring_context.quoted(part.value)} {METRIC}"


def named(name: str) -> Named:
    """Field, value and metric; only the value may hold spaces."""
    field, _, rest = name.partition(" ")
    value, _, metric = rest.rpartition(" ")
    return Named(field, value, metric)


def tests(context: Context) -> int:
    """How many tests are made at most; the groups of a field share one."""
    return len(context.roles) * len(context.limits.fairness)


def check(rows: Rows, context: Context, *, alpha: float) -> list[Finding]:
    """Every group of every field, model by model.

    Args:
        rows: of the archive.
        context: of the look.
        alpha: of each of `tests`.
    """
    return [
        finding
        for role in context.roles
        for field in context.limits.fairness
        for finding in _field(rows, role, field, context, alpha)
    ]


def _field(rows: Rows, role: str, field: str, context: Context, alpha: float) -> Iterator[Finding]:
    seen = _Seen.of(rows, role, context)
    groups = (
        segments.by_field(rows.events.filter(pa.array(seen.chosen)), field)[:MOST_GROUPS] if seen.chosen.any() else []
    )
    large = [part for part in groups if _is_enough(part, seen, context)]
    if not large:
        fewest = context.limits.fewest_rows
        told = f"No {field} has {fewest:,} mature genuine transactions, and as many others, to compare."
        yield monitoring_context.skipped(CHECK, "quality", field, role, int(seen.chosen.sum()), told)
    for part in large:
        # Two ends of two shares, of so many groups: each has its part of the level.
        yield _finding(part, role, _difference(part, seen, alpha / (4 * MOST_GROUPS)), context)


class _Seen(NamedTuple):
    """The mature rows of a model: which rows of the archive they are, and then, of these alone, what became of them."""

    chosen: Flags
    genuine: Flags
    alerted: Flags
    card: npt.NDArray[np.integer]
    weight: npt.NDArray[np.float64]

    @classmethod
    def of(cls, rows: Rows, role: str, context: Context) -> _Seen:
        of_model = monitoring_context.of_package(rows, context.roles[role])
        chosen = mature_rows.cohort(rows, context) & of_model
        cards = pc.fill_null(rows.events["card_token"], "").combine_chunks().dictionary_encode().indices.to_numpy()
        # What was let pass by chance would have been blocked, and stands for what was.
        alerted = (rows.action != ACTIONS.index("approve")) | mature_rows.released(rows)
        genuine = ~rows.is_fraud & mature_rows.has_outcome(rows)
        return cls(chosen, genuine[chosen], alerted[chosen], cards[chosen], mature_rows.weights(rows)[chosen])


def _is_enough(part: Part, seen: _Seen, context: Context) -> bool:
    counts = int((seen.genuine & part.rows).sum()), int((seen.genuine & ~part.rows).sum())
    return min(counts) >= context.limits.fewest_rows


def _difference(part: Part, seen: _Seen, alpha: float) -> Difference:
    ours, theirs = (
        clustered_shares.of(seen.alerted[which], seen.card[which], alpha, seen.weight[which])
        for which in (seen.genuine & part.rows, seen.genuine & ~part.rows)
    )
    return Difference(ours.value, theirs.value, ours.low - theirs.high, ours.high - theirs.low, ours.rows)


def _finding(part: Part, role: str, found: Difference, context: Context) -> Finding:
    gap = context.limits.bias_gap
    apart = found.low > gap or found.high < -gap
    group = f"{part.by} {monitoring_context.quoted(part.value)}"
    end = "more than chance explains" if apart else "which proves no difference beyond that"
    return monitoring_context.judged(
        CHECK,
        "quality",
        name_of(part),
        role,
        is_violated=apart,
        observed=found.value,
        limit=gap,
        count=found.rows,
        sentence=(
            f"{found.group:.2%} of the genuine transactions with {group} were reviewed or blocked by the {role}, "
            f"{found.others:.2%} of all others: a difference of "
            f"{found.value:+.2%} ({found.low:+.2%} to {found.high:+.2%}), {gap:.2%} allowed, {end}."
        ),
    )
