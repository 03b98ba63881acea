"""Executions of the committed retraining machine with the functions as they are, over a stack and jobs in memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.fakes.retraining_findings import Findings
from tests.state_machines import job_played
from tests.state_machines.job_played import JobExecution, JobWorkshop, output
from tests.state_machines.retraining_script import NAME

LOST, inputs = job_played.LOST, job_played.inputs


@dataclass
class Workshop(JobWorkshop):
    """What the jobs of a retraining leave.

    Args:
        findings: of the jobs.
    """

    findings: Findings = field(default_factory=Findings)

    def _read(self, asked: dict[str, Any]) -> Iterator[str]:
        """But for what the examination leaves beside its checks, which is not made here."""
        return (each for each in super()._read(asked) if not each.endswith(("/learn/", "/evaluate/")))

    def _write(self, job: str, asked: dict[str, Any]) -> None:
        {"examine": self.findings.examine, "train": self.findings.train, "evaluate": self.findings.evaluate}[job](
            self.world.files.held, _run(job, asked)
        )


def _run(job: str, asked: dict[str, Any]) -> dict[str, Any]:
    """What the job is told, by the names that it has in the machine."""
    if job == "train":
        name = asked["TrainingJobName"]
        artefact = f"{asked['OutputDataConfig']['S3OutputPath']}{name}/output/model.tar.gz"
        return {"train_name": name, "artefact_uri": artefact}
    written = {"examine": "examined_uri", "evaluate": "evaluated_uri"}[job]
    return {f"{job}_arguments": asked["AppSpecification"]["ContainerArguments"], written: output(asked)}


class Execution(JobExecution):
    """One of a retraining."""

    MACHINE = NAME
