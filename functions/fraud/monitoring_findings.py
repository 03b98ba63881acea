"""`monitoring.json`, what the job that monitors found in a window: its types, and the metrics that follow from it.

`model/findings.py` writes it, in the container, which has no msgspec; a test holds the two against each other.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from enum import StrEnum
from typing import Literal, NamedTuple

import msgspec

from fraud.errors import InvalidEvidence

DOCUMENT = "monitoring.json"
REPORT = "report.html"
LARGEST_DOCUMENT = 4 * 1024 * 1024


class Concern(StrEnum):
    """Whom a violation concerns, and so what follows.

    A `drift` of the world, or a loss of `quality`, asks for a new model. Broken `data` must not be learned from: people
    are called. Of `upkeep` people decide at leisure: decisions of other shares, a champion that is old, verdicts that
    stopped.
    """

    DRIFT = "drift"
    QUALITY = "quality"
    DATA = "data"
    UPKEEP = "upkeep"


class Outcome(StrEnum):
    """What a check came to; `skipped` says that it cannot be told."""

    PASSED = "passed"
    VIOLATED = "violated"
    SKIPPED = "skipped"


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """What one check came to.

    Args:
        check: what was looked at, in the words of Model Monitor where it has one: `baseline_drift_check`,
            `completeness_check`, `categorical_values_check`, `data_type_check`, `missing_column_check`; else
            `score_drift_check`, `feature_attribution_drift_check`, `default_check`, `decision_rate_check`,
            `volume_check`, `model_quality_check`, `bias_drift_check`, `parity_check`,
            `label_feed_check`, `staleness_check`.
        concern: of a violation.
        name: of the feature, field, metric or group.
        variant: `champion` or `challenger`; `all` for what is the same for both.
        outcome: of the check.
        observed: what was measured; None where nothing could be.
        limit: beyond which it is violated; None where nothing could be.
        count: rows it rests on.
        sentence: all of it, for people.
    """

    check: str
    concern: Concern
    name: str
    variant: str
    outcome: Outcome
    observed: float | None
    limit: float | None
    count: int
    sentence: str


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """What one model did in the window.

    Args:
        role: `champion` or `challenger`.
        model_package: its ARN.
        rows: decisions on the cards routed to it.
        shares: of `approve`, `review`, `block` and `degraded`, 0 to 1 each.
        largest_psi: of its features; None where not judged.
        score_psi: of its scores; None where not judged.
        quality: metrics on mature transactions by name, such as `average_precision`; empty where not judged.
    """

    role: str
    model_package: str
    rows: int
    shares: dict[str, float]
    largest_psi: float | None = None
    score_psi: float | None = None
    quality: dict[str, float] = msgspec.field(default_factory=dict)


class Verdicts(msgspec.Struct, frozen=True, kw_only=True):
    """Verdicts of one source on mature transactions."""

    frauds: int = 0
    genuine: int = 0


class Labels(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of the outcomes, reviews and chargebacks apart.

    Args:
        by_source: verdicts on mature transactions by `chargeback` and `review`.
        disagreements: transactions on which the two differ.
        mature: transactions old enough to be judged.
        unlabelled: of them, without any verdict, which count as genuine.
        unknown: of them, blocked and without a verdict, whose outcome cannot show.
        immature: transactions that are not old enough.
        newest_known_at: when the newest verdict came, RFC 3339; empty without one.
        known_after: shares of the known frauds of mature transactions that were known within so many days.
        weight: sum of the weights by which released transactions count, over their number; 1 without releases.
    """

    by_source: dict[str, Verdicts]
    disagreements: int
    mature: int
    unlabelled: int
    unknown: int
    immature: int
    newest_known_at: str
    known_after: dict[str, float] = msgspec.field(default_factory=dict)
    weight: float = 1.0


class Parity(msgspec.Struct, frozen=True, kw_only=True):
    """What came of computing features again.

    Args:
        cards: looked at.
        terminals: looked at.
        compared: values.
        mismatched: of them, those that differ.
        left_out: rows that cannot be computed again: older history, late or simultaneous events.
    """

    cards: int
    terminals: int
    compared: int
    mismatched: int
    left_out: int


class Findings(msgspec.Struct, frozen=True, kw_only=True):
    """The document, schema version 1."""

    schema_version: Literal[1]
    since: str
    until: str
    champion: str
    rows: int
    looked_at: int
    findings: tuple[Finding, ...]
    variants: tuple[Variant, ...]
    parity: Parity
    labels: Labels
    champion_age_days: float | None

    @property
    def violations(self) -> tuple[Finding, ...]:
        """Checks that are violated."""
        return tuple(each for each in self.findings if each.outcome is Outcome.VIOLATED)

    @property
    def counts(self) -> Mapping[str, int]:
        """Violations of each concern, 0 included."""
        found = Counter(each.concern.value for each in self.violations)
        return {concern.value: found[concern.value] for concern in Concern}

    @property
    def sentence(self) -> str:
        """What was found, in words."""
        found = self.violations
        judged = sum(each.outcome is not Outcome.SKIPPED for each in self.findings)
        if not found:
            return f"{self.rows:,} decisions, {judged:,} checks: nothing changed that can be told."
        more = f", and {len(found) - 1:,} more" if len(found) > 1 else ""
        first = found[0].sentence.rstrip(".")
        return f"{self.rows:,} decisions, {judged:,} checks, {len(found):,} violated: {first}{more}."


class Metric(NamedTuple):
    """A value for CloudWatch.

    Args:
        name: of the metric.
        value: of it.
        unit: as CloudWatch calls it.
        variant: dimension `Variant`; empty for a metric without dimensions.
    """

    name: str
    value: float
    unit: str
    variant: str = ""


VIOLATIONS = {
    Concern.DRIFT: "DriftViolations",
    Concern.QUALITY: "ModelQualityViolations",
    Concern.DATA: "DataQualityViolations",
    Concern.UPKEEP: "UpkeepViolations",
}
"""Metrics whose alarms start retrainings, or call people."""
RUN = Metric("MonitoringRuns", 1, "Count")
"""Says that somebody looked."""
QUALITY = {"average_precision": "AveragePrecision", "alert_precision": "AlertPrecision", "alert_recall": "AlertRecall"}


def parse(text: bytes) -> Findings:
    """The document.

    Raises:
        InvalidEvidence: it is none.
    """
    try:
        return msgspec.json.decode(text, type=Findings)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvidence(f"{DOCUMENT} is not what a look leaves: {error}") from error


def metrics(found: Findings) -> Iterator[Metric]:
    """What is published of a look; violations always, also none, so that alarms end."""
    for concern, count in found.counts.items():
        yield Metric(VIOLATIONS[Concern(concern)], count, "Count")
    yield RUN
    yield Metric("WindowDecisions", found.rows, "Count")
    if found.champion_age_days is not None:
        yield Metric("ChampionAgeDays", found.champion_age_days, "None")
    if found.parity.compared:
        yield Metric("ParityMismatchShare", found.parity.mismatched / found.parity.compared, "None")
    for variant in found.variants:
        yield from _of_variant(variant)


def _of_variant(variant: Variant) -> Iterator[Metric]:
    for name, value in (("LargestFeaturePsi", variant.largest_psi), ("ScorePsi", variant.score_psi)):
        if value is not None:
            yield Metric(name, value, "None", variant.role)
    for action, name in (("review", "ReviewShare"), ("block", "BlockShare")):
        yield Metric(name, variant.shares.get(action, 0.0), "None", variant.role)
    for metric, name in QUALITY.items():
        if metric in variant.quality:
            yield Metric(name, variant.quality[metric], "None", variant.role)
