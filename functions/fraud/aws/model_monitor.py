"""Data-quality schedules of SageMaker Model Monitor, led to what they should run: one change a call.

Why the service refuses something is told by the code of its error and by what stands then; its text is only passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any

from botocore.exceptions import ClientError

from fraud.aws import schedule_items
from fraud.aws.control_plane import ABSENT, code, deploying, found
from fraud.aws.schedule_items import PENDING, Described, status_of
from fraud.errors import DeploymentFailed, ModelMonitorRefused
from fraud.monitoring_ports import (
    DIGEST,
    SchedulePhase,
    SchedulePlan,
    ScheduleState,
    definition_prefix,
    schedule_name,
)

REFUSALS = ABSENT | {"ResourceInUse"}
"""Codes that also mean: not now. What stands, or is on its way, tells whether it is one of these cases."""
LONGEST_REFUSAL = 300


@dataclass(frozen=True)
class SageMakerModelMonitor:
    """SageMaker Model Monitor, which not every account has.

    Args:
        client: SageMaker.
    """

    client: Any

    def ensure(self, plan: SchedulePlan) -> ScheduleState:
        """One step towards a schedule that runs the plan, and how it is afterwards.

        A schedule that failed is removed, so that the next call after it was told of begins anew.

        Raises:
            ModelMonitorRefused: this account, or this region, does not have it, or the endpoint captures nothing.
            DeploymentInterrupted: throttled or no answer; the same call goes on from there.
        """
        with _asking(f"scheduling {plan.schedule}"):
            standing = self._schedule(plan.schedule)
            if standing is not None and status_of(standing) == PENDING:
                return ScheduleState(SchedulePhase.CHANGING, PENDING)
            is_new = self._define(plan)
            change = self._change(plan, standing)
            if change is not None:
                return self._changed(plan, standing, change, is_new)
            assert standing is not None
            return self._settled(plan, standing)

    def clear(self, endpoint: str) -> bool:
        """One attempt at removing the schedule of an endpoint, then its definitions; True once nothing is there.

        Where Model Monitor is refused there is nothing, and nothing to do.

        Raises:
            DeploymentInterrupted: throttled or no answer; the same call goes on from there.
        """
        try:
            with _asking(f"removing the schedule of {endpoint}"):
                return self._is_unscheduled(schedule_name(endpoint)) and self._is_undefined(endpoint)
        except ModelMonitorRefused:
            return True

    def is_clear(self, endpoint: str) -> bool:
        """Whether an endpoint has neither a schedule nor definitions; nothing is changed.

        Raises:
            DeploymentInterrupted: throttled or no answer.
        """
        try:
            with _asking(f"looking for the schedule of {endpoint}"):
                return self._schedule(schedule_name(endpoint)) is None and not self._definitions(endpoint)
        except ModelMonitorRefused:
            return True

    def last_run(self, endpoint: str) -> str:
        """What became of the newest run of an endpoint's schedule, in words; empty before the first.

        Raises:
            DeploymentInterrupted: no answer.
        """
        try:
            with _asking(f"looking at the runs of {schedule_name(endpoint)}"):
                run = self._newest_run(schedule_name(endpoint))
        except ModelMonitorRefused as refused:
            return f"its runs cannot be told: {refused}"
        return schedule_items.told(run) if run else ""

    # --- Definitions --------------------------------------------------------------------------------------------------

    def _define(self, plan: SchedulePlan) -> bool:
        """Make the plan's definition, or adopt the one that has its name and so its content; whether it is new."""
        if self._definition(plan.definition) is not None:
            return False
        try:
            self.client.create_data_quality_job_definition(
                JobDefinitionName=plan.definition, **schedule_items.definition(plan)
            )
        except ClientError as refused:
            if code(refused) not in REFUSALS or self._definition(plan.definition) is None:
                raise
        return True

    def _definition(self, name: str) -> Described | None:
        return found(self.client.describe_data_quality_job_definition, JobDefinitionName=name)

    def _definitions(self, endpoint: str) -> list[str]:
        """Names of an endpoint's definitions; those that others made have other names."""
        prefix = definition_prefix(endpoint)
        pages = self.client.get_paginator("list_data_quality_job_definitions").paginate(
            EndpointName=endpoint, NameContains=prefix, PaginationConfig={"PageSize": 100}
        )
        all_of_them = (each for page in pages for each in page["JobDefinitionSummaries"])
        names = (each["MonitoringJobDefinitionName"] for each in all_of_them if each["EndpointName"] == endpoint)
        return [name for name in names if name.startswith(prefix) and len(name) == len(prefix) + DIGEST]

    def _undefine(self, name: str) -> None:
        # `found`, because somebody else may remove it at the same time, or the schedule may still hold it a moment.
        found(self.client.delete_data_quality_job_definition, JobDefinitionName=name)

    def _is_undefined(self, endpoint: str) -> bool:
        names = self._definitions(endpoint)
        for name in names:
            self._undefine(name)
        return not names or not self._definitions(endpoint)

    # --- Schedules ----------------------------------------------------------------------------------------------------

    def _schedule(self, name: str) -> Described | None:
        return found(self.client.describe_monitoring_schedule, MonitoringScheduleName=name)

    def _change(self, plan: SchedulePlan, standing: Described | None) -> Callable[[], Any] | None:
        """What leads the schedule to the plan; None where it runs it, or failed to."""
        name = {"MonitoringScheduleName": plan.schedule}
        if standing is None:
            return partial(
                self.client.create_monitoring_schedule, **name, MonitoringScheduleConfig=schedule_items.schedule(plan)
            )
        if not schedule_items.is_of(standing, plan):
            return partial(
                self.client.update_monitoring_schedule, **name, MonitoringScheduleConfig=schedule_items.schedule(plan)
            )
        if status_of(standing) == "Stopped":
            return partial(self.client.start_monitoring_schedule, **name)
        return None

    def _changed(
        self, plan: SchedulePlan, standing: Described | None, change: Callable[[], Any], is_new: bool
    ) -> ScheduleState:
        """Change it; what is refused only for now is asked for again by the next call."""
        try:
            change()
        except ClientError as refused:
            # What was just defined may not be found yet.
            if code(refused) not in REFUSALS or not (is_new or self._is_busy(plan.schedule, standing)):
                raise
            return ScheduleState(SchedulePhase.CHANGING, str(refused.response["Error"].get("Message", "")))
        return ScheduleState(SchedulePhase.CHANGING, PENDING)

    def _is_busy(self, name: str, before: Described | None) -> bool:
        """Whether it came or went since it was looked at, is on its way, or has a run that is not over."""
        now = self._schedule(name)
        if now is None or before is None:
            return (now is None) != (before is None)
        return status_of(now) == PENDING or self._is_running(name)

    def _settled(self, plan: SchedulePlan, standing: Described) -> ScheduleState:
        """How a schedule is that is led nowhere any more; what nothing uses any more goes."""
        if status_of(standing) == "Failed":
            found(self.client.delete_monitoring_schedule, MonitoringScheduleName=plan.schedule)
            return ScheduleState(SchedulePhase.FAILED, standing.get("FailureReason", "Failed"))
        for name in self._definitions(plan.endpoint):
            if name != plan.definition:
                self._undefine(name)
        return ScheduleState(SchedulePhase.SCHEDULED, status_of(standing))

    def _is_unscheduled(self, name: str) -> bool:
        if self._schedule(name) is None:
            return True
        # `found`, because it is refused while a run is not over, or somebody else removes it.
        found(self.client.delete_monitoring_schedule, MonitoringScheduleName=name)
        return self._schedule(name) is None

    # --- Runs ---------------------------------------------------------------------------------------------------------

    def _is_running(self, name: str) -> bool:
        run = self._newest_run(name)
        return run is not None and schedule_items.is_under_way(run)

    def _newest_run(self, name: str) -> Described | None:
        runs = found(
            partial(
                self.client.list_monitoring_executions, SortBy="ScheduledTime", SortOrder="Descending", MaxResults=1
            ),
            MonitoringScheduleName=name,
        )
        return next(iter(runs["MonitoringExecutionSummaries"]), None) if runs else None


@contextmanager
def _asking(doing: str) -> Iterator[None]:
    try:
        with deploying(doing):
            yield
    except DeploymentFailed as error:
        raise ModelMonitorRefused(str(error)[:LONGEST_REFUSAL]) from error
