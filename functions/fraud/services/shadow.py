"""Shadow scoring: what the challenger would have decided, while it decides nothing.

What the champion decided on a card of the shadow's sample is scored by the challenger as well, and the two actions are
counted as a pair. A pair counts exactly once: the note of it and the counters are one transaction. The challenger is
observed, never waited for: a call that fails is counted as rows without an answer, and only what a store refused is
delivered again.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from fraud import features, packing, policy, routing
from fraud.analysis import LATENCY_EDGES_MS, Latency
from fraud.deadline import Deadline
from fraud.decision import Score
from fraud.errors import ModelUnavailable, StoreUnavailable
from fraud.policy import Policy
from fraud.ports import Recorded, Scorer
from fraud.routing import Routing, ServedModel
from fraud.shadow_ports import (
    CHALLENGER,
    CHAMPION,
    Observation,
    RoutingReader,
    ShadowCommit,
    ShadowReport,
    ShadowStore,
    Timings,
)
from fraud.transaction import Transaction

ROUNDS = 6
"""Times what is pending is written before it is reported as failed: shards share the counters."""
ASK_AND_OBSERVE = 3
"""Calls there must be time for when the models are asked: two to them, and one that writes what came of it."""
MOST_OBSERVATIONS = packing.MOST_ACTIONS - 3
"""Observations in a transaction, with one action left for their counter and two for the timings."""
TIMED = 2
"""One batch in so many asks the champion too: that is load which its endpoint has to bear beside its traffic."""


@dataclass(frozen=True, slots=True)
class _Trial:
    """A shadow under way: the routing item and the two models, by `CHAMPION` and `CHALLENGER`."""

    routing: Routing
    models: Mapping[str, ServedModel]


@dataclass(frozen=True, slots=True)
class _Answer:
    """A model's answer to all rows, None when it failed, and the seconds it took."""

    scores: Sequence[Score | None] | None
    seconds: float


@dataclass(frozen=True)
class Shadowing:
    """The use-case behind `shadow_score`.

    Args:
        routing: says whether there is a shadow, and of whom.
        scorer: asks the models.
        policy: the document in force; a decision under another is no pair for the challenger's.
        store: notes and counters.
        transaction_of: reads the transaction out of a stored decision.
        monotonic: seconds, for the time of calls.
        pause: waits before a further round; takes its number, 1 or more.
    """

    routing: RoutingReader
    scorer: Scorer
    policy: Policy
    store: ShadowStore
    transaction_of: Callable[[Mapping[str, Any]], Transaction]
    monotonic: Callable[[], float]
    pause: Callable[[int], None]

    def shadow(self, decisions: Sequence[Recorded], deadline: Deadline) -> ShadowReport:
        """Have the challenger score what it is to be compared on; the report says which records must come again."""
        try:
            trial = _trial(self.routing.read())
        except StoreUnavailable:
            return ShadowReport(failed=[each.sequence_number for each in decisions])
        if trial is None:
            return ShadowReport()
        chosen = [each for each in decisions if self._belongs(trial, each)]
        return self._shadow(trial, chosen, deadline) if chosen else ShadowReport()

    def _shadow(self, trial: _Trial, chosen: Sequence[Recorded], deadline: Deadline) -> ShadowReport:
        if not deadline.allows(ASK_AND_OBSERVE):
            return ShadowReport(failed=[each.sequence_number for each in chosen])
        observations, timings = self._compare(trial, chosen)
        left = self._note(trial.routing.epoch, observations, timings, deadline)
        return ShadowReport(
            shadowed=len(observations),
            unanswered=sum(each.challenger is None for each in observations),
            failed=[each.sequence_number for each in chosen if each.transaction_id in left],
        )

    def _belongs(self, trial: _Trial, decision: Recorded) -> bool:
        """Whether the champion made it under this routing and policy, from a row the challenger can be asked about."""
        document = decision.document
        return (
            decision.epoch == trial.routing.epoch
            and document["served_by"] == trial.routing.champion
            and not decision.degraded
            and "score" in document
            and isinstance(document["features"], Mapping)
            and document["policy_version"] == self.policy.version
            and routing.position(trial.routing.salt, decision.card_token) < trial.routing.shadow_bps
        )

    def _compare(self, trial: _Trial, chosen: Sequence[Recorded]) -> tuple[list[Observation], Timings]:
        decisions = list({each.transaction_id: each for each in chosen}.values())
        rows = [[each.document["features"][name] for name in features.NAMES] for each in decisions]
        answers = {name: self._ask(trial.models[name], rows) for name in _turn(decisions[0].transaction_id)}
        challenger = answers[CHALLENGER]
        scores = [None] * len(rows) if challenger is None or challenger.scores is None else challenger.scores
        pairs = zip(decisions, scores, strict=True)
        return [self._observe(trial, each, score) for each, score in pairs], _timings(answers)

    def _ask(self, model: ServedModel, rows: Sequence[Sequence[float | None]]) -> _Answer | None:
        """None without a call when the code cannot serve the model's contract."""
        if features.contract_hash(model.contract) != model.contract_hash or not set(model.contract) <= _KNOWN:
            return None
        selected = [features.select(row, model.contract) for row in rows]
        started = self.monotonic()
        try:
            scores = self.scorer.score(model, selected)
        except ModelUnavailable:
            return _Answer(None, self.monotonic() - started)
        return _Answer(scores, self.monotonic() - started)

    def _observe(self, trial: _Trial, decision: Recorded, score: Score | None) -> Observation:
        document, bucket = decision.document, routing.bucket(decision.card_token)
        observation = Observation(decision.transaction_id, bucket, decision.action, document["score"])
        if score is None:
            return observation
        transaction = self.transaction_of(document)
        verdict = policy.decide(self.policy, transaction, document["features"], score, trial.models[CHALLENGER])
        return replace(observation, challenger=verdict.action, challenger_score=score.value)

    def _note(self, epoch: int, pending: Sequence[Observation], timings: Timings, deadline: Deadline) -> set[str]:
        """Write in rounds; returns the ids of what could not be written."""
        for number in range(ROUNDS):
            if not pending or not deadline.allows(1):
                break
            if number:
                self.pause(number)
            pending, timings = self._round(epoch, pending, timings, deadline)
        return {each.transaction_id for each in pending}

    def _round(
        self, epoch: int, pending: Sequence[Observation], timings: Timings, deadline: Deadline
    ) -> tuple[list[Observation], Timings]:
        """Write all; returns what is still to be written."""
        left: list[Observation] = []
        untold: dict[str, Latency] = {}
        for pack in _packs(_commits(pending, timings)):
            refused = self._write(epoch, pack) if deadline.allows(1) else _observations(pack)
            if refused is not None:
                left += refused
                untold |= pack[0].timings
        return left, untold

    def _write(self, epoch: int, pack: Sequence[ShadowCommit]) -> list[Observation] | None:
        """None when written, else what is still to be."""
        try:
            noted = self.store.observe(epoch, pack)
        except StoreUnavailable:
            return _observations(pack)
        if noted is None:
            return None
        return [each for each in _observations(pack) if each.transaction_id not in noted]


