"""Before anything is learned: whether a run is called for, the lock, and where its rows come from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from fraud import dataset_query, job_source, retraining_plan, retraining_task
from fraud.deployment_ports import Registry, RoutingStore
from fraud.errors import RetrainingRefused, RetrainingSuperseded
from fraud.machine_task import Answer, Task
from fraud.retraining import Files, Kind, Outcome, Retraining, Trigger
from fraud.retraining_plan import Plan
from fraud.retraining_ports import Executions, RetrainingAlarms, RunFiles, SourceCode
from fraud.services.retraining_records import RetrainingRecords
from fraud.services.retraining_run import run


@dataclass(frozen=True)
class RetrainingStart:
    """The use-case behind `prepare_retraining`.

    Args:
        records: the run.
        executions: of the machine; a lock whose execution does not run is nobody's.
        alarms: that ask for a new model.
        routing: says who the champion is.
        registry: says where the champion's artefact lies.
        files: of the run.
        source: what the jobs run.
        bucket: the archive.
        job_prefix: what jobs' names begin with.
        default_plan: of the stack; what a person asks for goes over it.
    """

    records: RetrainingRecords
    executions: Executions
    alarms: RetrainingAlarms
    routing: RoutingStore
    registry: Registry
    files: RunFiles
    source: SourceCode
    bucket: str
    job_prefix: str
    default_plan: Mapping[str, Any]

    # --- Lock ---------------------------------------------------------------------------------------------------------

    def lock(self, task: Task) -> Answer:
        """Begin a run: `assemble`; or `under_way` or `nothing`, and why.

        Raises:
            RetrainingRefused, InvalidPlan: not asked for in a way that can be followed.
            InvalidPackage: the champion is not in the registry, so nothing could be compared with it.
            RetrainingMoved, DeploymentInterrupted, StoreUnavailable: ask again.
        """
        request = retraining_task.request(task.input)
        plan = retraining_plan.parse(retraining_plan.merged(self.default_plan, request.plan))
        self._check_history(plan)
        now = self.records.clock()
        trigger = Trigger(kind=request.trigger, name=request.alarm or request.started_by, at=now)
        last = self.records.store.read()
        if last is not None and last.owner == task.execution:
            return self._resumed(last, task)
        if last is not None and not last.is_over:
            if self.executions.is_running(last.owner):
                return self._coalesced(last, trigger)
            last = self._taken_over(last)
        if idle := self._idle(trigger, last):
            return Answer(next="nothing", sentence=idle)
        record = self._record(task, plan, trigger)
        # Before the lock is taken: a champion that cannot be found must not leave it taken.
        self._champion_uri(record)
        return self._begun(self.records.store.begin(record, last), task)

    def _check_history(self, plan: Plan) -> None:
        if plan.history_uri and not plan.history_uri.startswith(f"s3://{self.bucket}/"):
            raise RetrainingRefused(
                f"plan.history_uri must lie in s3://{self.bucket}/history/, which the jobs may read."
            )

    def _resumed(self, record: Retraining, task: Task) -> Answer:
        if record.is_over:
            raise RetrainingSuperseded(f"This execution's run is over: {record.sentence}")
        return self._begun(record, task)

    def _coalesced(self, record: Retraining, trigger: Trigger) -> Answer:
        """One run answers all who ask while it is under way; each is noted once, however often an alarm goes off."""
        said = f"{trigger} asks as well: this run answers it."
        noted = any(each.sentence == said for each in record.events)
        if trigger.kind is not Kind.REMINDER and not noted:
            self.records.tell(record, said)
        return Answer(next="under_way", sentence=f"{record.run_id} is under way since {_moment(record.started_at)}.")

    def _taken_over(self, record: Retraining) -> Retraining:
        """Close the record of an execution that ended without a word, or was stopped."""
        said = f"{record.run_id} ended without releasing its lock."
        return self.records.store.save(record.ended(self.records.clock(), Outcome.ABANDONED, said))

    def _idle(self, trigger: Trigger, last: Retraining | None) -> str:
        """Why nothing is to be done now; empty if there is."""
        if trigger.kind.is_bidden:
            return ""
        firing = self.alarms.firing()
        if not firing:
            return "No alarm that asks for a new model is on."
        if last is not None and last.rests_until > self.records.clock():
            on, until = ", ".join(firing), _moment(last.rests_until)
            return (
                f"{on} is on, and the last run ended only at {_moment(last.ended_at)}: a reminder asks after {until}."
            )
        return ""

    def _record(self, task: Task, plan: Plan, trigger: Trigger) -> Retraining:
        routing = self.routing.read()
        champion = routing.slots[routing.champion].model_package if routing else ""
        record = Retraining(
            run_id=task.execution_name,
            owner=task.execution,
            trigger=trigger,
            started_at=trigger.at,
            as_of=trigger.at,
            plan=plan,
            champion=champion,
        )
        against = f"It is measured against {champion}." if champion else "No model serves yet."
        return record.told(trigger.at, f"{trigger} asks for a new model. {against}")

    def _begun(self, record: Retraining, task: Task) -> Answer:
        files, archive = self._files(task), self.source.archive()
        digest = hashlib.sha256(archive).hexdigest()[:16]
        source_uri = self.files.write(f"source/{digest}/{job_source.NAME}", archive)
        select = dataset_query.select(self.source.query("training_set"), record.as_of, record.plan.archive_days)
        query = dataset_query.unload(select, files.dataset)
        champion_uri = self._champion_uri(record)
        told = run(record, files, source_uri=source_uri, query=query, champion_uri=champion_uri)
        return Answer(next="assemble", sentence=record.events[-1].sentence, run=told)

    def _champion_uri(self, record: Retraining) -> str:
        return self.registry.describe(record.champion).artefact_uri if record.champion else ""

    # --- Where the rows come from -------------------------------------------------------------------------------------

    def choose_data(self, task: Task) -> Answer:
        """`examine` what the query found or, on an empty archive, what stands in for it; `not_enough` without.

        Raises:
            RetrainingSuperseded: the run is over, or another's.
            RetrainingMoved, StoreUnavailable: ask again.
        """
        record, files = self.records.owned(task.execution), self._files(task)
        source = self._source(record.plan, files)
        if source is None:
            said = "The archive holds no decisions yet, and the plan names neither a history nor the simulator."
            self.records.tell(record, said, outcome=Outcome.NOT_ENOUGH, sentence=said)
            return Answer(next="not_enough", sentence=said, run=task.run)
        record = self.records.tell(record, f"The rows come from the {source}.", source=source)
        given = {name: task.run[name] for name in ("query", "source_uri", "champion_uri")}
        return Answer(next="examine", sentence=record.events[-1].sentence, run=run(record, files, **given))

    def _source(self, plan: Plan, files: Files) -> str | None:
        if not self.files.is_empty(files.dataset):
            return "archive"
        if plan.history_uri and not self.files.is_empty(plan.history_uri):
            return "history"
        return None if plan.cold_start == "none" else plan.cold_start

    def _files(self, task: Task) -> Files:
        return Files(self.bucket, self.job_prefix, task.execution, task.execution_name)


def _moment(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M UTC")
