"""Calls to AWS, their errors turned into ours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from botocore.exceptions import BotoCoreError, ClientError

from fraud.errors import StoreUnavailable


@contextmanager
def unavailable(doing: str) -> Iterator[None]:
    """Turn what AWS raises into StoreUnavailable; its text names the operation, never an item."""
    try:
        yield
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "unknown")
        raise StoreUnavailable(f"{doing}: {code}") from None
    except BotoCoreError as error:
        raise StoreUnavailable(f"{doing}: {type(error).__name__}") from None
