"""The records one kind of resource is kept in: unique names, paged lists, AWS's wording when one is missing."""

import base64
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Any, Literal

from local.sagemaker.api import ApiError, Document


def now() -> datetime:
    return datetime.now(UTC)


class Records:
    """Documents by name."""

    def __init__(self, kind: str, prefix: str) -> None:
        """Kind as in messages ("endpoint configuration"), prefix of the ARNs (arn:aws:sagemaker:region:account)."""
        self._kind = kind
        self._prefix = prefix
        self._documents: dict[str, Document] = {}

    def arn(self, resource: str) -> str:
        return f"{self._prefix}:{resource}"

    def add(self, name: str, document: Document) -> Document:
        if name in self._documents:
            raise ApiError(f'Cannot create already existing {self._kind} "{name}".')
        self._documents[name] = document
        return document

    def get(self, name: str) -> Document:
        document = self._documents.get(name)
        if document is None:
            raise ApiError(f'Could not find {self._kind} "{name}".')
        return document

    def remove(self, name: str) -> Document:
        document = self.get(name)
        del self._documents[name]
        return document

    def all(self) -> list[Document]:
        return list(self._documents.values())


def page(
    documents: Iterable[Document],
    request: Document,
    member: str,
    name: str,
    status: str = "",
    order: Literal["Ascending", "Descending"] = "Descending",
) -> Document:
    """One page of a List operation, filtered and sorted as its request asks.

    name is the documents' member that NameContains is about, status the one of StatusEquals, order the operation's
    default.
    """
    kept = [d for d in documents if _asked_for(d, request, name, status)]
    by = name if request.get("SortBy") == "Name" else "CreationTime"
    kept.sort(key=lambda document: document[by], reverse=request.get("SortOrder", order) == "Descending")
    start, size = _decoded(request.get("NextToken")), int(request.get("MaxResults", 10))
    following = {"NextToken": _encoded(start + size)} if start + size < len(kept) else {}
    return {member: kept[start : start + size], **following}


def _asked_for(document: Document, request: Document, name: str, status: str) -> bool:
    created: datetime = document["CreationTime"]
    return (
        request.get("NameContains", "").lower() in str(document.get(name, "")).lower()
        and request.get("StatusEquals") in (None, document.get(status))
        and _epoch(request.get("CreationTimeAfter"), float("-inf")) <= created.timestamp()
        and created.timestamp() <= _epoch(request.get("CreationTimeBefore"), float("inf"))
    )


def _epoch(value: Any, default: float) -> float:
    return default if value is None else float(value)


def _encoded(position: int) -> str:
    return base64.b64encode(str(position).encode()).decode()


def _decoded(token: str | None) -> int:
    return int(base64.b64decode(token)) if token else 0
