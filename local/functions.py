"""Puts our execution environments and stream pollers in the places of the stand-in's own."""

import hashlib
import io
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from local import emf, events, queues
from local.environments import Environments, Function, Invocation
from local.gateway import Gateway, core, service
from local.objects import put_object
from local.streams import filters
from local.streams.pollers import Pollers

CODE_LOCATION = "code-location"
"""The one file of a deployed code archive: the directory that functions run from, so that edits need no deployment."""


REVISION = "revision"
"""The other file of it: a digest of what the directory held, so that code that changed is code that is deployed."""


def code_archive(directory: Path) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(CODE_LOCATION, str(directory))
        file.writestr(REVISION, revision(directory))
    return archive.getvalue()


def revision(directory: Path) -> str:
    """Digest of a directory's place, its files and their content."""
    digest = hashlib.sha256(f"{directory}\0".encode())
    for path in sorted(directory.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(f"{path.relative_to(directory)}\0".encode() + hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def _code_directory(archive: bytes) -> Path:
    with zipfile.ZipFile(io.BytesIO(archive)) as file:
        return Path(file.read(CODE_LOCATION).decode())


def _layer(configuration: Mapping[str, Any]) -> Path | None:
    """The directory of a function's one layer, used in place like its code."""
    layers = configuration.get("Layers") or []
    return _code_directory(service("lambda_svc")._resolve_layer_zip(layers[0])) if len(layers) == 1 else None


class Functions:
    """Runs functions for the stand-in's Lambda and feeds them from their streams."""

    def __init__(self, gateway: Gateway, environments: Environments) -> None:
        self._gateway = gateway
        self._environments = environments
        self._pollers = Pollers(gateway, self._deliver)

    def install(self) -> None:
        stand_in = service("lambda_svc")
        self._start_queue_poller = stand_in._ensure_poller
        self._count, stand_in._emit_lambda_metrics = stand_in._emit_lambda_metrics, _throttles(stand_in)
        stand_in._execute_function_warm = self._execute
        stand_in._poll_kinesis = self._reconcile
        stand_in._poll_dynamodb_streams = lambda: False
        stand_in._ensure_poller = self._start_pollers
        queues.install()
        events.install()
        filters.install()
        _on_set(core("concurrency").esm_wake, self._pollers.notice)

    def stop(self) -> None:
        self._pollers.stop()

    def _start_pollers(self) -> None:
        self._pollers.reconcile()
        self._start_queue_poller()

    def _reconcile(self) -> bool:
        self._pollers.reconcile()
        functions = service("lambda_svc")._functions
        self._environments.retain(
            self._gateway.scoped(lambda: {f["config"]["FunctionArn"] for f in functions.values()})
        )
        return False

    def _execute(self, record: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
        """The stand-in's contract of a function run: body, log, and error when it failed."""
        configuration = record.get("config") or record
        code = _code_directory(record["code_zip"])
        function = Function.from_configuration(configuration, code, _layer(configuration))
        started = time.perf_counter()
        invocation = self._environments.invoke(function, event, request_id)
        self._count(function.name, (time.perf_counter() - started) * 1000, invocation.failed, False)
        _publish_metrics(invocation)
        return {"body": invocation.answer, "log": invocation.log, "error": invocation.failed}

    def _deliver(self, bucket: str, key: str, body: str) -> None:
        put_object(self._gateway, bucket, key, body.encode())


def _throttles(stand_in: Any) -> Callable[..., None]:
    """The stand-in counts what comes through Invoke; we count every invocation, and leave it those that never began."""
    count: Callable[..., None] = stand_in._emit_lambda_metrics

    def count_throttle(function_name: str, duration_ms: float, error: bool, throttle: bool) -> None:
        if throttle:
            count(function_name, duration_ms, error, throttle)

    return count_throttle


def _publish_metrics(invocation: Invocation) -> None:
    record = service("cloudwatch").record_metric
    for metric in emf.metrics(invocation.log):
        record(metric.namespace, metric.name, metric.value, metric.unit, dict(metric.dimensions))


def _on_set(event: threading.Event, notice: Any) -> None:
    """Also call notice whenever the event, which every event source of the stand-in sets, is set."""
    original = event.set

    def set_and_notice() -> None:
        original()
        notice()

    event.set = set_and_notice  # type: ignore[method-assign]
