"""A stack with traffic on which rollouts are played: every use-case over one set of stores, with faults on demand."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any

from fraud import model_package, rollout_task, routing
from fraud.aws.routing_store import DynamoRoutingStore
from fraud.decision import Score
from fraud.deployment_ports import EndpointPlan, Hosting, Instance, RoutingStore
from fraud.errors import InvalidPackage
from fraud.rollout import Rollout
from fraud.rollout_ports import RolloutStore
from fraud.routing import Routing, ServedModel
from fraud.services.aborting import Aborting
from fraud.services.challenger import Challenger
from fraud.services.judging import Judging
from fraud.services.packages import Packages
from fraud.services.rollback import Rollback
from fraud.services.rollout_records import RolloutRecords
from fraud.services.rollout_start import RolloutStart
from fraud.services.shifting import Shifting
from fraud.services.slots import Slots
from fraud.services.steering import Steering
from tests.deployment import packages
from tests.fakes import rollouts, samples, shadow
from tests.fakes.aws import ROLLOUTS, AwsStores
from tests.fakes.faults import Clock, Faults, Watched
from tests.fakes.rollouts import (
    MemoryEndpoints,
    MemoryRegistry,
    MemoryScaling,
    RecordingAnnouncements,
    RecordingBell,
    RecordingCallbacks,
    ScriptedAlarms,
)
from tests.fakes.samples import NOW
from tests.fakes.shadow import ShadowWorld
from tests.fakes.world import MemoryStores, Rows, ScriptedScorer, Stores, World

SLOTS = {"a": "fraud-a", "b": "fraud-b"}
MOST_INSTANCES = 4
ROLE = "arn:aws:iam::123456789012:role/models"
SECOND = 1.0
PLAN: Mapping[str, Any] = {
    "steps_bps": [2_000, 5_000],
    "shadow_seconds": 20,
    "bake_seconds": 20,
    "soak_seconds": 20,
    "look_seconds": 10,
    "deadline_seconds": 600,
    "gates": {"transactions": 20, "advisory": ["block_rate", "review_rate", "latency"]},
}
"""A few transactions are enough, so that a rollout is played in a moment."""
FUNCTIONS = ("prepare_rollout", "deploy_challenger", "shift_traffic", "judge_rollout", "steer_rollout")
SMOKE = {tuple(each["features"]): each["score"] for each in packages.document()["smoke_vectors"]}


class PackageScorer(ScriptedScorer):
    """Endpoints that score smoke vectors as every package here promises, and all else as 0.1."""

    def score(self, model: ServedModel, rows: Rows) -> list[Score | None]:
        self.asked.append(model.endpoint)
        answer = self.answers.get(model.endpoint)
        return answer(rows) if answer else [Score(SMOKE.get(tuple(row), 0.1)) for row in rows]


@dataclass
class Objects:
    """Artefacts and documents by URI."""

    held: dict[str, bytes] = field(default_factory=dict)

    def read(self, uri: str, largest: int) -> bytes:
        if uri not in self.held:
            raise InvalidPackage(f"there is no object {uri}")
        return self.held[uri][: largest + 1]

    def write(self, name: str, content: bytes) -> str:
        self.held[f"s3://archive/models/{name}"] = content
        return f"s3://archive/models/{name}"


@dataclass
class RolloutWorld:
    """A stack; `world` is its data path, everything else its control plane.

    Args:
        stores: in memory or on moto.
        faults: what goes wrong at which call of the control plane; names are `port.method`.
        profile_plan: of the stack's profile.
        per_second: transactions a second while time passes.
    """

    stores: Stores = field(default_factory=lambda: MemoryStores(Clock(NOW)))
    faults: Faults = field(default_factory=Faults)
    profile_plan: Mapping[str, Any] = field(default_factory=dict)
    per_second: float = 4.0
    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    objects: Objects = field(default_factory=Objects)
    endpoints: MemoryEndpoints = field(default_factory=MemoryEndpoints)
    scaling: MemoryScaling = field(default_factory=MemoryScaling)
    alarms: ScriptedAlarms = field(default_factory=ScriptedAlarms)
    callbacks: RecordingCallbacks = field(default_factory=RecordingCallbacks)
    bell: RecordingBell = field(default_factory=RecordingBell)
    announcements: RecordingAnnouncements = field(default_factory=RecordingAnnouncements)
    scorer: PackageScorer = field(default_factory=PackageScorer)
    plan: Mapping[str, Any] = field(default_factory=lambda: PLAN)
    on_second: Callable[[], object] = lambda: None
    sent: int = 0

    def __post_init__(self) -> None:
        self.world = World(self.stores, scorer=self.scorer)
        self.shadows = shadow.over(self.stores)
        self.shadow_world = ShadowWorld(self.shadows, self.scorer)
        # Stores keep the record themselves: every use-case must see the same.
        self._store = rollouts.rollout_store(self.stores)
        self._salts = count(1)
        self._projected: set[str] = set()

    @property
    def clock(self) -> Clock:
        return self.stores.clock

    # --- What there is before a rollout ------------------------------------------------------------------------------

    def enlist(self, *, approved: bool = True, **document: Any) -> str:
        """Register a package, each with a content of its own; its ARN."""
        version = len(self.registry.versions) + 1
        archive = packages.archive(training={"rows": version}, **document)
        return Packages(self.registry, self.objects).register(archive, approved=approved)

    def with_champion(self) -> RolloutWorld:
        """Version 1 serves in slot a."""
        arn = self.enlist()
        plan = EndpointPlan(SLOTS["a"], arn, 1, Instance("ml.m5.large"), Hosting(ROLE))
        self.endpoints.create(plan)
        self.endpoints.created.clear()
        self.stores.set_routing(routing.first("a", self._served(arn, "a"), "salt-0"))
        return self

    def _served(self, arn: str, slot: str) -> ServedModel:
        uri = self.registry.describe(arn).document_uri
        assert uri is not None
        return model_package.parse(self.objects.held[uri]).served_at(SLOTS[slot], arn)

    # --- Time and traffic --------------------------------------------------------------------------------------------

    def pass_by(self, seconds: float) -> None:
        """Let time pass, transactions be decided and projected, and the shadow see them."""
        for _ in range(round(seconds)):
            self.clock.pass_by(SECOND)
            self.on_second()
            self.flow(round(self.per_second))

    def flow(self, transactions: int) -> None:
        """So many transactions now, on as many cards."""
        numbers = range(self.sent, self.sent + transactions)
        self.sent += transactions
        payloads = [
            samples.payload(f"t{each}", f"card-{each % 500}", self.clock(), terminal_id=f"m{each}") for each in numbers
        ]
        records = [samples.record(each, body, self.clock()) for each, body in zip(numbers, payloads, strict=True)]
        assert not records or self.world.score(records) == []
        # Known by their ids, because a table is scanned in no order.
        stream = [each for each in self.stores.stream() if each.transaction_id not in self._projected]
        self._projected |= {each.transaction_id for each in stream}
        assert not stream or self.world.project(stream) == []
        assert not stream or not self.shadow_world.shadow(stream).failed

    # --- The control plane -------------------------------------------------------------------------------------------

    @property
    def store(self) -> RolloutStore:
        return self._watched("store", self._store)

    @property
    def routings(self) -> RoutingStore:
        return self._watched("routing", _Routings(self.stores))

    def _watched(self, name: str, port: Any) -> Any:
        return Watched(name, port, self.faults.around)

    @property
    def records(self) -> RolloutRecords:
        return RolloutRecords(self.store, self.clock)

    @property
    def rollback(self) -> Rollback:
        scorer = self._watched("scorer", self.scorer)
        return Rollback(self.store, self.routings, self._observations(), scorer, self.clock, self.pass_by)

    def _observations(self) -> Any:
        return self._watched("observations", rollouts.observations(self.stores, self.shadows.seen))

    @property
    def start(self) -> RolloutStart:
        return RolloutStart(
            records=self.records,
            routing=self.routings,
            registry=self._watched("registry", self.registry),
            packages=Packages(self.registry, self.objects),
            alarms=self._watched("alarms", self.alarms),
            traffic=rollouts.SteadyTraffic(self.per_second),
            rollback=self.rollback,
            slots=SLOTS,
            default_plan=self.plan,
            profile_plan=self.profile_plan,
        )

    @property
    def slots(self) -> Slots:
        scaling = self._watched("scaling", self.scaling)
        return Slots(self._watched("endpoints", self.endpoints), self.routings, SLOTS, scaling, MOST_INSTANCES)

    @property
    def challenger(self) -> Challenger:
        return Challenger(
            records=self.records,
            packages=Packages(self.registry, self.objects),
            endpoints=self._watched("endpoints", self.endpoints),
            slots=self.slots,
            scorer=self._watched("scorer", self.scorer),
            hosting=lambda instance_type: Hosting(ROLE),
            sleep=self.clock.pass_by,
        )

    @property
    def shifting(self) -> Shifting:
        return Shifting(self.records, self.routings, self.rollback, lambda: f"salt-{next(self._salts)}")

    @property
    def judging(self) -> Judging:
        return Judging(self.records, self._observations(), self._watched("alarms", self.alarms))

    @property
    def steering(self) -> Steering:
        return Steering(self.records, self.rollback, self._watched("callbacks", self.callbacks), self.bell)

    @property
    def aborting(self) -> Aborting:
        callbacks = self._watched("callbacks", self.callbacks)
        announcements = self._watched("announcements", self.announcements)
        return Aborting(self.rollback, callbacks, self.slots, self.bell, announcements)

    # --- Looking -----------------------------------------------------------------------------------------------------

    @property
    def routing(self) -> Routing | None:
        return _Routings(self.stores).read()

    @property
    def record(self) -> Rollout:
        found = self._store.read()
        assert found is not None
        return found

    def serving(self) -> str | None:
        """ARN of the package that serves whoever is not the challenger's."""
        now = self.routing
        return now.slots[now.champion].model_package if now else None

    def check_nothing_lost(self) -> None:
        """Every transaction has one decision, and is counted once."""
        assert len(self.stores.decided()) == self.sent
        assert sum(each["transactions"] for each in self.stores.counters().values()) == self.sent

    def functions(self, arn: Callable[[str], str]) -> Mapping[str, Callable[[dict[str, Any]], Any]]:
        """The state machine's functions as their handlers are, without a cloud."""
        return {arn(name): getattr(self, f"_{name}") for name in FUNCTIONS}

    def _prepare_rollout(self, event: dict[str, Any]) -> dict[str, Any]:
        return self._answered(self.start, event, "refused")

    def _deploy_challenger(self, event: dict[str, Any]) -> dict[str, Any]:
        return self._answered(self.challenger, event, "roll_back")

    def _shift_traffic(self, event: dict[str, Any]) -> dict[str, Any]:
        return self._answered(self.shifting, event, "roll_back")

    def _judge_rollout(self, event: dict[str, Any]) -> dict[str, Any]:
        return self._answered(self.judging, event, "roll_back")

    def _steer_rollout(self, event: dict[str, Any]) -> dict[str, Any]:
        self.callbacks.waiting.add(event["token"])
        return self._answered(self.steering, event, "roll_back")

    def _answered(self, use_case: Any, event: dict[str, Any], permanent: str) -> dict[str, Any]:
        task = rollout_task.task(event)
        return rollout_task.answered(lambda: getattr(use_case, task.task)(task), permanent)


@dataclass(frozen=True)
class _Routings:
    """The stores' own routing item."""

    stores: Stores

    def read(self) -> Routing | None:
        if isinstance(self.stores, MemoryStores):
            return self.stores.memory.routing
        assert isinstance(self.stores, AwsStores)
        return DynamoRoutingStore(self.stores.dynamodb, ROLLOUTS).read()


def task(name: str, **fields: Any) -> rollout_task.Task:
    """A task of the sample execution."""
    defaults = {"execution": rollouts.EXECUTION, "execution_name": "first", "input": {}}
    return rollout_task.Task(task=name, **defaults | fields)


def events(rollout: Rollout) -> Sequence[str]:
    """The rollout's story."""
    return [each.sentence for each in rollout.events]