_KNOWN = frozenset(features.NAMES)


def _trial(found: Routing | None) -> _Trial | None:
    """None while no challenger is to be shadowed."""
    if found is None or found.challenger is None or not found.shadow_bps or found.challenger not in found.slots:
        return None
    return _Trial(found, {CHAMPION: found.slots[found.champion], CHALLENGER: found.slots[found.challenger]})


def _turn(transaction_id: str) -> tuple[str, ...]:
    """Whom to ask, in order; by chance, but a repetition asks alike. Whoever comes second would profit from warmth."""
    chance = hashlib.blake2b(transaction_id.encode(), digest_size=1).digest()[0]
    if chance % TIMED:
        return (CHALLENGER,)
    return (CHAMPION, CHALLENGER) if chance // TIMED % 2 else (CHALLENGER, CHAMPION)


def _timings(answers: Mapping[str, _Answer | None]) -> Timings:
    """Times of both models on the same rows; of neither unless both were called and the champion answered."""
    champion, challenger = answers.get(CHAMPION), answers[CHALLENGER]
    if champion is None or champion.scores is None or challenger is None:
        return {}
    return {CHAMPION: _latency(champion.seconds), CHALLENGER: _latency(challenger.seconds)}


def _latency(seconds: float) -> Latency:
    """One call in its place of the histogram."""
    milliseconds = 1000 * seconds
    place = bisect_left(LATENCY_EDGES_MS, milliseconds)
    counts = tuple(int(each == place) for each in range(len(LATENCY_EDGES_MS) + 1))
    return Latency(counts=counts, total_ms=milliseconds)


def _commits(pending: Iterable[Observation], timings: Timings) -> Iterator[ShadowCommit]:
    """By bucket; the first takes the timings along."""
    by_bucket: dict[int, list[Observation]] = {}
    for each in pending:
        by_bucket.setdefault(each.bucket, []).append(each)
    for bucket, observations in by_bucket.items():
        for part in packing.cut(len(observations), MOST_OBSERVATIONS):
            yield ShadowCommit(bucket, tuple(observations[part]), timings)
            timings = {}


def _packs(commits: Iterable[ShadowCommit]) -> Iterator[list[ShadowCommit]]:
    """Whole buckets, in order, within the limit of write actions."""
    return packing.pack(commits, key=lambda commit: str(commit.bucket), actions=lambda commit: commit.actions)


def _observations(pack: Sequence[ShadowCommit]) -> list[Observation]:
    return [each for commit in pack for each in commit.observations]
