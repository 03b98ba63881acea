"""What a teardown removes, and in which order; nothing here talks to AWS."""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """What there is, in the order in which AWS allows its removal.

    An endpoint that a schedule watches is not deleted; endpoints go before their configuration and model, whose role
    belongs to the stack; a group of packages can only be deleted empty; a key goes last, because all data is unreadable
    without it. Evidence is never removed.
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
    EVIDENCE = "bucket of evidence"
    KEY = "key"


DATA = (Kind.MODEL_PACKAGE, Kind.MODEL_PACKAGE_GROUP, Kind.BUCKET, Kind.TABLE, Kind.QUEUE, Kind.LOG_GROUP, Kind.KEY)
"""What the template keeps when the stack goes: only removed when asked for."""
IS_DATA = "data, which only --delete-data removes"
IS_EVIDENCE = "evidence, which outlives what it tells of: docs/audit.md says how it ends"
READS_EVIDENCE = "without it the evidence cannot be read"


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that may be removed; `name` is what its service knows it by."""

    kind: Kind
    name: str

    @property
    def is_data(self) -> bool:
        """Whether something is lost that no deployment brings back."""
        return self.kind in DATA


def kept(found: Iterable[Step], *, delete_data: bool) -> dict[Step, str]:
    """What stays, and why."""
    each = dict.fromkeys(found)
    evident = any(step.kind is Kind.EVIDENCE for step in each)
    reasons = {step: reason_to_keep(step, evident, delete_data) for step in each}
    return {step: reason for step, reason in reasons.items() if reason}


def reason_to_keep(step: Step, evident: bool, delete_data: bool) -> str | None:
    """Why a thing stays, None if it goes; whether evidence stands decides about its key."""
    if step.kind is Kind.EVIDENCE:
        return IS_EVIDENCE
    if step.kind is Kind.KEY and evident:
        return READS_EVIDENCE
    return IS_DATA if step.is_data and not delete_data else None


def plan(found: Iterable[Step], staying: Container[Step]) -> list[Step]:
    """The steps in legal order, without what stays."""
    order = list(Kind)
    going = (step for step in dict.fromkeys(found) if step not in staying)
    return sorted(going, key=lambda step: order.index(step.kind))
