"""Scoring a batch: exactly one decision for every accepted transaction.

Decode → quarantine what cannot be accepted → read card, terminal and routing state → fold each card in arrival order →
ask the models → decide → commit decisions and card states together. A cancelled transaction wrote nothing: decisions
that already stand are taken out, what is left is read, folded and scored again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from fraud import entities, intake, packing
from fraud.batch_report import BatchReport, Refused
from fraud.deadline import Deadline
from fraud.errors import StoreUnavailable
from fraud.intake import StreamRecord
from fraud.ports import Cancellation, CardCommit, DecisionLog, Quarantine, Rejected, StateReader
from fraud.services.assessment import Assessment, keys
from fraud.transaction import Accepted

ROUNDS = 4
"""Times what is pending is read, folded, scored and committed before it is reported as failed."""
ALONE_FROM = 2
"""The round from which every card gets a transaction of its own, so that no card holds up another."""
READ_AND_COMMIT = 2
"""Calls there must be time for when a round begins."""


@dataclass(frozen=True)
class Scoring:
    """The use-case behind `score_transactions`.

    Args:
        state: reads cards, terminals and the routing item.
        assessment: decides.
        decisions: commits.
        quarantine: keeps what cannot be accepted.
        pause: waits before a further round; takes its number, 1 or more.
    """

    state: StateReader
    assessment: Assessment
    decisions: DecisionLog
    quarantine: Quarantine
    pause: Callable[[int], None]

    def score_batch(self, records: Sequence[StreamRecord], deadline: Deadline) -> BatchReport:
        """Decide a batch; the report says which records must come again."""
        return _Batch(self, records, deadline).run()


class _Batch:
    """One batch on its way; what is pending shrinks from round to round."""

    def __init__(self, scoring: Scoring, records: Sequence[StreamRecord], deadline: Deadline) -> None:
        self.scoring = scoring
        self.records = {record.sequence_number: record for record in records}
        self.deadline = deadline
        self.report = BatchReport()
        self.unstored: list[str] = []
        self.pending: dict[str, list[Accepted]] = {}
        self.moved: set[str] = set()
        """Cards whose commit failed in this round: what was folded on top of it is void."""
        self.stands: dict[str, str] = {}
        """transaction_id → payload hash of the decision that is known to stand."""

    def run(self) -> BatchReport:
        admission = intake.admit(list(self.records.values()))
        self._set_aside(admission.rejected)
        self._keep(admission.accepted)
        for number in range(ROUNDS):
            if not self.pending or not self.deadline.allows(READ_AND_COMMIT):
                break
            if number:
                self.scoring.pause(number)
            self._round(alone=number >= ALONE_FROM)
        self._keep(self._compare(admission.again))
        undecided = [each.sequence_number for rows in self.pending.values() for each in rows]
        self.report.failed = packing.in_order(list(self.records), undecided + self.unstored)
        self.report.undecided = [each.transaction.transaction_id for rows in self.pending.values() for each in rows]
        return self.report

    def _round(self, *, alone: bool) -> None:
        """Read, fold, score, decide and commit everything pending."""
        try:
            snapshot = self.scoring.state.read(keys(self.pending))
        except StoreUnavailable:
            return
        commits, calls = self.scoring.assessment.assess(self.pending, snapshot, self.deadline)
        self.report.calls += calls
        self.pending, self.moved = {}, set()
        for pack in [[commit] for commit in commits] if alone else _packs(commits):
            self._commit(pack)

    def _commit(self, pack: Sequence[CardCommit]) -> None:
        keys_written = {commit.key for commit in pack}
        if not self.deadline.allows(1) or self.moved & keys_written:
            self._keep(_accepted(pack))
            self.moved |= keys_written
            return
        self.report.transactions += 1
        try:
            cancellation = self.scoring.decisions.commit(pack)
        except StoreUnavailable:
            self._keep(_accepted(pack))
        else:
            if cancellation is None:
                self._note(pack)
                return
            self._strip(pack, cancellation)
        self.moved |= keys_written

    def _note(self, pack: Sequence[CardCommit]) -> None:
        now = self.scoring.assessment.clock()
        self.report.decided += [decision for commit in pack for decision in commit.decisions]
        self.report.latencies += [max(now - each.arrived_at, 0.0) for each in _accepted(pack)]
        self.stands |= {each.transaction.transaction_id: each.payload_hash for each in _accepted(pack)}

    def _strip(self, pack: Sequence[CardCommit], cancellation: Cancellation) -> None:
        """Take out what is already decided; the rest stays pending."""
        self.report.cancelled += 1
        self.stands |= cancellation.decided
        self._keep(self._compare(_accepted(pack)))

    def _compare(self, records: Iterable[Accepted]) -> list[Accepted]:
        """Settle what a standing decision answers, as repeated or as a conflict; returns what none answers."""
        unanswered: list[Accepted] = []
        conflicts: list[Rejected] = []
        for accepted in records:
            stands = self.stands.get(accepted.transaction.transaction_id)
            if stands is None:
                unanswered.append(accepted)
            elif stands == accepted.payload_hash:
                self.report.repeated += 1
            else:
                conflicts.append(intake.conflict(self.records[accepted.sequence_number]))
        self._set_aside(conflicts)
        return unanswered

    def _keep(self, accepted: Iterable[Accepted]) -> None:
        for each in accepted:
            self.pending.setdefault(entities.card_key(each.transaction.card_token), []).append(each)

    def _set_aside(self, rejected: Sequence[Rejected]) -> None:
        """Quarantine; what cannot be stored is not acknowledged."""
        if not rejected:
            return
        refused = [Refused(each.reason, each.payload) for each in rejected]
        try:
            self.scoring.quarantine.put(rejected)
        except StoreUnavailable:
            self.unstored += [each.record_id for each in rejected]
            self.report.unstored += refused
        else:
            self.report.rejected += refused


def _packs(commits: Iterable[CardCommit]) -> Iterator[list[CardCommit]]:
    return packing.pack(commits, key=lambda commit: commit.key, actions=lambda commit: commit.actions)


def _accepted(pack: Sequence[CardCommit]) -> Iterator[Accepted]:
    return (decision.accepted for commit in pack for decision in commit.decisions)
