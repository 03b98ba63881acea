"""Counts what leaves the process, with botocore's own events."""

from __future__ import annotations

from collections import Counter
from typing import Any

import boto3

from benchmarks.capacity import Consumed, IndexKeys, charge


class Meter:
    """Notes every call of a session's clients; read() works out what they were, outside of what is timed."""

    def __init__(self, session: boto3.Session, index_keys: IndexKeys) -> None:
        self._index_keys = index_keys
        self._sent: list[str] = []
        self._answered: list[tuple[str, Any, Any]] = []
        session.events.register("before-send", self._on_send)
        session.events.register("before-parameter-build.dynamodb", self._on_request)
        session.events.register("after-call.dynamodb", self._on_answer)

    def _on_send(self, event_name: str, **_: Any) -> None:
        self._sent.append(event_name)

    def _on_request(self, params: Any, context: Any, **_: Any) -> None:
        context["benchmark_request"] = params

    def _on_answer(self, model: Any, parsed: Any, context: Any, **_: Any) -> None:
        self._answered.append((model.name, context["benchmark_request"], parsed))

    def read(self) -> tuple[Counter[str], Consumed]:
        """Requests sent by operation, and request units, since it was last read."""
        calls = Counter(name.rpartition(".")[2] for name in self._sent)
        consumed = Consumed()
        for operation, request, answer in self._answered:
            charge(consumed, operation, request, answer, self._index_keys)
        self._sent.clear()
        self._answered.clear()
        return calls, consumed
