"""What a teardown removes, and in which order; nothing here talks to AWS."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What a step removes, in the order in which AWS allows it.

    An endpoint that a schedule watches is not deleted; endpoints go before their configuration and model, whose role
    belongs to the stack; a group of packages can only be deleted empty; a key goes last, because all data is unreadable
    without it.
    """

    MONITORING = "Model Monitor's schedule and job definitions of endpoint"
    ENDPOINT = "endpoint"
    ENDPOINT_CONFIG = "endpoint configuration"
    MODEL = "model"
    STACK = "stack"
    MODEL_PACKAGE = "model package"
    MODEL_PACKAGE_GROUP = "model package group"
    BUCKET = "bucket with all versions of its objects"
    TABLE = "table"
    QUEUE = "queue"
    LOG_GROUP = "log group"
    KEY = "key, deleted after 30 days"


DATA = (Kind.MODEL_PACKAGE, Kind.MODEL_PACKAGE_GROUP, Kind.BUCKET, Kind.TABLE, Kind.QUEUE, Kind.LOG_GROUP, Kind.KEY)
"""What the template keeps when the stack goes: only removed when asked for."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to remove; `name` is what its service knows it by."""

    kind: Kind
    name: str

    @property
    def is_data(self) -> bool:
        """Whether something is lost that no deployment brings back."""
        return self.kind in DATA


def plan(found: Iterable[Step], *, delete_data: bool) -> list[Step]:
    """The steps in legal order, without what is kept."""
    order = list(Kind)
    wanted = (step for step in dict.fromkeys(found) if delete_data or not step.is_data)
    return sorted(wanted, key=lambda step: order.index(step.kind))


def kept(found: Iterable[Step], steps: Iterable[Step]) -> Iterator[Step]:
    """What stays."""
    removed = set(steps)
    return (step for step in dict.fromkeys(found) if step not in removed)
