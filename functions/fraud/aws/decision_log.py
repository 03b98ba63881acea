"""Decisions and card states, committed together with TransactWriteItems."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fraud.aws import decision_items, dynamodb, entity_items, transact_write
from fraud.aws.dynamodb import Item
from fraud.ports import Cancellation, CardCommit


@dataclass(frozen=True)
class DynamoDecisionLog:
    """Writes decisions once, guarded by their id, and card states guarded by their version.

    Args:
        client: DynamoDB.
        entity_table: card states.
        decision_table: decisions.
        decision_retention_days: time to live of decisions.
        entity_retention_days: time to live of card states.
        clock: seconds since 1970.
    """

    client: Any
    entity_table: str
    decision_table: str
    decision_retention_days: int
    entity_retention_days: int
    clock: Callable[[], float]

    def commit(self, commits: Sequence[CardCommit]) -> Cancellation | None:
        """Write all or nothing; None when written.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        now = self.clock()
        actions = [action for commit in commits for action in self._actions(commit, now)]
        reasons = transact_write.write(self.client, actions)
        return None if reasons is None else Cancellation(dict(_standing(reasons)))

    def _actions(self, commit: CardCommit, now: float) -> Iterator[Item]:
        for decision in commit.decisions:
            yield {
                "Put": {
                    "TableName": self.decision_table,
                    "Item": decision_items.encode(decision, self.decision_retention_days),
                    "ConditionExpression": "attribute_not_exists(transaction_id) OR expires_at <= :now",
                    "ExpressionAttributeValues": {":now": dynamodb.number(int(now))},
                    "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
                }
            }
        expires_at = entity_items.expiry(now, self.entity_retention_days)
        yield entity_items.put(self.entity_table, commit.key, commit.state, commit.expected_version, expires_at)


def _standing(reasons: Iterable[Item]) -> Iterator[tuple[str, str]]:
    """Id and payload hash of every decision that stood in the way; the other reasons need no telling apart."""
    for reason in reasons:
        item: Item = reason.get("Item", {})
        if transact_write.condition_failed(reason) and "transaction_id" in item:
            yield item["transaction_id"]["S"], item["payload_hash"]["S"]
