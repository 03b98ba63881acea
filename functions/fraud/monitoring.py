"""The records of monitoring: the refresh of baseline and schedules, which is its own lock, and the last look.

The baseline outlives the refresh that made it: a later one takes it over as long as the same model is champion.
"""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Any

import msgspec
from msgspec.structs import replace

from fraud.monitoring_findings import Finding, Labels
from fraud.monitoring_plan import Plan
from fraud.retraining import LONGEST_PREFIX, LONGEST_SENTENCE, MOST_EVENTS, Said

MOST_FINDINGS = 50
"""Violations of a look that its record keeps; all of them are in its files."""


class Outcome(StrEnum):
    """How a refresh ended."""

    REFRESHED = "refreshed"
    UNCHANGED = "unchanged"
    FAILED = "failed"
    ABANDONED = "abandoned"


class Baseline(msgspec.Struct, frozen=True, kw_only=True):
    """What a champion's traffic is held against.

    Args:
        champion: ARN of the package that it is of.
        uri: where its files lie: `baseline.json`, `statistics.json` and `constraints.json`.
        made_at: seconds since 1970.
        rows: archived decisions that it rests on beside the package; 0 where the archive was empty.
        days: of arrival, of these.
        is_complete: whether it knows a whole week, and of the champion's decisions as well; one that does not is made
            anew when there is more. Older records do not say, and have theirs made once more.
    """

    champion: str
    uri: str
    made_at: float
    rows: int
    days: int
    is_complete: bool = False


class ScheduleStatus(StrEnum):
    """What a slot's schedule of Model Monitor is."""

    SCHEDULED = "scheduled"
    PENDING = "pending"
    REFUSED = "refused"
    FAILED = "failed"
    OFF = "off"


class Schedule(msgspec.Struct, frozen=True, kw_only=True):
    """A slot's schedule of Model Monitor.

    Args:
        endpoint: what it watches.
        name: of the schedule.
        status: of it.
        detail: why, in words; for one that stands, what became of its last run.
    """

    endpoint: str
    name: str
    status: ScheduleStatus
    detail: str = ""


class Refresh(msgspec.Struct, frozen=True, kw_only=True):
    """The record of a refresh.

    Args:
        run_id: name of the execution.
        owner: ARN of the execution that holds the lock.
        trigger: who or what asked for it, in words.
        started_at: seconds since 1970.
        plan: what is done.
        champion: ARN of the package that serves.
        baseline: that stands; None before the first.
        made_baseline: whether this refresh made it.
        schedules: of Model Monitor.
        schedules_since: when they began to be replaced, seconds since 1970; 0 before.
        changed_schedules: whether this refresh changed any.
        liveness: whether monitoring is alive, in words.
        is_alive: the same, as a fact.
        outcome: how it ended; None while it runs.
        sentence: why.
        ended_at: seconds since 1970; 0 while it runs.
        events: what happened, the newest last.
        revision: raised by every write, which is conditional on it.
    """

    run_id: str
    owner: str
    trigger: str
    started_at: float
    plan: Plan
    champion: str
    baseline: Baseline | None = None
    made_baseline: bool = False
    schedules: tuple[Schedule, ...] = ()
    schedules_since: float = 0.0
    changed_schedules: bool = False
    liveness: str = ""
    is_alive: bool = True
    outcome: Outcome | None = None
    sentence: str = ""
    ended_at: float = 0.0
    events: tuple[Said, ...] = ()
    revision: int = 0

    @property
    def is_over(self) -> bool:
        """Whether the lock is free."""
        return self.ended_at > 0

    def told(self, at: float, said: str, **changes: Any) -> Refresh:
        """The record with one more thing that happened, the oldest forgotten where there are too many."""
        events = (*self.events, Said(at, said[:LONGEST_SENTENCE]))[-MOST_EVENTS:]
        return replace(self, events=events, **changes)

    def ended(self, at: float, outcome: Outcome, sentence: str) -> Refresh:
        """The record of a refresh that is over, its lock free."""
        if self.is_over:
            return self
        said = sentence[:LONGEST_SENTENCE]
        return self.told(at, said, outcome=outcome, sentence=said, ended_at=at)


class Watch(msgspec.Struct, frozen=True, kw_only=True):
    """What the last look at a window came to.

    Args:
        run_id: name of the execution that looked.
        execution: its ARN.
        since: begin of the window, seconds since 1970.
        until: its end.
        champion: ARN of the package that served.
        rows: that arrived in it.
        uri: where the findings lie: `monitoring.json`, `report.html`, and files as Model Monitor writes them.
        ended_at: when the look was over.
        sentence: what was found, in words.
        violations: of each concern.
        findings: the violations themselves, `MOST_FINDINGS` at most.
        metrics: what was published, by name.
        labels: what is known of verdicts; None where the window had no rows.
    """

    run_id: str
    execution: str
    since: float
    until: float
    champion: str
    rows: int
    uri: str
    ended_at: float
    sentence: str
    violations: dict[str, int] = msgspec.field(default_factory=dict)
    findings: tuple[Finding, ...] = ()
    metrics: dict[str, float] = msgspec.field(default_factory=dict)
    labels: Labels | None = None


class Files(msgspec.Struct, frozen=True):
    """Names and places of an execution: they follow from it, so that a repeated step meets its own.

    Args:
        bucket: the archive bucket.
        prefix: what jobs' names begin with: the stack.
        owner: ARN of the execution.
        run_id: its name.
        kind: `baselines` or `windows`.
    """

    bucket: str
    prefix: str
    owner: str
    run_id: str
    kind: str

    @property
    def root(self) -> str:
        """What the execution leaves lies below it."""
        return f"s3://{self.bucket}/monitoring/{self.kind}/{self.run_id}"

    @property
    def dataset(self) -> str:
        """What the query wrote, Parquet; apart from the rest, because it holds cards and is removed after days."""
        return f"s3://{self.bucket}/monitoring/datasets/{self.kind}/{self.run_id}/"

    @property
    def found(self) -> str:
        """What the job wrote."""
        return f"{self.root}/{'baseline' if self.kind == 'baselines' else 'findings'}/"

    def job(self, what: str) -> str:
        """Name of a job: `baseline` or `monitor`."""
        digest = hashlib.sha256(self.owner.encode()).hexdigest()[:12]
        return f"{self.prefix[:LONGEST_PREFIX].rstrip('-')}-{digest}-{what}"
