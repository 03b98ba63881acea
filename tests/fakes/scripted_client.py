"""boto3 clients whose operations answer as functions say; AWS's own models check what is asked and answered."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError
from botocore.validate import validate_parameters

Respond = Callable[..., dict[str, Any]]


@contextmanager
def answering(client: Any, **operations: Respond) -> Iterator[None]:
    """Let a client's operations, by their names in the API, call functions with what they are asked."""
    service = client.meta.service_model.service_id.hyphenize()
    handlers = [
        handler
        for operation, respond in operations.items()
        for handler in (
            (f"before-parameter-build.{service}.{operation}", _note),
            (f"before-call.{service}.{operation}", _reply(respond)),
        )
    ]
    for event, handler in handlers:
        client.meta.events.register(event, handler)
    try:
        yield
    finally:
        for event, handler in handlers:
            client.meta.events.unregister(event, handler)


def refusal(code: str) -> ClientError:
    """What a function raises to let AWS refuse a call."""
    return ClientError({"Error": {"Code": code, "Message": "no"}}, "Operation")


def _note(params: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
    context["asked"] = dict(params)


def _reply(respond: Respond) -> Callable[..., Any]:
    def reply(model: Any, context: dict[str, Any], **_: Any) -> Any:
        try:
            answer = respond(**context["asked"])
        except ClientError as error:
            return SimpleNamespace(status_code=400), error.response
        if model.output_shape is not None:
            validate_parameters(answer, model.output_shape)
        return SimpleNamespace(status_code=200), answer

    return reply
