"""Projection: what follows from a decision once it stands.

Every decision is archived and told to subscribers (at least once, with its id to remove repetitions by), then folded
into its terminal and counted for the rollout exactly once: the mark on the decision, the terminal's new state and the
counters are one transaction, so a replayed, split or repeated batch adds nothing twice and skips nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from fraud import entities, packing, windows
from fraud.deadline import Deadline
from fraud.errors import StoreUnavailable
from fraud.ports import Archive, EventBus, ProjectionStore, Recorded, StoredState, TerminalCommit, TerminalReader
from fraud.services.labelling import Labelling

ROUNDS = 6
"""Times what is pending is read, folded and committed before it is reported as failed: shards share terminals."""
READ_AND_COMMIT = 2
"""Calls there must be time for when a round begins."""
MOST_DECISIONS = 49
"""Decisions of one terminal in a transaction: each takes a mark and at most a counter, and the terminal itself one."""

_NEW_TERMINAL = StoredState(windows.empty(entities.TERMINAL), 0)


@dataclass(frozen=True)
class Projection:
    """The use-case behind `project_decisions`.

    Args:
        archive: keeps every decision.
        bus: tells subscribers.
        terminals: terminal state.
        store: marks, terminal state and counters.
        labelling: applies verdicts that came before their decision.
        pause: waits before a further round; takes its number, 1 or more.
    """

    archive: Archive
    bus: EventBus
    terminals: TerminalReader
    store: ProjectionStore
    labelling: Labelling
    pause: Callable[[int], None]

    def project(self, decisions: Sequence[Recorded], deadline: Deadline) -> list[str]:
        """Project a batch; returns the sequence numbers to be delivered again, lowest first."""
        everything = [each.sequence_number for each in decisions]
        try:
            self.archive.append([each.document for each in decisions])
            self.bus.publish(decisions)
        except StoreUnavailable:
            return everything
        left = self._count(decisions, deadline)
        late = self.labelling.apply_early({each.transaction_id for each in decisions}, deadline)
        unfinished = {each.transaction_id for each in left} | late
        return [each.sequence_number for each in decisions if each.transaction_id in unfinished]

    def _count(self, decisions: Iterable[Recorded], deadline: Deadline) -> Sequence[Recorded]:
        """Fold and count; returns what could not be."""
        pending = list({each.transaction_id: each for each in decisions}.values())
        for number in range(ROUNDS):
            if not pending or not deadline.allows(READ_AND_COMMIT):
                break
            if number:
                self.pause(number)
            pending = self._round(pending, deadline)
        return pending

    def _round(self, pending: Sequence[Recorded], deadline: Deadline) -> list[Recorded]:
        by_terminal = _by_terminal(pending)
        try:
            stored = self.terminals.read_terminals(by_terminal)
        except StoreUnavailable:
            return list(pending)
        left: list[Recorded] = []
        moved: set[str] = set()
        for pack in _packs(_commits(by_terminal, stored)):
            keys = {commit.key for commit in pack}
            # What was folded on top of a commit that failed is void.
            skip = not deadline.allows(1) or moved & keys
            refused = _decisions(pack) if skip else self._commit(pack)
            if refused is not None:
                left += refused
                moved |= keys
        return left

    def _commit(self, pack: Sequence[TerminalCommit]) -> list[Recorded] | None:
        """None when written, else what is still to be counted."""
        try:
            counted = self.store.commit(pack)
        except StoreUnavailable:
            return _decisions(pack)
        if counted is None:
            return None
        return [each for each in _decisions(pack) if each.transaction_id not in counted]


def _by_terminal(pending: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    by_terminal: dict[str, list[Recorded]] = {}
    for each in pending:
        by_terminal.setdefault(entities.terminal_key(each.terminal_id), []).append(each)
    return by_terminal


def _commits(
    by_terminal: Mapping[str, Sequence[Recorded]], stored: Mapping[str, StoredState]
) -> Iterator[TerminalCommit]:
    for key, decisions in by_terminal.items():
        current = stored.get(key, _NEW_TERMINAL)
        state = current.state
        for step, part in enumerate(packing.cut(len(decisions), MOST_DECISIONS)):
            chunk = tuple(decisions[part])
            for each in chunk:
                state = entities.visit(state, each.at)
            yield TerminalCommit(key, current.version + step, state, chunk)


def _packs(commits: Iterable[TerminalCommit]) -> Iterator[list[TerminalCommit]]:
    """Whole terminals, in order, within the limit of write actions."""
    return packing.pack(commits, key=lambda commit: commit.key, actions=lambda commit: 1 + 2 * len(commit.decisions))


def _decisions(pack: Sequence[TerminalCommit]) -> list[Recorded]:
    return [each for commit in pack for each in commit.decisions]
