"""Calls to AWS, their errors logged and turned into ours: the one place that sees why a call failed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger
from botocore.exceptions import BotoCoreError, ClientError

from fraud.errors import Retryable, StoreUnavailable

logger = Logger(child=True)


@contextmanager
def unavailable(operation: str, kind: type[Retryable] = StoreUnavailable) -> Iterator[None]:
    """Turn what AWS raises into an error of ours; its text names operation and code, never an item."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise failure(operation, code, kind) from None
    except BotoCoreError as error:
        raise failure(operation, type(error).__name__, kind) from None


def failure(operation: str, cause: str, kind: type[Retryable]) -> Retryable:
    """The error for a call that failed, its cause logged: use-cases know that it failed, not why."""
    logger.warning("call failed", extra={"operation": operation, "cause": cause})
    return kind(f"{operation}: {cause}")
