"""What every check of a look needs to know beside the rows, and the words that their findings share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np

from fraud.entities import DAY
from model.baseline_document import Baseline
from model.examples import Flags
from model.findings import CHALLENGER, CHAMPION, Concern, Finding
from model.limits import Limits
from model.monitored_rows import Rows


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
        event_days: how many days of the transactions' own time arrived in the window; more than the window has where a
            backlog, or a past, is caught up with.
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
    kept: float = 1.0

    @property
    def days(self) -> float:
        """Days of traffic that the window holds."""
        return max((self.until - self.since) / DAY, self.event_days)

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
    """Days of the transactions' own time in a window, its first and last hundredth left out: they may be stragglers."""
    at = rows.at[rows.in_window]
    low, high = np.quantile(at, [0.01, 0.99]) if len(at) else (0.0, 0.0)
    return float(high - low) / DAY


def of_package(rows: Rows, package: str) -> Flags:
    """Rows that a package scored as it should: not in another's stead."""
    if package not in rows.packages:
        return np.zeros(len(rows), dtype=np.bool_)
    scored: Flags = (rows.package == rows.packages.index(package)) & ~rows.degraded
    return scored


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
