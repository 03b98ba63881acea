"""What the use-cases ask of the world: protocols of four methods at most, spoken in the core's own values."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from fraud.decision import Decision, Score
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
        partition_key: of the stream record; kept as a hash.
        payload: as it came; the adapter masks card numbers before it is written.
    """

    source: str
    reason: str
    detail: str
    record_id: str
    arrived_at: float
    partition_key: str
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
