"""The plan of monitoring: what is called a change, with defaults, bounds and clear refusals.

    {"plan": {"window_hours": 48, "least_psi": 0.2, "fairness": ["country", "channel"]}}

Everything has a default, so that `{}` is a plan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import msgspec

from fraud.errors import InvalidPlan
from fraud.retraining_plan import DAY, GROUPS, HOUR, LONGEST_TYPE, MOST_GROUPS

DAY_HOURS = DAY // HOUR


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is looked at, and what counts as a change.

    Args:
        window_hours: what arrived within so long before the look is looked at, hours; whole days, because hours of the
            day differ from each other.
        reference_days: how far back decisions are read for the baseline, days of arrival.
        maturity_days: age at which a transaction without a verdict counts as genuine, days.
        quality_days: how many days of mature transactions quality is measured on.
        fewest_rows: rows of a variant below which its distributions are not judged.
        fewest_frauds: mature frauds of a variant below which its quality is not judged.
        alpha: probability that a look at unchanged traffic says anything at all, 0 to 1.
        least_psi: population stability index below which a change is too small to tell of, however certain it is.
        least_ks: the same for the largest distance between the cumulative distributions, 0 to 1.
        least_share: the same for shares: of missing values, of values never seen before, of defaults; 0 to 1.
        least_ratio: the same for shares of decisions: how many times as many, or as few.
        least_volume: share of the quietest day's transactions, and of a usual day's, below which something upstream is
            broken.
        quality_loss: how much of a promised metric may be lost, 0 to 1.
        bias_gap: how far false positive rates of two groups may differ, 0 to 1.
        fairness: fields of the transaction whose groups are compared.
        most_parity_mismatches: share of features computed again that may differ from what was served, 0 to 1.
        parity_entities: cards, and terminals, whose features are computed again; chosen by hash of their key.
        most_rows: rows of a window that are looked at; beyond, some cards are, chosen by hash.
        stale_days: age of what the champion learned from, days; beyond it, it is stale.
        freshest_label_days: age of the newest verdict, days; beyond it the feed of verdicts is broken.
        instance_type: machine of the jobs.
        run_seconds: longest time of one job.
        rebaseline: whether a baseline that stands is made anew.
    """

    window_hours: int = 24
    reference_days: int = 28
    maturity_days: int = 7
    quality_days: int = 7
    fewest_rows: int = 200
    fewest_frauds: int = 20
    alpha: float = 0.001
    least_psi: float = 0.1
    least_ks: float = 0.1
    least_share: float = 0.05
    least_ratio: float = 1.5
    least_volume: float = 0.5
    quality_loss: float = 0.1
    bias_gap: float = 0.1
    fairness: tuple[str, ...] = ("country",)
    most_parity_mismatches: float = 0.01
    parity_entities: int = 2_000
    most_rows: int = 2_000_000
    stale_days: int = 90
    freshest_label_days: int = 14
    instance_type: str = "ml.m5.xlarge"
    run_seconds: int = HOUR
    rebaseline: bool = False

    def __post_init__(self) -> None:
        for name, least, most in _BOUNDS:
            value = getattr(self, name)
            _require(least <= value <= most, f"plan.{name} must lie between {least:,} and {most:,}, not {value:,}")
        _require(
            self.window_hours % DAY_HOURS == 0,
            f"plan.window_hours must be whole days, such as 24, not {self.window_hours}",
        )
        _require(
            len(self.instance_type) <= LONGEST_TYPE and _INSTANCE.fullmatch(self.instance_type) is not None,
            f"plan.instance_type is no ml. type: {self.instance_type[:LONGEST_TYPE]!r}",
        )
        _require(len(self.fairness) <= MOST_GROUPS, f"plan.fairness may name {MOST_GROUPS} fields at most")
        _require(len(set(self.fairness)) == len(self.fairness), "plan.fairness names a field twice")
        unknown = [name for name in self.fairness if name not in GROUPS]
        _require(not unknown, f"plan.fairness may name {', '.join(GROUPS)}, not {', '.join(unknown)}")

    @property
    def archive_days(self) -> int:
        """Days of arrival that a look reads: its window, what has to be mature in it, and verdicts that are late."""
        days = (self.maturity_days + self.quality_days, self.window_hours // DAY_HOURS, self.freshest_label_days)
        return max(days) + 1


_INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
_BOUNDS = (
    ("window_hours", 24, 720),
    ("reference_days", 1, 180),
    ("maturity_days", 0, 120),
    ("quality_days", 1, 90),
    ("fewest_rows", 20, 1_000_000),
    ("fewest_frauds", 1, 1_000_000),
    ("alpha", 1e-6, 0.1),
    ("least_psi", 0.0, 10.0),
    ("least_ks", 0.0, 1.0),
    ("least_share", 0.0, 1.0),
    ("least_ratio", 1.0, 100.0),
    ("least_volume", 0.0, 1.0),
    ("quality_loss", 0.0, 1.0),
    ("bias_gap", 0.0, 1.0),
    ("most_parity_mismatches", 0.0, 1.0),
    ("parity_entities", 1, 100_000),
    ("most_rows", 1_000, 10_000_000),
    ("stale_days", 1, 3_650),
    ("freshest_label_days", 1, 365),
    ("run_seconds", 60, DAY),
)


def parse(given: Mapping[str, Any]) -> Plan:
    """A plan from what a person wrote.

    Raises:
        InvalidPlan: with the first thing found wrong, and what is allowed.
    """
    try:
        return msgspec.convert(given, Plan)
    except msgspec.ValidationError as error:
        # A refusal of __post_init__ names its field; msgspec adds where it was.
        raise InvalidPlan(str(error).partition(" - at `$")[0] if error.__cause__ else str(error)) from error


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
