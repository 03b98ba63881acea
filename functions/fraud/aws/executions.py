"""Executions of a state machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fraud.aws.calls import unavailable

RUNNING = frozenset({"RUNNING", "PENDING_REDRIVE"})
"""An execution that is about to be redriven goes on where it failed, and holds what it held."""


@dataclass(frozen=True)
class StepFunctionsExecutions:
    """Executions of a standard workflow.

    Args:
        client: Step Functions.
    """

    client: Any

    def is_running(self, execution: str) -> bool:
        """Whether it runs; one that is not known any more does not.

        Raises:
            StoreUnavailable: no answer.
        """
        with unavailable("DescribeExecution"):
            try:
                answer = self.client.describe_execution(executionArn=execution)
            except self.client.exceptions.ExecutionDoesNotExist:
                return False
        return answer["status"] in RUNNING
