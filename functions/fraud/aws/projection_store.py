"""Marks, terminal states and rollout counters, written together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fraud import rollout_counters
from fraud.aws import dynamodb, entity_items, transact_write
from fraud.aws.dynamodb import Item
from fraud.ports import Recorded, TerminalCommit


@dataclass(frozen=True)
class DynamoProjectionStore:
    """Counts a decision on the condition that it was not counted yet.

    Args:
        client: DynamoDB.
        entity_table: terminals.
        decision_table: the marks.
        rollout_table: the counters.
        entity_retention_days: time to live of terminals.
        clock: seconds since 1970.
    """

    client: Any
    entity_table: str
    decision_table: str
    rollout_table: str
    entity_retention_days: int
    clock: Callable[[], float]

    def commit(self, commits: Sequence[TerminalCommit]) -> frozenset[str] | None:
        """Mark, fold and count, all or nothing; None when written, else the ids that are already marked, or gone.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        decisions = [each for commit in commits for each in commit.decisions]
        actions = [*map(self._mark, decisions), *map(self._terminal, commits), *self._counters(decisions)]
        reasons = transact_write.write(self.client, actions)
        if reasons is None:
            return None
        marks = zip(decisions, reasons, strict=False)
        return frozenset(each.transaction_id for each, reason in marks if transact_write.condition_failed(reason))

    def _mark(self, decision: Recorded) -> Item:
        return {
            "Update": {
                "TableName": self.decision_table,
                "Key": {"transaction_id": {"S": decision.transaction_id}},
                "UpdateExpression": "SET projected = :yes",
                "ConditionExpression": "attribute_exists(transaction_id) AND attribute_not_exists(projected)",
                "ExpressionAttributeValues": {":yes": {"BOOL": True}},
            }
        }

    def _terminal(self, commit: TerminalCommit) -> Item:
        expires_at = entity_items.expiry(self.clock(), self.entity_retention_days)
        return entity_items.put(self.entity_table, commit.key, commit.state, commit.expected_version, expires_at)

    def _counters(self, decisions: Sequence[Recorded]) -> Iterator[Item]:
        for (epoch, slot, bucket), added in rollout_counters.additions(decisions).items():
            key = {"pk": {"S": f"counters#{epoch}"}, "sk": {"S": f"{slot}#{bucket:03d}"}}
            yield dynamodb.added(self.rollout_table, key, added)
