"""What a rollout asks of the world, in memory: every port of it, and endpoints and registry for more than one slot."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from msgspec.structs import replace as changed

from fraud import rollout as records
from fraud.analysis import Arm, FiredAlarm, Shadow, Tally
from fraud.aws.observations import DynamoObservations
from fraud.aws.rollout_store import DynamoRolloutStore
from fraud.aws.slot_alarms import KINDS
from fraud.deployment_ports import Approval, Candidate, EndpointPlan, EndpointState, Evidence, Phase, RegisteredPackage
from fraud.errors import (
    DeploymentFailed,
    DeploymentInterrupted,
    FraudError,
    InvalidPackage,
    RolloutMoved,
    RolloutRefused,
)
from fraud.rollout import Rollout
from fraud.rollout_plan import Plan
from fraud.rollout_ports import Observations, RolloutStore
from fraud.routing import Routing
from tests.fakes import samples
from tests.fakes.aws import ROLLOUTS, AwsStores
from tests.fakes.memory import Memory
from tests.fakes.samples import NOW
from tests.fakes.world import MemoryStores, Stores

ALARM, OK = "ALARM", "OK"
ALARM_PREFIX = "fraud-slot-"
EXECUTION = "arn:aws:states:eu-central-1:123456789012:execution:rollout:first"


def rollout(**fields: Any) -> Rollout:
    """The record of a rollout to slot b, beside a champion in slot a."""
    served = samples.model("b")
    candidate = records.Candidate(
        slot="b",
        endpoint=served.endpoint,
        model_package=served.model_package,
        version=2,
        instance_type="ml.m5.large",
        instance_count=1,
    )
    return Rollout(
        **{
            "rollout_id": "first",
            "owner": EXECUTION,
            "started_by": "ada",
            "started_at": float(NOW),
            "candidate": candidate,
            "served": served,
            "champion": "a",
            "plan": Plan(),
            "since": float(NOW),
        }
        | fields
    )


def rollout_store(stores: Stores) -> RolloutStore:
    """The record beside the stores' own routing item: what is committed is what scoring reads."""
    if isinstance(stores, MemoryStores):
        return MemoryRolloutStore(stores.memory)
    assert isinstance(stores, AwsStores)
    return DynamoRolloutStore(stores.dynamodb, ROLLOUTS)


def nothing_seen(epoch: int) -> Shadow:
    """A shadow that saw nothing."""
    return Shadow()


def observations(stores: Stores, seen: Callable[[int], Shadow] = nothing_seen) -> Observations:
    """What the stores' own projection counts; in memory the shadow's counters lie elsewhere, and are given."""
    if isinstance(stores, MemoryStores):
        return MemoryObservations(stores.memory, seen)
    assert isinstance(stores, AwsStores)
    return DynamoObservations(stores.dynamodb, ROLLOUTS)


@dataclass
class MemoryRolloutStore:
    """The record, and the routing item of a memory that scoring shares.

    Args:
        memory: holds the routing item.
        record: the current one.
        past: history, by its key.
    """

    memory: Memory
    record: Rollout | None = None
    past: dict[tuple[float, str], Rollout] = field(default_factory=dict)

    def read(self) -> Rollout | None:
        return self.record

    def begin(self, rollout: Rollout, previous: Rollout | None) -> Rollout:
        _require(_identity(self.record) == _identity(previous))
        self.record = changed(rollout, revision=previous.revision + 1 if previous else 1)
        return self.record

    def save(self, rollout: Rollout) -> Rollout:
        self._require_revision(rollout)
        self.record = changed(rollout, revision=rollout.revision + 1)
        if self.record.released:
            self.past[self.record.started_at, self.record.rollout_id] = self.record
        return self.record

    def commit(self, rollout: Rollout, routing: Routing) -> Rollout:
        self._require_revision(rollout)
        _require((self.memory.routing.epoch if self.memory.routing else 0) == routing.epoch - 1)
        self.memory.routing = routing
        self.record = changed(rollout, revision=rollout.revision + 1)
        return self.record

    def _require_revision(self, rollout: Rollout) -> None:
        _require(self.record is not None and self.record.revision == rollout.revision)


def _identity(rollout: Rollout | None) -> tuple[int, str] | None:
    return (rollout.revision, rollout.owner) if rollout else None


def _require(condition: bool) -> None:
    if not condition:
        raise RolloutMoved("somebody else changed the rollout meanwhile")


