"""Retraining on the real template: two weeks of simulated payments and verdicts, and `{}` as from the console."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import pytest

from fraud import evaluation
from model.simulator import Simulation, SimulationConfig, label_events, simulate, transaction_events
from tests.end_to_end.rollouts import Rollouts
from tests.local.conftest import ROOT, eventually, start

DAYS, CARDS = 14, 420
PATIENCE = 120.0
"""Seconds for what takes a fifth of them on an idle machine."""
NAMES = [
    "Take the lock", "Assemble the data set", "Choose the data", "Examine the data", "Judge the data",
    "Train the model", "Evaluate the candidate", "Judge the candidate", "Release the lock",
]  # fmt: skip
"""States of a run that comes to a verdict; its questions and its end lie between."""


class Retrainings(Rollouts):
    """A running stack whose model is learned."""

    def ask(self, given: dict[str, Any] | None = None) -> str:
        """Start an execution as from the console; its ARN."""
        machine = self.outputs["RetrainingMachineArn"]
        return str(self.states.start_execution(stateMachineArn=machine, input=json.dumps(given or {}))["executionArn"])

    def came_to(self, execution: str) -> tuple[str, str, str]:
        """Status, last state and last sentence of an execution, once it is over."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.states.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        found = eventually(look, PATIENCE)
        assert found is not None
        said = found.get("cause") or json.loads(found["output"])["answer"]["sentence"]
        return found["status"], self.entered(execution)[-1], said

    def live_through(self, market: Simulation) -> None:
        """Put payments, send what became known of them, and wait until all of it is archived."""
        self.spine.put_events(transaction_events(market.transactions))
        eventually(lambda: self.decided() == len(market.transactions), PATIENCE)
        queue, labels, sqs = self.outputs["LabelQueueUrl"], label_events(market.labels), self.running.client("sqs")
        while some := list(islice(labels, 10)):
            entries = [{"Id": str(n), "MessageBody": json.dumps(each)} for n, each in enumerate(some)]
            assert not sqs.send_message_batch(QueueUrl=queue, Entries=entries).get("Failed")
        eventually(lambda: self.archived("labels/") >= len(market.labels), PATIENCE)
        eventually(lambda: self.archived("decisions/") >= len(market.transactions), PATIENCE)

    def decided(self) -> int:
        table = self.running.client("dynamodb").describe_table(TableName=self.outputs["DecisionTableName"])["Table"]
        return int(table["ItemCount"])

    def archived(self, prefix: str) -> int:
        """How many lines lie in the archive below a prefix."""
        bucket, s3 = self.outputs["ArchiveBucketName"], self.running.client("s3")
        listed = s3.list_objects_v2(Bucket=bucket, Prefix=prefix).get("Contents", [])
        bodies = (s3.get_object(Bucket=bucket, Key=each["Key"])["Body"].read() for each in listed)
        return sum(gzip.decompress(body).count(b"\n") for body in bodies)

    def read(self, uri: str) -> bytes:
        parts = urlsplit(uri)
        content: bytes = self.running.client("s3").get_object(Bucket=parts.netloc, Key=parts.path[1:])["Body"].read()
        return content

    def versions(self) -> list[dict[str, Any]]:
        group = self.outputs["ModelPackageGroupName"]
        listed = self.sagemaker.list_model_packages(ModelPackageGroupName=group)["ModelPackageSummaryList"]
        return [self.sagemaker.describe_model_package(ModelPackageName=each["ModelPackageArn"]) for each in listed]


@pytest.fixture(scope="module")
def stack() -> Iterator[Retrainings]:
    """One stack for all of them, in the order of the tests: it begins with nothing."""
    running = start(ROOT / "template.yaml", "retrainings")
    try:
        yield Retrainings(running)
    finally:
        assert running.stop() == 0


def market() -> Simulation:
    """All of it old enough for its outcomes to be settled, with fraud enough for so short a time."""
    end = datetime.now(UTC).replace(microsecond=0) - timedelta(days=8)
    size = SimulationConfig(
        start=end - timedelta(days=DAYS), days=DAYS, cards=CARDS, terminals=2 * CARDS, fraud_rate=0.03
    )
    return simulate(size)


def test_execution_on_an_empty_archive_ends_and_says_so(stack: Retrainings) -> None:
    status, last, said = stack.came_to(stack.ask())
    assert (status, last) == ("SUCCEEDED", "Not enough labels yet"), said
    assert "The archive holds no decisions yet" in said


def test_execution_with_a_wrong_plan_is_refused(stack: Retrainings) -> None:
    status, last, said = stack.came_to(stack.ask({"plan": {"training_days": 0}}))
    assert (status, last) == ("FAILED", "Refused")
    assert "plan.training_days must lie between 2 and 730" in said


def test_execution_with_an_empty_input_learns_a_model_that_is_rolled_out(stack: Retrainings) -> None:
    stack.live_through(market())
    first, second = stack.ask(), stack.ask()
    ends = {stack.came_to(each)[1]: each for each in (first, second)}
    assert set(ends) == {"Registered for rollout", "Already under way"}, stack.came_to(first)
    entered = stack.entered(ends["Registered for rollout"])
    assert [name for name in entered if name in NAMES] == NAMES

    [version] = stack.versions()
    assert version["ModelApprovalStatus"] == "Approved"
    lineage = version["CustomerMetadataProperties"]
    assert lineage["execution"] == ends["Registered for rollout"]
    assert (lineage["verdict"], lineage["champion"], lineage["data_source"]) == ("promote", "none", "archive")
    assert lineage["learned_from"] < lineage["learned_to"] < lineage["measured_from"] < lineage["measured_to"]
    found = evaluation.parse(stack.read(version["ModelMetrics"]["ModelQuality"]["Statistics"]["S3Uri"]))
    assert found.frauds >= 20 and found.candidate.metrics["average_precision"] > 0.3
    assert b"Candidate" in stack.read(lineage["report_uri"]) and b"# Model card" in stack.read(lineage["card_uri"])
    assert b"FROM decisions" in stack.read(lineage["query_uri"])

    rollout = stack.over()
    assert rollout.stage == "promoted", rollout.reason
    assert stack.champion() == version["ModelPackageArn"]


def test_alarm_so_soon_after_a_run_starts_no_other_and_says_when(stack: Retrainings) -> None:
    machine = stack.outputs["RetrainingMachineArn"]
    before = len(stack.states.list_executions(stateMachineArn=machine)["executions"])
    namespace = stack.outputs["MetricsNamespace"]
    stack.cloudwatch.put_metric_data(Namespace=namespace, MetricData=[{"MetricName": "DriftViolations", "Value": 3}])

    def begun() -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = stack.states.list_executions(stateMachineArn=machine)["executions"]
        return found if len(found) > before else []

    executions = eventually(begun, PATIENCE)
    assert executions is not None
    newest = max(executions, key=lambda each: each["startDate"])["executionArn"]
    given = json.loads(stack.states.describe_execution(executionArn=newest)["input"])
    assert given == {"trigger": "alarm", "alarm": f"{stack.running.stack_name}-retrain-drift"}
    status, last, said = stack.came_to(newest)
    assert (status, last) == ("SUCCEEDED", "Nothing asks for a new model")
    assert "a reminder asks after" in said
