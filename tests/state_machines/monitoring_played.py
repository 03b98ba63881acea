"""Executions of the committed machines that monitor with the functions as they are, over a stack and jobs in memory."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fraud.monitoring_findings import Finding
from tests.fakes.monitoring_world import MonitoringWorld
from tests.state_machines.job_played import JobExecution, JobWorkshop, argument, output


@dataclass
class Workshop(JobWorkshop):
    """What the jobs of monitoring leave.

    Args:
        found: by looks.
    """

    found: tuple[Finding, ...] = ()

    @property
    def stack(self) -> MonitoringWorld:
        assert isinstance(self.world, MonitoringWorld)
        return self.world

    def _write(self, job: str, asked: dict[str, Any]) -> None:
        champion = argument(asked, "--champion")
        if job == "baseline":
            rows, days = (90_000, 28) if argument(asked, "--reference") == "archive" else (0, 0)
            self.stack.baseline_made({"baseline_uri": output(asked)}, rows, days, champion=champion)
        else:
            window = {name: argument(asked, f"--{name}") for name in ("since", "until")}
            self.stack.looked({"champion": champion, "findings_uri": output(asked), **window}, *self.found)


class Refresh(JobExecution):
    """One of the machine `monitoring`."""

    MACHINE = "monitoring"


class Look(JobExecution):
    """One of the machine `drift`."""

    MACHINE = "drift"
