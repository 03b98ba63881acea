"""One execution environment: imports a handler once, then answers one event after another.

Run as `python -m local.worker <lifeline> <channel> <code directory> <handler>`. Output of the handler goes to this
process's stdout and stderr, as on Lambda; answers go over the channel.
"""

import importlib
import json
import os
import socket
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local import frames, lifeline

_Handler = Callable[[Any, Any], Any]


@dataclass(frozen=True, slots=True)
class Context:
    """What Lambda passes beside the event; attribute names are Lambda's."""

    aws_request_id: str
    invoked_function_arn: str
    deadline: float
    function_name: str = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "")
    function_version: str = "$LATEST"
    memory_limit_in_mb: str = os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "")
    log_group_name: str = os.environ.get("AWS_LAMBDA_LOG_GROUP_NAME", "")
    log_stream_name: str = os.environ.get("AWS_LAMBDA_LOG_STREAM_NAME", "")
    identity: None = None
    client_context: None = None

    def get_remaining_time_in_millis(self) -> int:
        return max(0, int((self.deadline - time.time()) * 1000))


def main(arguments: list[str]) -> None:
    lifeline.watch(int(arguments[0]))
    channel = socket.socket(fileno=int(arguments[1]))
    try:
        handler = _load(Path(arguments[2]), arguments[3])
    except BaseException as error:  # noqa: BLE001 - an import may raise anything; Lambda reports it and ends the environment
        channel.sendall(frames.pack({"error": _described(error)}))
        return
    channel.sendall(frames.pack({"ready": True}))
    _serve(channel, handler)


def _load(code: Path, handler: str) -> _Handler:
    """Import the handler with the function's own code first and nothing else of this repository on the path."""
    repository = Path(__file__).resolve().parent.parent
    ours = {repository, repository / "functions"}
    sys.path[:] = [str(code), *(entry for entry in sys.path if Path(entry or ".").resolve() not in ours)]
    os.chdir(code)
    module, _, function = handler.rpartition(".")
    loaded: _Handler = getattr(importlib.import_module(module.replace("/", ".")), function)
    return loaded


def _serve(channel: socket.socket, handler: _Handler) -> None:
    while True:
        try:
            head, body = frames.receive(channel)
        except EOFError:
            return
        answer = _answer(handler, json.loads(body), head)
        sys.stdout.flush()
        channel.sendall(frames.pack(*answer))


def _answer(handler: _Handler, event: Any, head: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
    context = Context(head["request_id"], head["function_arn"], time.time() + head["timeout"])
    try:
        return {}, json.dumps(handler(event, context)).encode()
    except Exception as error:  # noqa: BLE001 - whatever the handler raises is the invocation's answer
        return {"error": _described(error)}, b""


def _described(error: BaseException) -> dict[str, Any]:
    return {
        "errorType": type(error).__name__,
        "errorMessage": str(error),
        "stackTrace": traceback.format_exception(error),
    }


if __name__ == "__main__":
    main(sys.argv[1:])
