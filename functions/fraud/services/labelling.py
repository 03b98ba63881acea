"""Labelling: verdicts find their decision, each counted once, the latest one standing.

A verdict that comes first waits under a key of its own; it is kept on the condition that its decision does not exist,
and the projection of that decision looks for it, so whichever comes second meets the other.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fraud import entities, label, packing, windows
from fraud.deadline import Deadline
from fraud.errors import InvalidLabel, StoreUnavailable
from fraud.label import Label
from fraud.ports import (
    Archive,
    LabelChange,
    LabelCommit,
    LabelStore,
    Quarantine,
    Rejected,
    StoredState,
    TerminalReader,
)
from fraud.transaction import rfc3339

ROUNDS = 6
"""Times a verdict that met another writer is read and applied again before it is reported as failed."""
READ_AND_COMMIT = 2
"""Calls there must be time for when a round begins."""
MOST_CHANGES = 49
"""Verdicts of one terminal in a transaction: each updates its decision and ends its waiting."""

_NEW_TERMINAL = StoredState(windows.empty(entities.TERMINAL), 0)

Verdicts = Mapping[str, Label]
"""transaction_id → verdict."""


@dataclass(frozen=True, slots=True)
class LabelMessage:
    """One message of the label queue; `arrived_at` in seconds since 1970."""

    message_id: str
    arrived_at: float
    payload: bytes


@dataclass(frozen=True)
class Labelling:
    """The use-case behind `record_labels`, also used for verdicts that came early.

    Args:
        store: verdicts.
        terminals: terminal state.
        archive: keeps every verdict, also those that did not stand.
        pause: waits before a further round; takes its number, 1 or more.
    """

    store: LabelStore
    terminals: TerminalReader
    archive: Archive
    pause: Callable[[int], None]

    def record(self, messages: Sequence[LabelMessage], quarantine: Quarantine, deadline: Deadline) -> list[str]:
        """Record a batch; returns the ids of the messages to be delivered again."""
        verdicts, rejected = _sort_out(messages)
        unfinished = self._set_aside(rejected, quarantine)
        try:
            self.archive.append([_archived(transaction_id, each) for _, transaction_id, each in verdicts])
        except StoreUnavailable:
            return packing.in_order([each.message_id for each in messages], unfinished | {m for m, _, _ in verdicts})
        latest = _latest((transaction_id, each) for _, transaction_id, each in verdicts)
        left = self._apply(latest, deadline, waited=False)
        unfinished |= {message_id for message_id, transaction_id, _ in verdicts if transaction_id in left}
        return packing.in_order([each.message_id for each in messages], unfinished)

    def apply_early(self, transaction_ids: Collection[str], deadline: Deadline) -> set[str]:
        """Apply the verdicts that waited for these decisions; returns the ids for which that failed."""
        try:
            waiting = self.store.read_early(transaction_ids)
        except StoreUnavailable:
            return set(transaction_ids)
        return self._apply(waiting, deadline, waited=True)

    def _set_aside(self, rejected: Sequence[Rejected], quarantine: Quarantine) -> set[str]:
        if rejected:
            try:
                quarantine.put(rejected)
            except StoreUnavailable:
                return {each.record_id for each in rejected}
        return set()

    def _apply(self, verdicts: Verdicts, deadline: Deadline, *, waited: bool) -> set[str]:
        """Apply or keep every verdict; returns the ids that could not be."""
        pending = dict(verdicts)
        for number in range(ROUNDS):
            if not pending or not deadline.allows(READ_AND_COMMIT):
                break
            if number:
                self.pause(number)
            try:
                pending = self._round(pending, deadline, waited=waited)
            except StoreUnavailable:
                continue
        return set(pending)

    def _round(self, pending: Verdicts, deadline: Deadline, *, waited: bool) -> dict[str, Label]:
        """Apply verdicts to the decisions that exist and keep the others; returns what met another writer."""
        decided = self.store.read(pending)
        absent = {key: verdict for key, verdict in pending.items() if key not in decided}
        changes = [
            (found.terminal_id, LabelChange(key, found.label, pending[key], waited, found.ordinary))
            for key, found in decided.items()
        ]
        unchanged = self._change([each for each in changes if each[1].after.supersedes(each[1].before)], deadline)
        return {each.transaction_id: each.after for each in [*self._keep(absent, deadline), *unchanged]}

    def _keep(self, verdicts: Verdicts, deadline: Deadline) -> Iterator[LabelChange]:
        """Keep verdicts until their decisions come; yields those whose decision, or another verdict, just came."""
        waiting = self.store.read_early(verdicts)
        for transaction_id, verdict in verdicts.items():
            change = LabelChange(transaction_id, waiting.get(transaction_id), verdict)
            if change.after.supersedes(change.before) and not (deadline.allows(1) and self.store.keep_early(change)):
                yield change

    def _change(self, changes: Sequence[tuple[str, LabelChange]], deadline: Deadline) -> Iterator[LabelChange]:
        """Apply changes terminal by terminal; yields those that met another writer."""
        by_terminal: dict[str, list[LabelChange]] = {}
        for terminal_id, change in changes:
            by_terminal.setdefault(entities.terminal_key(terminal_id), []).append(change)
        stored = self.terminals.read_terminals(by_terminal) if by_terminal else {}
        for key, wanted in by_terminal.items():
            moved = False
            for commit in _commits(key, stored.get(key, _NEW_TERMINAL), wanted):
                # What was folded on top of a commit that failed is void.
                moved = moved or not (deadline.allows(1) and self.store.apply(commit))
                if moved:
                    yield from commit.changes


def _sort_out(messages: Iterable[LabelMessage]) -> tuple[list[tuple[str, str, Label]], list[Rejected]]:
    verdicts: list[tuple[str, str, Label]] = []
    rejected: list[Rejected] = []
    for each in messages:
        try:
            verdicts.append((each.message_id, *label.parse(each.payload, arrived_at=each.arrived_at)))
        except InvalidLabel as error:
            what = (error.reason, error.detail, each.message_id, each.arrived_at, each.payload)
            rejected.append(Rejected("labels", *what))
    return verdicts, rejected


def _latest(verdicts: Iterable[tuple[str, Label]]) -> Verdicts:
    latest: dict[str, Label] = {}
    for transaction_id, each in verdicts:
        if each.supersedes(latest.get(transaction_id)):
            latest[transaction_id] = each
    return latest


def _commits(key: str, stored: StoredState, changes: Sequence[LabelChange]) -> Iterator[LabelCommit]:
    state = stored.state
    for step, part in enumerate(packing.cut(len(changes), MOST_CHANGES)):
        chunk = tuple(changes[part])
        for change in chunk:
            state = entities.change_verdict(state, change.before, change.after, ordinary=change.ordinary)
        yield LabelCommit(key, stored.version + step, state, chunk)


def _archived(transaction_id: str, verdict: Label) -> dict[str, Any]:
    return {
        "transaction_id": transaction_id,
        "is_fraud": verdict.is_fraud,
        "source": verdict.source.value,
        "labelled_at": rfc3339(verdict.labelled_at / 1000),
        "known_at": rfc3339(verdict.known_at),
    }
