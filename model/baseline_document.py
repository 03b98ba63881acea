"""`baseline.json`: what a champion's traffic is held against.

Of features and scores it says what the package says, which was seen in training. Fields, decisions and volume are not
in any package: they come from the archive, and are empty where it held nothing yet.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

SCHEMA_VERSION = 1
NAME = "baseline.json"


@dataclass(frozen=True, slots=True)
class Distribution:
    """How values of a feature, or scores, were spread.

    Args:
        edges: inner cut points; a value on one belongs to the bin below, and the outer bins are open.
        counts: one more than there are edges.
        missing: rows without a value; not in `counts`.
        zeros: rows whose value was 0, which are in `counts`; None where nobody counted them.
        design_effect: how many times as much its shares vary from day to day as those of independent rows would.
        is_steady: whether it stayed the same through training; one that did not can say nothing of change.
    """

    edges: Sequence[float]
    counts: Sequence[int]
    missing: int
    zeros: int | None
    design_effect: float
    is_steady: bool


@dataclass(frozen=True, slots=True)
class Field:
    """How often a field of the transaction was there, and with which values.

    Args:
        present: rows that had it.
        missing: rows that did not.
        values: how often each of the most frequent came, at most 100.
        others: rows with any other value.
        design_effect: see `Distribution`; of its being there.
    """

    present: int
    missing: int
    values: Mapping[str, int]
    others: int
    design_effect: float


@dataclass(frozen=True, slots=True)
class Share:
    """How often something happened.

    Args:
        count: rows on which it did.
        rows: of so many.
        design_effect: see `Distribution`.
    """

    count: int
    rows: int
    design_effect: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Baseline:
    """The document.

    Args:
        champion: ARN of the package.
        as_of: when it was made, RFC 3339.
        rows: archived decisions that fields, decisions and volume rest on; 0 without.
        days: days of arrival with any of them.
        trained_rows_per_day: of the package's training.
        trained_to: newest row of it, RFC 3339.
        features: by name, of the package's contract.
        scores: of the package; None where it does not say.
        fields: channel, country, currency and merchant_category, by name.
        decisions: `approve`, `review`, `block` and `degraded`, by name.
        quietest_day: transactions on the quietest whole day of arrival; None with fewer than seven whole days.
        promise: metrics that the package was registered with, by name; see `model/metrics.py`.
        thresholds: `review` and `block`, scores.
        attributions: mean absolute SHAP value of each feature on the newest day; empty where none were archived.
        is_complete: whether the quietest day is known, and decisions rest on a whole week of the champion's own; one
            that is not is made anew when there is more.
    """

    champion: str
    as_of: str
    rows: int
    days: int
    trained_rows_per_day: float
    trained_to: str
    features: Mapping[str, Distribution]
    scores: Distribution | None
    fields: Mapping[str, Field] = field(default_factory=dict)
    decisions: Mapping[str, Share] = field(default_factory=dict)
    quietest_day: int | None = None
    promise: Mapping[str, float] = field(default_factory=dict)
    thresholds: Mapping[str, float] = field(default_factory=dict)
    attributions: Mapping[str, float] = field(default_factory=dict)
    is_complete: bool = False

    def write(self, directory: Path) -> None:
        """Leave `baseline.json` in a directory."""
        document = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        (directory / NAME).write_text(json.dumps(document, allow_nan=False, indent=1), encoding="utf-8")


def read(directory: Path) -> Baseline:
    """The document that lies in a directory.

    Raises:
        ValueError: it is none, or of another version.
    """
    given: dict[str, Any] = json.loads((directory / NAME).read_text(encoding="utf-8"))
    if given.pop("schema_version", None) != SCHEMA_VERSION:
        raise ValueError(f"{NAME} is not of schema version {SCHEMA_VERSION}")
    try:
        given["features"] = {name: Distribution(**each) for name, each in given["features"].items()}
        given["scores"] = Distribution(**given["scores"]) if given["scores"] else None
        given["fields"] = {name: Field(**each) for name, each in given["fields"].items()}
        given["decisions"] = {name: Share(**each) for name, each in given["decisions"].items()}
        return Baseline(**given)
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{NAME} is not a baseline: {error}") from error
