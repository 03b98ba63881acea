"""The end of a refresh: whether monitoring is alive, its record closed, people called where nobody looks any more."""

from __future__ import annotations

from dataclasses import dataclass

from fraud import machine_task
from fraud.deployment_ports import RoutingStore
from fraud.errors import MonitoringSuperseded
from fraud.machine_task import Answer, Task
from fraud.monitoring import Outcome, Refresh, ScheduleStatus, Watch
from fraud.monitoring_ports import WatchStore
from fraud.retraining_plan import HOUR
from fraud.rollout_ports import Bell
from fraud.services.refresh_records import RefreshRecords


@dataclass(frozen=True)
class RefreshEnd:
    """The use-case behind `refresh_monitoring`, for its end.

    Args:
        records: the refresh.
        watches: what the last look came to.
        routing: says what serves by now.
        bell: calls people.
        looks: whether the schedule of looks is on.
        silent_hours: without a look, after which nobody looks any more: as far apart as looks are, and more.
    """

    records: RefreshRecords
    watches: WatchStore
    routing: RoutingStore
    bell: Bell
    looks: bool
    silent_hours: float

    def check_liveness(self, task: Task) -> Answer:
        """`checked`: whether anybody looks, and whether what Model Monitor was told to do is done.

        Raises:
            MonitoringSuperseded: the refresh is over, or another's.
            MonitoringMoved, StoreUnavailable: ask again.
        """
        record = self.records.owned(task.execution)
        is_alive, said = self._alive(record, self.watches.read())
        self.records.tell(record, said, liveness=said, is_alive=is_alive)
        return Answer(next="checked", sentence=said, run=task.run)

    def _alive(self, record: Refresh, last: Watch | None) -> tuple[bool, str]:
        now = self.records.clock()
        if not self.looks:
            return True, "The schedule of looks is switched off."
        if last is not None:
            hours = (now - last.ended_at) / HOUR
            is_alive = hours <= self.silent_hours
            return is_alive, f"The last look was {hours:,.1f} hours ago.{'' if is_alive else ' Nobody looks any more.'}"
        made_at = record.baseline.made_at if record.baseline else now
        hours = (now - made_at) / HOUR
        if hours <= self.silent_hours:
            return True, "Nobody has looked yet: the first look comes by itself."
        return False, f"Nobody ever looked, {hours:,.1f} hours after the baseline was made."

    def release(self, task: Task) -> Answer:
        """Close the record: `refreshed` or `unchanged`, or `silent` where nobody looks any more.

        Raises:
            MonitoringSuperseded: the record is another's by now.
            MonitoringMoved, StoreUnavailable: ask again.
        """
        record = self.records.mine(task.execution)
        changed = record.made_baseline or record.changed_schedules
        if not record.is_over:
            said = f"{_told(record)} {self._replaced(record)}".strip()
            # Before the record is closed, so that a bell that fails is rung again.
            if not record.is_alive:
                self.bell.ring("Monitoring is silent", f"{record.run_id}: {record.liveness}")
            outcome = Outcome.REFRESHED if changed else Outcome.UNCHANGED
            record = self.records.store.save(record.ended(self.records.clock(), outcome, said))
        if not record.is_alive:
            return Answer(next="silent", sentence=record.liveness)
        return Answer(next="refreshed" if changed else "unchanged", sentence=record.sentence)

    def _replaced(self, record: Refresh) -> str:
        """That another model serves by now, if one does: its promotion found this refresh under way."""
        routing = self.routing.read()
        champion = routing.slots[routing.champion].model_package if routing else record.champion
        if champion == record.champion:
            return ""
        return f"{champion} serves by now, not {record.champion}: the next look asks for its baseline."

    def fail(self, task: Task) -> Answer:
        """Close the record of a refresh that failed: `failed`, and why.

        One that never had the lock, or lost it, leaves nothing behind.

        Raises:
            MonitoringMoved, StoreUnavailable: ask again.
        """
        said = machine_task.explained(task.error)
        try:
            record = self.records.mine(task.execution)
        except MonitoringSuperseded:
            return Answer(next="failed", sentence=said)
        if not record.is_over:
            self.records.store.save(record.ended(self.records.clock(), Outcome.FAILED, said))
        return Answer(next="failed", sentence=said)


def _told(record: Refresh) -> str:
    baseline = "The baseline is new" if record.made_baseline else "The baseline stands"
    standing = [each for each in record.schedules if each.status is not ScheduleStatus.OFF]
    schedules = ", ".join(f"{each.name} is {each.status}" for each in standing) or "no schedule of Model Monitor"
    return f"{baseline}; {schedules}. {record.liveness}"
