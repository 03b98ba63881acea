"""Queue to function on the running stack."""

import json
import uuid
from itertools import chain
from typing import Any

from tests.local.conftest import Running, eventually


def send(stack: Running, queue: str, orders: list[tuple[str, str]]) -> None:
    sqs = stack.client("sqs")
    for start in range(0, len(orders), 10):
        entries = [
            {"Id": str(number), "MessageBody": json.dumps({"id": name, "do": action})}
            for number, (name, action) in enumerate(orders[start : start + 10])
        ]
        sqs.send_message_batch(QueueUrl=queue, Entries=entries)


def batches(stack: Running, outputs: dict[str, str], run: str) -> list[list[str]]:
    """The invocations of the consumer that had messages of this run."""
    items = stack.client("dynamodb").scan(TableName=outputs["Journal"], ConsistentRead=True)["Items"]
    found = [[value["S"] for value in item["ids"]["L"]] for item in items if item["function"]["S"] == "consumer"]
    return [batch for batch in found if batch[0].startswith(run)]


def test_messages_are_gathered_into_batches_beyond_ten(stack: Running, outputs: dict[str, str]) -> None:
    run = uuid.uuid4().hex
    send(stack, outputs["Queue"], [(f"{run}-{number}", "ok") for number in range(60)])
    eventually(lambda: sum(map(len, batches(stack, outputs, run))) == 60)
    assert max(map(len, batches(stack, outputs, run))) > 10


def test_only_reported_messages_come_back_and_end_in_the_dead_letter_queue(
    stack: Running, outputs: dict[str, str]
) -> None:
    run = uuid.uuid4().hex
    send(stack, outputs["Queue"], [(f"{run}-good", "ok"), (f"{run}-bad", "report")])
    sqs = stack.client("sqs")

    def dead_letters() -> list[Any]:
        messages = sqs.receive_message(QueueUrl=outputs["DeadLetters"], MaxNumberOfMessages=10).get("Messages", [])
        return [message for message in messages if run in message["Body"]]

    (letter,) = eventually(dead_letters)
    assert json.loads(letter["Body"])["id"] == f"{run}-bad"
    assert sorted(chain.from_iterable(batches(stack, outputs, run))) == [f"{run}-bad", f"{run}-bad", f"{run}-good"]
