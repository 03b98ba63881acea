"""Executions of committed machines with jobs, with the functions as they are, over a stack and jobs in memory."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import KW_ONLY, dataclass, field
from typing import Any, ClassVar

from fraud.retraining_ports import JobPhase, JobState
from tests.state_machines.committed import arn, filled
from tests.state_machines.engine import Engine, Run
from tests.state_machines.job_script import EXISTS
from tests.state_machines.jobs import Job, JobFailed

LOST = JobFailed("SageMaker.AmazonSageMakerException", "Unable to execute HTTP request: Read timed out")
"""A start whose answer never came: the state sees an error, and the job runs."""


@dataclass
class JobWorkshop(ABC):
    """Athena's queries and SageMaker's jobs: a name is taken for ever, and what is done leaves its findings.

    Args:
        world: the stack: its clock, files, jobs, executions that run, and functions.
        rows: whether the archive holds any.
        troubles: what the next starts meet, by job, or `query`. One that is lost leaves a job that runs; any other
            none.
        failures: why a job that was started fails, by job.
        meanwhile: happens while a job runs.
        started: names of jobs, and tokens of queries, in the order they were started.
    """

    world: Any
    _: KW_ONLY
    rows: bool = True
    troubles: dict[str, list[JobFailed]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    meanwhile: dict[str, Callable[[Any], object]] = field(default_factory=dict)
    started: list[str] = field(default_factory=list)
    _unfinished: dict[tuple[str, str], Callable[[], None]] = field(default_factory=dict)

    def jobs(self) -> Mapping[str, Job]:
        return {
            "athena:startQueryExecution.sync": self._query,
            "sagemaker:createTrainingJob.sync": lambda asked: self._job("train", asked["TrainingJobName"], asked),
            "sagemaker:createProcessingJob.sync": self._processing,
        }

    def work(self) -> None:
        """Every job that runs comes to its end."""
        for key in list(self._unfinished):
            with suppress(JobFailed):
                self._end(*key)

    def check_no_name_twice(self) -> None:
        """No job was started twice under one name, nor a query under one token."""
        assert [name for name, times in Counter(self.started).items() if times > 1] == []

    def _query(self, asked: dict[str, Any]) -> dict[str, Any]:
        self._meet("query")
        if asked["ClientRequestToken"] not in self.started:
            self.started.append(asked["ClientRequestToken"])
            [address] = re.findall(r"TO '([^']+)'", asked["QueryString"])
            if self.rows:
                self.world.files.held[f"{address}part-0"] = b"rows"
        return {}

    def _processing(self, asked: dict[str, Any]) -> dict[str, Any]:
        name = asked["ProcessingJobName"]
        return self._job(name.rpartition("-")[2], name, asked)

    def _job(self, job: str, name: str, asked: dict[str, Any]) -> dict[str, Any]:
        trouble = self.troubles[job].pop(0) if self.troubles.get(job) else None
        if (job, name) in self.world.jobs.states:
            raise EXISTS
        if trouble is not None and trouble is not LOST:
            raise trouble
        self.started.append(name)
        self.world.jobs.states[job, name] = JobState(JobPhase.RUNNING)
        self._unfinished[job, name] = lambda: self._effect(job, asked)
        if trouble is LOST:
            raise trouble
        self.meanwhile.pop(job, lambda _: None)(self.world)
        return self._end(job, name)

    def _end(self, job: str, name: str) -> dict[str, Any]:
        effect = self._unfinished.pop((job, name))
        if job in self.failures:
            self.world.jobs.states[job, name] = JobState(JobPhase.FAILED, self.failures[job])
            raise JobFailed("States.TaskFailed", json.dumps({"FailureReason": self.failures[job]}))
        effect()
        self.world.jobs.states[job, name] = JobState(JobPhase.DONE)
        return {}

    def _effect(self, job: str, asked: dict[str, Any]) -> None:
        missing = [uri for uri in self._read(asked) if self.world.files.is_empty(uri)]
        assert not missing, f"{job} is started without {missing}"
        self._write(job, asked)

    def _read(self, asked: dict[str, Any]) -> Iterator[str]:
        """Addresses that a job reads."""
        yield from (each["S3Input"]["S3Uri"] for each in asked.get("ProcessingInputs", []))
        yield from (each["DataSource"]["S3DataSource"]["S3Uri"] for each in asked.get("InputDataConfig", []))

    @abstractmethod
    def _write(self, job: str, asked: dict[str, Any]) -> None:
        """Leave what a job finds where it belongs."""

    def _meet(self, job: str) -> None:
        if self.troubles.get(job):
            raise self.troubles[job].pop(0)


def argument(asked: dict[str, Any], name: str) -> str:
    """What a processing job is told."""
    words: list[str] = asked["AppSpecification"]["ContainerArguments"]
    return words[words.index(name) + 1]


def output(asked: dict[str, Any]) -> str:
    """Where what a processing job writes goes."""
    [written] = asked["ProcessingOutputConfig"]["Outputs"]
    return str(written["S3Output"]["S3Uri"])


# --- Executions -------------------------------------------------------------------------------------------------------


@dataclass
class JobExecution:
    """One execution: it counts as running while it is played, and as ended as soon as it is not.

    Args:
        shop: the stack and its jobs.
        name: of it.
        start_at: another state than the first one, for one that is redriven.
    """

    MACHINE: ClassVar[str]
    """Its machine."""

    shop: JobWorkshop
    name: str = "first"
    start_at: str = ""

    def __post_init__(self) -> None:
        definition = filled(self.MACHINE)
        if self.start_at:
            definition = json.dumps(json.loads(definition) | {"StartAt": self.start_at})
        functions = self.shop.world.functions(function_arn)
        self.engine = Engine(
            definition, functions, jobs=self.shop.jobs(), on_wait=self._wait, machine=self.MACHINE, name=self.name
        )

    @property
    def arn(self) -> str:
        return f"arn:aws:states:eu-central-1:123456789012:execution:{self.MACHINE}:{self.name}"

    def play(self, given: Any = None) -> Run:
        running = self.shop.world.executions.running
        running.add(self.arn)
        try:
            return self.engine.run(given)
        finally:
            running.discard(self.arn)

    def _wait(self, seconds: int) -> None:
        self.shop.world.clock.pass_by(seconds)
        self.shop.work()


def function_arn(name: str) -> str:
    """Of `prepare_retraining` or another."""
    return arn(f"{name.title().replace('_', '')}Arn")


def inputs(run: Run) -> dict[str, list[Any]]:
    """What each state was entered with, each time."""
    found: dict[str, list[Any]] = {}
    for event in run.history:
        if entered := event.get("stateEnteredEventDetails"):
            found.setdefault(entered["name"], []).append(json.loads(entered["input"]))
    return found
