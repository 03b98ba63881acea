"""From pending transactions and a snapshot of state to decisions ready to commit."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from fraud import entities, features, packing, policy, windows
from fraud.batch_report import Call
from fraud.deadline import Deadline
from fraud.decision import Decision
from fraud.policy import Policy
from fraud.ports import CardCommit, Snapshot, StoredState
from fraud.services.models import Answer, Models, Row
from fraud.transaction import Accepted
from fraud.windows import EntityState

Pending = Mapping[str, Sequence[Accepted]]
"""Card key → its transactions in arrival order."""

MOST_ROWS = packing.MOST_ACTIONS - 1
"""Decisions of one card in a transaction, with one action left for the card itself."""

_NEW_CARD = StoredState(windows.empty(entities.CARD), 0)
_NEW_TERMINAL = StoredState(windows.empty(entities.TERMINAL), 0)


@dataclass(frozen=True, slots=True)
class Draft:
    """One transaction, folded: its features as they were before it, and the card as it is after it."""

    key: str
    accepted: Accepted
    row: Row
    card_after: EntityState


def keys(pending: Pending) -> set[str]:
    """Every entity the features of these transactions are read from."""
    terminals = {entities.terminal_key(each.transaction.terminal_id) for rows in pending.values() for each in rows}
    return terminals | set(pending)


def fold(pending: Pending, snapshot: Snapshot) -> Iterator[Draft]:
    """Compute features and fold each card, in arrival order."""
    for key, rows in pending.items():
        card = snapshot.entities.get(key, _NEW_CARD).state
        for accepted in rows:
            terminal = snapshot.entities.get(entities.terminal_key(accepted.transaction.terminal_id), _NEW_TERMINAL)
            row = features.values(accepted, card, terminal.state)
            card = entities.spend(card, accepted.at, accepted.amount_minor, unusual=features.is_unusual(row))
            yield Draft(key, accepted, row, card)


@dataclass(frozen=True)
class Assessment:
    """Decides what is pending; writes nothing."""

    models: Models
    policy: Policy
    clock: Callable[[], float]

    def assess(self, pending: Pending, snapshot: Snapshot, deadline: Deadline) -> tuple[list[CardCommit], list[Call]]:
        """Decisions by card, ready to commit, and the calls to models this took."""
        drafts = list(fold(pending, snapshot))
        answers, calls = self.models.answer(
            snapshot.routing, [d.accepted.transaction.card_token for d in drafts], [d.row for d in drafts], deadline
        )
        epoch = snapshot.routing.epoch if snapshot.routing else 0
        now = self.clock()
        decided = [(d, self._decide(d, answer, epoch, now)) for d, answer in zip(drafts, answers, strict=True)]
        return list(_commits(decided, snapshot)), calls

    def _decide(self, draft: Draft, answer: Answer, epoch: int, now: float) -> Decision:
        by_name = dict(zip(features.NAMES, draft.row, strict=True))
        verdict = policy.decide(self.policy, draft.accepted.transaction, by_name, answer.score, answer.model)
        return Decision(
            accepted=draft.accepted,
            action=verdict.action,
            reasons=verdict.reasons,
            score=answer.score.value if answer.score else None,
            features=draft.row,
            slot=answer.slot,
            served_by=answer.served_by,
            model_package=answer.model.model_package if answer.model else None,
            epoch=epoch,
            policy_version=self.policy.version,
            degraded=answer.degraded,
            decided_at=now,
            propensity=verdict.propensity,
        )


def _commits(decided: Sequence[tuple[Draft, Decision]], snapshot: Snapshot) -> Iterator[CardCommit]:
    for key, group in groupby(decided, key=lambda each: each[0].key):
        rows = list(group)
        version = snapshot.entities.get(key, _NEW_CARD).version
        for step, part in enumerate(packing.cut(len(rows), MOST_ROWS)):
            chunk = rows[part]
            yield CardCommit(key, version + step, chunk[-1][0].card_after, tuple(decision for _, decision in chunk))
