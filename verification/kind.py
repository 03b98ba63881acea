"""A kind of thing that probes create: how it is removed, and how one sees that it is gone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from fraud.aws.control_plane import ABSENT, code
from verification.account import Aws

GONE = ABSENT | {
    "404",
    "EntityNotFoundException",
    "AWS.SimpleQueueService.NonExistentQueue",
    "NoSuchBucket",
    "NoSuchEntity",
    "NotFoundException",
    "QueueDoesNotExist",
    "StateMachineDoesNotExist",
}
"""Codes by which services say that there is no such thing."""
MOST = 10_000
"""Things of an account that are looked through for one without a name of its own."""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of thing.

    Args:
        stands: whether one of a name is there, or on its way out.
        remove: asks for its removal; may be refused for now.
        calls: of AWS that both make, as `service.operation`.
        is_base: whether others need it until they are gone.
        is_listed: whether it is only found in a list, which may not show what is new yet.
    """

    stands: Callable[[Aws, str], bool]
    remove: Callable[[Aws, str], None]
    calls: tuple[str, ...]
    is_base: bool = False
    is_listed: bool = False


def named(service: str, noun: str, parameter: str, *, describe: str = "describe") -> Kind:
    """A kind whose service describes and deletes it by its name."""
    look, delete = f"{describe}_{noun}", f"delete_{noun}"

    def stands(aws: Aws, name: str) -> bool:
        return found(lambda: getattr(aws.client(service), look)(**{parameter: name})) is not None

    def remove(aws: Aws, name: str) -> None:
        getattr(aws.client(service), delete)(**{parameter: name})

    return Kind(stands, remove, (f"{service}.{look}", f"{service}.{delete}"))


def job(kind: str) -> Kind:
    """A job, whose record stays for ever and costs nothing; it stands as long as it runs."""
    look, stop, member = f"describe_{kind}_job", f"stop_{kind}_job", f"{kind.title()}Job"

    def stands(aws: Aws, name: str) -> bool:
        standing = found(lambda: getattr(aws.client("sagemaker"), look)(**{f"{member}Name": name}))
        return standing is not None and standing[f"{member}Status"] in ("InProgress", "Stopping")

    def remove(aws: Aws, name: str) -> None:
        getattr(aws.client("sagemaker"), stop)(**{f"{member}Name": name})

    return Kind(stands, remove, (f"sagemaker.{look}", f"sagemaker.{stop}"))


def found(call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What a call answers; None where there is no such thing."""
    try:
        return call()
    except ClientError as error:
        if code(error) in GONE:
            return None
        raise
