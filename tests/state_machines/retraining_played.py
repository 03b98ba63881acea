"""Executions of the committed retraining machine with the functions as they are, over a stack and jobs in memory."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fraud.retraining_ports import JobPhase, JobState
from tests.fakes.retraining_findings import Findings
from tests.fakes.retraining_world import RetrainingWorld, execution
from tests.state_machines.committed import arn, filled
from tests.state_machines.engine import Engine, Run
from tests.state_machines.jobs import Job, JobFailed
from tests.state_machines.retraining_script import EXISTS, MACHINE, NAME

LOST = JobFailed("SageMaker.AmazonSageMakerException", "Unable to execute HTTP request: Read timed out")
"""A start whose answer never came: the state sees an error, and the job runs."""


@dataclass
class Workshop:
    """Athena's queries and SageMaker's jobs: a name is taken for ever, and what is done leaves its findings.

    Args:
        world: the stack.
        findings: of the jobs.
        rows: whether the archive holds any.
        troubles: what the next starts meet, by job: `query`, `examine`, `train` or `evaluate`. One that is lost leaves
            a job that runs; any other none.
        failures: why a job that was started fails, by job.
        meanwhile: happens while a job runs.
        started: names of jobs, and tokens of queries, in the order they were started.
    """

    world: RetrainingWorld
    findings: Findings = field(default_factory=Findings)
    rows: bool = True
    troubles: dict[str, list[JobFailed]] = field(default_factory=dict)
    failures: dict[str, str] = field(default_factory=dict)
    meanwhile: dict[str, Callable[[RetrainingWorld], object]] = field(default_factory=dict)
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
        missing = [uri for uri in _inputs(asked) if self.world.files.is_empty(uri)]
        assert not missing, f"{job} is started without {missing}"
        {"examine": self.findings.examine, "train": self.findings.train, "evaluate": self.findings.evaluate}[job](
            self.world.files.held, _run(job, asked)
        )

    def _meet(self, job: str) -> None:
        if self.troubles.get(job):
            raise self.troubles[job].pop(0)


def _inputs(asked: dict[str, Any]) -> Iterator[str]:
    """Addresses that a job reads; what the examination leaves beside its checks is not made here."""
    addresses = [each["S3Input"]["S3Uri"] for each in asked.get("ProcessingInputs", [])]
    addresses += [each["DataSource"]["S3DataSource"]["S3Uri"] for each in asked.get("InputDataConfig", [])]
    return (address for address in addresses if not address.endswith(("/learn/", "/evaluate/")))


def _run(job: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What the job is told, by the names that it has in the machine."""
    if job == "train":
        name = asked["TrainingJobName"]
        output = f"{asked['OutputDataConfig']['S3OutputPath']}{name}/output/model.tar.gz"
        return {"train_name": name, "artefact_uri": output}
    [output] = asked["ProcessingOutputConfig"]["Outputs"]
    written = {"examine": "examined_uri", "evaluate": "evaluated_uri"}[job]
    return {f"{job}_arguments": asked["AppSpecification"]["ContainerArguments"], written: output["S3Output"]["S3Uri"]}


# --- Executions -------------------------------------------------------------------------------------------------------


@dataclass
class Execution:
    """One execution: it counts as running while it is played, and as ended as soon as it is not.

    Args:
        shop: the stack and its jobs.
        name: of it.
        start_at: another state than the first one, for one that is redriven.
    """

    shop: Workshop
    name: str = "first"
    start_at: str = "Take the lock"

    def __post_init__(self) -> None:
        definition = filled(NAME)
        if self.start_at != MACHINE["StartAt"]:
            definition = json.dumps(json.loads(definition) | {"StartAt": self.start_at})
        functions = self.shop.world.functions(function_arn)
        self.engine = Engine(
            definition, functions, jobs=self.shop.jobs(), on_wait=self._wait, machine=NAME, name=self.name
        )

    def play(self, given: Any = None) -> Run:
        running = self.shop.world.executions.running
        running.add(execution(self.name))
        try:
            return self.engine.run(given)
        finally:
            running.discard(execution(self.name))

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
