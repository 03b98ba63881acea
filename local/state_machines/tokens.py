"""Task tokens: each is good for one answer, while its task waits; any other is refused in AWS's words."""

import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any

from local.gateway import service
from local.state_machines.runs import PAYLOAD_BYTES, settle

_Handler = Callable[[dict[str, Any]], Any]


class Tokens:
    """Issues tokens, and takes the answers of SendTaskSuccess and SendTaskFailure."""

    def __init__(self) -> None:
        self._engine = service("stepfunctions")
        self._open: dict[str, Future[Any]] = {}
        self._issued: set[str] = set()
        self._lock = threading.Lock()

    def install(self) -> None:
        engine = self._engine
        engine._send_task_success = self._unless_activity(engine._send_task_success, self._succeed)
        engine._send_task_failure = self._unless_activity(engine._send_task_failure, self._fail)
        engine._send_task_heartbeat = self._unless_activity(engine._send_task_heartbeat, self._beat)

    def issue(self) -> tuple[str, "Future[Any]"]:
        """A token, and the future that its answer will settle."""
        token, future = uuid.uuid4().hex, Future[Any]()
        with self._lock:
            self._open[token] = future
            self._issued.add(token)
        return token, future

    def close(self, token: str) -> "Future[Any] | None":
        """Take a token out of use; its future if it was open."""
        with self._lock:
            return self._open.pop(token, None)

    def _unless_activity(self, activity: _Handler, ours: _Handler) -> _Handler:
        return lambda request: (activity if request.get("taskToken") in self._engine._task_tokens else ours)(request)

    def _succeed(self, request: dict[str, Any]) -> Any:
        try:
            output = json.loads(request.get("output", ""))
        except ValueError as error:
            return self._refused("InvalidOutput", f"Invalid Output: '{error}'")
        if len(request["output"].encode()) > PAYLOAD_BYTES:
            return self._refused("InvalidOutput", f"Invalid Output: 'more than {PAYLOAD_BYTES} bytes'")
        return self._answered(request, output)

    def _fail(self, request: dict[str, Any]) -> Any:
        failure = self._engine._ExecutionError(request.get("error") or "TaskFailed", request.get("cause") or "")
        return self._answered(request, error=failure)

    def _beat(self, request: dict[str, Any]) -> Any:
        with self._lock:
            known = request.get("taskToken") in self._open
        return self._engine.json_response({}) if known else self._unknown(request)

    def _answered(self, request: dict[str, Any], output: Any = None, error: Exception | None = None) -> Any:
        future = self.close(request.get("taskToken", ""))
        if future is None:
            return self._unknown(request)
        settle(future, output, error)
        return self._engine.json_response({})

    def _unknown(self, request: dict[str, Any]) -> Any:
        if request.get("taskToken") in self._issued:
            return self._refused("TaskTimedOut", "Task Timed Out: 'Provided task does not exist anymore'")
        return self._refused("InvalidToken", "Invalid Token: 'Invalid token'")

    def _refused(self, code: str, message: str) -> Any:
        return self._engine.error_response_json(code, message, 400)
