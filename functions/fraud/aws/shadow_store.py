"""Notes of what the shadow saw and its counters, written together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from fraud.analysis import Latency
from fraud.aws import dynamodb, transact_write
from fraud.aws.dynamodb import Item, number, text
from fraud.entities import DAY
from fraud.shadow_ports import Observation, ShadowCommit

RETENTION_DAYS = 30
"""Of a note: longer than a redriven rollout or a late delivery can still ask for it, and time to look into it."""


@dataclass(frozen=True)
class DynamoShadowStore:
    """Counts an observation on the condition that it was not noted yet.

    Args:
        client: DynamoDB.
        table: the rollout table.
        clock: seconds since 1970.
    """

    client: Any
    table: str
    clock: Callable[[], float]

    def observe(self, epoch: int, commits: Sequence[ShadowCommit]) -> frozenset[str] | None:
        """Note and count, all or nothing; None when written, else the ids that are already noted.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        observations = [each for commit in commits for each in commit.observations]
        notes = [self._note(epoch, each) for each in observations]
        reasons = transact_write.write(self.client, [*notes, *self._counters(epoch, commits)])
        if reasons is None:
            return None
        noted = zip(observations, reasons, strict=False)
        return frozenset(each.transaction_id for each, reason in noted if transact_write.condition_failed(reason))

    def _note(self, epoch: int, observation: Observation) -> Item:
        item = {
            "pk": text(f"shadow#{epoch}#{observation.bucket:03d}"),
            "sk": text(observation.transaction_id),
            "expires_at": number(int(self.clock()) + RETENTION_DAYS * DAY),
            "champion_action": text(observation.champion.value),
            "champion_score": number(observation.champion_score),
            **_challenger(observation),
        }
        return {
            "Put": {"TableName": self.table, "Item": item, "ConditionExpression": "attribute_not_exists(pk)"},
        }

    def _counters(self, epoch: int, commits: Sequence[ShadowCommit]) -> Iterator[Item]:
        for commit in commits:
            yield self._added(epoch, f"pairs#{commit.bucket:03d}", msgspec.structs.asdict(commit.pairs))
            for model, latency in commit.timings.items():
                yield self._added(epoch, f"latency#{model}", _places(latency))

    def _added(self, epoch: int, sort_key: str, amounts: Mapping[str, int]) -> Item:
        return dynamodb.added(self.table, {"pk": text(f"shadow#{epoch}"), "sk": text(sort_key)}, amounts)


def _challenger(observation: Observation) -> Item:
    """Absent attributes mean that it left the transaction unanswered."""
    if observation.challenger is None or observation.challenger_score is None:
        return {}
    score = number(round(observation.challenger_score, 6))
    return {"challenger_action": text(observation.challenger.value), "challenger_score": score}


def _places(latency: Latency) -> Mapping[str, int]:
    """Calls by place of the histogram, only where there are any, and microseconds in all."""
    places = {f"c{place}": calls for place, calls in enumerate(latency.counts) if calls}
    return places | {"total_us": round(1000 * latency.total_ms)}
