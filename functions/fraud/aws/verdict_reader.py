"""Decisions that stand, as a caller sees them."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from fraud.answer import Verdict
from fraud.aws import dynamodb
from fraud.aws.batch_get import BatchGet
from fraud.aws.dynamodb import Item


@dataclass(frozen=True)
class DynamoVerdictReader:
    """Reads the decision table.

    Args:
        batch_get: makes the calls.
        decision_table: where they are.
    """

    batch_get: BatchGet
    decision_table: str

    def read(self, transaction_ids: Collection[str]) -> Mapping[str, Verdict]:
        """Read consistently; absent ones are left out.

        Raises:
            StoreUnavailable: some of it could not be read.
        """
        keys = [{"transaction_id": dynamodb.text(each)} for each in transaction_ids]
        found = self.batch_get.items({self.decision_table: keys})[self.decision_table]
        return {each.transaction_id: each for each in map(_verdict, found)}


def _verdict(item: Item) -> Verdict:
    return Verdict(
        transaction_id=item["transaction_id"]["S"],
        action=item["action"]["S"],
        reasons=dynamodb.texts_of(item["reasons"]),
        score=float(item["score"]["N"]) if "score" in item else None,
        degraded=item["degraded"]["BOOL"],
        model_package=item["model_package"]["S"] if "model_package" in item else None,
    )
