"""Rollouts as their users meet them: plain boto3 starts executions, puts payments, and looks at what became of it."""

import itertools
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import msgspec

from fraud import model_package
from fraud.rollout import Rollout
from fraud.settings import RegistrySettings
from tests.deployment import packages
from tests.end_to_end.spine import Spine
from tests.local.conftest import SESSION, Running, eventually

PLAN = {
    "steps_bps": [2_000, 5_000],
    "shadow_seconds": 2,
    "bake_seconds": 3,
    "soak_seconds": 3,
    "look_seconds": 1,
    "deadline_seconds": 60,
    "deploy_seconds": 60,
    "gates": {"transactions": 40, "advisory": ["latency", "block_rate", "review_rate"]},
}
"""Short bakes; what takes many transactions to tell is told of only."""
RATE = 60.0
"""Transactions a second."""
BATCH = 12
PATIENCE = 60.0
"""Seconds for what takes a quarter of them on an idle machine."""

INFERENCE = b"""
SCORES = {(1000.0, 0.0, None): 0.02, (90000.0, 7.0, 0.5): 0.97}


def model_fn(directory):
    return None


def input_fn(data, kind):
    return [tuple(float(cell) if cell else None for cell in line.split(",")) for line in data.split("\\n")]


def predict_fn(rows, model):
    return [SCORES.get(row, 0.1) for row in rows]


def output_fn(scores, accept):
    import json

    return json.dumps({"scores": scores, "reasons": [None] * len(scores)}), accept
"""
"""A model by hand, which starts in a moment: the smoke vectors' scores, and 0.1 for everything else."""


class Rollouts:
    """A running stack, by its outputs."""

    def __init__(self, running: Running) -> None:
        self.running = running
        self.spine = Spine(running)
        self.outputs = running.outputs
        self.states, self.events = running.client("stepfunctions"), running.client("events")
        self.sagemaker, self.cloudwatch = running.client("sagemaker"), running.client("cloudwatch")
        self.lambda_ = running.client("lambda")
        self.sent = 0
        self._numbers = itertools.count(1)

    # --- Packages and executions -------------------------------------------------------------------------------------

    def enlist(self, *, approved: bool = True, inference: bytes = INFERENCE) -> str:
        """Register a package with a content of its own; its ARN. An approval starts its rollout."""
        from fraud.rollout_bootstrap import packages as registry

        names = RegistrySettings(
            self.outputs["ModelPackageGroupName"], self.outputs["ModelImageUri"], self.outputs["ArchiveBucketName"]
        )
        artefact = packages.archive({"code/inference.py": inference}, training={"rows": next(self._numbers)})
        assert model_package.document_in(artefact)
        return registry(SESSION, names, self.running.url).register(artefact, approved=approved)

    def start(self, given: dict[str, Any] | None = None) -> str:
        """Start an execution as from the console; its ARN."""
        answer = self.states.start_execution(
            stateMachineArn=self.outputs["RolloutMachineArn"], input=json.dumps(given or {})
        )
        return str(answer["executionArn"])

    def ended(self, execution: str) -> dict[str, Any]:
        """The execution, once it is over."""

        def look() -> dict[str, Any] | None:
            found: dict[str, Any] = self.states.describe_execution(executionArn=execution)
            return found if found["status"] != "RUNNING" else None

        found = eventually(look, PATIENCE)
        assert found is not None
        return found

    def entered(self, execution: str) -> list[str]:
        """Names of the states that an execution entered, in order."""
        pages = self.states.get_paginator("get_execution_history").paginate(executionArn=execution)
        details = (event.get("stateEnteredEventDetails") for page in pages for event in page["events"])
        return [each["name"] for each in details if each]

    def switch_approvals(self, *, on: bool) -> None:
        """Let approvals start rollouts, or not."""
        rules = self.events.list_rules()["Rules"]
        [rule] = [each["Name"] for each in rules if "ModelApprovalStatus" in each.get("EventPattern", "")]
        (self.events.enable_rule if on else self.events.disable_rule)(Name=rule)

    # --- Looking -----------------------------------------------------------------------------------------------------

    @property
    def record(self) -> Rollout | None:
        item = self._item("rollout", "current")
        return msgspec.json.decode(item["document"]["S"], type=Rollout) if item else None

    @property
    def routing(self) -> dict[str, Any]:
        item = self._item("routing", "routing")
        assert item is not None
        return item

    def champion(self) -> str:
        """Version that serves alone; fails while a challenger does anything."""
        routing = self.routing
        assert "challenger" not in routing
        [model] = routing["slots"]["M"].values()
        return str(model["M"]["model_package"]["S"])

    def until(self, stage: str, step: int | None = None) -> Rollout:
        """The record, once it is in a stage."""

        def look() -> Rollout | None:
            found = self.record
            return found if found and found.stage == stage and step in (None, found.step) else None

        found = eventually(look, PATIENCE)
        assert found is not None
        return found

    def over(self) -> Rollout:
        """The record, once its lock is free."""

        def look() -> Rollout | None:
            found = self.record
            return found if found and found.released else None

        found = eventually(look, PATIENCE)
        assert found is not None
        return found

    def endpoint(self, slot: str) -> dict[str, Any]:
        """What changes of an endpoint with every update of it."""
        found = self.sagemaker.describe_endpoint(EndpointName=self.outputs[f"EndpointSlot{slot.upper()}"])
        return {name: found[name] for name in ("EndpointConfigName", "CreationTime", "LastModifiedTime")}

    def settled(self) -> bool:
        """Whether every transaction that was put is decided and counted, once."""
        decided = self.spine.decisions()
        counted = [item for item in self.spine._scan("RolloutTableName") if item["pk"]["S"].startswith("counters#")]
        return len(decided) == sum(int(each["transactions"]["N"]) for each in counted) == self.sent

    def _item(self, pk: str, sk: str) -> dict[str, Any] | None:
        key = {"pk": {"S": pk}, "sk": {"S": sk}}
        dynamodb = self.running.client("dynamodb")
        found = dynamodb.get_item(TableName=self.outputs["RolloutTableName"], Key=key, ConsistentRead=True)
        item: dict[str, Any] | None = found.get("Item")
        return item

    # --- Traffic -----------------------------------------------------------------------------------------------------

    @contextmanager
    def traffic(self) -> Iterator[None]:
        """Payments at a steady rate while the block runs."""
        stop, failures = threading.Event(), []

        def flow() -> None:
            try:
                while not stop.wait(BATCH / RATE):
                    self.spine.put_events([self._payment() for _ in range(BATCH)])
                    self.sent += BATCH
            except Exception as error:  # noqa: BLE001 - told below, in the test's own thread
                failures.append(error)

        thread = threading.Thread(target=flow, daemon=True)
        thread.start()
        try:
            yield
        finally:
            stop.set()
            thread.join(10)
        assert failures == []
        eventually(self.settled, PATIENCE)

    def _payment(self) -> dict[str, Any]:
        number = next(self._numbers)
        now = datetime.fromtimestamp(time.time(), UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        return {
            "schema_version": 1,
            "transaction_id": f"t-{number}",
            "occurred_at": now,
            "card_token": f"card-{number % 900}",
            "terminal_id": f"terminal-{number % 200}",
            "amount_minor": 1_000,
            "currency": "EUR",
        }
