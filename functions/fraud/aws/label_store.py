"""Verdicts on decisions, and verdicts that wait for theirs, in DynamoDB."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from fraud import entities
from fraud.aws import dynamodb, entity_items, label_items, transact_write
from fraud.aws.batch_get import BatchGet
from fraud.aws.dynamodb import Item
from fraud.label import Label
from fraud.ports import LabelChange, LabelCommit, Labelled


@dataclass(frozen=True)
class DynamoLabelStore:
    """Writes a verdict on the condition that what it replaces is still there.

    Args:
        client: DynamoDB.
        batch_get: reads.
        entity_table: terminals, and verdicts that wait.
        decision_table: decisions.
        entity_retention_days: time to live of both kinds of items in the entity table.
        clock: seconds since 1970.
    """

    client: Any
    batch_get: BatchGet
    entity_table: str
    decision_table: str
    entity_retention_days: int
    clock: Callable[[], float]

    def read(self, transaction_ids: Collection[str]) -> Mapping[str, Labelled]:
        """The decisions that exist.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        keys = {self.decision_table: [_decision_key(each) for each in sorted(transaction_ids)]}
        return {
            item["transaction_id"]["S"]: _labelled(item) for item in self.batch_get.items(keys)[self.decision_table]
        }

    def read_early(self, transaction_ids: Collection[str]) -> Mapping[str, Label]:
        """The verdicts that wait for their decision.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        wanted = entity_items.keys(entities.early_label_key(each) for each in transaction_ids)
        found = self.batch_get.items({self.entity_table: wanted})[self.entity_table]
        waiting = {item["entity"]["S"].partition("#")[2]: label_items.decode(item) for item in found}
        return {key: label for key, label in waiting.items() if label is not None}

    def apply(self, commit: LabelCommit) -> bool:
        """Write verdicts and terminal state, and end the waiting; False when something had moved.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        actions = [action for change in commit.changes for action in self._change(change)]
        return transact_write.write(self.client, [*actions, *self._terminal(commit)]) is None

    def _change(self, change: LabelChange) -> Iterator[Item]:
        condition, values = label_items.unchanged(change.before)
        yield {
            "Update": {
                "TableName": self.decision_table,
                "Key": _decision_key(change.transaction_id),
                "UpdateExpression": "SET label = :after REMOVE review_queue",
                "ConditionExpression": f"attribute_exists(transaction_id) AND {condition}",
                "ExpressionAttributeValues": {":after": label_items.encode(change.after), **values},
            }
        }
        if change.waited:
            yield {"Delete": {"TableName": self.entity_table, "Key": _early_key(change.transaction_id)}}

    def _terminal(self, commit: LabelCommit) -> Iterator[Item]:
        """The terminal's state, where a verdict says anything about it: a genuine transaction changes nothing."""
        if commit.state.watermark is not None:
            expires_at = entity_items.expiry(self.clock(), self.entity_retention_days)
            yield entity_items.put(self.entity_table, commit.key, commit.state, commit.expected_version, expires_at)

    def keep_early(self, change: LabelChange) -> bool:
        """Keep a verdict until its decision comes; False when the decision is there, or another verdict was kept.

        Raises:
            StoreUnavailable: not known to be written; writing again is safe.
        """
        return transact_write.write(self.client, [self._no_decision(change), self._wait(change)]) is None

    def _no_decision(self, change: LabelChange) -> Item:
        return {
            "ConditionCheck": {
                "TableName": self.decision_table,
                "Key": _decision_key(change.transaction_id),
                "ConditionExpression": "attribute_not_exists(transaction_id)",
            }
        }

    def _wait(self, change: LabelChange) -> Item:
        condition, values = label_items.unchanged(change.before)
        expires_at = entity_items.expiry(self.clock(), self.entity_retention_days)
        return {
            "Update": {
                "TableName": self.entity_table,
                "Key": _early_key(change.transaction_id),
                "UpdateExpression": "SET label = :after, expires_at = :expires_at",
                "ConditionExpression": condition,
                "ExpressionAttributeValues": {
                    ":after": label_items.encode(change.after),
                    ":expires_at": dynamodb.number(expires_at),
                    **values,
                },
            }
        }


def _labelled(item: Item) -> Labelled:
    return Labelled(item["terminal_id"]["S"], label_items.decode(item), item["ordinary_amount"]["BOOL"])


def _decision_key(transaction_id: str) -> Item:
    return {"transaction_id": {"S": transaction_id}}


def _early_key(transaction_id: str) -> Item:
    return {"entity": {"S": entities.early_label_key(transaction_id)}}
