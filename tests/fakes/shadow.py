"""Shadow scoring over either kind of stores, with faults on demand, and what the stores hold afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import msgspec

from fraud import features
from fraud.analysis import Latency, Pairs, Shadow
from fraud.aws import decision_items
from fraud.aws.observations import DynamoObservations
from fraud.aws.routing_store import DynamoRoutingStore
from fraud.aws.shadow_store import DynamoShadowStore
from fraud.deadline import Deadline
from fraud.decision import Decision, Score
from fraud.ports import Recorded
from fraud.routing import Routing
from fraud.services.shadow import Shadowing
from fraud.shadow_ports import RoutingReader, ShadowCommit, ShadowReport, ShadowStore
from tests.fakes import samples
from tests.fakes.aws import ROLLOUTS, AwsStores
from tests.fakes.faults import Clock, Faults, Watched
from tests.fakes.memory import MOST_ACTIONS, Memory
from tests.fakes.samples import NOW
from tests.fakes.world import INVOCATION, POLICY, MemoryStores, ScriptedScorer, Stores

EPOCH = 7
"""Of the sample routing."""
Note = dict[str, Any]


class Shadows(Protocol):
    """What shadow scoring reads and writes, as a test sees it, in memory or on moto."""

    stores: Stores

    @property
    def routing(self) -> RoutingReader: ...
    @property
    def store(self) -> ShadowStore: ...
    def seen(self, epoch: int = EPOCH) -> Shadow: ...
    def notes(self, epoch: int = EPOCH) -> dict[str, Note]: ...


class MemoryShadowStore:
    """Notes and counters, with the semantics that the DynamoDB adapter has."""

    def __init__(self) -> None:
        self.notes: dict[tuple[int, int, str], Note] = {}
        self.pairs: dict[tuple[int, int], Pairs] = {}
        self.latencies: dict[tuple[int, str], Latency] = {}

    def observe(self, epoch: int, commits: Sequence[ShadowCommit]) -> frozenset[str] | None:
        observations = {(epoch, each.bucket, each.transaction_id): each for c in commits for each in c.observations}
        _check_limits(commits)
        noted = observations.keys() & self.notes.keys()
        if noted:
            return frozenset(transaction_id for _, _, transaction_id in noted)
        self.notes |= {key: note_of(each) for key, each in observations.items()}
        for commit in commits:
            key = epoch, commit.bucket
            self.pairs[key] = add(self.pairs.get(key, Pairs()), commit.pairs)
            for model, latency in commit.timings.items():
                self.latencies[epoch, model] = together(self.latencies.get((epoch, model), Latency()), latency)
        return None


def _check_limits(commits: Sequence[ShadowCommit]) -> None:
    """What DynamoDB refuses outright: too many actions, or two on one item."""
    keys = [("pairs", str(commit.bucket)) for commit in commits]
    keys += [("latency", model) for commit in commits for model in commit.timings]
    keys += [("note", each.transaction_id) for commit in commits for each in commit.observations]
    assert 0 < len(keys) <= MOST_ACTIONS
    assert len(set(keys)) == len(keys)


def note_of(observation: Any) -> Note:
    """What a person finds of an observation."""
    note = {
        "champion_action": observation.champion.value,
        "champion_score": observation.champion_score,
        "challenger_action": observation.challenger and observation.challenger.value,
        "challenger_score": observation.challenger_score,
    }
    return {name: value for name, value in note.items() if value is not None}


def add(one: Pairs, other: Pairs) -> Pairs:
    amounts = msgspec.structs.asdict(other)
    return Pairs(**{name: amount + amounts[name] for name, amount in msgspec.structs.asdict(one).items()})


def together(one: Latency, other: Latency) -> Latency:
    counts = tuple(map(sum, zip(one.counts, other.counts, strict=True)))
    return Latency(counts=counts, total_ms=one.total_ms + other.total_ms)


@dataclass
class _MemoryRouting:
    memory: Memory

    def read(self) -> Routing | None:
        return self.memory.routing


class MemoryShadows:
    """Everything in memory."""

    def __init__(self, stores: MemoryStores) -> None:
        self.stores = stores
        self.routing = _MemoryRouting(stores.memory)
        self.store = MemoryShadowStore()

    def seen(self, epoch: int = EPOCH) -> Shadow:
        pairs = {bucket: counter for (each, bucket), counter in self.store.pairs.items() if each == epoch}
        return Shadow(pairs=pairs, **{model: each for (of, model), each in self.store.latencies.items() if of == epoch})

    def notes(self, epoch: int = EPOCH) -> dict[str, Note]:
        return {key: note for (of, _, key), note in self.store.notes.items() if of == epoch}


class AwsShadows:
    """Adapters over moto; what was counted is read as the rollout reads it."""

    def __init__(self, stores: AwsStores) -> None:
        self.stores = stores
        self.routing = DynamoRoutingStore(stores.dynamodb, ROLLOUTS)
        self.store = DynamoShadowStore(stores.dynamodb, ROLLOUTS, stores.clock)

    def items(self) -> list[dict[str, Any]]:
        found = self.stores.dynamodb.scan(TableName=ROLLOUTS)["Items"]
        return [item for item in found if item["pk"]["S"].startswith("shadow#")]

    def seen(self, epoch: int = EPOCH) -> Shadow:
        return DynamoObservations(self.stores.dynamodb, ROLLOUTS).shadow(epoch)

    def notes(self, epoch: int = EPOCH) -> dict[str, Note]:
        mine = [item for item in self.items() if item["pk"]["S"].startswith(f"shadow#{epoch}#")]
        return {item["sk"]["S"]: _note(item) for item in mine}


def _note(item: dict[str, Any]) -> Note:
    values = {name: float(value["N"]) if "N" in value else value["S"] for name, value in item.items()}
    return {name: value for name, value in values.items() if name.startswith("ch")}


def over(stores: Stores) -> Shadows:
    """What shadow scoring needs, over the stores of a test."""
    return AwsShadows(stores) if isinstance(stores, AwsStores) else MemoryShadows(stores)


@dataclass
class ShadowWorld:
    """The use-case over one set of stores.

    Args:
        shadows: in memory or on moto.
        scorer: the models.
        faults: what goes wrong.
        monotonic: of the calls; passes only when told to.
    """

    shadows: Shadows
    scorer: ScriptedScorer = field(default_factory=ScriptedScorer)
    faults: Faults = field(default_factory=Faults)
    monotonic: Clock = field(default_factory=lambda: Clock(0.0))
    pauses: list[int] = field(default_factory=list)
    policy: Any = POLICY

    def shadow(self, decisions: Sequence[Recorded], seconds: float = INVOCATION) -> ShadowReport:
        end = self.shadows.stores.clock() + seconds
        return self.shadowing().shadow(decisions, Deadline(lambda: end - self.shadows.stores.clock()))

    def shadowing(self) -> Shadowing:
        return Shadowing(
            routing=Watched("routing", self.shadows.routing, self.faults.around),
            scorer=self.scorer,
            policy=self.policy,
            store=Watched("store", self.shadows.store, self.faults.around),
            transaction_of=decision_items.transaction_of,
            monotonic=self.monotonic,
            pause=self.pauses.append,
        )

    def restarted(self) -> ShadowWorld:
        """Another execution environment over the same stores, without faults."""
        return ShadowWorld(self.shadows, self.scorer, policy=self.policy)

    def takes(self, endpoint: str, seconds: float, then: Callable[[Any], Any] | None = None) -> None:
        """Let every call to an endpoint take so long, and answer as told."""
        answer = then or self.scorer.answers.get(endpoint) or (lambda rows: [Score(0.1) for _ in rows])

        def wait_and_answer(rows: Any) -> Any:
            self.monotonic.pass_by(seconds)
            return answer(rows)

        self.scorer.answers[endpoint] = wait_and_answer

    def counted(self, epoch: int = EPOCH) -> Pairs:
        """Sum of the pairs over all buckets."""
        total = Pairs()
        for each in self.shadows.seen(epoch).pairs.values():
            total = add(total, each)
        return total


def shadowing(world: ShadowWorld, **fields: Any) -> ShadowWorld:
    """The world with a challenger in the shadow on every card."""
    routing = {"challenger": "b", "shadow_bps": 10_000} | fields
    world.shadows.stores.set_routing(samples.routing(**routing))
    return world


def in_memory(**fields: Any) -> ShadowWorld:
    """A world in memory, with a challenger in the shadow."""
    return shadowing(ShadowWorld(over(MemoryStores(Clock(NOW)))), **fields)


def served_decision(transaction_id: str = "t1", card: str = "c1", **fields: Any) -> Decision:
    """A decision of the champion, under the sample routing."""
    event = {name: fields.pop(name) for name in ("amount_minor", "terminal_id", "channel") if name in fields}
    return samples.decision(
        samples.accepted(transaction_id, card, **event),
        **{
            "score": 0.25,
            "features": [float(place) for place in range(len(features.NAMES))],
            "slot": "a",
            "served_by": "a",
            "model_package": samples.model("a").model_package,
            "epoch": EPOCH,
            "policy_version": POLICY.version,
            "degraded": False,
        }
        | fields,
    )


def served(transaction_id: str = "t1", card: str = "c1", number: int = 0, **fields: Any) -> Recorded:
    """The same, as the decision table's stream carries it."""
    item = decision_items.encode(served_decision(transaction_id, card, **fields), 365)
    return decision_items.decode(item, f"{number:05d}")


def served_many(count: int, cards: int = 40) -> list[Recorded]:
    """Decisions on several cards, in stream order."""
    return [served(f"t{number}", f"c{number % cards}", number) for number in range(count)]
