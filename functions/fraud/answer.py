"""A synchronous request and what it is answered with, transaction by transaction."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any

import msgspec

from fraud.batch_report import BatchReport
from fraud.decision import Decision
from fraud.errors import InvalidTransaction

MOST_TRANSACTIONS = 25
"""In one request: they share its time."""
SCORE_DIGITS = 6
"""As stored, so that who asks again gets the same."""

_raw = msgspec.json.Decoder(list[msgspec.Raw]).decode


class Outcome(IntEnum):
    """The closed set of what becomes of a transaction, mildest first; the values are HTTP's status codes."""

    DECIDED = 200
    REFUSED = 400
    CONFLICT = 409
    UNDECIDED = 503


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision as a caller sees it.

    Args:
        transaction_id: the caller's key.
        action: approve, review or block.
        reasons: in words; never empty for review and block.
        score: None when rules decided without a model.
        degraded: whether the model that should have answered did not.
        model_package: ARN of the package that answered, or None.
    """

    transaction_id: str
    action: str
    reasons: tuple[str, ...]
    score: float | None
    degraded: bool
    model_package: str | None


@dataclass(frozen=True, slots=True)
class Answer:
    """What one transaction is answered with.

    Args:
        outcome: what became of it.
        verdict: the decision that stands; with a conflict that of the id's first content.
        error: stable word, unless it is decided.
        detail: one sentence, without a value of the payload.
    """

    outcome: Outcome
    verdict: Verdict | None = None
    error: str | None = None
    detail: str | None = None

    def document(self) -> dict[str, Any]:
        """As it is sent."""
        errors = {"error": self.error, "detail": self.detail} if self.error else {}
        return {"status": int(self.outcome), **(asdict(self.verdict) if self.verdict else {}), **errors}


UNDECIDED = Answer(
    Outcome.UNDECIDED, error="not_in_time", detail="no decision was committed in time; asking again is safe"
)


@dataclass(frozen=True, slots=True)
class Request:
    """The transactions of a request.

    Args:
        payloads: each as it came.
        listed: whether they came as a list, and are answered with one.
    """

    payloads: Sequence[bytes]
    listed: bool


@dataclass(frozen=True, slots=True)
class AnswerReport:
    """A request, answered.

    Args:
        answers: in the order of the request.
        listed: whether the request was a list.
        seconds: since the request arrived.
        batch: what scoring did for it.
    """

    answers: Sequence[Answer]
    listed: bool
    seconds: float
    batch: BatchReport = field(default_factory=BatchReport)

    @property
    def status(self) -> int:
        """Of the whole: the gravest of its transactions."""
        return max(answer.outcome for answer in self.answers)

    def body(self) -> str:
        """JSON: one answer, or a list of them where a list was asked."""
        documents = [answer.document() for answer in self.answers]
        return msgspec.json.encode(documents if self.listed else documents[0]).decode()

    def summary(self) -> dict[str, Any]:
        """For the one log line of a request: counts, and the ids of what it was answered a decision on."""
        counts = Counter(answer.outcome.name.lower() for answer in self.answers)
        ids = [answer.verdict.transaction_id for answer in self.answers if answer.verdict]
        return dict(counts) | ({"transaction_id": ids if self.listed else ids[0]} if ids else {})


def read(body: bytes) -> Request:
    """The transactions of a body: one JSON object, or a list of them; what each holds is looked at later.

    Raises:
        InvalidTransaction: no list that can be told apart, an empty one, or too long a one.
    """
    if not body.lstrip().startswith(b"["):
        return Request([body], listed=False)
    try:
        payloads = [bytes(each) for each in _raw(body)]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InvalidTransaction("not_json", "the body is not a JSON document in UTF-8") from None
    if not 1 <= len(payloads) <= MOST_TRANSACTIONS:
        raise InvalidTransaction("wrong_number", f"a request takes 1 to {MOST_TRANSACTIONS} transactions")
    return Request(payloads, listed=True)


def verdict(decision: Decision) -> Verdict:
    """A decision that was just committed, as it will be read later."""
    return Verdict(
        transaction_id=decision.accepted.transaction.transaction_id,
        action=decision.action.value,
        reasons=decision.reasons,
        score=None if decision.score is None else round(decision.score, SCORE_DIGITS),
        degraded=decision.degraded,
        model_package=decision.model_package,
    )
