"""Asking the models: one call per slot, breakers, and the champion as stand-in for the challenger."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from fraud import features
from fraud.batch_report import Call
from fraud.breaker import Breaker
from fraud.deadline import Deadline
from fraud.decision import RULES, Score
from fraud.errors import ModelUnavailable
from fraud.ports import Scorer
from fraud.routing import Routing, ServedModel

Row = Sequence[float | None]
CALL_AND_COMMIT = 2
"""Calls there must be time for when a model is asked: the other commits what is decided."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a row got.

    Args:
        slot: the slot its card was routed to, None without a model.
        served_by: the slot that answered, or `rules`.
        model: the model that answered.
        score: its answer.
    """

    slot: str | None
    served_by: str = RULES
    model: ServedModel | None = None
    score: Score | None = None

    @property
    def degraded(self) -> bool:
        """Whether the model that should have answered did not."""
        return self.score is None or self.served_by != self.slot


@dataclass(frozen=True)
class Models:
    """The models behind the slots.

    Args:
        scorer: makes the call.
        monotonic: seconds, for breakers and durations.
        breakers: by endpoint; they outlive the batch.
    """

    scorer: Scorer
    monotonic: Callable[[], float]
    breakers: dict[str, Breaker] = field(default_factory=dict)

    def answer(
        self, routing: Routing | None, cards: Sequence[str], rows: Sequence[Row], deadline: Deadline
    ) -> tuple[list[Answer], list[Call]]:
        """Score every row by its card's slot, then by the champion; what is left is left to rules."""
        if routing is None:
            return [Answer(None) for _ in rows], []
        answers = [Answer(routing.slot_for(card)) for card in cards]
        calls: list[Call] = []
        for slot in _slots(routing):
            waiting = _waiting(answers, routing, slot)
            scores, call = self._ask(routing.slots, slot, [rows[i] for i in waiting], deadline)
            calls += [call] if call else []
            for i, score in zip(waiting, scores, strict=False):
                if score is not None:
                    answers[i] = Answer(answers[i].slot, slot, routing.slots[slot], score)
        return answers, calls

    def _ask(
        self, slots: Mapping[str, ServedModel], slot: str, rows: Sequence[Row], deadline: Deadline
    ) -> tuple[list[Score | None], Call | None]:
        """Scores for the rows, or none at all."""
        model = slots.get(slot)
        if not rows or model is None or not deadline.allows(CALL_AND_COMMIT):
            return [], None
        breaker = self.breakers.setdefault(model.endpoint, Breaker(self.monotonic))
        if not breaker.allows():
            return [], None
        started = self.monotonic()
        scores = self._scores(model, rows)
        unanswered = len(rows) - sum(score is not None for score in scores)
        call = Call(slot, len(rows), unanswered, self.monotonic() - started)
        breaker.failed() if call.failed else breaker.succeeded()
        return scores, call

    def _scores(self, model: ServedModel, rows: Sequence[Row]) -> list[Score | None]:
        if features.contract_hash(model.contract) != model.contract_hash:
            return []
        try:
            return self.scorer.score(model, [features.select(row, model.contract) for row in rows])
        except (ModelUnavailable, KeyError):
            return []


def _slots(routing: Routing) -> Iterable[str]:
    """The challenger first: the champion then answers for its own cards and for what the challenger left."""
    return [slot for slot in (routing.challenger, routing.champion) if slot is not None]


def _waiting(answers: Sequence[Answer], routing: Routing, slot: str) -> list[int]:
    everyone = slot == routing.champion
    return [i for i, answer in enumerate(answers) if answer.score is None and (everyone or answer.slot == slot)]
