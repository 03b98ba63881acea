"""A queue that events and pages are sent to."""

import json
import uuid
from typing import Any

from tests.local.conftest import Running, eventually


class Inbox:
    """A queue, and what arrives in it."""

    def __init__(self, stack: Running) -> None:
        self._sqs = stack.client("sqs")
        self._url = self._sqs.create_queue(QueueName=f"q{uuid.uuid4().hex}")["QueueUrl"]
        answer = self._sqs.get_queue_attributes(QueueUrl=self._url, AttributeNames=["QueueArn"])
        self.arn: str = answer["Attributes"]["QueueArn"]
        self._received: list[dict[str, Any]] = []

    def messages(self, count: int) -> list[dict[str, Any]]:
        """What has arrived, parsed, as soon as there are so many."""

        def look() -> bool:
            found = self._sqs.receive_message(QueueUrl=self._url, MaxNumberOfMessages=10).get("Messages", [])
            self._received += [json.loads(message["Body"]) for message in found]
            return len(self._received) >= count

        eventually(look)
        return self._received
