"""The plan of a retraining: what a person may ask for, with defaults, bounds and clear refusals.

    {"plan": {"training_days": 60, "approval": "manual", "hyperparameters": {"max_depth": 6}}}

Everything has a default, so that `{}` is a plan.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, Literal

import msgspec

from fraud.errors import InvalidPlan

HOUR = 3_600
DAY = 24 * HOUR
LONGEST_TYPE = 63
MOST_GROUPS = 5
MOST_HYPERPARAMETERS = 50
LONGEST_VALUE = 100
GROUPS = ("channel", "country", "merchant_category", "currency")
"""Fields of a transaction by which fairness may be looked at."""
RESERVED = "sagemaker_"
"""Hyperparameters of the container's own begin with it."""
HYPERPARAMETERS: Mapping[str, type[int | float | str]] = {
    "objective": str,
    "eval_metric": str,
    "tree_method": str,
    "base_score": float,
    "max_bin": int,
    "max_depth": int,
    "eta": float,
    "subsample": float,
    "colsample_bytree": float,
    "min_child_weight": float,
    "lambda": float,
    "seed": int,
    "num_boost_round": int,
    "early_stopping_rounds": int,
    "validation_share": float,
    "review_share": float,
    "block_precision": float,
}
"""What `model/params.json` names and the training script takes, and as what it reads it."""


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a new model is learned from, how, and what it must show.

    Args:
        training_days: how far back decisions are read, days.
        maturity_days: age at which a transaction without a verdict counts as genuine, days.
        evaluation_days: newest mature days that the candidate is measured on and never learns from; at most a quarter
            of what there is.
        gap_days: days between what is learned from and what is measured on, as long as labels take in service; at most
            a quarter of what there is.
        fewest_frauds: known frauds to learn from; fewer are not enough.
        fewest_evaluation_frauds: known frauds to measure on.
        freshest_hours: age of the newest decision, hours of arrival; the archive is stale beyond it.
        freshest_label_days: age of the newest verdict, days; beyond it frauds would be taken for genuine.
        most_fraud_share: highest share of frauds that is believed, 0 to 1.
        hyperparameters: those of `model/params.json` that are to differ.
        instance_type: machine of the jobs.
        spot: whether the training may be interrupted, and is cheaper for it.
        run_seconds: longest time of one job.
        wait_seconds: longest time of an interrupted training, its waiting included.
        draws: bootstrap samples of the comparison.
        margin: how far the candidate's average precision may lie below the champion's at the lower end of the interval
            to be promoted; 0 asks for a proven gain.
        least_gain: how many times the share of frauds the average precision must reach: below it a model knows nothing.
        most_calibration_error: highest expected calibration error, 0 to 1.
        segment_loss: how much average precision a segment may lose, as far as that is proven, before a person decides.
        fairness: fields of the transaction whose groups are compared.
        approval: `automatic` approves a candidate that is to be promoted, which starts its rollout; `manual` leaves it
            to a person.
        cooldown_hours: an alarm or a reminder starts no run within so many hours of the last one's end.
        cold_start: what an empty archive is replaced by: `none`, or a `simulator`, whose model a person must approve.
        history_uri: S3 prefix of past transactions with their outcomes, read instead of an empty archive; below
            `history/` of the archive's bucket, which is all that the jobs may read.
    """

    training_days: int = 90
    maturity_days: int = 7
    evaluation_days: int = 7
    gap_days: int = 7
    fewest_frauds: int = 50
    fewest_evaluation_frauds: int = 20
    freshest_hours: int = 72
    freshest_label_days: int = 14
    most_fraud_share: float = 0.2
    hyperparameters: dict[str, int | float | str] = msgspec.field(default_factory=dict)
    instance_type: str = "ml.m5.xlarge"
    spot: bool = True
    run_seconds: int = 2 * HOUR
    wait_seconds: int = 6 * HOUR
    draws: int = 500
    margin: float = 0.0
    least_gain: float = 3.0
    most_calibration_error: float = 0.05
    segment_loss: float = 0.05
    fairness: tuple[str, ...] = ("country",)
    approval: Literal["automatic", "manual"] = "automatic"
    cooldown_hours: int = 24
    cold_start: Literal["none", "simulator"] = "none"
    history_uri: str = ""

    def __post_init__(self) -> None:
        for name, least, most in _BOUNDS:
            value = getattr(self, name)
            _require(least <= value <= most, f"plan.{name} must lie between {least:,} and {most:,}, not {value:,}")
        _require(
            self.wait_seconds >= self.run_seconds or not self.spot,
            f"plan.wait_seconds must be at least run_seconds, {self.run_seconds:,}, not {self.wait_seconds:,}",
        )
        _require(
            len(self.instance_type) <= LONGEST_TYPE and _INSTANCE.fullmatch(self.instance_type) is not None,
            f"plan.instance_type is no ml. type: {self.instance_type[:LONGEST_TYPE]!r}",
        )
        _require(
            _LOCAL_DISKS.fullmatch(self.instance_type.split(".")[1]) is None,
            f"plan.instance_type {self.instance_type} has disks of its own, which take no key of ours: take another",
        )
        _require(len(self.fairness) <= MOST_GROUPS, f"plan.fairness may name {MOST_GROUPS} fields at most")
        _require(len(set(self.fairness)) == len(self.fairness), "plan.fairness names a field twice")
        unknown = [name for name in self.fairness if name not in GROUPS]
        _require(not unknown, f"plan.fairness may name {', '.join(GROUPS)}, not {', '.join(unknown)}")
        _require(
            not self.history_uri or _HISTORY.fullmatch(self.history_uri) is not None,
            f"plan.history_uri is not like s3://BUCKET/history/NAME/: {self.history_uri[:LONGEST_VALUE]!r}",
        )
        _check_hyperparameters(self.hyperparameters)

    @property
    def archive_days(self) -> int:
        """How many days of the archive are read: what is learned from and measured on, and what is not mature yet."""
        return self.training_days + self.maturity_days


_INSTANCE = re.compile(r"ml\.[a-z0-9-]+\.[a-z0-9]+")
_HISTORY = re.compile(r"s3://[a-z0-9.-]{3,63}/history/[\w./=-]{0,500}(?<=/)")
_LOCAL_DISKS = re.compile(r"[a-z]+\d+[a-z]*d[a-z]*|[gp]\d+[a-z]*")
"""Families with NVMe disks: their names have a d, as m5d and c6gd, or are of accelerators."""
_BOUNDS = (
    ("training_days", 2, 730),
    ("maturity_days", 0, 120),
    ("evaluation_days", 1, 90),
    ("gap_days", 0, 120),
    ("fewest_frauds", 1, 1_000_000),
    ("fewest_evaluation_frauds", 1, 1_000_000),
    ("freshest_hours", 1, 8_760),
    ("freshest_label_days", 1, 365),
    ("most_fraud_share", 0.0, 1.0),
    ("run_seconds", 60, DAY),
    ("wait_seconds", 60, 2 * DAY),
    ("draws", 100, 10_000),
    ("margin", 0.0, 1.0),
    ("least_gain", 1.0, 1_000.0),
    ("most_calibration_error", 0.0, 1.0),
    ("segment_loss", 0.0, 1.0),
    ("cooldown_hours", 0, 720),
)


def parse(given: Mapping[str, Any]) -> Plan:
    """A plan from what a person wrote.

    Raises:
        InvalidPlan: with the first thing found wrong, and what is allowed.
    """
    try:
        plan = msgspec.convert(given, Plan)
    except msgspec.ValidationError as error:
        # A refusal of __post_init__ names its field; msgspec adds where it was.
        raise InvalidPlan(str(error).partition(" - at `$")[0] if error.__cause__ else str(error)) from error
    _check_known(plan.hyperparameters)
    return plan


def merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a person wrote, over the defaults of the stack; hyperparameters one by one."""
    hyperparameters = {**_mapping(defaults), **_mapping(given)}
    return {**defaults, **given, **({"hyperparameters": hyperparameters} if hyperparameters else {})}


