"""What a stack has accepted and not worked off: it is lost when the stack goes, because its stream and queues go."""

from collections.abc import Iterator

from cli.errors import NotFound
from cli.inventory import suppress_absent
from cli.status import iterator_age, queue_depth
from cli.target import Target

UP_TO_DATE_MS = 1000.0
"""Scoring reads a record within a second when it keeps up."""
QUEUES = {"LabelQueueUrl": "wait in the queue", "LabelDeadLetterQueueUrl": "lie in the dead-letter queue"}


def undone(target: Target) -> list[str]:
    """A sentence for everything that would be lost; what is gone already, or never came to be, has none."""
    return [*labels(target), *transactions(target)]


def labels(target: Target) -> Iterator[str]:
    """Labels that nobody recorded."""
    for output, where in QUEUES.items():
        if count := depth(target, output):
            yield f"{count:,} labels {where} and would be lost"


def depth(target: Target, output: str) -> int:
    """Messages in a queue, none in one that does not exist."""
    try:
        with suppress_absent():
            return queue_depth(target, output)
    except NotFound:
        pass
    return 0


def transactions(target: Target) -> Iterator[str]:
    """Transactions that nobody decided, as far as can be told."""
    try:
        age = iterator_age(target)
    except NotFound:
        return
    if age is None:
        yield "it is not known whether every transaction in the stream is decided; those that are not would be lost"
    elif age > UP_TO_DATE_MS:
        yield f"scoring is {age / 1000:,.1f} s behind the stream; the transactions it has not decided would be lost"
