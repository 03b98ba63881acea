"""What the use-cases ask of the world: protocols of four methods at most, spoken in the core's own values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from fraud.answer import Verdict
from fraud.decision import Action, Decision, Score
from fraud.label import Label
from fraud.routing import Routing, ServedModel
from fraud.windows import EntityState


@dataclass(frozen=True, slots=True)
class StoredState:
    """An entity as read: its state and the version that a write must still find (0: no item)."""

    state: EntityState
    version: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What one round of reads returned; a key without an item is absent from `entities`."""

    entities: Mapping[str, StoredState]
    routing: Routing | None


@dataclass(frozen=True, slots=True)
class CardCommit:
    """Decisions on one card and the state they lead to: committed together or not at all."""

    key: str
    expected_version: int
    state: EntityState
    decisions: tuple[Decision, ...]

    @property
    def actions(self) -> int:
        """Write actions this takes in a transaction."""
        return len(self.decisions) + 1


@dataclass(frozen=True, slots=True)
class Cancellation:
    """Why a transaction was cancelled, nothing of it having been written.

    Args:
        decided: transaction_id → payload hash of the decision that already stands. Empty when only a card had moved,
            or another transaction or a throttle was met: then everything is worth another round.
    """

    decided: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Rejected:
    """A record that cannot be accepted, as it is kept in quarantine.

    Args:
        source: `transactions` or `labels`.
        reason: stable word.
        detail: one sentence, without a value of the payload.
        record_id: sequence number of the stream record, or message id.
        arrived_at: seconds since 1970.
        payload: as it came; the adapter masks card numbers before it is written.
    """

    source: str
    reason: str
    detail: str
    record_id: str
    arrived_at: float
    payload: bytes


class StateReader(Protocol):
    """Reads everything a batch needs, consistently, in one round."""

    def read(self, entity_keys: Collection[str]) -> Snapshot:
        """Read entities and the routing item.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        ...


class DecisionLog(Protocol):
    """Commits decisions with the card states they lead to."""

    def commit(self, commits: Sequence[CardCommit]) -> Cancellation | None:
        """Write all or nothing; None when written.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        ...


class VerdictReader(Protocol):
    """Reads decisions that stand, for who asks again."""

    def read(self, transaction_ids: Collection[str]) -> Mapping[str, Verdict]:
        """By transaction_id; absent ones are left out.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        ...


class Scorer(Protocol):
    """Asks a model for scores."""

    def score(self, model: ServedModel, rows: Sequence[Sequence[float | None]]) -> list[Score | None]:
        """One answer per row, in order; None for a row the model could not read.

        Raises:
            ModelUnavailable: no answer in time, or an answer that cannot be believed as a whole.
        """
        ...


class Quarantine(Protocol):
    """Keeps what cannot be accepted until a person has looked at it."""

    def put(self, rejected: Sequence[Rejected]) -> None:
        """Store durably; storing the same records again adds nothing.

        Raises:
            StoreUnavailable: not stored, so none may be acknowledged.
        """
        ...


@dataclass(frozen=True, slots=True)
class Recorded:
    """A decision as the stream of decisions carries it.

    Args:
        sequence_number: of the stream record.
        transaction_id: its key.
        card_token: the card.
        terminal_id: the terminal.
        at: event time that features use, seconds since 1970.
        amount_minor: minor units of the currency.
        action: approve, review or block.
        degraded: whether another than the intended model decided.
        slot: the slot the card was routed to, or `none`: whoever answered, the decision is counted there.
        epoch: of the routing item.
        document: everything stored, as plain values, for the archive and for subscribers.
    """

    sequence_number: str
    transaction_id: str
    card_token: str
    terminal_id: str
    at: int
    amount_minor: int
    action: Action
    degraded: bool
    slot: str
    epoch: int
    document: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class TerminalCommit:
    """Decisions at one terminal, counted: their marks, the terminal's state and the rollout counters together."""

    key: str
    expected_version: int
    state: EntityState
    decisions: tuple[Recorded, ...]


class ProjectionStore(Protocol):
    """Counts decisions exactly once, by a mark on each."""

    def commit(self, commits: Sequence[TerminalCommit]) -> frozenset[str] | None:
        """Mark, fold and count, all or nothing; None when written, else the ids that are already marked, or gone.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        ...


class Archive(Protocol):
    """An append-only archive; readers remove repetitions by key."""

    def append(self, documents: Sequence[Mapping[str, Any]]) -> None:
        """Append all.

        Raises:
            StoreUnavailable: some may be missing; appending all of them again is safe.
        """
        ...


class EventBus(Protocol):
    """Tells subscribers of decisions."""

    def publish(self, decisions: Sequence[Recorded]) -> None:
        """Publish one event for each.

        Raises:
            StoreUnavailable: some may not be told; telling all of them again is safe.
        """
        ...


@dataclass(frozen=True, slots=True)
class Labelled:
    """A decision as labelling sees it.

    Args:
        terminal_id: where it was made.
        label: the verdict that stands.
        ordinary: whether the amount was ordinary for the card, by the features that were served.
    """

    terminal_id: str
    label: Label | None
    ordinary: bool


@dataclass(frozen=True, slots=True)
class LabelChange:
    """A verdict that takes the place of another, or of none.

    Args:
        transaction_id: of the decision.
        before: the verdict that stood.
        after: the verdict that is to stand.
        waited: whether it came before its decision.
        ordinary: as in `Labelled`; the same for every verdict on a decision, so what was added can be taken back.
    """

    transaction_id: str
    before: Label | None
    after: Label
    waited: bool = False
    ordinary: bool = False


@dataclass(frozen=True, slots=True)
class LabelCommit:
    """Verdicts at one terminal and the state they lead to."""

    key: str
    expected_version: int
    state: EntityState
    changes: tuple[LabelChange, ...]


class LabelStore(Protocol):
    """Verdicts on decisions, and verdicts that came before their decision."""

    def read(self, transaction_ids: Collection[str]) -> Mapping[str, Labelled]:
        """The decisions that exist.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        ...

    def read_early(self, transaction_ids: Collection[str]) -> Mapping[str, Label]:
        """The verdicts that wait for their decision.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        ...

    def apply(self, commit: LabelCommit) -> bool:
        """Write verdicts and terminal state, and end the waiting; False when something had moved.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        ...

    def keep_early(self, change: LabelChange) -> bool:
        """Keep a verdict until its decision comes; False when the decision is there, or another verdict was kept.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        ...


class TerminalReader(Protocol):
    """Reads terminal state."""

    def read_terminals(self, keys: Collection[str]) -> Mapping[str, StoredState]:
        """Read consistently; absent keys are left out.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        ...
