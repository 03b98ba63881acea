"""The looks at a rollout under way: measure, judge, and say what comes next."""

from __future__ import annotations

from dataclasses import dataclass

from fraud import gates, rollout_task
from fraud.analysis import Verdict
from fraud.rollout import Ask, Hold, Rollout, Stage, next_step
from fraud.rollout_ports import Observations, SlotAlarms
from fraud.rollout_task import Answer, Task
from fraud.services.rollout_records import RolloutRecords


@dataclass(frozen=True)
class Judging:
    """The use-case behind `judge_rollout`.

    Args:
        records: the rollout.
        observations: what was counted.
        alarms: those of the challenger's slot.
    """

    records: RolloutRecords
    observations: Observations
    alarms: SlotAlarms

    def judge(self, task: Task) -> Answer:
        """One look; the answer is the next step's name.

        Raises:
            RolloutStopped: it is to be rolled back.
            RolloutSuperseded: it is over, or another's.
            RolloutMoved: somebody changed it meanwhile: look again.
            StoreUnavailable: something could not be read or written.
        """
        rollout = self.records.reversible(task.execution)
        verdicts = self._verdicts(rollout)
        now = self.records.clock()
        step = next_step(rollout, verdicts, now)
        # A question that still stands is no news.
        news = not isinstance(step, Hold) and not (isinstance(step, Ask) and rollout.stage is Stage.APPROVAL)
        answer = rollout_task.told(step)
        self.records.save(rollout.told(now, step.sentence) if news else rollout, answer.wait_seconds, verdicts=verdicts)
        return answer

    def _verdicts(self, rollout: Rollout) -> tuple[Verdict, ...]:
        slot, limits = rollout.candidate.slot, rollout.plan.gates
        stage, since = _judged(rollout)
        fired = self.alarms.fired(slot, since)
        if stage is Stage.SHADOW:
            return gates.judge_shadow(limits, self.observations.shadow(rollout.epoch), fired)
        arms = self.observations.arms(rollout.epoch)
        challenger = arms.get(slot, {})
        if stage is Stage.SOAK:
            return gates.judge_soak(limits, challenger, fired)
        return gates.judge_canary(limits, arms.get(rollout.champion or "", {}), challenger, fired)


def _judged(rollout: Rollout) -> tuple[Stage, float]:
    """The stage that is judged, and since when: while a person is asked it is the one that led to the question."""
    if rollout.stage is not Stage.APPROVAL or rollout.approval is None:
        return rollout.stage, rollout.since
    return Stage.SHADOW if rollout.step is None else Stage.CANARY, rollout.approval.asked_since
