"""The end of a refresh: whether monitoring is alive, its record closed, people called where nobody looks any more."""

from __future__ import annotations

from dataclasses import dataclass

from fraud import machine_task
from fraud.errors import MonitoringSuperseded
from fraud.machine_task import Answer, Task
from fraud.monitoring import Outcome, Refresh, ScheduleStatus, Watch
from fraud.monitoring_ports import WatchStore
from fraud.retraining_plan import HOUR
from fraud.rollout_ports import Bell
from fraud.services.refresh_records import RefreshRecords

SILENT_AFTER = 26 * HOUR
"""Seconds without a look after which monitoring is silent: a day, and time for the last one to be over."""


@dataclass(frozen=True)
class RefreshEnd:
    """The use-case behind `refresh_monitoring`, for its end.

    Args:
        records: the refresh.
        watches: what the last look came to.
        bell: calls people.
        looks: whether the schedule of looks is on.
    """

    records: RefreshRecords
    watches: WatchStore
    bell: Bell
    looks: bool

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
            is_alive = now - last.ended_at <= SILENT_AFTER
            return is_alive, f"The last look was {hours:,.1f} hours ago.{'' if is_alive else ' Nobody looks any more.'}"
        made_at = record.baseline.made_at if record.baseline else now
        if now - made_at <= SILENT_AFTER:
            return True, "Nobody has looked yet: the first look comes by itself."
        return False, f"Nobody ever looked, {(now - made_at) / HOUR:,.1f} hours after the baseline was made."

    def release(self, task: Task) -> Answer:
        """Close the record: `refreshed` or `unchanged`, or `silent` where nobody looks any more.

        Raises:
            MonitoringSuperseded: the record is another's by now.
            MonitoringMoved, StoreUnavailable: ask again.
        """
        record = self.records.mine(task.execution)
        changed = record.made_baseline or record.changed_schedules
        if not record.is_over:
            # First, so that a bell that fails is rung again.
            if not record.is_alive:
                self.bell.ring("Monitoring is silent", f"{record.run_id}: {record.liveness}")
            outcome = Outcome.REFRESHED if changed else Outcome.UNCHANGED
            record = self.records.store.save(record.ended(self.records.clock(), outcome, _told(record)))
        if not record.is_alive:
            return Answer(next="silent", sentence=record.liveness)
        return Answer(next="refreshed" if changed else "unchanged", sentence=record.sentence)

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
