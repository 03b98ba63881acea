"""The refresh of monitoring up to its baseline: the lock, what the baseline rests on, and what was made of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import msgspec

from fraud import dataset_query, monitoring_plan, monitoring_task
from fraud.deployment_ports import Registry, RoutingStore
from fraud.errors import InvalidEvidence, MonitoringSuperseded
from fraud.machine_task import Answer, Task
from fraud.monitoring import Baseline, Files, Outcome, Refresh
from fraud.monitoring_plan import Plan
from fraud.retraining_plan import DAY
from fraud.retraining_ports import Executions, RunFiles
from fraud.services.job_code import JobCode
from fraud.services.refresh_records import RefreshRecords
from fraud.transaction import rfc3339

DOCUMENT = "baseline.json"
LARGEST_DOCUMENT = 4 * 1024 * 1024
FEATURES_OF = DAY
"""Seconds of arrival of which the baseline's job is given features: they are most of the bytes, and a day of them says
how values are spread."""


class Made(msgspec.Struct, frozen=True):
    """What is read of `baseline.json`, which `model/baseline.py` writes for the jobs."""

    schema_version: Literal[1]
    champion: str
    rows: int
    days: int
    is_complete: bool = False


@dataclass(frozen=True)
class MonitoringRefresh:
    """The use-case behind `refresh_monitoring`, up to the baseline.

    Args:
        records: the refresh.
        executions: of the machine; a lock whose execution does not run is nobody's.
        routing: says who the champion is.
        registry: says where its artefact lies.
        files: of the execution, in the archive bucket.
        code: of the jobs.
        bucket: the archive.
        job_prefix: what jobs' names begin with.
        default_plan: of the stack; what a person asks for goes over it.
    """

    records: RefreshRecords
    executions: Executions
    routing: RoutingStore
    registry: Registry
    files: RunFiles
    code: JobCode
    bucket: str
    job_prefix: str
    default_plan: Mapping[str, Any]

    # --- Lock ---------------------------------------------------------------------------------------------------------

    def lock(self, task: Task) -> Answer:
        """Begin a refresh: `assemble`, or `schedules` where the baseline stands; or `under_way` or `no_model`.

        Raises:
            MonitoringRefused, InvalidPlan: not asked for in a way that can be followed.
            InvalidPackage: the champion is not in the registry.
            MonitoringMoved, DeploymentInterrupted, StoreUnavailable: ask again.
        """
        request = monitoring_task.request(task.input)
        plan = monitoring_plan.parse({**self.default_plan, **request.plan})
        last = self.records.store.read()
        if last is not None and last.owner == task.execution:
            return self._resumed(last, task)
        routing = self.routing.read()
        if routing is None:
            return Answer(next="no_model", sentence="No model serves yet: there is nothing to watch.")
        if last is not None and not last.is_over:
            if self.executions.is_running(last.owner):
                return Answer(next="under_way", sentence=f"{last.run_id} is under way.")
            said = f"{last.run_id} ended without releasing its lock."
            last = self.records.store.save(last.ended(self.records.clock(), Outcome.ABANDONED, said))
        champion = routing.slots[routing.champion].model_package
        # Before the lock is taken: a champion that cannot be found must not leave it taken.
        self.registry.describe(champion)
        trigger = f"{request.trigger} {request.started_by}".strip()
        record = self.records.store.begin(self._record(task, plan, champion, trigger, last), last)
        return self._begun(record, task)

    def _record(self, task: Task, plan: Plan, champion: str, trigger: str, last: Refresh | None) -> Refresh:
        """A new record, which takes over what stands already."""
        now = self.records.clock()
        record = Refresh(
            run_id=task.execution_name,
            owner=task.execution,
            trigger=trigger,
            started_at=now,
            plan=plan,
            champion=champion,
            baseline=last.baseline if last and last.baseline and last.baseline.champion == champion else None,
            schedules=last.schedules if last else (),
        )
        return record.told(now, f"Asked for by {trigger}: {champion} serves.")

    def _resumed(self, record: Refresh, task: Task) -> Answer:
        if record.is_over:
            raise MonitoringSuperseded(f"This execution's refresh is over: {record.sentence}")
        return self._begun(record, task)

    def _begun(self, record: Refresh, task: Task) -> Answer:
        if record.baseline is not None and not self._is_due(record, record.baseline):
            baseline = record.baseline
            said = f"The baseline of {rfc3339(baseline.made_at)} stands: {_told(baseline)}."
            return Answer(next="schedules", sentence=said, run=self._run(record, task, self._files(task).dataset))
        said = record.events[-1].sentence
        return Answer(next="assemble", sentence=said, run=self._run(record, task, self._files(task).dataset))

    def _is_due(self, record: Refresh, baseline: Baseline) -> bool:
        """Whether the baseline is to be made anew: on request, or because it rests on less than there is by now."""
        if record.made_baseline:
            return False
        if record.plan.rebaseline:
            return True
        if baseline.rows == 0:
            return not self.files.is_empty(f"s3://{self.bucket}/decisions/")
        return not baseline.is_complete and record.started_at - baseline.made_at > DAY

    # --- The baseline -------------------------------------------------------------------------------------------------

    def choose_reference(self, task: Task) -> Answer:
        """`baseline`: from the archive where it holds anything, and from the package alone where not.

        Raises:
            MonitoringSuperseded: the refresh is over, or another's.
            MonitoringMoved, DeploymentInterrupted, StoreUnavailable: ask again.
        """
        record, files = self.records.owned(task.execution), self._files(task)
        if self.files.is_empty(files.dataset):
            said = "The archive holds no decisions yet: the baseline rests on the package alone."
            run = self._run(record, task, "")
        else:
            said = f"The baseline rests on the package and on {record.plan.reference_days} days of the archive."
            run = self._run(record, task, files.dataset)
        record = self.records.tell(record, said)
        return Answer(next="baseline", sentence=said, run=run)

    def judge_baseline(self, task: Task) -> Answer:
        """`schedules`: the baseline is read, and noted.

        Raises:
            InvalidEvidence: what the job left is no baseline of this champion.
            MonitoringSuperseded: the refresh is over, or another's.
            MonitoringMoved, StoreUnavailable: ask again.
        """
        record, files = self.records.owned(task.execution), self._files(task)
        made = _made(self.files.read(f"{files.found}{DOCUMENT}", LARGEST_DOCUMENT))
        if made.champion != record.champion:
            raise InvalidEvidence(f"the baseline is of {made.champion}, and was to be of {record.champion}")
        baseline = Baseline(
            champion=made.champion,
            uri=files.found,
            made_at=self.records.clock(),
            rows=made.rows,
            days=made.days,
            is_complete=made.is_complete,
        )
        said = f"The baseline is made: {_told(baseline)}."
        self.records.tell(record, said, baseline=baseline, made_baseline=True)
        return Answer(next="schedules", sentence=said, run=task.run)

    # --- What the states read -----------------------------------------------------------------------------------------

    def _run(self, record: Refresh, task: Task, dataset: str) -> dict[str, Any]:
        """Every name, address and argument.

        Args:
            record: of the refresh.
            task: that asks.
            dataset: what the query wrote; empty where that is nothing.
        """
        files, source_uri, as_of = self._files(task), self.code.archive(), record.started_at
        since = as_of - record.plan.reference_days * DAY
        # For Model Monitor, whose statistics are not in the package.
        features_since = as_of - FEATURES_OF
        select = dataset_query.window(self.code.source.query("monitored_window"), since, features_since, as_of)
        reference = "archive" if dataset else "none"
        return {
            "query": dataset_query.unload(select, files.dataset),
            "source_uri": source_uri,
            # A job's input must hold something; without a reference it is not read.
            "reference_uri": dataset or source_uri,
            "champion_uri": self.registry.describe(record.champion).artefact_uri,
            "baseline_uri": files.found,
            "baseline_name": files.job("baseline"),
            "baseline_arguments": [
                "--champion", record.champion, "--reference", reference, "--as-of", rfc3339(as_of),
            ],
            "instance_type": record.plan.instance_type,
            "run_seconds": record.plan.run_seconds,
        }  # fmt: skip

    def _files(self, task: Task) -> Files:
        return Files(self.bucket, self.job_prefix, task.execution, task.execution_name, "baselines")


def _made(text: bytes) -> Made:
    try:
        return msgspec.json.decode(text, type=Made)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvidence(f"{DOCUMENT} is not what a baseline job leaves: {error}") from error


def _told(baseline: Baseline) -> str:
    if not baseline.rows:
        return "the package alone, because the archive was empty"
    said = f"the package, and {baseline.rows:,} decisions of {baseline.days} days"
    return said if baseline.is_complete else f"{said}, not yet of a whole week of the champion's"
