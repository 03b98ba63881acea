"""Decisions and card states, committed together with TransactWriteItems."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from fraud.aws import decision_items, dynamodb, entity_items
from fraud.aws.calls import unavailable
from fraud.aws.dynamodb import Item
from fraud.ports import Cancellation, CardCommit

CONDITION_FAILED = "ConditionalCheckFailed"


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
        with unavailable("TransactWriteItems"):
            try:
                self.client.transact_write_items(TransactItems=actions)
            except self.client.exceptions.TransactionCanceledException as error:
                return Cancellation(dict(_standing(error)))
        return None

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
        yield {"Put": self._card(commit, now)}

    def _card(self, commit: CardCommit, now: float) -> Item:
        expires_at = entity_items.expiry(now, self.entity_retention_days)
        item = entity_items.encode(commit.key, commit.state, commit.expected_version + 1, expires_at)
        return {"TableName": self.entity_table, "Item": item} | entity_items.unmoved(commit.expected_version)


def _standing(error: Any) -> Iterator[tuple[str, str]]:
    """Id and payload hash of every decision that stood in the way; the other reasons need no telling apart."""
    for reason in error.response.get("CancellationReasons", []):
        item: Item = reason.get("Item", {})
        if reason.get("Code") == CONDITION_FAILED and "transaction_id" in item:
            yield item["transaction_id"]["S"], item["payload_hash"]["S"]
