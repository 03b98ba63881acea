"""Every store port over one in-memory store, with the semantics that the DynamoDB and S3 adapters have."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fraud import answer, entities, features, rollout_counters, windows
from fraud.answer import Verdict
from fraud.aws import decision_items
from fraud.decision import Decision
from fraud.label import Label
from fraud.ports import (
    Cancellation,
    CardCommit,
    LabelChange,
    LabelCommit,
    Labelled,
    Recorded,
    Rejected,
    Snapshot,
    StoredState,
    TerminalCommit,
)
from fraud.routing import Routing
from fraud.windows import EntityState
from tests.fakes.faults import Clock

MOST_ACTIONS = 100
DAY = 86400
RETENTION_DAYS = 365


@dataclass
class Row:
    """A decision as stored."""

    decision: Decision
    expires_at: float
    projected: bool = False
    label: Label | None = None


@dataclass
class Memory:
    """What the tables and buckets hold.

    Args:
        written: ids in the order their decisions were written, every write counted.
    """

    clock: Clock
    retention_days: int = RETENTION_DAYS
    routing: Routing | None = None
    entities: dict[str, tuple[EntityState, int, float]] = field(default_factory=dict)
    decisions: dict[str, Row] = field(default_factory=dict)
    early: dict[str, Label] = field(default_factory=dict)
    counters: dict[tuple[int, str, int], dict[str, int]] = field(default_factory=dict)
    quarantined: dict[tuple[str, str], Rejected] = field(default_factory=dict)
    written: list[str] = field(default_factory=list)
    archived: list[Mapping[str, Any]] = field(default_factory=list)
    told: list[str] = field(default_factory=list)

    @property
    def expires_at(self) -> float:
        return self.clock() + self.retention_days * DAY

    def stored(self, key: str) -> StoredState | None:
        if key not in self.entities:
            return None
        state, version, expires_at = self.entities[key]
        shape = entities.CARD if key.startswith("card#") else entities.TERMINAL
        return StoredState(windows.empty(shape) if expires_at <= self.clock() else state, version)

    def stored_all(self, keys: Collection[str]) -> dict[str, StoredState]:
        return {key: stored for key in keys if (stored := self.stored(key)) is not None}

    def is_at(self, key: str, version: int) -> bool:
        """Whether an entity can be written by who read this version; 0 stands for no item."""
        return version == self.entities.get(key, (None, 0, 0.0))[1]

    def put(self, key: str, state: EntityState, expected_version: int) -> None:
        self.entities[key] = (state, expected_version + 1, self.expires_at)


class MemoryStateReader:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def read(self, entity_keys: Collection[str]) -> Snapshot:
        return Snapshot(self.memory.stored_all(entity_keys), self.memory.routing)

    def read_terminals(self, keys: Collection[str]) -> Mapping[str, StoredState]:
        return self.memory.stored_all(keys)


class MemoryDecisionLog:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def commit(self, commits: Sequence[CardCommit]) -> Cancellation | None:
        decisions = [decision for commit in commits for decision in commit.decisions]
        _check_limits([each.key for each in commits], [_id(each) for each in decisions])
        standing = {_id(each): row for each in decisions if (row := self._standing(_id(each)))}
        if standing or not all(self.memory.is_at(each.key, each.expected_version) for each in commits):
            return Cancellation({key: row.decision.accepted.payload_hash for key, row in standing.items()})
        for decision in decisions:
            self.memory.decisions[_id(decision)] = Row(decision, self.memory.expires_at)
            self.memory.written.append(_id(decision))
        for commit in commits:
            self.memory.put(commit.key, commit.state, commit.expected_version)
        return None

    def _standing(self, transaction_id: str) -> Row | None:
        row = self.memory.decisions.get(transaction_id)
        return row if row is not None and row.expires_at > self.memory.clock() else None


class MemoryVerdictReader:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def read(self, transaction_ids: Collection[str]) -> Mapping[str, Verdict]:
        found = self.memory.decisions
        return {each: answer.verdict(found[each].decision) for each in transaction_ids if each in found}


class MemoryQuarantine:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def put(self, rejected: Sequence[Rejected]) -> None:
        assert rejected
        self.memory.quarantined |= {(each.source, each.record_id): each for each in rejected}


class MemoryProjectionStore:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def commit(self, commits: Sequence[TerminalCommit]) -> frozenset[str] | None:
        decisions = [decision for commit in commits for decision in commit.decisions]
        _check_limits([each.key for each in commits], [each.transaction_id for each in decisions])
        counted = frozenset(each.transaction_id for each in decisions if self._is_counted(each))
        if counted or not all(self.memory.is_at(each.key, each.expected_version) for each in commits):
            return counted
        for decision in decisions:
            self.memory.decisions[decision.transaction_id].projected = True
        for commit in commits:
            self.memory.put(commit.key, commit.state, commit.expected_version)
        for key, added in rollout_counters.additions(decisions).items():
            counter = self.memory.counters.setdefault(key, {})
            counter |= {name: counter.get(name, 0) + amount for name, amount in added.items()}
        return None

    def _is_counted(self, decision: Recorded) -> bool:
        row = self.memory.decisions.get(decision.transaction_id)
        return row is None or row.projected


class MemoryLabelStore:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def read(self, transaction_ids: Collection[str]) -> Mapping[str, Labelled]:
        rows = {key: self.memory.decisions[key] for key in transaction_ids if key in self.memory.decisions}
        return {key: _labelled(row.decision, row.label) for key, row in rows.items()}

    def read_early(self, transaction_ids: Collection[str]) -> Mapping[str, Label]:
        return {key: self.memory.early[key] for key in transaction_ids if key in self.memory.early}

    def apply(self, commit: LabelCommit) -> bool:
        _check_limits([commit.key], [each.transaction_id for each in commit.changes])
        rows = [self.memory.decisions.get(each.transaction_id) for each in commit.changes]
        stands = all(row and row.label == each.before for row, each in zip(rows, commit.changes, strict=True))
        written = commit.state.watermark is not None
        if not stands or (written and not self.memory.is_at(commit.key, commit.expected_version)):
            return False
        for change in commit.changes:
            self.memory.decisions[change.transaction_id].label = change.after
            if change.waited:
                self.memory.early.pop(change.transaction_id, None)
        if written:
            self.memory.put(commit.key, commit.state, commit.expected_version)
        return True

    def keep_early(self, change: LabelChange) -> bool:
        key = change.transaction_id
        if key in self.memory.decisions or self.memory.early.get(key) != change.before:
            return False
        self.memory.early[key] = change.after
        return True


def _labelled(decision: Decision, label: Label | None) -> Labelled:
    return Labelled(decision.accepted.transaction.terminal_id, label, features.is_ordinary(decision.features))


class MemoryArchive:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def append(self, documents: Sequence[Mapping[str, Any]]) -> None:
        self.memory.archived += documents


class MemoryEventBus:
    def __init__(self, memory: Memory) -> None:
        self.memory = memory

    def publish(self, decisions: Sequence[Recorded]) -> None:
        self.memory.told += [each.transaction_id for each in decisions]


def recorded(decision: Decision, sequence_number: str) -> Recorded:
    """The decision as its table's stream carries it."""
    return decision_items.decode(decision_items.encode(decision, RETENTION_DAYS), sequence_number)


def _id(decision: Decision) -> str:
    return decision.accepted.transaction.transaction_id


def _check_limits(keys: Sequence[str], ids: Sequence[str]) -> None:
    """What DynamoDB refuses outright: too many actions, or two on one item."""
    assert 0 < len(keys) + len(ids) <= MOST_ACTIONS
    assert len(set(keys)) == len(keys)
    assert len(set(ids)) == len(ids)
