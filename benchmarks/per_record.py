"""The alternative: each record on its own, many at once, as the samples for Powertools' batch processor lead to.

For each record a thread reads its card and its terminal, asks the endpoint for one row, writes the decision and writes
the card. It is given what a careful team would give it: both reads in one call, a connection for every thread, short
timeouts, conditional writes, the model's route read once and not per record, and neither logs nor metrics. Features,
model, policy and items are those of the application, so that only the way to AWS differs.

There are two ways to write. `in_two_puts` writes decision and card one after the other: cheapest, but what fails in
between leaves a card that misses a transaction. `in_one_transaction` gives the application's guarantee.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from aws_lambda_powertools.utilities.batch import AsyncBatchProcessor, EventType, async_process_partial_response
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord

from benchmarks.stack import RETENTION_DAYS, Tables
from fraud import entities, features, policy, transaction, windows
from fraud.aws import decision_items, entity_items, transact_write
from fraud.aws.endpoint import SageMakerScorer
from fraud.decision import Decision
from fraud.policy import Policy
from fraud.ports import StoredState
from fraud.routing import ServedModel
from fraud.transaction import Accepted

ATTEMPTS = 5
Write = Callable[["PerRecord", Accepted, StoredState, Decision], bool]
"""Writes a decision and its card; False when the card had moved since it was read."""

_NEW_CARD = StoredState(windows.empty(entities.CARD), 0)
_NEW_TERMINAL = StoredState(windows.empty(entities.TERMINAL), 0)


class Contended(Exception):
    """The card kept moving; the record is to be delivered again."""


@dataclass(frozen=True)
class PerRecord:
    """A Lambda function that treats records one by one, as many at once as the executor has threads.

    Args:
        client: DynamoDB.
        scorer: asks the endpoint.
        tables: names.
        model: the champion.
        policy: the document in force.
        executor: runs them.
        write: how decision and card are written.
    """

    client: Any
    scorer: SageMakerScorer
    tables: Tables
    model: ServedModel
    policy: Policy
    executor: Executor
    write: Write
    processor: AsyncBatchProcessor = field(default_factory=lambda: AsyncBatchProcessor(EventType.KinesisDataStreams))

    def handler(self, event: dict[str, Any], context: Any) -> Mapping[str, Any]:
        """Lambda's entry point."""
        return async_process_partial_response(event, self._record, self.processor, context)

    async def _record(self, record: KinesisStreamRecord) -> None:
        await asyncio.get_running_loop().run_in_executor(self.executor, self._score, record)

    def _score(self, record: KinesisStreamRecord) -> None:
        accepted = transaction.parse(
            record.kinesis.data_as_bytes(),
            sequence_number=record.kinesis.sequence_number,
            arrived_at=record.kinesis.approximate_arrival_timestamp,
        )
        for _ in range(ATTEMPTS):
            card, terminal = self.read(accepted)
            if self.write(self, accepted, card, self._decide(accepted, card, terminal)):
                return
        raise Contended

    def read(self, accepted: Accepted) -> tuple[StoredState, StoredState]:
        """The card and the terminal of a transaction."""
        card = entities.card_key(accepted.transaction.card_token)
        terminal = entities.terminal_key(accepted.transaction.terminal_id)
        request = {"Keys": entity_items.keys([card, terminal]), "ConsistentRead": True}
        answer = self.client.batch_get_item(RequestItems={self.tables.entity: request})
        found = entity_items.decode_all(answer["Responses"].get(self.tables.entity, []), time.time())
        return found.get(card, _NEW_CARD), found.get(terminal, _NEW_TERMINAL)

    def _decide(self, accepted: Accepted, card: StoredState, terminal: StoredState) -> Decision:
        row = features.values(accepted, card.state, terminal.state)
        [score] = self.scorer.score(self.model, [features.select(row, self.model.contract)])
        by_name = dict(zip(features.NAMES, row, strict=True))
        verdict = policy.decide(self.policy, accepted.transaction, by_name, score, self.model)
        return Decision(
            accepted=accepted,
            action=verdict.action,
            reasons=verdict.reasons,
            score=score.value if score else None,
            features=row,
            slot="a",
            served_by="a",
            model_package=self.model.model_package,
            epoch=1,
            policy_version=self.policy.version,
            degraded=False,
            decided_at=time.time(),
        )

    def decision_put(self, decision: Decision) -> dict[str, Any]:
        """The conditional write of a decision."""
        return {
            "TableName": self.tables.decision,
            "Item": decision_items.encode(decision, RETENTION_DAYS),
            "ConditionExpression": "attribute_not_exists(transaction_id)",
        }

    def card_put(self, accepted: Accepted, card: StoredState) -> dict[str, Any]:
        """The conditional write of a card with a transaction folded in."""
        state = entities.spend(card.state, accepted.at, accepted.amount_minor)
        key = entities.card_key(accepted.transaction.card_token)
        expires_at = entity_items.expiry(time.time(), RETENTION_DAYS)
        put: dict[str, Any] = entity_items.put(self.tables.entity, key, state, card.version, expires_at)["Put"]
        return put


def in_two_puts(side: PerRecord, accepted: Accepted, card: StoredState, decision: Decision) -> bool:
    """The decision, then the card. When the card moved, only it is read and written again."""
    conflict = side.client.exceptions.ConditionalCheckFailedException
    try:
        side.client.put_item(**side.decision_put(decision))
    except conflict:
        return True
    for _ in range(ATTEMPTS):
        try:
            side.client.put_item(**side.card_put(accepted, card))
        except conflict:
            card, _terminal = side.read(accepted)
        else:
            return True
    return False


def in_one_transaction(side: PerRecord, accepted: Accepted, card: StoredState, decision: Decision) -> bool:
    """Decision and card together. When the card moved, all of it starts again."""
    puts = [{"Put": side.decision_put(decision)}, {"Put": side.card_put(accepted, card)}]
    try:
        side.client.transact_write_items(TransactItems=puts)
    except side.client.exceptions.TransactionCanceledException as error:
        # Of the two reasons the first is the decision's: it stands already. Else the card had moved.
        return transact_write.condition_failed(error.response["CancellationReasons"][0])
    return True
