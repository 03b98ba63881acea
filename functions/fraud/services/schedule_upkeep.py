"""Model Monitor's schedules, kept as the baseline says; where Model Monitor is refused, everything else goes on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from fraud.deployment_ports import RoutingStore
from fraud.errors import ModelMonitorRefused
from fraud.machine_task import Answer, Task
from fraud.monitoring import Baseline, Refresh, Schedule, ScheduleStatus
from fraud.monitoring_ports import ModelMonitor, SchedulePhase, SchedulePlan, schedule_name
from fraud.rollout_plan import serverless_memory
from fraud.services.refresh_records import RefreshRecords

QUICK_LOOK_SECONDS, LOOK_SECONDS = 5, 30
QUICK_LOOKS_UNTIL = 60
"""Seconds after which looks become rarer: most schedules come to rest within a minute."""
PATIENCE = 30 * 60
"""Seconds after which a schedule that does not come to rest is left as it is, and said to have failed."""
STATUS = {
    SchedulePhase.CHANGING: ScheduleStatus.PENDING,
    SchedulePhase.ABSENT: ScheduleStatus.PENDING,
    SchedulePhase.SCHEDULED: ScheduleStatus.SCHEDULED,
    SchedulePhase.FAILED: ScheduleStatus.FAILED,
}

Plans = Callable[[str, Baseline], SchedulePlan]
"""The schedule of an endpoint, for a baseline."""


@dataclass(frozen=True)
class ScheduleUpkeep:
    """The use-case behind `refresh_monitoring`, for schedules.

    The champion's slot gets one, because the baseline is the champion's; the other slot loses its own. A champion that
    was replaced while the refresh ran leaves its successor without one: the baseline is not the successor's.

    Args:
        records: the refresh.
        routing: says what serves.
        monitor: Model Monitor.
        endpoints: names of the slots' endpoints.
        plans: schedules to be; None where the stack wants none.
    """

    records: RefreshRecords
    routing: RoutingStore
    monitor: ModelMonitor
    endpoints: tuple[str, ...]
    plans: Plans | None

    def replace_schedules(self, task: Task) -> Answer:
        """One look at every schedule, and the next thing to do for it: `settled`, or `wait`.

        Raises:
            MonitoringSuperseded: the refresh is over, or another's.
            MonitoringMoved, DeploymentInterrupted, StoreUnavailable: ask again.
        """
        record = self._begun(self.records.owned(task.execution))
        found = tuple(self._schedules(record))
        if self._is_late(record):
            found = tuple(map(_given_up, found))
        said = _told(found)
        changed = record.changed_schedules or _standing(found) != _standing(record.schedules)
        if found != record.schedules or changed != record.changed_schedules:
            self.records.tell(record, said, schedules=found, changed_schedules=changed)
        if any(each.status is ScheduleStatus.PENDING for each in found):
            return Answer(next="wait", sentence=said, wait_seconds=self._pause(record), run=task.run)
        return Answer(next="settled", sentence=said, run=task.run)

    def _begun(self, record: Refresh) -> Refresh:
        if record.schedules_since:
            return record
        return self.records.tell(record, "Schedules are looked at.", schedules_since=self.records.clock())

    def _is_late(self, record: Refresh) -> bool:
        return self.records.clock() - record.schedules_since > PATIENCE

    def _pause(self, record: Refresh) -> int:
        waited = self.records.clock() - record.schedules_since
        return QUICK_LOOK_SECONDS if waited < QUICK_LOOKS_UNTIL else LOOK_SECONDS

    def _schedules(self, record: Refresh) -> Iterator[Schedule]:
        routing = self.routing.read()
        served = routing.slots[routing.champion] if routing else None
        # A serverless endpoint captures nothing that could be watched.
        captures = served is not None and serverless_memory(served.instance_type) is None
        mine = served.endpoint if served and captures and served.model_package == record.champion else ""
        for endpoint in self.endpoints:
            watched = endpoint == mine and self.plans is not None and record.baseline is not None
            yield self._ensured(endpoint, record) if watched else self._cleared(endpoint)

    def _ensured(self, endpoint: str, record: Refresh) -> Schedule:
        assert self.plans is not None
        assert record.baseline is not None
        plan = self.plans(endpoint, record.baseline)
        try:
            state = self.monitor.ensure(plan)
            detail = self.monitor.last_run(endpoint) if state.phase is SchedulePhase.SCHEDULED else state.detail
        except ModelMonitorRefused as error:
            return Schedule(endpoint=endpoint, name=plan.schedule, status=ScheduleStatus.REFUSED, detail=str(error))
        return Schedule(endpoint=endpoint, name=plan.schedule, status=STATUS[state.phase], detail=detail)

    def _cleared(self, endpoint: str) -> Schedule:
        gone = self.monitor.clear(endpoint)
        status = ScheduleStatus.OFF if gone else ScheduleStatus.PENDING
        return Schedule(endpoint=endpoint, name=schedule_name(endpoint), status=status)


def _given_up(schedule: Schedule) -> Schedule:
    if schedule.status is not ScheduleStatus.PENDING:
        return schedule
    detail = f"it did not come to rest within {PATIENCE // 60} minutes. {schedule.detail}".strip()
    return Schedule(endpoint=schedule.endpoint, name=schedule.name, status=ScheduleStatus.FAILED, detail=detail)


def _standing(schedules: tuple[Schedule, ...]) -> set[tuple[str, ScheduleStatus]]:
    """What of schedules is worth calling a change: their last runs are not."""
    off = (ScheduleStatus.OFF, ScheduleStatus.PENDING)
    return {(each.name, each.status) for each in schedules if each.status not in off}


def _told(schedules: tuple[Schedule, ...]) -> str:
    said = [f"{each.name} is {each.status}{f': {each.detail}' if each.detail else ''}" for each in schedules]
    return f"Model Monitor: {'; '.join(said)}." if said else "Model Monitor: no slot."