def _mapping(given: Mapping[str, Any]) -> Mapping[str, Any]:
    value = given.get("hyperparameters", {})
    if not isinstance(value, Mapping):
        raise InvalidPlan(f"plan.hyperparameters must be an object, not {value!r}")
    return value


def _check_hyperparameters(given: Mapping[str, int | float | str]) -> None:
    _require(len(given) <= MOST_HYPERPARAMETERS, f"plan.hyperparameters may name {MOST_HYPERPARAMETERS} at most")
    for name, value in given.items():
        _require(
            name.isidentifier() and not name.startswith(RESERVED) and max(len(name), len(str(value))) <= LONGEST_VALUE,
            f"plan.hyperparameters may not set {name[:LONGEST_VALUE]!r}, or not to so long a value",
        )


def _check_known(given: Mapping[str, int | float | str]) -> None:
    """What the training would refuse is refused before anything is queried; a record of an older run is still read."""
    for name, value in given.items():
        if name not in HYPERPARAMETERS:
            allowed = ", ".join(sorted(HYPERPARAMETERS))
            raise InvalidPlan(f"plan.hyperparameters may set {allowed}, not {name}")
        if not _is_read_as(HYPERPARAMETERS[name], value):
            kind = _KINDS[HYPERPARAMETERS[name]]
            raise InvalidPlan(f"plan.hyperparameters.{name} must be {kind}, not {value!r}")


_KINDS = {int: "a whole number", float: "a number", str: "text"}


def _is_read_as(kind: type[int | float | str], value: float | str) -> bool:
    """Whether the training script can read it: it is handed over as text."""
    try:
        read = kind(str(value))
    except ValueError:
        return False
    return not isinstance(read, float) or math.isfinite(read)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
