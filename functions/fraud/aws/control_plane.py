"""Calls that manage models and endpoints, their errors turned into ours."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from fraud.errors import DeploymentFailed, DeploymentInterrupted

CONTROL = Config(connect_timeout=3, read_timeout=15, retries={"mode": "standard", "total_max_attempts": 3})
"""For what waits anyway: three attempts end within a function's minute. Never for a transaction."""
ABSENT = frozenset({"ValidationException", "ValidationError", "ResourceNotFound", "ResourceNotFoundException"})
"""SageMaker has no error of its own for what does not exist; its waiters read ValidationException that way too."""
AGAIN = frozenset(
    {
        "ConcurrentUpdateException",
        "ConflictException",
        "InternalFailure",
        "InternalServerError",
        "RequestLimitExceeded",
        "ServiceUnavailable",
        "SlowDown",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)


@contextmanager
def deploying(doing: str) -> Iterator[None]:
    """Turn what AWS raises into DeploymentInterrupted or DeploymentFailed; its sentence is kept, it names no card."""
    try:
        yield
    except ClientError as error:
        kind = DeploymentInterrupted if _passes(error) else DeploymentFailed
        raise kind(f"{doing}: {code(error)}: {error.response.get('Error', {}).get('Message', '')}") from error
    except BotoCoreError as error:
        raise DeploymentInterrupted(f"{doing}: {error}") from error


def code(error: ClientError) -> str:
    """AWS's name for an error."""
    return str(error.response.get("Error", {}).get("Code", "unknown"))


def found(describe: Callable[..., Mapping[str, Any]], **name: str) -> Mapping[str, Any] | None:
    """What Describe answers; None for what does not exist."""
    try:
        return describe(**name)
    except ClientError as error:
        if code(error) in ABSENT:
            return None
        raise


def _passes(error: ClientError) -> bool:
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    return code(error) in AGAIN or status >= 500
