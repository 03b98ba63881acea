"""What every check of a look needs to know beside the rows, and the words that their findings share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from fraud.entities import DAY, HOUR
from model.baseline_document import Baseline
from model.examples import Flags, Matrix
from model.findings import CHALLENGER, CHAMPION, Concern, Finding
from model.limits import Limits
from model.monitored_rows import Rows

LEAST_OF_A_DAY, LEAST_OF_AN_HOUR = 0.1, 0.03
"""Shares of the busiest day's rows, and hour's, below which another holds stragglers; a night is not that quiet."""
LONG_NUMBER = 12
"""Digits that the number of a card has at least."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """A look.

    Args:
        since: begin of the window, seconds since 1970; what arrived at that very moment is not part of it.
        until: its end, which is.
        champion: ARN of the package that serves.
        challenger: ARN of the package on trial; empty without.
        baseline: what the champion's traffic is held against.
        limits: what is called a change.
        contracts: names of the features that a package reads, by its ARN.
        event_days: see `event_days`; more than the window has where a backlog, or a past, is caught up with.
        attribute: mean absolute SHAP value of each feature of the champion over rows; None where that is not looked at.
        kept: share of cards that are looked at; 1 unless more arrived than a look takes. What needs all transactions of
            a terminal cannot be told below that.
    """

    since: float
    until: float
    champion: str
    challenger: str
    baseline: Baseline
    limits: Limits
    contracts: Mapping[str, Sequence[str]] = field(default_factory=dict)
    event_days: float = 0.0
    attribute: Callable[[Matrix], Mapping[str, float]] | None = None
    kept: float = 1.0

    @property
    def window_days(self) -> float:
        """How long the window is: days of arrival."""
        return (self.until - self.since) / DAY

    @property
    def days(self) -> float:
        """Days of traffic that the window holds."""
        return max(self.window_days, self.event_days)

    @property
    def roles(self) -> dict[str, str]:
        """Packages by their role, the champion first."""
        return {role: of for role, of in ((CHAMPION, self.champion), (CHALLENGER, self.challenger)) if of}

    @property
    def mature_until(self) -> float:
        """Transactions up to here are mature."""
        return self.until - self.limits.maturity

    def contract(self, role: str) -> tuple[str, ...]:
        """Features of the baseline that a package reads: only of these is anything known to hold it against."""
        names = self.contracts.get(self.roles[role], tuple(self.baseline.features))
        return tuple(name for name in names if name in self.baseline.features)


def seconds(moment: str) -> float:
    """Seconds since 1970 of a moment with its UTC offset, RFC 3339.

    Raises:
        ValueError: it is none, or has no offset.
    """
    read = datetime.fromisoformat(moment)
    if read.tzinfo is None:
        raise ValueError(f"{moment} carries no UTC offset")
    return read.timestamp()


def event_days(rows: Rows) -> float:
    """Days' worth of traffic that a window holds, by the transactions' own time.

    The 24 busiest hours in a row are a day, and those before and after them are worth as much of one as they have rows
    beside it; what came late is no day. Where not all of those hours had traffic, there is only a part of a day.
    """
    at = np.sort(rows.at[rows.in_window])
    if not len(at):
        return 0.0
    within_a_day = np.searchsorted(at, at + DAY) - np.arange(len(at))
    first = int(within_a_day.argmax())
    busiest = at[first : first + int(within_a_day[first])]
    _, days = np.unique((at - at[first]) // DAY, return_counts=True)
    hours = np.bincount((busiest - at[first]) // HOUR)
    busy = np.flatnonzero(hours >= LEAST_OF_AN_HOUR * hours.max())
    part = float(busy[-1] + 1 - busy[0]) * HOUR / DAY
    return part * float(days[days >= LEAST_OF_A_DAY * len(busiest)].sum()) / len(busiest)


def of_package(rows: Rows, package: str) -> Flags:
    """Rows that a package scored as it should: not in another's stead."""
    if package not in rows.packages:
        return np.zeros(len(rows), dtype=np.bool_)
    scored: Flags = (rows.package == rows.packages.index(package)) & ~rows.degraded
    return scored


def quoted(value: str) -> str:
    """A value of a field as it may be told: never one that may be the number of a card in the wrong place."""
    is_long = sum(each.isdigit() for each in value) >= LONG_NUMBER
    return f"a value of {len(value)} characters" if is_long else value


def skipped(check: str, concern: Concern, name: str, variant: str, count: int, reason: str) -> Finding:
    """What cannot be told, and why."""
    return Finding(
        check=check,
        concern=concern,
        name=name,
        variant=variant,
        outcome="skipped",
        observed=None,
        limit=None,
        count=count,
        sentence=reason,
    )


def judged(
    check: str,
    concern: Concern,
    name: str,
    variant: str,
    *,
    is_violated: bool,
    observed: float,
    limit: float,
    count: int,
    sentence: str,
) -> Finding:
    """What a check came to."""
    return Finding(
        check=check,
        concern=concern,
        name=name,
        variant=variant,
        outcome="violated" if is_violated else "passed",
        observed=observed,
        limit=limit,
        count=count,
        sentence=sentence,
    )