@dataclass
class MemoryObservations:
    """The counters of a memory.

    Args:
        memory: holds the counters.
        seen: what the shadow saw in an epoch.
    """

    memory: Memory
    seen: Callable[[int], Shadow] = nothing_seen

    def arms(self, epoch: int) -> Mapping[str, Arm]:
        arms: dict[str, dict[int, Tally]] = {}
        for (counted, slot, bucket), counter in self.memory.counters.items():
            if counted == epoch:
                tally = {name: counter.get(name, 0) for name in Tally.__struct_fields__}
                arms.setdefault(slot, {})[bucket] = Tally(**tally)
        return arms

    def shadow(self, epoch: int) -> Shadow:
        return self.seen(epoch)


@dataclass
class ScriptedAlarms:
    """Alarms of every slot, all of them OK until they are moved.

    Args:
        hindrances: sentences by slot, besides those for alarms in ALARM.
        changes: state and time of every change, by alarm, in order.
    """

    hindrances: dict[str, list[str]] = field(default_factory=dict)
    changes: dict[str, list[tuple[float, str]]] = field(default_factory=dict)

    def move(self, slot: str, kind: str, state: str, at: float) -> None:
        assert kind in KINDS
        self.changes.setdefault(f"{ALARM_PREFIX}{slot}-{kind}", []).append((at, state))

    def unfit(self, slot: str) -> Sequence[str]:
        standing = [name for name in self._names(slot) if self.changes[name][-1][1] == ALARM]
        return [*self.hindrances.get(slot, []), *(f"{name} is in ALARM: as told" for name in standing)]

    def fired(self, slot: str, since: float) -> Sequence[FiredAlarm]:
        began = {name: at for name in self._names(slot) if (at := self._began(name, since)) is not None}
        return [FiredAlarm(name=name, at=at, reason="as told") for at, name in sorted((began[n], n) for n in began)]

    def _names(self, slot: str) -> list[str]:
        return [name for name in self.changes if name.startswith(f"{ALARM_PREFIX}{slot}-")]

    def _began(self, name: str, since: float) -> float | None:
        """Start of the first time in ALARM that was not over by then."""
        changes = self.changes[name]
        ends = [at for at, _ in changes[1:]] + [float("inf")]
        times = [at for (at, state), end in zip(changes, ends, strict=True) if state == ALARM and end >= since]
        return times[0] if times else None


@dataclass
class SteadyTraffic:
    """As many decisions a second as told."""

    decisions: float = 100.0

    def per_second(self) -> float:
        return self.decisions


@dataclass
class RecordingCallbacks:
    """State machines that wait, and what they were told.

    Args:
        waiting: tokens that somebody waits with.
        resumed: token, step and approver of every answer that was taken.
        interrupted: token and sentence, the same.
    """

    waiting: set[str] = field(default_factory=set)
    resumed: list[tuple[str, int, str]] = field(default_factory=list)
    interrupted: list[tuple[str, str]] = field(default_factory=list)

    def resume(self, token: str, step: int, approved_by: str) -> None:
        if token not in self.waiting:
            raise RolloutRefused("Nobody waits for this answer any more.")
        self.waiting.remove(token)
        self.resumed.append((token, step, approved_by))

    def interrupt(self, token: str, sentence: str) -> None:
        if token in self.waiting:
            self.waiting.remove(token)
            self.interrupted.append((token, sentence))


@dataclass
class RecordingBell:
    """Subject and message of every ring."""

    rung: list[tuple[str, str]] = field(default_factory=list)

    def ring(self, subject: str, message: str) -> None:
        self.rung.append((subject, message))


@dataclass
class RecordingAnnouncements:
    """Rollout, stage and sentence of every announcement."""

    made: list[tuple[str, str, str]] = field(default_factory=list)

    def announce(self, rollout: Rollout, sentence: str) -> None:
        self.made.append((rollout.rollout_id, str(rollout.stage), sentence))


@dataclass(frozen=True)
class Standing:
    """An endpoint.

    Args:
        plan: what it was made of.
        left: looks until its way up, or out, is at its end.
        going: whether it is being deleted.
    """

    plan: EndpointPlan
    left: int
    going: bool = False


@dataclass
class MemoryScaling:
    """Which endpoints follow their traffic.

    Args:
        bounds: endpoint → fewest and most machines.
        held: those that do not follow for now.
    """

    bounds: dict[str, tuple[int, int]] = field(default_factory=dict)
    held: set[str] = field(default_factory=set)

    def follow(self, endpoint: str, least: int, most: int) -> None:
        self.bounds[endpoint] = (least, most)
        self.held.discard(endpoint)

    def hold(self, endpoint: str) -> None:
        if endpoint in self.bounds:
            self.held.add(endpoint)

    def forget(self, endpoint: str) -> None:
        self.bounds.pop(endpoint, None)
        self.held.discard(endpoint)


