"""The use-cases over one set of stores, with faults on demand, and what the stores hold afterwards."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Protocol

from fraud import policy, windows
from fraud.answer import AnswerReport
from fraud.batch_report import BatchReport
from fraud.deadline import Deadline
from fraud.decision import NO_SLOT, Score
from fraud.errors import ModelUnavailable
from fraud.intake import StreamRecord
from fraud.label import Label
from fraud.ports import (
    Archive,
    DecisionLog,
    EventBus,
    LabelStore,
    ProjectionStore,
    Quarantine,
    Recorded,
    StateReader,
    TerminalReader,
    VerdictReader,
)
from fraud.routing import Routing, ServedModel
from fraud.services.answering import Answering
from fraud.services.assessment import Assessment
from fraud.services.labelling import Labelling, LabelMessage
from fraud.services.models import Models
from fraud.services.projection import Projection
from fraud.services.scoring import Scoring
from tests.fakes.faults import Around, Clock, Faults, Watched
from tests.fakes.memory import (
    DAY,
    Memory,
    MemoryArchive,
    MemoryDecisionLog,
    MemoryEventBus,
    MemoryLabelStore,
    MemoryProjectionStore,
    MemoryQuarantine,
    MemoryStateReader,
    MemoryVerdictReader,
    recorded,
)
from tests.fakes.samples import NOW

POLICY = policy.load(b'{"version": "1", "lists": {}, "rules": []}')
INVOCATION = 60.0
BUDGET = 1.5


@dataclass(frozen=True)
class Ports:
    """Every store port."""

    state: StateReader
    decisions: DecisionLog
    quarantine: Quarantine
    terminals: TerminalReader
    projections: ProjectionStore
    labels: LabelStore
    archive: Archive
    bus: EventBus
    verdicts: VerdictReader

    def watched(self, around: Around) -> Ports:
        """The same ports, every call going through `around`."""
        return Ports(**{each.name: Watched(each.name, getattr(self, each.name), around) for each in fields(self)})


@dataclass(frozen=True)
class Seen:
    """What a test looks at of a stored decision."""

    payload_hash: str
    action: str
    slot: str
    degraded: bool
    amount_minor: int
    card_token: str
    terminal_id: str
    epoch: int
    projected: bool
    label: Label | None


class Stores(Protocol):
    """Stores as a test sees them, in memory or on moto."""

    clock: Clock

    def ports(self) -> Ports: ...
    def set_routing(self, routing: Routing) -> None: ...
    def decided(self) -> dict[str, Seen]: ...
    def entity(self, key: str) -> windows.EntityState | None: ...
    def quarantined(self) -> dict[tuple[str, str], str]: ...
    def counters(self) -> dict[tuple[int, str, int], dict[str, int]]: ...
    def early(self) -> dict[str, Label]: ...
    def stream(self) -> list[Recorded]: ...
    def told(self) -> list[str]: ...
    def archived(self) -> list[Any]: ...
    def expire_later(self) -> None: ...


class MemoryStores:
    """Stores in memory."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.memory = Memory(clock)

    def ports(self) -> Ports:
        state = MemoryStateReader(self.memory)
        return Ports(
            state=state,
            decisions=MemoryDecisionLog(self.memory),
            quarantine=MemoryQuarantine(self.memory),
            terminals=state,
            projections=MemoryProjectionStore(self.memory),
            labels=MemoryLabelStore(self.memory),
            archive=MemoryArchive(self.memory),
            bus=MemoryEventBus(self.memory),
            verdicts=MemoryVerdictReader(self.memory),
        )

    def set_routing(self, routing: Routing) -> None:
        self.memory.routing = routing

    def decided(self) -> dict[str, Seen]:
        return {key: _seen(row) for key, row in self.memory.decisions.items()}

    def entity(self, key: str) -> windows.EntityState | None:
        stored = self.memory.stored(key)
        return stored.state if stored else None

    def quarantined(self) -> dict[tuple[str, str], str]:
        return {key: each.reason for key, each in self.memory.quarantined.items()}

    def counters(self) -> dict[tuple[int, str, int], dict[str, int]]:
        return self.memory.counters

    def early(self) -> dict[str, Label]:
        return self.memory.early

    def stream(self) -> list[Recorded]:
        rows = self.memory.decisions.values()
        return [recorded(row.decision, f"{number:05d}") for number, row in enumerate(rows)]

    def told(self) -> list[str]:
        return self.memory.told

    def archived(self) -> list[Any]:
        return self.memory.archived

    def expire_later(self) -> None:
        self.clock.pass_by(self.memory.retention_days * DAY)


