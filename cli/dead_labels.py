"""Gives labels that could not be recorded back to their queue."""

import time
from typing import Any

from cli.errors import CommandError
from cli.status import queue_depth
from cli.target import Target

DEAD = "LabelDeadLetterQueueUrl"
LOOKS = 120
"""Times a move is looked at, a second apart; a longer one goes on by itself."""
HIDDEN_SECONDS = 60
UNKNOWN_OPERATION = frozenset(("InvalidAction", "AWS.SimpleQueueService.UnsupportedOperation"))


def waiting(target: Target) -> int:
    """Labels in the dead-letter queue; SQS calls the number approximate."""
    return queue_depth(target, DEAD)


def give_back(target: Target) -> int:
    """Move them to the label queue, each at least once; how many were. Raises: CommandError when the move failed."""
    count = waiting(target)
    if not count:
        return 0
    source = arn(target)
    return moved(target, source) if start(target, source) else move_singly(target, count)


def arn(target: Target) -> str:
    """ARN of the dead-letter queue."""
    answer = target.client("sqs").get_queue_attributes(QueueUrl=target.output(DEAD), AttributeNames=["QueueArn"])
    return str(answer["Attributes"]["QueueArn"])


def start(target: Target, source: str) -> bool:
    """Let SQS move them to where they came from; False where it cannot, as on the laptop."""
    from botocore.exceptions import ClientError

    try:
        target.client("sqs").start_message_move_task(SourceArn=source)
    except ClientError as error:
        if error.response["Error"]["Code"] not in UNKNOWN_OPERATION:
            raise
        return False
    return True


def moved(target: Target, source: str) -> int:
    """How many SQS moved, once it is done or was given time enough. Raises: CommandError."""
    sqs, looks = target.client("sqs"), 1
    while (task := latest(sqs, source))["Status"] == "RUNNING" and looks < LOOKS:
        time.sleep(1)
        looks += 1
    if task["Status"] == "FAILED":
        reason = task.get("FailureReason", "it gave no reason")
        raise CommandError(f"SQS could not move the dead labels: {reason}. They stay; run this again.")
    return int(task.get("ApproximateNumberOfMessagesMoved", 0))


def latest(sqs: Any, source: str) -> dict[str, Any]:
    """The move that was started last."""
    return dict(sqs.list_message_move_tasks(SourceArn=source, MaxResults=1)["Results"][0])


def move_singly(target: Target, most: int) -> int:
    """Send them again one by one, each deleted once it is accepted."""
    sqs, done = target.client("sqs"), 0
    while done < most and (messages := receive(sqs, target)):
        for message in messages:
            sqs.send_message(QueueUrl=target.output("LabelQueueUrl"), MessageBody=message["Body"])
            sqs.delete_message(QueueUrl=target.output(DEAD), ReceiptHandle=message["ReceiptHandle"])
        done += len(messages)
    return done


def receive(sqs: Any, target: Target) -> list[dict[str, Any]]:
    """The next few of them, hidden from others meanwhile."""
    answer = sqs.receive_message(
        QueueUrl=target.output(DEAD), MaxNumberOfMessages=10, VisibilityTimeout=HIDDEN_SECONDS, WaitTimeSeconds=1
    )
    return list(answer.get("Messages", []))
