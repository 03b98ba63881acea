"""What became of a job whose state failed: the truth is the job's own, whatever the error was.

A start that was throttled, an answer that was lost and a name that exists already all leave a job behind that may run
or be done: it is adopted rather than started again.
"""

from __future__ import annotations

from dataclasses import dataclass

from fraud import machine_task
from fraud.machine_task import Answer, Task
from fraud.retraining_ports import JobPhase, Jobs

LOOK_SECONDS = 180
"""A look takes nine events of an execution's history, which holds 25,000, and a job may take five days."""


@dataclass(frozen=True)
class JobInspection:
    """The use-case behind `inspect_job`.

    Args:
        jobs: of SageMaker.
    """

    jobs: Jobs

    def look(self, task: Task) -> Answer:
        """`done`, `wait`, or `failed` and why.

        Raises:
            StoreUnavailable: no answer; ask again.
        """
        name = str(task.run[f"{task.job}_name"])
        state = self.jobs.describe(task.job, name)
        if state.phase is JobPhase.DONE:
            return Answer(next="done", sentence=f"{name} is done.", run=task.run)
        if state.phase is JobPhase.RUNNING:
            said = f"{name} runs: it is adopted."
            return Answer(next="wait", sentence=said, wait_seconds=LOOK_SECONDS, run=task.run)
        if state.phase is JobPhase.FAILED:
            return Answer(next="failed", sentence=f"{name} failed: {state.detail}", run=task.run)
        why = machine_task.explained(task.error)
        return Answer(next="failed", sentence=f"{name} did not start: {why}", run=task.run)
