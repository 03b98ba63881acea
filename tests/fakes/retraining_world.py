"""A stack in which models are learned anew: every use-case of a retraining over one set of fakes, faults on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import count
from typing import Any

from fraud import machine_task, model_package, routing
from fraud.machine_task import Answer, Task
from fraud.retraining import Files, Retraining
from fraud.routing import Routing
from fraud.services.job_inspection import JobInspection
from fraud.services.packages import Packages
from fraud.services.retraining_end import RetrainingEnd
from fraud.services.retraining_judgement import RetrainingJudgement
from fraud.services.retraining_records import RetrainingRecords
from fraud.services.retraining_start import RetrainingStart
from tests.deployment import packages
from tests.fakes.faults import Clock, Faults, Watched
from tests.fakes.retraining import (
    BUCKET,
    EXECUTION,
    FakeExecutions,
    FakeJobs,
    FakeRetrainingAlarms,
    FakeSource,
    MemoryRetrainingStore,
    MemoryRunFiles,
    retraining_store,
)
from tests.fakes.rollout_world import Objects
from tests.fakes.rollouts import MemoryRegistry, RecordingBell
from tests.fakes.samples import NOW
from tests.fakes.world import MemoryStores, Stores

PREFIX, COMMIT = "fraud", "c" * 40
PACKAGE = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/"
DRIFT, QUALITY = "fraud-retrain-drift", "fraud-retrain-model-quality"
PERMANENT = {
    "prepare_retraining": "refused",
    "inspect_job": "failed",
    "judge_retraining": "failed",
    "finish_retraining": "failed",
}
"""Functions, and the word each has for what can never succeed."""


@dataclass(frozen=True)
class Routings:
    """The routing item, as it is when it is asked for."""

    read: Callable[[], Routing | None]


@dataclass
class RetrainingWorld:
    """A stack.

    Args:
        stores: where the record lies: in memory or on moto.
        faults: what goes wrong at which call; names are `port.method`.
        routing: says who the champion is; None while no model serves.
        plan: of the stack.
        executions: that run; whoever asks for the lock is added.
    """

    stores: Stores = field(default_factory=lambda: MemoryStores(Clock(NOW)))
    faults: Faults = field(default_factory=Faults)
    routing: Routing | None = None
    plan: Mapping[str, Any] = field(default_factory=dict)
    executions: FakeExecutions = field(default_factory=FakeExecutions)
    alarms: FakeRetrainingAlarms = field(default_factory=FakeRetrainingAlarms)
    files: MemoryRunFiles = field(default_factory=MemoryRunFiles)
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    jobs: FakeJobs = field(default_factory=FakeJobs)
    source: FakeSource = field(default_factory=FakeSource)
    bell: RecordingBell = field(default_factory=RecordingBell)

    def __post_init__(self) -> None:
        # Stores keep the record themselves: every use-case must see the same.
        self.store = retraining_store(self.stores)
        self.objects = Objects(self.files.held)
        self._served = count(1)

    @property
    def clock(self) -> Clock:
        return self.stores.clock

    # --- What there is before a run -----------------------------------------------------------------------------------

    def with_champion(self) -> RetrainingWorld:
        """A new version serves in slot a."""
        artefact = packages.archive(training={"champion": next(self._served)})
        arn = Packages(self.registry, self.objects).register(artefact, approved=True)
        document = model_package.parse(model_package.document_in(artefact))
        self.routing = routing.first("a", document.served_at("fraud-a", arn), "salt-0")
        return self

    # --- The use-cases ------------------------------------------------------------------------------------------------

    @property
    def records(self) -> RetrainingRecords:
        return RetrainingRecords(self._watched("store", self.store), self.clock)

    @property
    def start(self) -> RetrainingStart:
        return RetrainingStart(
            records=self.records,
            executions=self._watched("executions", self.executions),
            alarms=self._watched("alarms", self.alarms),
            routing=self._routing(),
            registry=self._watched("registry", self.registry),
            files=self._watched("files", self.files),
            source=self.source,
            bucket=BUCKET,
            job_prefix=PREFIX,
            default_plan=self.plan,
        )

    @property
    def judgement(self) -> RetrainingJudgement:
        artefacts = self._watched("artefacts", self.objects)
        return RetrainingJudgement(
            records=self.records,
            files=self._watched("files", self.files),
            artefacts=artefacts,
            packages=Packages(self._watched("registry", self.registry), artefacts),
            routing=self._routing(),
            bucket=BUCKET,
            job_prefix=PREFIX,
            commit=COMMIT,
        )

    @property
    def end(self) -> RetrainingEnd:
        return RetrainingEnd(self.records, self._watched("alarms", self.alarms), self._watched("bell", self.bell))

    @property
    def inspection(self) -> JobInspection:
        return JobInspection(self._watched("jobs", self.jobs))

    def _routing(self) -> Any:
        return self._watched("routing", Routings(lambda: self.routing))

    def _watched(self, name: str, port: Any) -> Any:
        return Watched(name, port, self.faults.around)

    # --- The machine's tasks ------------------------------------------------------------------------------------------

    def lock(self, name: str = "first", given: Any = None) -> Answer:
        """The first task of an execution, which runs from now on."""
        self.executions.running.add(execution(name))
        return self.start.lock(task("lock", name, input=given))

    def functions(self, arn: Callable[[str], str]) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        """The state machine's functions as their handlers are, without a cloud."""
        return {arn(name): partial(self._answered, name) for name in PERMANENT}

    def _answered(self, function: str, event: dict[str, Any]) -> dict[str, Any]:
        use_case = {
            "prepare_retraining": self.start,
            "inspect_job": self.inspection,
            "judge_retraining": self.judgement,
            "finish_retraining": self.end,
        }[function]
        asked = machine_task.task(event)
        return machine_task.answered(lambda: getattr(use_case, asked.task)(asked), PERMANENT[function])

    # --- Looking ------------------------------------------------------------------------------------------------------

    @property
    def record(self) -> Retraining:
        found = self.store.read()
        assert found is not None
        return found

    @property
    def past(self) -> list[Retraining]:
        """The history, oldest first; in memory only."""
        assert isinstance(self.store, MemoryRetrainingStore)
        return [each for _, each in sorted(self.store.past.items())]

    @property
    def events(self) -> list[str]:
        """The run's story."""
        return [each.sentence for each in self.record.events]

    def everything(self) -> Any:
        """All that a retraining may change for others: the record, its history, versions and their files, the bell."""
        kept = {uri: content for uri, content in self.files.held.items() if "/models/" in uri}
        versions, evidence = list(self.registry.versions), dict(self.registry.evidence)
        return self.store.read(), self.past, versions, evidence, kept, list(self.bell.rung)


# --- Executions -------------------------------------------------------------------------------------------------------


def execution(name: str) -> str:
    """ARN of an execution."""
    return EXECUTION.rpartition(":")[0] + f":{name}"


def task(name: str, who: str = "first", **fields: Any) -> Task:
    """A task of an execution."""
    return Task(task=name, execution=execution(who), execution_name=who, **fields)


def files(who: str = "first") -> Files:
    """Names and places of an execution's run."""
    return Files(BUCKET, PREFIX, execution(who), who)
