"""InvokeEndpoint: routing by weight, the container's answer or AWS's errors around it, and the variant's metrics."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from http import HTTPStatus

from local.sagemaker.api import ApiError
from local.sagemaker.capture import Captures
from local.sagemaker.endpoints import Endpoints, Variant
from local.sagemaker.serving import ContainerTimedOut

BODY_BYTES = 6 * 1024 * 1024

Record = Callable[[str, float, str, dict[str, str]], None]
"""(metric, value, unit, dimensions) of namespace AWS/SageMaker."""
Response = tuple[int, dict[str, str], bytes]


class Runtime:
    """Answers /endpoints/{name}/invocations."""

    def __init__(self, endpoints: Endpoints, record: Record, captures: Captures) -> None:
        self._endpoints = endpoints
        self._record = record
        self._captures = captures
        # Traffic splitting needs no secrecy.
        self._random = random.Random()

    async def invoke(self, endpoint: str, headers: Mapping[str, str], body: bytes) -> Response:
        """Raises: ApiError."""
        choose = partial(self._choice, headers.get("x-amzn-sagemaker-target-variant"))
        with self._endpoints.borrowed(endpoint, choose) as variant:
            return await self._answer(endpoint, variant, headers, body)

    async def _answer(self, endpoint: str, variant: Variant, headers: Mapping[str, str], body: bytes) -> Response:
        if len(body) > BODY_BYTES:
            raise ApiError(f"Request body is larger than {BODY_BYTES} bytes.", "ValidationError", 413)
        started = time.perf_counter()
        try:
            answer, content = await variant.serving.invoke(_request(headers), body)
        except ContainerTimedOut:
            answer, content = {"status": 0}, b"Your invocation timed out while waiting for a response from container."
        except ConnectionError as error:
            answer, content = {"status": 500}, str(error).encode()
        self._measure(endpoint, variant, answer["status"], time.perf_counter() - started)
        if answer["status"] != HTTPStatus.OK:
            raise _model_error(variant, answer["status"], content.decode(errors="replace"))
        asked = (headers.get("content-type") or "application/json", body)
        answered = (str(answer["content_type"]), content)
        self._captures.take(variant.capture, (endpoint, variant.name), asked, answered, headers)
        return 200, {"Content-Type": answer["content_type"], "x-Amzn-Invoked-Production-Variant": variant.name}, content

    def _choice(self, target: str | None, variants: Sequence[Variant]) -> Variant:
        if target is None:
            weights = [variant.weight for variant in variants]
            return self._random.choices(variants, weights if sum(weights) else None)[0]
        for variant in variants:
            if variant.name == target:
                return variant
        raise ApiError(f"Variant {target} not found", "ValidationError")

    def _measure(self, endpoint: str, variant: Variant, status: int, seconds: float) -> None:
        dimensions = {"EndpointName": endpoint, "VariantName": variant.name}
        self._record("Invocations", 1, "None", dimensions)
        self._record("Invocation4XXErrors", float(400 <= status < 500), "None", dimensions)
        self._record("Invocation5XXErrors", float(status >= 500 or status == 0), "None", dimensions)
        self._record("InvocationModelErrors", float(status != HTTPStatus.OK), "None", dimensions)
        if status:
            self._record("ModelLatency", seconds * 1e6, "Microseconds", dimensions)


def _request(headers: Mapping[str, str]) -> dict[str, str | None]:
    return {"content_type": headers.get("content-type"), "accept": headers.get("accept")}


def _model_error(variant: Variant, status: int, body: str) -> ApiError:
    kind = "client" if 400 <= status < 500 else "server"
    message = f'Received {kind} error ({status}) from {variant.name} with message "{body}".'
    members = {"OriginalStatusCode": status, "OriginalMessage": body, "LogStreamArn": ""}
    return ApiError(message, "ModelError", HTTPStatus.FAILED_DEPENDENCY, **members)
