"""What a retraining works with, in memory: its record, executions, alarms, objects, jobs and source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from msgspec.structs import replace

from fraud.aws.retraining_store import DynamoRetrainingStore
from fraud.errors import InvalidEvidence, RetrainingMoved
from fraud.retraining import Kind, Retraining, Trigger
from fraud.retraining_plan import Plan
from fraud.retraining_ports import JobPhase, JobState, RetrainingStore
from tests.fakes.aws import ROLLOUTS, AwsStores
from tests.fakes.samples import NOW
from tests.fakes.world import MemoryStores, Stores

BUCKET = "archive"
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:retraining:first"
QUERY = "SELECT * FROM decisions WHERE dt BETWEEN '$first_day' AND '$last_day' AND at BETWEEN '$from' AND '$as_of'"


def retraining(**fields: Any) -> Retraining:
    """The record of a run that a person asked for."""
    return Retraining(
        **{
            "run_id": "first",
            "owner": EXECUTION,
            "trigger": Trigger(kind=Kind.PERSON, name="ada", at=float(NOW)),
            "started_at": float(NOW),
            "as_of": float(NOW),
            "plan": Plan(),
        }
        | fields
    )


def retraining_store(stores: Stores) -> RetrainingStore:
    """The record beside the stores."""
    if isinstance(stores, MemoryStores):
        return MemoryRetrainingStore()
    assert isinstance(stores, AwsStores)
    return DynamoRetrainingStore(stores.dynamodb, ROLLOUTS)


@dataclass
class MemoryRetrainingStore:
    """The record.

    Args:
        record: the current one.
        past: history, by its key.
    """

    record: Retraining | None = None
    past: dict[tuple[float, str], Retraining] = field(default_factory=dict)

    def read(self) -> Retraining | None:
        return self.record

    def begin(self, retraining: Retraining, previous: Retraining | None) -> Retraining:
        _require(_identity(self.record) == _identity(previous))
        self.record = replace(retraining, revision=previous.revision + 1 if previous else 1)
        return self.record

    def save(self, retraining: Retraining) -> Retraining:
        _require(self.record is not None and self.record.revision == retraining.revision)
        self.record = replace(retraining, revision=retraining.revision + 1)
        if self.record.is_over:
            self.past[self.record.started_at, self.record.run_id] = self.record
        return self.record


def _identity(retraining: Retraining | None) -> tuple[int, str] | None:
    return (retraining.revision, retraining.owner) if retraining else None


def _require(condition: bool) -> None:
    if not condition:
        raise RetrainingMoved("somebody else changed the retraining's record meanwhile")


@dataclass
class FakeExecutions:
    """ARNs of the executions that run."""

    running: set[str] = field(default_factory=set)

    def is_running(self, execution: str) -> bool:
        return execution in self.running


@dataclass
class FakeRetrainingAlarms:
    """Names of the alarms that are in ALARM."""

    on: set[str] = field(default_factory=set)

    def firing(self) -> Sequence[str]:
        return sorted(self.on)


@dataclass
class MemoryRunFiles:
    """Objects by their URIs, in any bucket; what is written goes to one."""

    held: dict[str, bytes] = field(default_factory=dict)
    bucket: str = BUCKET

    def is_empty(self, prefix: str) -> bool:
        return not any(content for uri, content in self.held.items() if uri.startswith(prefix))

    def read(self, uri: str, largest: int) -> bytes:
        if uri not in self.held:
            raise InvalidEvidence(f"there is no object {uri}")
        if len(self.held[uri]) > largest:
            raise InvalidEvidence(f"{uri} is larger than {largest:,} bytes")
        return self.held[uri]

    def write(self, key: str, content: bytes) -> str:
        uri = f"s3://{self.bucket}/{key}"
        self.held[uri] = content
        return uri


@dataclass
class FakeJobs:
    """Jobs by kind (`examine`, `train` or `evaluate`) and name, and what was asked of them."""

    states: dict[tuple[str, str], JobState] = field(default_factory=dict)
    asked: list[tuple[str, str]] = field(default_factory=list)

    def describe(self, job: str, name: str) -> JobState:
        self.asked.append((job, name))
        return self.states.get((job, name), JobState(JobPhase.ABSENT))


@dataclass
class FakeSource:
    """What the jobs run, by literals."""

    content: bytes = b"source"
    text: str = QUERY

    def archive(self) -> bytes:
        return self.content

    def query(self, name: str) -> str:
        return self.text
