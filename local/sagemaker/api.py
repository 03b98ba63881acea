"""The JSON protocol of SageMaker, and of what scales its endpoints.

Requests are checked against the service's own model, and answers are shaped by it.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from functools import cache
from typing import Any

from botocore.model import ListShape, MapShape, OperationModel, ServiceModel, Shape, StringShape, StructureShape
from botocore.validate import ParamValidator

Document = dict[str, Any]
Operation = Callable[[Document], Document]


class ApiError(Exception):
    """An error of the API: code as AWS names it, HTTP status, and further members of its shape."""

    def __init__(self, message: str, code: str = "ValidationException", status: int = 400, **members: Any) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.members = members


@cache
def service_model(name: str) -> ServiceModel:
    import botocore.session

    return botocore.session.get_session().get_service_model(name)


def answer(
    target: str, body: bytes, operations: Mapping[str, Operation], service: str = "sagemaker"
) -> tuple[int, bytes]:
    """Run the operation that the X-Amz-Target header names; HTTP status and JSON body."""
    try:
        return 200, json.dumps(_run(target.partition(".")[2], body, operations, service)).encode()
    except ApiError as error:
        return error.status, error_body(error)


def error_body(error: ApiError) -> bytes:
    return json.dumps({"__type": error.code, "message": str(error), **error.members}).encode()


def _run(name: str, body: bytes, operations: Mapping[str, Operation], service: str) -> Document:
    if name not in operations:
        raise ApiError(f"The laptop does not emulate {name}.", "UnknownOperationException")
    request = json.loads(body or b"{}")
    problems = list(_problems(service_model(service).operation_model(name), request))
    if problems:
        raise ApiError(f"{len(problems)} validation error detected: {'; '.join(problems)}")
    return output(name, operations[name](request), service)


def output(operation: str, document: Document, service: str = "sagemaker") -> Document:
    """The part of a document that an operation answers with, as JSON; documents here hold more than any answer."""
    shape = service_model(service).operation_model(operation).output_shape
    answered: Document = _shaped(shape, document) if shape else {}
    return answered


def _problems(model: OperationModel, request: Document) -> Iterator[str]:
    if model.input_shape is None:
        return
    report = ParamValidator().validate(request, model.input_shape)
    if report.has_errors():
        yield report.generate_report()
    yield from _violations(model.input_shape, request, "")


def _violations(shape: Shape, value: Any, path: str) -> Iterator[str]:
    """What botocore leaves to the service: patterns, enumerations, greatest lengths and greatest numbers."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        for name in value.keys() & shape.members.keys():
            yield from _violations(shape.members[name], value[name], f"{path}.{name}")
    elif isinstance(shape, ListShape) and isinstance(value, list):
        if len(value) > shape.metadata.get("max", len(value)):
            yield _violation(value, path, f"Member must have length less than or equal to {shape.metadata['max']}")
        for number, item in enumerate(value):
            yield from _violations(shape.member, item, f"{path}[{number}]")
    elif isinstance(shape, StringShape) and isinstance(value, str) and not _fits(shape, value):
        yield _violation(value, path, _constraint(shape))
    elif isinstance(value, int | float) and value > shape.metadata.get("max", value):
        yield _violation(value, path, f"Member must have value less than or equal to {shape.metadata['max']}")


def _violation(value: Any, path: str, constraint: str) -> str:
    return f"Value '{value}' at '{path.lstrip('.')}' failed to satisfy constraint: {constraint}"


def _fits(shape: StringShape, value: str) -> bool:
    if shape.enum and value not in shape.enum:
        return False
    if len(value) > shape.metadata.get("max", len(value)):
        return False
    pattern = shape.metadata.get("pattern")
    return pattern is None or _compiled(pattern) is None or _compiled(pattern).fullmatch(value) is not None


@cache
def _compiled(pattern: str) -> Any:
    try:
        return re.compile(pattern)
    except re.error:  # some of AWS's patterns are Java's
        return None


def _constraint(shape: StringShape) -> str:
    if shape.enum:
        return f"Member must satisfy enum value set: [{', '.join(shape.enum)}]"
    return f"Member must satisfy regular expression pattern: {shape.metadata.get('pattern')}"


def _shaped(shape: Shape, value: Any) -> Any:
    if value is None or isinstance(value, datetime):
        return value and value.timestamp()
    if isinstance(shape, StructureShape):
        return {n: _shaped(m, value[n]) for n, m in shape.members.items() if value.get(n) is not None}
    if isinstance(shape, ListShape):
        return [_shaped(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _shaped(shape.value, item) for key, item in value.items()}
    return value
