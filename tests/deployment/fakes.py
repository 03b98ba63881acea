"""The world a deployment acts on, in memory: every port, and a clock that only moves when somebody sleeps."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from fraud.decision import Score
from fraud.deployment_ports import Candidate, EndpointPlan, EndpointState, Phase, RegisteredPackage
from fraud.errors import FraudError, InvalidPackage, RoutingConflict
from fraud.routing import Routing, ServedModel
from fraud.services.deployment import Deployment
from fraud.services.packages import Packages
from tests.deployment import packages

Answer = list[float | None] | FraudError
LOOK_CHANGING = EndpointState(Phase.CHANGING, packages.PLAN.name, "Creating")
LOOK_READY = EndpointState(Phase.IN_SERVICE, packages.PLAN.name, "InService")


@dataclass
class Registry:
    known: dict[str, RegisteredPackage] = field(default_factory=lambda: {packages.ARN: packages.registered()})
    candidates: list[Candidate] = field(default_factory=list)

    def register(self, candidate: Candidate) -> str:
        self.candidates.append(candidate)
        return packages.ARN

    def describe(self, model_package: str) -> RegisteredPackage:
        if model_package not in self.known:
            raise InvalidPackage(f"there is no model package {model_package}")
        return self.known[model_package]


@dataclass
class Store:
    objects: dict[str, bytes] = field(
        default_factory=lambda: {packages.DOCUMENT_URI: packages.text(), packages.URI: packages.archive()}
    )

    def read(self, uri: str, largest: int) -> bytes:
        if uri not in self.objects:
            raise InvalidPackage(f"there is no object {uri}")
        return self.objects[uri][: largest + 1]

    def write(self, name: str, content: bytes) -> str:
        self.objects[f"s3://archive/models/{name}"] = content
        return f"s3://archive/models/{name}"


@dataclass
class Endpoints:
    """Endpoints whose looks are told beforehand; the last one stays."""

    looks: list[EndpointState | None] = field(default_factory=lambda: [LOOK_CHANGING, LOOK_READY])
    refusal: FraudError | None = None
    stuck: FraudError | None = None
    created: list[EndpointPlan] = field(default_factory=list)
    removed: list[EndpointPlan] = field(default_factory=list)

    def create(self, plan: EndpointPlan) -> None:
        self.created.append(plan)
        if self.refusal:
            raise self.refusal

    def describe(self, endpoint: str) -> EndpointState | None:
        assert endpoint == packages.PLAN.endpoint
        return self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]

    def remove(self, plan: EndpointPlan) -> None:
        if self.stuck:
            raise self.stuck
        self.removed.append(plan)


@dataclass
class RoutingItem:
    """The routing item; `rival` is called just before the write, and writes what it likes."""

    item: Routing | None = None
    rival: Callable[[Routing], Routing | None] = lambda routing: None
    failure: FraudError | None = None

    def read(self) -> Routing | None:
        return self.item

    def create(self, routing: Routing) -> None:
        if self.failure:
            raise self.failure
        self.item = self.item or self.rival(routing)
        if self.item is not None:
            raise RoutingConflict("there is a routing item already")
        self.item = routing


@dataclass
class Scorer:
    """Gives its answers one after the other; the last one stays."""

    answers: list[Answer] = field(default_factory=lambda: [[0.02, 0.97]])
    asked: list[tuple[ServedModel, list[list[float | None]]]] = field(default_factory=list)

    def score(self, model: ServedModel, rows: Sequence[Sequence[float | None]]) -> list[Score | None]:
        self.asked.append((model, [list(row) for row in rows]))
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, FraudError):
            raise answer
        return [None if value is None else Score(value) for value in answer]


@dataclass
class World:
    """All of it, and the use-case in its midst."""

    registry: Registry = field(default_factory=Registry)
    packages: Store = field(default_factory=Store)
    endpoints: Endpoints = field(default_factory=Endpoints)
    routing: RoutingItem = field(default_factory=RoutingItem)
    scorer: Scorer = field(default_factory=Scorer)
    now: float = 0.0
    told: list[str] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.now += seconds

    def deployment(self) -> Deployment:
        return Deployment(
            packages=Packages(self.registry, self.packages),
            endpoints=self.endpoints,
            routing=self.routing,
            scorer=self.scorer,
            slots={"a": "fraud-a", "b": "fraud-b"},
            hosting=packages.HOSTING,
            monotonic=lambda: self.now,
            sleep=self.sleep,
            new_salt=lambda: "fresh",
            progress=self.told.append,
        )

    def bootstrap(self) -> Routing:
        return self.deployment().bootstrap_champion(packages.ARN, packages.INSTANCE)
