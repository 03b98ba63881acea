"""A stack that is watched: every use-case of monitoring over one set of fakes, faults on demand."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from fraud import machine_task, model_package, routing
from fraud.machine_task import Answer, Task
from fraud.monitoring import Baseline, Files, Refresh, Watch
from fraud.monitoring_ports import SchedulePlan
from fraud.routing import Routing
from fraud.services.job_code import JobCode
from fraud.services.job_inspection import JobInspection
from fraud.services.monitoring_refresh import MonitoringRefresh
from fraud.services.packages import Packages
from fraud.services.refresh_end import RefreshEnd
from fraud.services.refresh_records import RefreshRecords
from fraud.services.schedule_upkeep import ScheduleUpkeep
from fraud.services.window_watch import WindowWatch
from tests.deployment import packages
from tests.fakes.faults import Clock, Faults, Watched
from tests.fakes.monitoring import (
    LOOK,
    REFRESH,
    FakeModelMonitor,
    RecordingMetrics,
    findings_document,
    refresh_store,
    watch_store,
)
from tests.fakes.retraining import BUCKET, FakeExecutions, FakeJobs, FakeSource, MemoryRunFiles
from tests.fakes.rollout_world import Objects
from tests.fakes.rollouts import MemoryRegistry, RecordingBell
from tests.fakes.samples import NOW
from tests.fakes.world import MemoryStores, Stores

PREFIX = "fraud"
SLOTS = ("fraud-a", "fraud-b")
DECISIONS = f"s3://{BUCKET}/decisions/dt=2025-06-15/some.gz"
REFRESHING = (
    "lock", "choose_reference", "judge_baseline", "replace_schedules", "check_liveness", "release", "fail",
)  # fmt: skip
QUERY = "SELECT * FROM decisions WHERE at BETWEEN '$from' AND '$as_of' AND dt > '$first_day' AND '$features_from' > ''"


@dataclass(frozen=True)
class Routings:
    """The routing item, as it is when it is asked for."""

    read: Callable[[], Routing | None]


@dataclass
class MonitoringWorld:
    """A stack.

    Args:
        stores: where the records lie: in memory or on moto.
        faults: what goes wrong at which call; names are `port.method`.
        routing: says what serves; None while no model does.
        plan: of the stack.
        schedules: whether the stack wants schedules of Model Monitor.
        looks: whether the schedule of looks is on.
        silent_hours: without a look, after which nobody looks any more.
    """

    stores: Stores = field(default_factory=lambda: MemoryStores(Clock(NOW)))
    faults: Faults = field(default_factory=Faults)
    routing: Routing | None = None
    plan: Mapping[str, Any] = field(default_factory=dict)
    schedules: bool = True
    looks: bool = True
    silent_hours: float = 26
    executions: FakeExecutions = field(default_factory=FakeExecutions)
    files: MemoryRunFiles = field(default_factory=MemoryRunFiles)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    monitor: FakeModelMonitor = field(default_factory=FakeModelMonitor)
    metrics: RecordingMetrics = field(default_factory=RecordingMetrics)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    source: FakeSource = field(default_factory=lambda: FakeSource(text=QUERY))
    bell: RecordingBell = field(default_factory=RecordingBell)

    def __post_init__(self) -> None:
        self.store, self.watches = refresh_store(self.stores), watch_store(self.stores)
        self.objects = Objects(self.files.held)
        self._served = count(1)

    @property
    def clock(self) -> Clock:
        return self.stores.clock

    # --- What there is ------------------------------------------------------------------------------------------------

    def registered(self) -> tuple[str, Any]:
        """A new version, and its document."""
        artefact = packages.archive(training={"version": next(self._served)})
        arn = Packages(self.registry, self.objects).register(artefact, approved=True)
        return arn, model_package.parse(model_package.document_in(artefact))

    def with_champion(self, slot: str = "a") -> MonitoringWorld:
        """A new version serves in a slot, alone."""
        arn, document = self.registered()
        self.routing = routing.first(slot, document.served_at(f"fraud-{slot}", arn), "salt-0")
        return self

    def with_challenger(self) -> MonitoringWorld:
        """A new version is tried beside the champion."""
        assert self.routing is not None
        arn, document = self.registered()
        self.routing = self.routing.challenged("b", document.served_at("fraud-b", arn), "salt-1", share_bps=100)
        return self

    def with_traffic(self) -> MonitoringWorld:
        """Decisions lie in the archive."""
        self.files.held[DECISIONS] = b"decisions"
        return self

    @property
    def champion(self) -> str:
        assert self.routing is not None
        return self.routing.slots[self.routing.champion].model_package

    # --- The use-cases ------------------------------------------------------------------------------------------------

    @property
    def records(self) -> RefreshRecords:
        return RefreshRecords(self._watched("store", self.store), self.clock)

    @property
    def code(self) -> JobCode:
        return JobCode(self.source, self._watched("files", self.files))

    @property
    def refresh(self) -> MonitoringRefresh:
        return MonitoringRefresh(
            records=self.records,
            executions=self._watched("executions", self.executions),
            routing=self._routing(),
            registry=self._watched("registry", self.registry),
            files=self._watched("files", self.files),
            code=self.code,
            bucket=BUCKET,
            job_prefix=PREFIX,
            default_plan=self.plan,
        )

    @property
    def upkeep(self) -> ScheduleUpkeep:
        return ScheduleUpkeep(
            records=self.records,
            routing=self._routing(),
            monitor=self._watched("monitor", self.monitor),
            endpoints=SLOTS,
            plans=_schedule if self.schedules else None,
        )

    @property
    def end(self) -> RefreshEnd:
        return RefreshEnd(
            records=self.records,
            watches=self._watched("watches", self.watches),
            routing=self._routing(),
            bell=self._watched("bell", self.bell),
            looks=self.looks,
            silent_hours=self.silent_hours,
        )

    @property
    def window(self) -> WindowWatch:
        return WindowWatch(
            refreshes=self._watched("refreshes", self.store),
            watches=self._watched("watches", self.watches),
            routing=self._routing(),
            registry=self._watched("registry", self.registry),
            files=self._watched("files", self.files),
            code=self.code,
            metrics=self._watched("metrics", self.metrics),
            clock=self.clock,
            bucket=BUCKET,
            job_prefix=PREFIX,
            default_plan=self.plan,
        )

    @property
    def inspection(self) -> JobInspection:
        return JobInspection(self._watched("jobs", self.jobs))

    def _routing(self) -> Any:
        return self._watched("routing", Routings(lambda: self.routing))

    def _watched(self, name: str, port: Any) -> Any:
        return Watched(name, port, self.faults.around)

    # --- Tasks --------------------------------------------------------------------------------------------------------

    def do(self, name: str, who: str = "first", **fields: Any) -> Answer:
        """A task of the refresh; whoever asks for the lock runs from then on."""
        asked = refreshing(name, who, **fields)
        if name == "lock":
            self.executions.running.add(asked.execution)
        answer: Answer = getattr(self._refresher(name), name)(asked)
        return answer

    def _refresher(self, name: str) -> Any:
        if name == "replace_schedules":
            return self.upkeep
        return self.end if name in ("check_liveness", "release", "fail") else self.refresh

    def look(self, name: str, who: str = "look", **fields: Any) -> Answer:
        """A task of a look."""
        answer: Answer = getattr(self.window, name)(looking(name, who, **fields))
        return answer

    def functions(self, arn: Callable[[str], str]) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        """The machines' functions as their handlers are, without a cloud."""
        names = ("refresh_monitoring", "judge_window", "inspect_job")
        return {arn(name): partial(self._answered, name) for name in names}

    def _answered(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        asked = machine_task.task(event)
        if function == "refresh_monitoring":
            use_case, words = self._refresher(asked.task), {"lock": "refused", "release": "", "fail": ""}
        else:
            use_case = self.window if function == "judge_window" else self.inspection
            words = {"choose_window": "refused"}
        call = partial(getattr(use_case, asked.task), asked)
        return machine_task.answered(call, words.get(asked.task, "failed"))

    # --- What jobs leave ----------------------------------------------------------------------------------------------

    def queried(self, run: Mapping[str, Any]) -> None:
        """The query wrote something."""
        address = str(run["query"]).split(" TO '")[1].split("'")[0]
        self.files.held[f"{address}part-0"] = b"rows"

    def baseline_made(self, run: Mapping[str, Any], rows: int = 90_000, days: int = 28, **fields: Any) -> None:
        """The baseline job left its document."""
        document = {"schema_version": 1, "champion": self.champion, "rows": rows, "days": days, "is_complete": True}
        self.files.held[f"{run['baseline_uri']}baseline.json"] = json.dumps(document | fields).encode()

    def looked(self, run: Mapping[str, Any], *found: Any, **fields: Any) -> None:
        """The job that looks left its document."""
        given = {"since": run["since"], "until": run["until"], "champion": run["champion"]} | fields
        self.files.held[f"{run['findings_uri']}monitoring.json"] = findings_document(*found, **given)

    def refreshed(self, who: str = "first", rows: int = 90_000, is_complete: bool = True, **given: Any) -> Answer:
        """A refresh from its lock to its release; its last answer."""
        answer = self.do("lock", who, **given)
        if answer.next == "assemble":
            if rows:
                self.queried(answer.run)
            answer = self.do("choose_reference", who, run=answer.run)
            self.baseline_made(answer.run, rows, is_complete=is_complete and rows > 0)
            answer = self.do("judge_baseline", who, run=answer.run)
        assert answer.next == "schedules"
        while (answer := self.do("replace_schedules", who, run=answer.run)).next == "wait":
            self.clock.pass_by(answer.wait_seconds)
        self.do("check_liveness", who, run=answer.run)
        answer = self.do("release", who, run=answer.run)
        self.executions.running.clear()
        return answer

    # --- Looking ------------------------------------------------------------------------------------------------------

    @property
    def record(self) -> Refresh:
        found = self.store.read()
        assert found is not None
        return found

    @property
    def last(self) -> Watch:
        found = self.watches.read()
        assert found is not None
        return found

    @property
    def events(self) -> list[str]:
        """The refresh's story."""
        return [each.sentence for each in self.record.events]

    def everything(self) -> Any:
        """All that monitoring may change for others."""
        record = self.store.read()
        return (
            record,
            self.watches.read(),
            dict(self.monitor.standing),
            list(self.metrics.published),
            list(self.bell.rung),
        )


def refreshing(name: str, who: str = "first", **fields: Any) -> Task:
    """A task of a refresh's execution."""
    return Task(task=name, execution=f"{REFRESH.rpartition(':')[0]}:{who}", execution_name=who, **fields)


def looking(name: str, who: str = "look", **fields: Any) -> Task:
    """A task of a look's execution."""
    return Task(task=name, execution=f"{LOOK.rpartition(':')[0]}:{who}", execution_name=who, **fields)


def files(who: str, kind: str) -> Files:
    """Names and places of an execution."""
    asked = refreshing("", who) if kind == "baselines" else looking("", who)
    return Files(BUCKET, PREFIX, asked.execution, who, kind)


def _schedule(endpoint: str, baseline: Baseline) -> SchedulePlan:
    return SchedulePlan(
        endpoint=endpoint,
        image="image",
        role="role",
        statistics_uri=f"{baseline.uri}statistics.json",
        constraints_uri=f"{baseline.uri}constraints.json",
        preprocessor_uri="s3://archive/source/0/capture_preprocessor.py",
        output_uri="s3://archive/monitoring/model-monitor/",
        instance_type="ml.m5.large",
        key="key",
    )