def _seen(row: Any) -> Seen:
    decision, accepted = row.decision, row.decision.accepted
    return Seen(
        payload_hash=accepted.payload_hash,
        action=decision.action.value,
        slot=decision.slot or NO_SLOT,
        degraded=decision.degraded,
        amount_minor=accepted.amount_minor,
        card_token=accepted.transaction.card_token,
        terminal_id=accepted.transaction.terminal_id,
        epoch=decision.epoch,
        projected=row.projected,
        label=row.label,
    )


Rows = Sequence[Sequence[float | None]]


@dataclass
class ScriptedScorer:
    """Models that answer as told, by endpoint; without instructions every row scores 0.1.

    Args:
        answers: endpoint → what happens when it is asked.
        asked: endpoints in the order asked.
    """

    answers: dict[str, Callable[[Rows], list[Score | None]]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def score(self, model: ServedModel, rows: Rows) -> list[Score | None]:
        self.asked.append(model.endpoint)
        answer = self.answers.get(model.endpoint, lambda rows: [Score(0.1) for _ in rows])
        return answer(rows)

    def break_down(self, endpoint: str) -> None:
        def fail(rows: Rows) -> list[Score | None]:
            raise ModelUnavailable("ServiceUnavailable")

        self.answers[endpoint] = fail

    def recover(self, endpoint: str) -> None:
        self.answers.pop(endpoint)


@dataclass
class World:
    """The use-cases over one set of stores.

    Args:
        stores: in memory or on moto.
        scorer: the models.
        faults: what goes wrong.
        models: breakers in it outlive a batch, as they do in an execution environment.
    """

    stores: Stores
    policy: policy.Policy = POLICY
    scorer: Any = field(default_factory=ScriptedScorer)
    faults: Faults = field(default_factory=Faults)
    models: Models = field(init=False)
    reports: list[BatchReport] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.models = Models(self.scorer, self.clock)

    @property
    def clock(self) -> Clock:
        return self.stores.clock

    def scoring(self, around: Around | None = None) -> Scoring:
        ports = self.stores.ports().watched(around or self.faults.around)
        assessment = Assessment(self.models, self.policy, self.clock)
        return Scoring(ports.state, assessment, ports.decisions, ports.quarantine, lambda attempt: None)

    def labelling(self, around: Around | None = None) -> Labelling:
        ports = self.stores.ports().watched(around or self.faults.around)
        return Labelling(ports.labels, ports.terminals, ports.archive, lambda attempt: None)

    def projection(self, around: Around | None = None) -> Projection:
        around = around or self.faults.around
        ports = self.stores.ports().watched(around)
        labelling = self.labelling(around)
        return Projection(ports.archive, ports.bus, ports.terminals, ports.projections, labelling, lambda attempt: None)

    def score(self, records: Sequence[StreamRecord], seconds: float = INVOCATION) -> list[str]:
        """Invoke the scoring use-case; returns the sequence numbers it wants delivered again."""
        report = self.scoring().score_batch(records, self.deadline(seconds))
        self.reports.append(report)
        return report.failed

    def answer(self, body: bytes, budget: float = BUDGET) -> AnswerReport:
        """Invoke the use-case that answers; the request arrives now."""
        verdicts = self.stores.ports().watched(self.faults.around).verdicts
        return Answering(self.scoring(), verdicts, budget, self.clock, self.clock).answer(body, self.clock())

    def project(self, decisions: Sequence[Recorded]) -> list[str]:
        return self.projection().project(decisions, self.deadline())

    def label(self, messages: Sequence[LabelMessage]) -> list[str]:
        quarantine = self.stores.ports().watched(self.faults.around).quarantine
        return self.labelling().record(messages, quarantine, self.deadline())

    def deadline(self, seconds: float = INVOCATION) -> Deadline:
        end = self.clock() + seconds
        return Deadline(lambda: end - self.clock())

    def spent(self, card: str) -> tuple[int, int]:
        """How many transactions the card's state holds, and their amount."""
        return folded(self.stores.entity(f"card#{card}"), level=2)[:2]

    def visits(self, terminal: str) -> tuple[int, int]:
        """How many transactions and frauds the terminal's state holds."""
        return folded(self.stores.entity(f"terminal#{terminal}"), level=0)[:2]

    def counted(self) -> dict[str, int]:
        """Sums of the rollout counters over everything."""
        total: dict[str, int] = {}
        for counter in self.stores.counters().values():
            total |= {name: total.get(name, 0) + amount for name, amount in counter.items()}
        return total


def folded(state: windows.EntityState | None, level: int) -> Any:
    """Sums over all tiles of a level."""
    tiles = list(state.series[level].values()) if state else []
    return tuple(map(sum, zip(*tiles, strict=True))) if tiles else (0, 0)


def in_memory(**named: Any) -> World:
    """A world in memory."""
    return World(MemoryStores(Clock(NOW)), **named)
