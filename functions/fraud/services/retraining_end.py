"""The end of a run: its record closed, the lock free, people called where one of them has to look."""

from __future__ import annotations

from dataclasses import dataclass

from fraud import machine_task
from fraud.errors import RetrainingSuperseded, StoreUnavailable
from fraud.machine_task import Answer, Task
from fraud.retraining import Outcome, Retraining
from fraud.retraining_ports import RetrainingAlarms
from fraud.rollout_ports import Bell
from fraud.services.retraining_records import RetrainingRecords

CALLED_FOR = (Outcome.UNFIT, Outcome.FAILED)
"""Outcomes that somebody has to look at."""
WORDS = {Outcome.SHADOW_ONLY: "pending", Outcome.REJECT: "rejected", Outcome.ABANDONED: "superseded"}
"""What the machine calls an outcome, where it does not do so by its name: whose lock was taken ends without a word."""


@dataclass(frozen=True)
class RetrainingEnd:
    """The use-case behind `finish_retraining`.

    Args:
        records: the run.
        alarms: that ask for a new model.
        bell: calls people.
    """

    records: RetrainingRecords
    alarms: RetrainingAlarms
    bell: Bell

    def release(self, task: Task) -> Answer:
        """Close the record of a run that came to its end; answers how it ended.

        Raises:
            RetrainingSuperseded: the record is another's by now.
            RetrainingMoved, StoreUnavailable: ask again.
        """
        record = self.records.mine(task.execution)
        return self._ended(record, record.outcome or Outcome.FAILED, record.sentence or "It ended without an outcome.")

    def fail(self, task: Task) -> Answer:
        """Close the record of a run that failed: `failed`, and why. What was judged before stands.

        A run that never had the lock, or lost it, leaves nothing behind.

        Raises:
            RetrainingMoved, StoreUnavailable: ask again.
        """
        said = machine_task.explained(task.error)
        try:
            record = self.records.mine(task.execution)
        except RetrainingSuperseded:
            return Answer(next="failed", sentence=said)
        self._ended(record, Outcome.FAILED, said)
        return Answer(next="failed", sentence=said)

    def _ended(self, record: Retraining, outcome: Outcome, sentence: str) -> Answer:
        if not record.is_over:
            # First, so that a bell that fails is rung again.
            if outcome in CALLED_FOR:
                self.bell.ring(f"Retraining: {outcome}", f"{record.run_id}: {sentence}")
            record = self.records.store.save(record.ended(self.records.clock(), outcome, sentence))
        return Answer(next=_word(record), sentence=f"{record.sentence}{self._still_on(record)}")

    def _still_on(self, record: Retraining) -> str:
        try:
            firing = ", ".join(self.alarms.firing())
        except StoreUnavailable:
            # The lock is free already: what is only told must not fail the end.
            return ""
        return f" {firing} is on still: reminders see to it after {record.plan.cooldown_hours} hours." if firing else ""


def _word(record: Retraining) -> str:
    """The word that the machine's last question tests."""
    outcome = record.outcome or Outcome.FAILED
    if outcome is Outcome.PROMOTE:
        return "approved" if record.plan.approval == "automatic" else "pending"
    return WORDS.get(outcome, outcome.value)
