"""Whether an execution holds on to what it took: only one that runs does."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import boto3
import pytest

from fraud.aws.executions import StepFunctionsExecutions
from fraud.errors import StoreUnavailable
from fraud.retraining_ports import Executions
from tests.fakes.retraining import EXECUTION, FakeExecutions
from tests.fakes.samples import NOW
from tests.fakes.scripted_client import answering, refusal

MACHINE = "arn:aws:states:eu-central-1:123456789012:stateMachine:retraining"
Statuses = dict[str, str]


def described(statuses: Statuses, execution: str) -> dict[str, Any]:
    """What DescribeExecution answers."""
    if execution not in statuses:
        raise refusal("ExecutionDoesNotExist")
    return {
        "executionArn": execution,
        "stateMachineArn": MACHINE,
        "status": statuses[execution],
        "startDate": datetime.fromtimestamp(NOW, UTC),
    }


@pytest.fixture
def statuses() -> Statuses:
    return {}


@pytest.fixture
def adapter(statuses: Statuses) -> Iterator[Executions]:
    client = boto3.client("stepfunctions")
    with answering(client, DescribeExecution=lambda executionArn: described(statuses, executionArn)):  # noqa: N803
        yield StepFunctionsExecutions(client)


@pytest.fixture(params=["memory", "aws"])
def executions(request: pytest.FixtureRequest, statuses: Statuses) -> Executions:
    statuses |= {EXECUTION: "RUNNING", f"{EXECUTION}-ended": "SUCCEEDED"}
    if request.param == "memory":
        return FakeExecutions({EXECUTION})
    adapter: Executions = request.getfixturevalue("adapter")
    return adapter


def test_execution_under_way_runs(executions: Executions) -> None:
    assert executions.is_running(EXECUTION)


@pytest.mark.parametrize("name", ["ended", "unknown"])
def test_execution_that_ended_or_is_not_known_does_not_run(executions: Executions, name: str) -> None:
    assert not executions.is_running(f"{EXECUTION}-{name}")


@pytest.mark.parametrize(
    ("status", "runs"),
    [
        ("RUNNING", True),
        ("PENDING_REDRIVE", True),
        ("SUCCEEDED", False),
        ("FAILED", False),
        ("TIMED_OUT", False),
        ("ABORTED", False),
    ],
)
def test_execution_in_every_status(adapter: Executions, statuses: Statuses, status: str, runs: bool) -> None:
    statuses[EXECUTION] = status
    assert adapter.is_running(EXECUTION) is runs


@pytest.mark.parametrize("code", ["ThrottlingException", "AccessDeniedException", "InvalidArn"])
def test_execution_that_nobody_tells_of_is_not_taken_for_ended(code: str) -> None:
    client = boto3.client("stepfunctions")

    def refuse(**_: Any) -> dict[str, Any]:
        raise refusal(code)

    with (
        answering(client, DescribeExecution=refuse),
        pytest.raises(StoreUnavailable, match=f"^DescribeExecution: {code}$"),
    ):
        StepFunctionsExecutions(client).is_running(EXECUTION)