@dataclass
class MemoryEndpoints:
    """Endpoints of any number of slots; each look at one that is on its way brings it nearer to its end.

    Args:
        looks: how many find a new endpoint still on its way.
        lingering: how many find a deleted one still there.
        refusals: raised by the next creations, one each.
        failures: endpoint → why it will not come into service.
        standing: endpoints by name.
        parts: plans of which configuration and model are there, by their name.
        created: every plan that was asked for.
    """

    looks: int = 0
    lingering: int = 0
    refusals: list[FraudError] = field(default_factory=list)
    failures: dict[str, str] = field(default_factory=dict)
    standing: dict[str, Standing] = field(default_factory=dict)
    parts: dict[str, EndpointPlan] = field(default_factory=dict)
    created: list[EndpointPlan] = field(default_factory=list)

    def create(self, plan: EndpointPlan) -> None:
        self.created.append(plan)
        if self.refusals:
            raise self.refusals.pop(0)
        self.parts[plan.name] = plan
        found = self.standing.setdefault(plan.endpoint, Standing(plan, self.looks))
        if found.going:
            raise DeploymentInterrupted(f"endpoint {plan.endpoint} is still being deleted: try again")
        if found.plan != plan:
            raise DeploymentFailed(f"endpoint {plan.endpoint} exists already and is of another package")

    def describe(self, endpoint: str) -> EndpointState | None:
        found = self._looked_at(endpoint)
        if found is None:
            return None
        if found.going:
            return EndpointState(Phase.FAILED, found.plan.name, "Deleting")
        if found.left > 0:
            return EndpointState(Phase.CHANGING, found.plan.name, "Creating")
        if endpoint in self.failures:
            return EndpointState(Phase.FAILED, found.plan.name, f"Failed: {self.failures[endpoint]}")
        return EndpointState(Phase.IN_SERVICE, found.plan.name, "InService")

    def remove(self, plan: EndpointPlan) -> None:
        found = self._looked_at(plan.endpoint)
        if found is not None and found.plan == plan and not found.going:
            if found.left > 0:
                raise DeploymentFailed(f"endpoint {plan.endpoint} is in progress")
            self._delete(found)
        self.parts.pop(plan.name, None)

    def clear(self, endpoint: str) -> bool:
        found = self._looked_at(endpoint)
        if found is not None and found.left <= 0 and not found.going:
            self._delete(found)
        return endpoint not in self.standing

    def _delete(self, found: Standing) -> None:
        self.parts.pop(found.plan.name, None)
        self.standing[found.plan.endpoint] = Standing(found.plan, self.lingering, going=True)
        if not self.lingering:
            del self.standing[found.plan.endpoint]

    def _looked_at(self, endpoint: str) -> Standing | None:
        """As it is now; the next look is one nearer to the end of its way."""
        found = self.standing.get(endpoint)
        if found is None:
            return None
        if found.going and found.left <= 0:
            del self.standing[endpoint]
            return None
        self.standing[endpoint] = replace(found, left=found.left - 1)
        return found


@dataclass
class MemoryRegistry:
    """Versions of the model, oldest first.

    Args:
        versions: as they are described.
        evidence: what speaks for a version, by its ARN, as it was added.
    """

    versions: list[RegisteredPackage] = field(default_factory=list)
    evidence: dict[str, Evidence | None] = field(default_factory=dict)

    def register(self, candidate: Candidate) -> str:
        same = [place for place, each in enumerate(self.versions) if each.artefact_sha256 == candidate.artefact_sha256]
        return self._adopted(same[-1], candidate) if same else self._added(candidate)

    def _adopted(self, place: int, candidate: Candidate) -> str:
        standing = self.versions[place]
        if candidate.approved and standing.approval is Approval.PENDING:
            self.versions[place] = replace(standing, approval=Approval.APPROVED)
        return standing.model_package

    def _added(self, candidate: Candidate) -> str:
        number = len(self.versions) + 1
        arn = f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/{number}"
        self.evidence[arn] = candidate.evidence
        self.versions.append(
            RegisteredPackage(
                model_package=arn,
                version=number,
                completed=True,
                approval=Approval.APPROVED if candidate.approved else Approval.PENDING,
                artefact_uri=candidate.artefact_uri,
                document_uri=candidate.document_uri,
                artefact_sha256=candidate.artefact_sha256,
                artefact_bytes=candidate.artefact_bytes,
            )
        )
        return arn

    def describe(self, model_package: str) -> RegisteredPackage:
        for each in self.versions:
            if each.model_package == model_package:
                return each
        raise InvalidPackage(f"there is no model package {model_package}")

    def approved(self) -> Sequence[RegisteredPackage]:
        return [each for each in reversed(self.versions) if each.approval is Approval.APPROVED]
