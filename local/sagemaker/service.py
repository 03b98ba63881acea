"""SageMaker and its runtime behind the gateway, and the one resource of theirs that CloudFormation creates."""

import asyncio
import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from local.children import Children
from local.deployment import client
from local.gateway import ACCOUNT, Gateway, core, service
from local.sagemaker.api import ApiError, Document, answer, error_body
from local.sagemaker.artefacts import Artefacts
from local.sagemaker.capture import Captures
from local.sagemaker.endpoints import Endpoints
from local.sagemaker.jobs import Surroundings
from local.sagemaker.models import ContainerSpec, EndpointConfigs, Models
from local.sagemaker.monitoring import JobDefinitions, MonitoringSchedules
from local.sagemaker.processing import ProcessingJobs
from local.sagemaker.registry import Registry
from local.sagemaker.runtime import Response, Runtime
from local.sagemaker.scaling import SERVICE, TARGET_PREFIX, Scaling
from local.sagemaker.serving import Serving
from local.sagemaker.tags import Tags
from local.sagemaker.training import TrainingJobs

_INVOCATION = ("/endpoints/", "/invocations")
_JSON = {"Content-Type": "application/x-amz-json-1.1"}


class SageMaker:
    """Composes the emulation and puts it in the gateway's tables."""

    def __init__(self, gateway: Gateway, children: Children, directory: Path, *, model_monitor: bool = True) -> None:
        self._gateway = gateway
        self._children = children
        self._artefacts = Artefacts(client(gateway, "s3"))
        prefix = f"arn:aws:sagemaker:{gateway.region}:{ACCOUNT}"
        self._registry = Registry(prefix, self._announce)
        models = Models(prefix, self._artefacts, self._registry)
        configs = EndpointConfigs(prefix, models)
        endpoints = Endpoints(prefix, configs, models, self._start, directory / "endpoints")
        captures = Captures(self._artefacts)
        endpoints.flush_captures = captures.flush
        self._runtime = Runtime(endpoints, self._measure, captures)
        definitions = JobDefinitions(prefix, model_monitor)
        schedules = MonitoringSchedules(prefix, definitions, endpoints.captures, model_monitor)
        endpoints.require_unwatched = schedules.require_unwatched
        training = TrainingJobs(prefix, self._surroundings(directory / "training"), self._announce)
        processing = ProcessingJobs(prefix, self._surroundings(directory / "processing"), self._announce)
        parts = (models, configs, endpoints, self._registry, training, processing, definitions, schedules)
        operations = {name: run for part in parts for name, run in part.operations().items()}
        tags = Tags()
        self._scaling = Scaling(
            f"arn:aws:application-autoscaling:{gateway.region}:{ACCOUNT}", endpoints.machines
        ).operations()
        self._operations = {name: tags.kept(name, run) for name, run in operations.items()} | tags.operations()
        self._turn = threading.Lock()

    def install(self) -> None:
        core("router").SERVICE_PATTERNS["sagemaker"] = {"target_prefixes": ["SageMaker."]}
        core("router").SERVICE_PATTERNS[SERVICE] = {"target_prefixes": [TARGET_PREFIX]}
        application = self._gateway.app
        application.SERVICE_HANDLERS["sagemaker"] = self._handle
        application.SERVICE_HANDLERS[SERVICE] = self._scale
        application.fix_success_content_type = _except_ours(application.fix_success_content_type)
        service("cloudformation.provisioners")._RESOURCE_HANDLERS["AWS::SageMaker::ModelPackageGroup"] = {
            "create": self._create_group,
            "delete": lambda arn, properties: self._registry.delete_group({"ModelPackageGroupName": arn}),
        }

    async def _handle(self, method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Response:
        if path.startswith(_INVOCATION[0]) and path.endswith(_INVOCATION[1]):
            return await self._invoke(unquote(path[len(_INVOCATION[0]) : -len(_INVOCATION[1])]), headers, body)
        status, content = await asyncio.to_thread(self._answer, headers.get("x-amz-target", ""), body)
        return status, dict(_JSON), content

    async def _scale(self, method: str, path: str, headers: dict[str, str], body: bytes, query: Any) -> Response:
        status, content = await asyncio.to_thread(self._answer_scaling, headers.get("x-amz-target", ""), body)
        return status, dict(_JSON), content

    def _answer_scaling(self, target: str, body: bytes) -> tuple[int, bytes]:
        with self._turn:
            return answer(target, body, self._scaling, SERVICE)

    def _answer(self, target: str, body: bytes) -> tuple[int, bytes]:
        with self._turn:
            return answer(target, body, self._operations)

    async def _invoke(self, endpoint: str, headers: dict[str, str], body: bytes) -> Response:
        try:
            return await self._runtime.invoke(endpoint, headers, body)
        except ApiError as error:
            answered = {"Content-Type": "application/json", "x-amzn-errortype": error.code}
            return error.status, answered, error_body(error)

    def _surroundings(self, directory: Path) -> Surroundings:
        return Surroundings(self._children, self._artefacts, directory, self._gateway.location)

    def _start(self, spec: ContainerSpec, base: Path) -> Serving:
        return Serving(spec, base, self._children, self._artefacts, self._gateway.location)

    def _measure(self, name: str, value: float, unit: str, dimensions: dict[str, str]) -> None:
        service("cloudwatch").record_metric("AWS/SageMaker", name, value, unit, dimensions)

    def _announce(self, kind: str, arn: str, detail: Document) -> None:
        entry = {"Source": "aws.sagemaker", "DetailType": kind, "Resources": [arn], "Detail": json.dumps(detail)}
        put_events = service("eventbridge")._put_events
        self._gateway.scoped(lambda: put_events({"Entries": [entry]}, allow_aws_source=True))

    def _create_group(self, logical_id: str, properties: Document, stack_name: str) -> tuple[str, dict[str, str]]:
        arn = self._registry.create_group(properties)["ModelPackageGroupArn"]
        return arn, {"ModelPackageGroupArn": arn, "ModelPackageGroupStatus": "Completed"}


def _except_ours(correct: Callable[[str, int, dict[str, str]], None]) -> Callable[[str, int, dict[str, str]], None]:
    """The stand-in makes every JSON answer a service's own type; ours may be a model's."""

    def corrected(name: str, status: int, headers: dict[str, str]) -> None:
        if name != "sagemaker":
            correct(name, status, headers)

    return corrected
