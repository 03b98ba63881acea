"""Answering a request: the decision that stands for every transaction in it, within the time its caller waits.

Scoring decides, as it does for a batch of the stream. What cannot be accepted is answered and not quarantined: its
producer is there to hear why. What was decided before is read. What is not known to be committed is said to be so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from fraud import answer, transaction
from fraud.answer import UNDECIDED, Answer, AnswerReport, Outcome, Verdict
from fraud.batch_report import BatchReport
from fraud.deadline import CALL_SHARE, Deadline
from fraud.errors import InvalidTransaction, StoreUnavailable
from fraud.intake import StreamRecord
from fraud.ports import Rejected, VerdictReader
from fraud.services.scoring import Scoring

ID_REUSED = "id_reused"


@dataclass(frozen=True, slots=True)
class Refusals:
    """Stands where the quarantine would: what cannot be accepted, by its record's name, to be answered."""

    found: dict[str, Rejected] = field(default_factory=dict)

    def put(self, rejected: Sequence[Rejected]) -> None:
        """Keep for the answer."""
        self.found.update({each.record_id: each for each in rejected})


@dataclass(frozen=True)
class Answering:
    """The use-case behind `answer_transaction`.

    Args:
        scoring: decides; its quarantine is replaced for every request.
        verdicts: reads what was decided before.
        budget: seconds for a request.
        clock: seconds since 1970.
        monotonic: seconds, for the budget.
    """

    scoring: Scoring
    verdicts: VerdictReader
    budget: float
    clock: Callable[[], float]
    monotonic: Callable[[], float]

    def answer(self, body: bytes, arrived_at: float) -> AnswerReport:
        """Answer every transaction of a body; `arrived_at` is in seconds since 1970."""
        try:
            request = answer.read(body)
        except InvalidTransaction as error:
            refused = Answer(Outcome.REFUSED, error=error.reason, detail=error.detail)
            return AnswerReport([refused], listed=False, seconds=self._since(arrived_at))
        records = [StreamRecord(f"{number:05d}", arrived_at, data) for number, data in enumerate(request.payloads)]
        deadline, refusals = self._deadline(), Refusals()
        batch = replace(self.scoring, quarantine=refusals).score_batch(records, deadline)
        answers = self._answers(records, batch, refusals.found, deadline)
        return AnswerReport(answers, request.listed, self._since(arrived_at), batch)

    def _deadline(self) -> Deadline:
        end = self.monotonic() + self.budget
        return Deadline(lambda: end - self.monotonic(), self.budget * CALL_SHARE)

    def _since(self, arrived_at: float) -> float:
        return max(self.clock() - arrived_at, 0.0)

    def _answers(
        self, records: Sequence[StreamRecord], batch: BatchReport, refused: Mapping[str, Rejected], deadline: Deadline
    ) -> list[Answer]:
        ids = {
            each.sequence_number: _transaction_id(each)
            for each in records
            if each.sequence_number not in batch.failed and _is_accepted(refused.get(each.sequence_number))
        }
        known = {each.transaction_id: each for each in map(answer.verdict, batch.decided)}
        known |= self._standing(set(ids.values()) - set(known), deadline)
        return [_answer(ids.get(name), refused.get(name), known) for name in (each.sequence_number for each in records)]

    def _standing(self, ids: set[str], deadline: Deadline) -> Mapping[str, Verdict]:
        if not ids or not deadline.allows(1):
            return {}
        try:
            return self.verdicts.read(ids)
        except StoreUnavailable:
            return {}


def _is_accepted(refused: Rejected | None) -> bool:
    """Whether a decision stands for its id, be it one of another content."""
    return refused is None or refused.reason == ID_REUSED


def _transaction_id(record: StreamRecord) -> str:
    accepted = transaction.parse(record.payload, sequence_number=record.sequence_number, arrived_at=record.arrived_at)
    return accepted.transaction.transaction_id


def _answer(transaction_id: str | None, refused: Rejected | None, known: Mapping[str, Verdict]) -> Answer:
    verdict = known.get(transaction_id) if transaction_id else None
    if refused is not None and not _is_accepted(refused):
        return Answer(Outcome.REFUSED, error=refused.reason, detail=refused.detail)
    if verdict is None:
        return UNDECIDED
    if refused is not None:
        return Answer(Outcome.CONFLICT, verdict, refused.reason, refused.detail)
    return Answer(Outcome.DECIDED, verdict)
