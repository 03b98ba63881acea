"""The machines that have queries and jobs done, and what can be told of each by its structure."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from fraud.errors import MonitoringMoved, RetrainingMoved
from tests.state_machines.drift_script import DriftScript
from tests.state_machines.job_script import EXISTS, FAILED, JobScript, Lines
from tests.state_machines.monitoring_script import MonitoringScript
from tests.state_machines.retraining_script import RetrainingScript
from tests.state_machines.structure import caught, is_lambda

Play = type[JobScript]
SCRIPTS: list[Play] = [RetrainingScript, MonitoringScript, DriftScript]
MOVED = {"retraining": RetrainingMoved, "monitoring": MonitoringMoved, "drift": MonitoringMoved}
FAILURES = {"retraining": "Retraining failed", "monitoring": "Refresh failed", "drift": "Look failed"}
"""How a run ends that failed."""


@dataclass(frozen=True)
class Job:
    """A job of a machine.

    Args:
        script: that plays the machine.
        state: that starts it.
        noun: as people call it.
        name: as functions call it.
        after: the state that follows.
    """

    script: Play
    state: str
    noun: str
    name: str
    after: str


def lambdas(script: Play) -> dict[str, dict[str, Any]]:
    return {name: state for name, state in script.states().items() if is_lambda(state)}


def of_type(script: Play, *types: str) -> dict[str, dict[str, Any]]:
    return {name: state for name, state in script.states().items() if state["Type"] in types}


def jobs_of(script: Play) -> Iterator[Job]:
    """By where their errors lead."""
    for name, state in script.states().items():
        if "sagemaker:" in state.get("Resource", ""):
            noun = caught(state)["States.ALL"].removeprefix("Note the error of the ")
            look = script.states()[f"See what became of the {noun}"]
            yield Job(script, name, noun, look["Parameters"]["Payload"]["job"], state["Next"])


@dataclass(frozen=True)
class Called:
    """A state of a function, and how a run comes by it.

    Args:
        script: that plays the machine.
        state: its name.
        line: under which the script has the function's answers.
        before: lines under which a run comes by.
    """

    script: Play
    state: str
    line: str
    before: Lines


def called(script: Play) -> Iterator[Called]:
    of_jobs = {f"See what became of the {job.noun}": job.name for job in jobs_of(script)}
    for name, state in lambdas(script).items():
        task = state["Parameters"]["Payload"]["task"]
        if name in of_jobs:
            yield Called(script, name, f"look_{of_jobs[name]}", {of_jobs[name]: [EXISTS]})
        else:
            yield Called(script, name, task, {"query": [FAILED]} if task == "fail" else {})
