"""What checks of a window came to, and `monitoring.json`, which says so to whoever follows it up.

`fraud.monitoring_findings` reads it; its words are explained there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

SCHEMA_VERSION = 1
NAME = "monitoring.json"
ALL, CHAMPION, CHALLENGER = "all", "champion", "challenger"
"""Variants that a check may be about."""

Concern = Literal["drift", "quality", "data", "upkeep"]
Outcome = Literal["passed", "violated", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one check came to; see `fraud.monitoring_findings.Finding`."""

    check: str
    concern: Concern
    name: str
    variant: str
    outcome: Outcome
    observed: float | None
    limit: float | None
    count: int
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """What one model did in the window; see `fraud.monitoring_findings.Variant`."""

    role: str
    model_package: str
    rows: int
    shares: Mapping[str, float]
    largest_psi: float | None = None
    score_psi: float | None = None
    quality: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What is known of the outcomes; see `fraud.monitoring_findings.Labels`."""

    by_source: Mapping[str, Mapping[str, int]]
    disagreements: int
    mature: int
    unlabelled: int
    unknown: int
    immature: int
    newest_known_at: str
    known_after: Mapping[str, float]
    weight: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Parity:
    """What came of computing features again; see `fraud.monitoring_findings.Parity`."""

    cards: int
    terminals: int
    compared: int
    mismatched: int
    left_out: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """All of a look; times are RFC 3339."""

    since: str
    until: str
    champion: str
    rows: int
    looked_at: int
    findings: Sequence[Finding]
    variants: Sequence[Variant]
    parity: Parity
    labels: Labels
    champion_age_days: float | None

    def write(self, directory: Path) -> None:
        """Leave `monitoring.json` in a directory."""
        document = {"schema_version": SCHEMA_VERSION, **asdict(self)}
        (directory / NAME).write_text(json.dumps(document, allow_nan=False, indent=1), encoding="utf-8")
