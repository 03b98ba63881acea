"""Runs of the execution `first`, brought to each of their stages by their own tasks and jobs."""

from __future__ import annotations

from typing import Any

from fraud.machine_task import Answer
from tests.fakes.retraining_findings import Findings
from tests.fakes.retraining_world import PACKAGE, RetrainingWorld, task

FIRST, SECOND = f"{PACKAGE}1", f"{PACKAGE}2"
AN_HOUR = 3_600


def plan(**fields: Any) -> dict[str, Any]:
    """An execution's input."""
    return {"plan": fields}


def by_alarm(name: str) -> dict[str, Any]:
    """An execution's input, as the rule for alarms words it."""
    return {"trigger": "alarm", "alarm": name}


def begun(name: str = "first", *, champion: bool = True, **fields: Any) -> RetrainingWorld:
    """It holds the lock, and a model serves."""
    world = RetrainingWorld().with_champion() if champion else RetrainingWorld()
    assert world.lock(name, plan(**fields)).next == "assemble"
    return world


def run_of(world: RetrainingWorld, name: str = "first") -> dict[str, Any]:
    """What the jobs' states read, from the lock that is asked for again."""
    return world.lock(name).run


def chosen(*, rows: bool = True, champion: bool = True, **fields: Any) -> tuple[RetrainingWorld, Answer]:
    """What is examined is chosen, if there is anything."""
    world = begun(champion=champion, **fields)
    run = run_of(world)
    if rows:
        world.files.held["s3://archive/retraining/first/dataset/part-0"] = b"rows"
    return world, world.start.choose_data(task("choose_data", run=run))


def evaluated(findings: Findings | None = None, **given: Any) -> tuple[RetrainingWorld, dict[str, Any]]:
    """All jobs are done."""
    findings = findings or Findings()
    world, answer = chosen(**given)
    assert answer.next == "examine"
    for job in (findings.examine, findings.train, findings.evaluate):
        job(world.files.held, answer.run)
    return world, answer.run


def judged(findings: Findings | None = None, **given: Any) -> RetrainingWorld:
    """The candidate is judged."""
    world, run = evaluated(findings, **given)
    assert world.judgement.candidate(task("candidate", run=run)).next == "judged"
    return world


def released(findings: Findings | None = None, **given: Any) -> RetrainingWorld:
    """The run is over, and its execution, too."""
    world = judged(findings, **given)
    world.end.release(task("release"))
    world.executions.running.clear()
    return world
