"""What tests of `fraud monitor` share: records in the table, files in the archive, and a machine that is a fake."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from botocore.exceptions import ClientError

from cli.target import Target
from fraud.aws import monitoring_items as items
from fraud.monitoring import Outcome, Refresh, Schedule, ScheduleStatus, Watch
from fraud.monitoring_findings import Concern, Finding, Verdicts
from fraud.monitoring_findings import Outcome as Result
from tests.fakes.monitoring import baseline, finding, labels, refresh, watch

EXECUTION = "arn:aws:states:eu-west-1:123456789012:execution:"
PACKAGE = "arn:aws:sagemaker:eu-west-1:123456789012:model-package/fraud/8"
NOON = 1_772_366_400.0
"""2026-03-01 12:00 UTC."""

AMOUNTS_MOVED = finding(
    name="amount_ratio",
    outcome=Result.VIOLATED,
    observed=0.431,
    count=5_000,
    sentence="The PSI of amount_ratio is 0.431, above 0.100.",
)
FIELD_VANISHED = finding(
    check="completeness_check",
    concern=Concern.DATA,
    name="country",
    variant="all",
    outcome=Result.VIOLATED,
    observed=0.2,
    limit=0.95,
    sentence="country is present [in 20 % of rows].",
)
LABELS = labels(
    by_source={"chargeback": Verdicts(frauds=41, genuine=2), "review": Verdicts(frauds=17, genuine=203)},
    disagreements=3,
    unlabelled=12_082,
    newest_known_at="2026-03-01T06:00:00Z",
    known_after={"7": 0.5, "1": 0.1, "14": 1.0},
    weight=1.25,
)
REFUSED = Schedule(
    endpoint="fraud-a",
    name="fraud-a-data-quality",
    status=ScheduleStatus.REFUSED,
    detail="Model Monitor is closed to new customers.",
)
SCHEDULED = Schedule(endpoint="fraud-b", name="fraud-b-data-quality", status=ScheduleStatus.SCHEDULED)


def refreshed(**changes: Any) -> Refresh:
    """A refresh that made a baseline of version 8."""
    facts: dict[str, Any] = {
        "run_id": "monitoring-1",
        "trigger": "person ada",
        "started_at": NOON,
        "champion": PACKAGE,
        "baseline": baseline(champion=PACKAGE, made_at=NOON),
        "schedules": (REFUSED, SCHEDULED),
        "liveness": "The last look is 2 h old.",
    }
    begun = refresh(**facts | changes).told(NOON, "The champion is version 8.")
    return begun.ended(NOON + 60, Outcome.REFRESHED, "A baseline was made.")


def watched(*findings: Finding, **changes: Any) -> Watch:
    """A look at the day before noon that found this."""
    facts: dict[str, Any] = {
        "run_id": "drift-1",
        "since": NOON - 86_400,
        "until": NOON,
        "champion": PACKAGE,
        "uri": "s3://archive/monitoring/windows/drift-1/findings/",
        "ended_at": NOON + 300,
        "violations": {each.value: sum(found.concern is each for found in findings) for each in Concern},
        "findings": findings,
        "labels": LABELS,
    }
    return watch(**facts | changes)


def write(stack: Target, record: Refresh | Watch) -> None:
    item = items.encode_refresh(record) if isinstance(record, Refresh) else items.encode_watch(record)
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item=item)


def write_document(stack: Target, key: str, document: str) -> None:
    item = {"pk": {"S": "monitoring"}, "sk": {"S": key}, "document": {"S": document}}
    stack.client("dynamodb").put_item(TableName="RolloutTable", Item=item)


def serve(stack: Target, package: str = PACKAGE) -> None:
    """Version 8, unless it is another, has all traffic."""
    routing = {
        "pk": "routing",
        "sk": "routing",
        "epoch": 3,
        "status": "steady",
        "champion": "a",
        "share_bps": 0,
        "slots": {"a": {"model_package": package}},
    }
    stack.session.resource("dynamodb").Table("RolloutTable").put_item(Item=routing)


def archive(stack: Target, run_id: str, name: str, content: bytes) -> None:
    key = f"monitoring/windows/{run_id}/findings/{name}"
    stack.client("s3").put_object(Bucket="archive", Key=key, Body=content)


class FakeMachine:
    """Remembers what is started; an execution goes through `path`, a state a look, and ends as `end` says."""

    def __init__(self) -> None:
        self.started: dict[str, Any] = {}
        self.path: list[tuple[str, str]] = []
        self.end: dict[str, Any] = {"status": "SUCCEEDED", "output": "{}"}
        self.looks = 0

    def start_execution(self, **request: str) -> dict[str, str]:
        self.started = request
        return {"executionArn": EXECUTION + request["name"]}

    def describe_execution(self, **_: str) -> dict[str, Any]:
        self.looks += 1
        return self.end if self.looks >= len(self.path) else {"status": "RUNNING"}

    def get_paginator(self, operation: str) -> FakeMachine:
        assert operation == "get_execution_history"
        return self

    def paginate(self, **_: Any) -> Iterator[dict[str, Any]]:
        if not self.path:
            raise ClientError({"Error": {"Code": "ExecutionDoesNotExist"}}, "GetExecutionHistory")
        yield {"events": [{"type": "ExecutionStarted", "timestamp": datetime.fromtimestamp(NOON, UTC)}]}
        for place, (kind, name) in enumerate(self.path[: self.looks]):
            at = datetime.fromtimestamp(NOON + place, UTC)
            entered = {"type": f"{kind}StateEntered", "stateEnteredEventDetails": {"name": name}, "timestamp": at}
            yield {"events": [entered, {"type": f"{kind}StateExited", "timestamp": at}]}


class FakeStack:
    """CloudFormation: the stack's default plan."""

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        return {"Stacks": [{"Parameters": [{"ParameterKey": "MonitoringPlan", "ParameterValue": '{"alpha": 0.01}'}]}]}
