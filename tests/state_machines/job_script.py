"""Functions and jobs that answer a machine with jobs by a script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, ClassVar

from fraud.machine_task import explained
from tests.state_machines.committed import arn, filled, text
from tests.state_machines.engine import Engine, Run
from tests.state_machines.jobs import Job, JobFailed
from tests.state_machines.script import Line, Script

FAILED = JobFailed("States.TaskFailed", json.dumps({"FailureReason": "AlgorithmError: out of memory"}))
EXISTS = JobFailed("SageMaker.ResourceInUseException", "Training job names must be unique")
THROTTLED = JobFailed("SageMaker.AmazonSageMakerException", "Rate exceeded")
NO_MACHINE = JobFailed("SageMaker.ResourceLimitExceededException", "The account-level service limit is 0 Instances")

Lines = dict[str, list[Line]]


class JobScript(Script):
    """What each task and each job answers; a look at a job stands under the job's name, `look_train`."""

    NAME: ClassVar[str]
    """Of the machine."""
    TASKS: ClassVar[Mapping[str, set[str]]]
    """Tasks by the function that does them, under the function's placeholder."""
    RUN: ClassVar[dict[str, Any]]
    """What the jobs' states read, as the functions answer it."""
    WELL: ClassVar[Lines]
    """What is answered when all goes well; jobs answer with their description, which nothing reads."""

    @classmethod
    def machine(cls) -> dict[str, Any]:
        """The committed definition."""
        return dict(json.loads(text(cls.NAME)))

    @classmethod
    def states(cls) -> dict[str, dict[str, Any]]:
        return dict(cls.machine()["States"])

    @classmethod
    def execution(cls) -> str:
        """ARN of the execution that is played."""
        return f"arn:aws:states:eu-central-1:123456789012:execution:{cls.NAME}:first"

    @classmethod
    def answer(cls, word: str, **fields: Any) -> dict[str, Any]:
        return {"next": word, "sentence": f"It said {word}.", "wait_seconds": 60, "run": cls.RUN, **fields}

    def jobs(self) -> Mapping[str, Job]:
        return {
            "athena:startQueryExecution.sync": lambda _: self._say("query"),
            "sagemaker:createTrainingJob.sync": lambda _: self._say("train"),
            "sagemaker:createProcessingJob.sync": lambda asked: self._say(
                asked["ProcessingJobName"].rpartition("-")[2]
            ),
        }

    def engine(self, **hooks: Any) -> Engine:
        """Runs the machine by this script; see `Engine` for what else may be given."""
        functions = {**self.functions(), **hooks.pop("functions", {})}
        return Engine(filled(self.NAME), functions, jobs=self.jobs(), machine=self.NAME, name="first", **hooks)

    def run(self, given: Any = None, **hooks: Any) -> Run:
        return self.engine(**hooks).run(given)

    def _tasks(self) -> Mapping[str, set[str]]:
        return self.TASKS

    def _well(self) -> Lines:
        return self.WELL

    def _answer(self, word: str) -> dict[str, Any]:
        return self.answer(word)

    def _name(self, event: dict[str, Any]) -> str:
        return f"look_{event['job']}" if event["task"] == "look" else super()._name(event)


def function(placeholder: str) -> str:
    """ARN of a function, by its placeholder without `Arn`."""
    return arn(f"{placeholder}Arn")


def heard(ran: Run, name: str) -> dict[str, Any]:
    """The event of the task that was called once."""
    (event,) = [event for _, event in ran.invocations if event["task"] == name]
    return event


def reason(ran: Run, name: str) -> str:
    """What a task that was called once understands of the error that it heard of."""
    return explained(heard(ran, name)["error"])
