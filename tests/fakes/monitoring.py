"""What monitoring works with, in memory: its records, Model Monitor, metrics; and its documents, by literals."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from msgspec.structs import replace

from fraud.aws.monitoring_store import DynamoRefreshStore, DynamoWatchStore
from fraud.errors import FraudError, ModelMonitorRefused, MonitoringMoved
from fraud.monitoring import Baseline, Refresh, Watch
from fraud.monitoring_findings import Concern, Finding, Labels, Metric, Outcome, Verdicts
from fraud.monitoring_plan import Plan
from fraud.monitoring_ports import RefreshStore, SchedulePhase, SchedulePlan, ScheduleState, WatchStore
from tests.deployment.packages import ARN as CHAMPION
from tests.deployment.packages import KEY
from tests.fakes.aws import ROLLOUTS, AwsStores
from tests.fakes.samples import NOW
from tests.fakes.world import MemoryStores, Stores

REFRESH = "arn:aws:states:eu-central-1:123456789012:execution:monitoring:first"
LOOK = "arn:aws:states:eu-central-1:123456789012:execution:drift:look"
DAY = 86_400
UNTIL = "2025-06-15T15:06:40.000Z"
"""`NOW`, where the window of `findings_document` ends."""
SINCE = "2025-06-14T15:06:40.000Z"


# --- Documents and records --------------------------------------------------------------------------------------------


def baseline(**fields: Any) -> Baseline:
    """The baseline of the champion."""
    files = "s3://archive/monitoring/baselines/first/baseline/"
    given = {"champion": CHAMPION, "uri": files, "made_at": float(NOW), "rows": 90_000, "days": 28}
    return Baseline(**given | fields)


def refresh(**fields: Any) -> Refresh:
    """The record of a refresh that a person asked for, under way."""
    return Refresh(
        **{
            "run_id": "first",
            "owner": REFRESH,
            "trigger": "person",
            "started_at": float(NOW),
            "plan": Plan(),
            "champion": CHAMPION,
        }
        | fields
    )


def watch(**fields: Any) -> Watch:
    """The record of a quiet look at the last day."""
    return Watch(
        **{
            "run_id": "look",
            "execution": LOOK,
            "since": float(NOW - DAY),
            "until": float(NOW),
            "champion": CHAMPION,
            "rows": 3_000,
            "uri": "s3://archive/monitoring/windows/look/findings/",
            "ended_at": float(NOW + 600),
            "sentence": "3,000 decisions, 2 checks: nothing changed that can be told.",
        }
        | fields
    )


def finding(**fields: Any) -> Finding:
    """A feature that did not drift."""
    return Finding(
        **{
            "check": "baseline_drift_check",
            "concern": Concern.DRIFT,
            "name": "transaction_amount",
            "variant": "champion",
            "outcome": Outcome.PASSED,
            "observed": 0.02,
            "limit": 0.1,
            "count": 3_000,
            "sentence": "transaction_amount is as it was: 0.02 of 0.10.",
        }
        | fields
    )


def schedule(**fields: Any) -> SchedulePlan:
    """The schedule of the first slot."""
    return SchedulePlan(
        **{
            "endpoint": "fraud-a",
            "image": "468650794304.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-model-monitor-analyzer",
            "role": "arn:aws:iam::123456789012:role/monitoring",
            "statistics_uri": "s3://archive/monitoring/baselines/first/baseline/statistics.json",
            "constraints_uri": "s3://archive/monitoring/baselines/first/baseline/constraints.json",
            "preprocessor_uri": "s3://archive/source/0/capture_preprocessor.py",
            "output_uri": "s3://archive/monitoring/model-monitor/",
            "instance_type": "ml.m5.large",
            "key": KEY,
        }
        | fields
    )


DRIFTED = finding(outcome=Outcome.VIOLATED, observed=0.3, sentence="transaction_amount moved: 0.30 over 0.10.")
WORSE = finding(
    check="model_quality_check",
    concern=Concern.QUALITY,
    name="average_precision",
    outcome=Outcome.VIOLATED,
    observed=0.2,
    limit=0.36,
    sentence="average_precision is 0.20, and 0.36 was promised.",
)
VANISHED = finding(
    check="completeness_check",
    concern=Concern.DATA,
    outcome=Outcome.VIOLATED,
    observed=1.0,
    limit=0.05,
    sentence="transaction_amount is missing in 100 % of the rows.",
)
UNKNOWN = finding(outcome=Outcome.SKIPPED, observed=None, limit=None, count=3, sentence="Too few rows to tell.")


def labels(**fields: Any) -> Labels:
    """What is known of the outcomes."""
    by_source = {"chargeback": Verdicts(frauds=21, genuine=0), "review": Verdicts(frauds=6, genuine=40)}
    return Labels(
        **{
            "by_source": by_source,
            "disagreements": 1,
            "mature": 20_000,
            "unlabelled": 19_900,
            "unknown": 33,
            "immature": 21_000,
            "newest_known_at": "2025-06-15T11:00:00.000Z",
            "known_after": {"1": 0.2, "7": 0.9},
            "weight": 1.1,
        }
        | fields
    )


def findings_document(*found: Finding, **fields: Any) -> bytes:
    """`monitoring.json` of the champion alone, by what the checks came to; a quiet one without."""
    champion = {
        "role": "champion",
        "model_package": CHAMPION,
        "rows": 3_000,
        "shares": {"approve": 0.97, "review": 0.02, "block": 0.01, "degraded": 0.0},
        "largest_psi": 0.02,
        "score_psi": 0.01,
        "quality": {"average_precision": 0.4, "alert_precision": 0.5, "alert_recall": 0.6},
    }
    document = {
        "schema_version": 1,
        "since": SINCE,
        "until": UNTIL,
        "champion": CHAMPION,
        "rows": 3_000,
        "looked_at": 3_000,
        "findings": msgspec.to_builtins(found or (finding(),)),
        "variants": [champion],
        "parity": {"cards": 200, "terminals": 150, "compared": 8_000, "mismatched": 8, "left_out": 12},
        "labels": msgspec.to_builtins(labels()),
        "champion_age_days": 12.5,
    }
    return json.dumps(document | fields).encode()


# --- Ports ------------------------------------------------------------------------------------------------------------


def refresh_store(stores: Stores) -> RefreshStore:
    """The record of the refresh beside the stores."""
    if isinstance(stores, MemoryStores):
        return MemoryRefreshStore()
    assert isinstance(stores, AwsStores)
    return DynamoRefreshStore(stores.dynamodb, ROLLOUTS)


def watch_store(stores: Stores) -> WatchStore:
    """The record of the last look beside the stores."""
    if isinstance(stores, MemoryStores):
        return MemoryWatchStore()
    assert isinstance(stores, AwsStores)
    return DynamoWatchStore(stores.dynamodb, ROLLOUTS)


@dataclass
class MemoryRefreshStore:
    """The record of the refresh."""

    record: Refresh | None = None

    def read(self) -> Refresh | None:
        return self.record

    def begin(self, refresh: Refresh, previous: Refresh | None) -> Refresh:
        _require(_identity(self.record) == _identity(previous))
        self.record = replace(refresh, revision=previous.revision + 1 if previous else 1)
        return self.record

    def save(self, refresh: Refresh) -> Refresh:
        _require(self.record is not None and self.record.revision == refresh.revision)
        self.record = replace(refresh, revision=refresh.revision + 1)
        return self.record


def _identity(refresh: Refresh | None) -> tuple[int, str] | None:
    return (refresh.revision, refresh.owner) if refresh else None


def _require(condition: bool) -> None:
    if not condition:
        raise MonitoringMoved("somebody else changed the monitoring's record meanwhile")


@dataclass
class MemoryWatchStore:
    """The record of the last look."""

    record: Watch | None = None

    def read(self) -> Watch | None:
        return self.record

    def put(self, watch: Watch) -> bool:
        if self.record is not None and self.record.until > watch.until:
            return False
        self.record = watch
        return True


@dataclass
class RecordingMetrics:
    """Metrics that were published, each with its moment."""

    published: list[tuple[Metric, float]] = field(default_factory=list)

    @property
    def values(self) -> dict[str, float]:
        """The last value of each, by its name, and the variant behind it where it has one."""
        return {f"{each.name} {each.variant}".strip(): each.value for each, _ in self.published}

    def publish(self, metrics: Iterable[Metric], at: float) -> None:
        self.published += [(each, at) for each in metrics]


@dataclass
class Scheduled:
    """A schedule of Model Monitor.

    Args:
        plan: that it runs, or is being led to.
        left: calls that still find it on its way.
        going: whether it is being removed.
    """

    plan: SchedulePlan
    left: int = 0
    going: bool = False


@dataclass
class FakeModelMonitor:
    """Schedules by the endpoint they watch; each call brings one that is on its way nearer to its end.

    Args:
        looks: how many calls find a schedule still on its way that was changed, beside the one that changed it.
        lingering: how many calls find one still there that is being removed, or that has a run under way.
        refusal: why this account does not have Model Monitor; empty where it has.
        failures: endpoint → why its schedule fails.
        interruptions: raised by the next calls, one each.
        runs: endpoint → what became of the newest run.
        standing: schedules.
        definitions: names of job definitions by endpoint.
        ensured: every plan that was asked for.
        cleared: every endpoint whose schedule was to go.
    """

    looks: int = 0
    lingering: int = 0
    refusal: str = ""
    failures: dict[str, str] = field(default_factory=dict)
    interruptions: list[FraudError] = field(default_factory=list)
    runs: dict[str, str] = field(default_factory=dict)
    standing: dict[str, Scheduled] = field(default_factory=dict)
    definitions: dict[str, set[str]] = field(default_factory=dict)
    ensured: list[SchedulePlan] = field(default_factory=list)
    cleared: list[str] = field(default_factory=list)

    def ensure(self, plan: SchedulePlan) -> ScheduleState:
        self.ensured.append(plan)
        self._interrupt()
        if self.refusal:
            raise ModelMonitorRefused(self.refusal)
        if self._is_on_its_way(plan.endpoint):
            return ScheduleState(SchedulePhase.CHANGING, "Pending")
        found = self.standing.get(plan.endpoint)
        self.definitions.setdefault(plan.endpoint, set()).add(plan.definition)
        if found is None or found.plan != plan:
            self.standing[plan.endpoint] = Scheduled(plan, self.looks)
            return ScheduleState(SchedulePhase.CHANGING, "Pending")
        if plan.endpoint in self.failures:
            del self.standing[plan.endpoint]
            return ScheduleState(SchedulePhase.FAILED, self.failures[plan.endpoint])
        self.definitions[plan.endpoint] = {plan.definition}
        return ScheduleState(SchedulePhase.SCHEDULED, "Scheduled")

    def clear(self, endpoint: str) -> bool:
        self.cleared.append(endpoint)
        self._interrupt()
        if self.refusal:
            return True
        found = self.standing.get(endpoint)
        if self._is_on_its_way(endpoint):
            return False
        if found is not None and not found.going and self.lingering:
            self.standing[endpoint] = Scheduled(found.plan, self.lingering - 1, going=True)
            return False
        self.standing.pop(endpoint, None)
        self.definitions.pop(endpoint, None)
        return True

    def last_run(self, endpoint: str) -> str:
        self._interrupt()
        return f"its runs cannot be told: {self.refusal}" if self.refusal else self.runs.get(endpoint, "")

    def _interrupt(self) -> None:
        if self.interruptions:
            raise self.interruptions.pop(0)

    def _is_on_its_way(self, endpoint: str) -> bool:
        """As it is now; the next call is one nearer to the end of its way."""
        found = self.standing.get(endpoint)
        if found is None or (found.left <= 0 and not found.going):
            return False
        if found.left <= 0:
            del self.standing[endpoint]
            return False
        found.left -= 1
        return True
