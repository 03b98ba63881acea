"""Tasks that start a job and wait for its end: training and processing jobs of SageMaker, queries of Athena.

What Step Functions documents is kept: the result is what the service describes, a job that does not complete is
`States.TaskFailed` with that description as its cause, and a task that ends before its job stops it if it can. Known
from use, and not documented: times as milliseconds since 1970; names of the errors of the call that starts a job (those
of the AWS SDK for Java 1, under the service's name); that a job which was stopped, or a query that failed, is a task
failed in the same way.
"""

import contextlib
import json
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.model import ListShape, MapShape, Shape, StructureShape

from local.gateway import Gateway, service
from local.sagemaker.api import service_model
from local.state_machines.runs import current

Document = dict[str, Any]
_POLL_SECONDS = 0.2
_SYNC = ".sync"
_TAG = {"Key": "MANAGED_BY_AWS", "Value": "STARTED_BY_STEP_FUNCTIONS"}


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of job, in the words of its service."""

    service: str
    """As botocore and the gateway call it."""
    target: str
    """Of its requests' X-Amz-Target."""
    errors: str
    """What names of its errors begin with; the general one is `<errors>.Amazon<errors>Exception`."""
    start: str
    describe: str
    stop: str
    name: str
    """The member that tells one job from the others."""
    status: Callable[[Document], str]
    completed: str
    ended: frozenset[str]


def _of_sagemaker(kind: str) -> Kind:
    return Kind(
        service="sagemaker",
        target="SageMaker",
        errors="SageMaker",
        start=f"Create{kind}Job",
        describe=f"Describe{kind}Job",
        stop=f"Stop{kind}Job",
        name=f"{kind}JobName",
        status=lambda described: str(described[f"{kind}JobStatus"]),
        completed="Completed",
        ended=frozenset({"Completed", "Failed", "Stopped"}),
    )


_QUERY = Kind(
    service="athena",
    target="AmazonAthena",
    errors="Athena",
    start="StartQueryExecution",
    describe="GetQueryExecution",
    stop="StopQueryExecution",
    name="QueryExecutionId",
    status=lambda described: str(described["QueryExecution"]["Status"]["State"]),
    completed="SUCCEEDED",
    ended=frozenset({"SUCCEEDED", "FAILED", "CANCELLED"}),
)
KINDS = {
    f"arn:aws:states:::sagemaker:createTrainingJob{_SYNC}": _of_sagemaker("Training"),
    f"arn:aws:states:::sagemaker:createProcessingJob{_SYNC}": _of_sagemaker("Processing"),
    f"arn:aws:states:::athena:startQueryExecution{_SYNC}": _QUERY,
}


class _Refused(Exception):
    """The service answered with an error."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


class Jobs:
    """Starts jobs through the gateway's own handlers, and waits for them on the execution's thread."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._failure = service("stepfunctions")._ExecutionError

    def perform(self, kind: Kind, parameters: Document, seconds: float | None, submitted: Callable[[str], None]) -> Any:
        """What the service describes of the job when it has completed.

        Args:
            kind: of the job.
            parameters: of the call that starts it.
            seconds: how long it may take.
            submitted: is told the answer of that call.

        Raises: TimeoutError if it takes longer, the engine's error if it could not be started or has not completed.
        """
        deadline = None if seconds is None else time.monotonic() + seconds
        answer = self._started(kind, parameters)
        job = {kind.name: answer.get(kind.name, parameters.get(kind.name))}
        try:
            submitted(json.dumps(answer))
            described = self._ended(kind, job, deadline)
        except BaseException:
            with contextlib.suppress(_Refused):
                self._call(kind, kind.stop, job)
            raise
        if kind.status(described) != kind.completed:
            raise self._failure("States.TaskFailed", json.dumps(described))
        return described

    def _started(self, kind: Kind, parameters: Document) -> Document:
        if kind.service == "sagemaker":
            parameters = {**parameters, "Tags": [*parameters.get("Tags", ()), _TAG]}
        try:
            return self._call(kind, kind.start, parameters)
        except _Refused as refused:
            raise self._failure(error_name(kind, refused.code), _cause(kind, refused)) from refused

    def _ended(self, kind: Kind, job: Document, deadline: float | None) -> Document:
        while kind.status(described := self._call(kind, kind.describe, job)) not in kind.ended:
            left = _POLL_SECONDS if deadline is None else deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            current().pause(min(left, _POLL_SECONDS))
        told: Document = _told(service_model(kind.service).operation_model(kind.describe).output_shape, described)
        return told

    def _call(self, kind: Kind, operation: str, parameters: Document) -> Document:
        application, body = self._gateway.app, json.dumps(parameters).encode()
        headers = {"x-amz-target": f"{kind.target}.{operation}", "content-type": "application/x-amz-json-1.1"}
        handler = application.SERVICE_HANDLERS[kind.service]
        status, _, content = application.call_service_handler_sync(handler, "POST", "/", headers, body, {})
        answer: Document = json.loads(content or b"{}")
        if status >= 300:
            code = str(answer.get("__type", "InternalFailure")).rpartition("#")[2]
            raise _Refused(status, code, str(answer.get("message") or answer.get("Message") or ""))
        return answer


def error_name(kind: Kind, code: str) -> str:
    """What Step Functions calls an error of the call that starts a job: by its own name only if the API models it."""
    modelled = {shape.name for shape in service_model(kind.service).operation_model(kind.start).error_shapes}
    if code not in modelled:
        return f"{kind.errors}.Amazon{kind.errors}Exception"
    return f"{kind.errors}.{code.removesuffix('Exception')}Exception"


def _cause(kind: Kind, refused: _Refused) -> str:
    facts = f"Status Code: {refused.status}; Error Code: {refused.code}; Request ID: {uuid.uuid4()}; Proxy: null"
    return f"{refused} (Service: Amazon{kind.errors}; {facts})"


def _told(shape: Shape | None, value: Any) -> Any:
    """A description as Step Functions gives it: nothing that is null, times in milliseconds."""
    if isinstance(shape, StructureShape) and isinstance(value, dict):
        members = shape.members
        return {name: _told(members.get(name), item) for name, item in value.items() if item is not None}
    if isinstance(shape, ListShape):
        return [_told(shape.member, item) for item in value]
    if isinstance(shape, MapShape):
        return {key: _told(shape.value, item) for key, item in value.items()}
    if shape is not None and shape.type_name == "timestamp":
        return round(value * 1000)
    return value
