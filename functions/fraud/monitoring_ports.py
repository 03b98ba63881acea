"""What monitoring asks of the world: protocols of four methods at most, and their values."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Protocol

from fraud.deployment_ports import LONGEST_NAME
from fraud.monitoring import Refresh, Watch
from fraud.monitoring_findings import Metric

DIGEST = 8
"""Hexadecimal digits by which names tell what they are cut from, or what lies behind them."""


class RefreshStore(Protocol):
    """The record of the refresh under way, or of the last one; it is the lock, too."""

    def read(self) -> Refresh | None:
        """The record, read consistently; None before the first refresh.

        Raises:
            StoreUnavailable: not read.
        """
        ...

    def begin(self, refresh: Refresh, previous: Refresh | None) -> Refresh:
        """Put a new record in the place of the previous one, exactly as it was read; returns it as stored.

        Raises:
            MonitoringMoved: another record stands there by now.
            StoreUnavailable: not known to be written.
        """
        ...

    def save(self, refresh: Refresh) -> Refresh:
        """Write the record over the revision that it was read as; returns it as stored.

        Raises:
            MonitoringMoved: another revision stands there.
            StoreUnavailable: not known to be written.
        """
        ...


class WatchStore(Protocol):
    """What the last look came to."""

    def read(self) -> Watch | None:
        """It; None before the first look.

        Raises:
            StoreUnavailable: not read.
        """
        ...

    def put(self, watch: Watch) -> bool:
        """Keep it, unless one of a window that ended later stands there; whether it was kept.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        ...


class SchedulePhase(StrEnum):
    """Where a schedule of Model Monitor is on its way."""

    ABSENT = "absent"
    CHANGING = "changing"
    SCHEDULED = "scheduled"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class ScheduleState:
    """A schedule as it is.

    Args:
        phase: where it is.
        detail: the service's own words.
    """

    phase: SchedulePhase
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePlan:
    """A data-quality schedule to be. The name of its job definition follows from its content.

    Args:
        endpoint: that it watches; it must capture data.
        image: URI of Model Monitor's container.
        role: ARN of the role that its runs have.
        statistics_uri: of the baseline.
        constraints_uri: of the baseline.
        preprocessor_uri: of the script that takes captured batches apart.
        output_uri: where reports go.
        instance_type: of its runs.
        key: encrypts volumes and reports.
        expression: when it runs, one of the forms that Model Monitor takes: `cron(0 * ? * * *)`.
        run_seconds: longest time of a run; a schedule of every hour allows 1,800.
    """

    endpoint: str
    image: str
    role: str
    statistics_uri: str
    constraints_uri: str
    preprocessor_uri: str
    output_uri: str
    instance_type: str
    key: str
    expression: str = "cron(0 * ? * * *)"
    run_seconds: int = 1_800

    @property
    def schedule(self) -> str:
        """Its name, fixed for the endpoint."""
        return schedule_name(self.endpoint)

    @property
    def definition(self) -> str:
        """Name of its job definition, which no other content shares."""
        digest = hashlib.sha256("\n".join(map(str, astuple(self))).encode()).hexdigest()[:DIGEST]
        return f"{definition_prefix(self.endpoint)}{digest}"


def schedule_name(endpoint: str) -> str:
    """Name of the schedule of an endpoint, which no other endpoint's has."""
    suffix = "-data-quality"
    if len(endpoint) + len(suffix) <= LONGEST_NAME:
        return endpoint + suffix
    # By digest, because slots differ in their last letter, which would be cut off.
    suffix = f"-{hashlib.sha256(endpoint.encode()).hexdigest()[:DIGEST]}{suffix}"
    return endpoint[: LONGEST_NAME - len(suffix)].rstrip("-") + suffix


def definition_prefix(endpoint: str) -> str:
    """What the names of job definitions of an endpoint's schedules begin with; `DIGEST` digits follow."""
    return f"{schedule_name(endpoint)[: LONGEST_NAME - DIGEST - 1]}-"


class ModelMonitor(Protocol):
    """SageMaker Model Monitor, which not every account has."""

    def ensure(self, plan: SchedulePlan) -> ScheduleState:
        """One step towards a schedule that runs the plan, and how it is afterwards.

        What has the plan's content is left as it is. A new definition is made first, the schedule is led to it once it
        is at rest, and the definition before is removed last, when nothing uses it any more.

        Raises:
            ModelMonitorRefused: this account, or this region, does not have it, or the endpoint captures nothing.
            DeploymentInterrupted: throttled or no answer; the same call goes on from there.
        """
        ...

    def clear(self, endpoint: str) -> bool:
        """One attempt at removing the schedule of an endpoint, then its definitions; True once nothing is there.

        Where Model Monitor is refused there is nothing, and nothing to do.

        Raises:
            DeploymentInterrupted: throttled or no answer; the same call goes on from there.
        """
        ...

    def last_run(self, endpoint: str) -> str:
        """What became of the newest run of an endpoint's schedule, in words; empty before the first.

        Raises:
            DeploymentInterrupted: no answer.
        """
        ...


class MonitoringMetrics(Protocol):
    """Where alarms look."""

    def publish(self, metrics: Iterable[Metric], at: float) -> None:
        """Publish values of a moment, seconds since 1970.

        Raises:
            StoreUnavailable: not known to be published; publishing again counts twice at most.
        """
        ...
