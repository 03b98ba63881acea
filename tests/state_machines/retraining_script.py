"""Functions and jobs that answer the retraining's machine by a script."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fraud.retraining import Files
from fraud.services.retraining_run import run
from tests.fakes.retraining import retraining
from tests.state_machines.committed import arn, filled, text
from tests.state_machines.engine import Engine, Run
from tests.state_machines.jobs import Job, JobFailed
from tests.state_machines.script import Line, Script

NAME = "retraining"
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:retraining:first"
MACHINE: dict[str, Any] = json.loads(text(NAME))
STATES: dict[str, dict[str, Any]] = MACHINE["States"]
TASKS = {
    "PrepareRetrainingArn": {"lock", "choose_data"},
    "InspectJobArn": {"look"},
    "JudgeRetrainingArn": {"data", "candidate"},
    "FinishRetrainingArn": {"release", "fail"},
}
"""Tasks by the function that does them, under the function's placeholder."""

RUN = run(
    retraining(champion="arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/7"),
    Files("archive-bucket", "fraud", EXECUTION, "first"),
    source_uri="s3://archive-bucket/source/0123456789abcdef/source.tar.gz",
    query="UNLOAD (SELECT 1) TO 's3://archive-bucket/retraining/first/dataset/' WITH (format = 'PARQUET')",
    champion_uri="s3://archive-bucket/models/champion.tar.gz",
)
"""What the jobs' states read, as the functions answer it."""

FAILED = JobFailed("States.TaskFailed", json.dumps({"FailureReason": "AlgorithmError: out of memory"}))
EXISTS = JobFailed("SageMaker.ResourceInUseException", "Training job names must be unique")
THROTTLED = JobFailed("SageMaker.AmazonSageMakerException", "Rate exceeded")
NO_MACHINE = JobFailed("SageMaker.ResourceLimitExceededException", "The account-level service limit is 0 Instances")

WELL: dict[str, list[Line]] = {
    "lock": ["assemble"],
    "query": [{}],
    "choose_data": ["examine"],
    "examine": [{}],
    "data": ["train"],
    "train": [{}],
    "evaluate": [{}],
    "candidate": ["judged"],
    "release": ["approved"],
    "fail": ["failed"],
    **{f"look_{job}": ["done"] for job in ("examine", "train", "evaluate")},
}
"""A run whose candidate is approved; jobs answer with their description, which nothing reads."""


def answer(word: str, **fields: Any) -> dict[str, Any]:
    return {"next": word, "sentence": f"It said {word}.", "wait_seconds": 60, "run": RUN, **fields}


class RetrainingScript(Script):
    """What each task and each job answers; a look at a job stands under the job's name, `look_train`."""

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
        return Engine(filled(NAME), functions, jobs=self.jobs(), machine=NAME, name="first", **hooks)

    def run(self, given: Any = None, **hooks: Any) -> Run:
        return self.engine(**hooks).run(given)

    def _tasks(self) -> Mapping[str, set[str]]:
        return TASKS

    def _well(self) -> dict[str, list[Line]]:
        return WELL

    def _answer(self, word: str) -> dict[str, Any]:
        return answer(word)

    def _name(self, event: dict[str, Any]) -> str:
        return f"look_{event['job']}" if event["task"] == "look" else super()._name(event)


def function(placeholder: str) -> str:
    """ARN of a function, by its placeholder without `Arn`."""
    return arn(f"{placeholder}Arn")
