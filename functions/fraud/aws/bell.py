"""Messages to the people who are on call."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from fraud.aws.calls import unavailable

LONGEST_SUBJECT = 100
"""SNS's limit; it also wants a single line of ASCII."""
LONGEST_MESSAGE = 60_000
"""Characters, which are at most four bytes each of the 262,144 that SNS takes."""


@dataclass(frozen=True)
class SnsBell:
    """Publishes to the alarm topic.

    Args:
        client: SNS.
        topic_arn: of the topic.
    """

    client: Any
    topic_arn: str

    def ring(self, subject: str, message: str) -> None:
        """Tell those who are on call.

        Raises:
            StoreUnavailable: not told.
        """
        line = " ".join(subject.encode("ascii", "replace").decode().split())
        with unavailable("Publish"):
            self.client.publish(
                TopicArn=self.topic_arn, Subject=line[:LONGEST_SUBJECT], Message=message[:LONGEST_MESSAGE]
            )
