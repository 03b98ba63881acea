"""The serving container: loads a model with the user's script and answers requests, in the contract of image 3.2-0.

Run as `python -m local.sagemaker.container <lifeline> <channel> <base directory>`; the base directory stands for
/opt/ml. What the script's functions get and may return is that of sagemaker-containers 2.8: a body is text only if its
type is exactly text/csv or application/json, and whatever they raise is an HTTP 500.
"""

import importlib
import os
import socket
import sys
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from local import frames, lifeline

_TEXT = {"text/csv", "application/json"}
_DEFAULT_TYPE = "application/json"
SERVER_ERROR = (
    "<!doctype html>\n<html lang=en>\n<title>500 Internal Server Error</title>\n<h1>Internal Server Error</h1>\n"
    "<p>The server encountered an internal error and was unable to complete your request. Either the server is "
    "overloaded or there is an error in the application.</p>\n"
)

Transform = Callable[[Any, Any, str, str], Any]
Answer = tuple[dict[str, Any], bytes]


def main(arguments: list[str]) -> None:
    lifeline.watch(int(arguments[0]))
    channel = socket.socket(fileno=int(arguments[1]))
    base = Path(arguments[2])
    try:
        transform, model = load(base)
    except BaseException as error:  # noqa: BLE001 - an import may raise anything; the endpoint fails with it
        traceback.print_exception(error)
        channel.sendall(frames.pack({"error": f"{type(error).__name__}: {error}"}))
        return
    channel.sendall(frames.pack({"ready": True}))
    _serve(channel, transform, model)


def load(base: Path) -> tuple[Transform, Any]:
    """The user's transform and the loaded model."""
    repository = Path(__file__).resolve().parents[2]
    ours = {repository, repository / "functions"}
    code = Path(os.environ["SAGEMAKER_SUBMIT_DIRECTORY"])
    sys.path[:] = [str(code), *(entry for entry in sys.path if Path(entry or ".").resolve() not in ours)]
    os.chdir(base)
    module = importlib.import_module(os.environ["SAGEMAKER_PROGRAM"].removesuffix(".py"))
    return _transform(module), module.model_fn(str(base / "model"))


def _transform(module: ModuleType) -> Transform:
    steps = [getattr(module, name, None) for name in ("input_fn", "predict_fn", "output_fn")]
    whole: Transform | None = getattr(module, "transform_fn", None)
    if whole is not None and any(steps):
        raise TypeError("Cannot use transform_fn implementation in conjunction with input_fn, predict_fn or output_fn")
    if whole is not None:
        return whole
    if not all(steps):
        raise TypeError("The laptop has no default functions: define input_fn, predict_fn and output_fn")
    return partial(_in_steps, module)


def _in_steps(module: ModuleType, model: Any, data: Any, kind: str, accept: str) -> Any:
    return module.output_fn(module.predict_fn(module.input_fn(data, kind), model), accept)


def _serve(channel: socket.socket, transform: Transform, model: Any) -> None:
    while True:
        try:
            head, body = frames.receive(channel)
        except EOFError:
            return
        channel.sendall(frames.pack(*respond(transform, model, head, body)))


def respond(transform: Transform, model: Any, head: dict[str, Any], body: bytes) -> Answer:
    """Head and body of the response; the head has status and content_type."""
    kind = head.get("content_type") or _DEFAULT_TYPE
    accept = head.get("accept")
    if accept in (None, "", "*/*"):
        accept = os.environ.get("SAGEMAKER_DEFAULT_INVOCATIONS_ACCEPT", _DEFAULT_TYPE)
    try:
        return _response(transform(model, body.decode() if kind in _TEXT else body, kind, accept))
    except Exception as error:  # noqa: BLE001 - of the user's functions: all of them are a 500
        traceback.print_exception(error)
        return {"status": 500, "content_type": "text/html; charset=utf-8"}, SERVER_ERROR.encode()


def _response(result: Any) -> Answer:
    """What Flask makes of it: (body, mimetype), a Response object, or a bare body, which is HTML."""
    if isinstance(result, tuple):
        return {"status": 200, "content_type": _with_charset(result[1])}, _encoded(result[0])
    if hasattr(result, "status_code"):
        return {"status": result.status_code, "content_type": result.content_type}, result.get_data()
    return {"status": 200, "content_type": "text/html; charset=utf-8"}, _encoded(result)


def _with_charset(mimetype: str) -> str:
    return f"{mimetype}; charset=utf-8" if mimetype.startswith("text/") else mimetype


def _encoded(body: Any) -> bytes:
    if isinstance(body, str):
        return body.encode()
    if isinstance(body, bytes | bytearray):
        return bytes(body)
    raise TypeError(f"a response body must be text or bytes, not {type(body).__name__}")


if __name__ == "__main__":
    main(sys.argv[1:])
