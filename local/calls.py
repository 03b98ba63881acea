"""Which role called what: each call of a function as IAM would ask about it, an action and a resource.

Recorded only where LOCAL_CALLS names a directory. When the stack ends, what was seen is written there as JSON lines
`[role, action, resource]`, in the template's logical ids: tests/permissions compares it with what roles are granted.
"""

import json
import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from local.gateway import ACCOUNT, Gateway, core, service

DIRECTORY = "LOCAL_CALLS"
_MOST = 10_000
"""Different calls of a stack; a few hundred are usual."""
Call = tuple[str, str, str]
"""A role's name, an IAM action, and a resource: an ARN or, of what names none, `*`."""

_SAGEMAKER_KINDS = {
    "EndpointConfigName": "endpoint-config",
    "EndpointName": "endpoint",
    "JobDefinitionName": "data-quality-job-definition",
    "ModelName": "model",
    "ModelPackageGroupName": "model-package-group",
    "ModelPackageName": "model-package",
    "MonitoringScheduleName": "monitoring-schedule",
    "ProcessingJobName": "processing-job",
    "TrainingJobName": "training-job",
}
"""Members of SageMaker's requests that name a resource, and the kind of resource in its ARN."""
_PARTS = ("Containers", "PrimaryContainer", "ProductionVariants", "ShadowProductionVariants")
_WITHOUT_RESOURCE = ("ListDataQualityJobDefinitions", "ListMonitoringExecutions")
_VARYING = (
    (r"-[0-9a-f]{12}-(\w+)$", r"-????????????-\1"),
    (r"-v\d+-[0-9a-f]{8}$", "-v*"),
    (r"(model-package/.+)/\d+$", r"\1/*"),
    (r"-[ab]-data-quality$", "-?-data-quality"),
    (r"(data-quality-job-definition/.+)-[ab]-[^/]+$", r"\1-?-*"),
    (r"(execution:[^:]+):.+$", r"\1:*"),
    (r"(alarm:.+-slot)-.+$", r"\1-*"),
)
"""What differs between two runs, as the template's policies write it."""


def install(gateway: Gateway) -> None:
    """Record from now on, if the environment says where to."""
    if DIRECTORY in os.environ:
        _Recorder(gateway, Path(os.environ[DIRECTORY])).install()


class _Recorder:
    def __init__(self, gateway: Gateway, directory: Path) -> None:
        self._gateway = gateway
        self._directory = directory
        self._seen: set[Call] = set()

    def install(self) -> None:
        application = self._gateway.app
        dispatch = application._dispatch_service_request

        async def recorded(method: str, path: str, headers: dict[str, str], body: bytes, query: Any, *more: Any) -> Any:
            role = core("router").extract_access_key_id(headers, query)
            if "Role" in role and len(self._seen) < _MOST:
                parameters = application._routing_params(method, path, headers, body, query)
                found = needs(method, path, headers, body, parameters, self._gateway.region)
                self._seen.update((role, *each) for each in found)
            return await dispatch(method, path, headers, body, query, *more)

        application._dispatch_service_request = recorded
        self._gateway.at_end = self._write

    def _write(self) -> None:
        """Raises: RuntimeError if there were more calls than are kept, because what names varies is not known then."""
        if len(self._seen) >= _MOST:
            raise RuntimeError(f"more than {_MOST} different calls: part of their names varies from run to run")
        lines = set()
        for stack in self._gateway.scoped(lambda: list(service("cloudformation")._stacks.values())):
            names = _logical_ids(stack)
            for role, action, resource in self._seen:
                if ("iam", role) in names:
                    lines.add(json.dumps([names["iam", role], action, canonical(resource, stack["StackName"], names)]))
        (self._directory / f"{os.getpid()}.jsonl").write_text("".join(f"{line}\n" for line in sorted(lines)))


Names = Mapping[tuple[str, str], str]
"""Logical ids of resources, by the service in their ARNs and the last part of what they are called."""


def _logical_ids(stack: Mapping[str, Any]) -> Names:
    return {
        (_family(each["ResourceType"]), re.split(r"[:/]", each["PhysicalResourceId"] or "")[-1]): name
        for name, each in stack["_resources"].items()
    }


def _family(kind: str) -> str:
    """What a type's service is called in ARNs."""
    family = kind.split("::")[1].lower()
    return {"stepfunctions": "states", "kinesisfirehose": "firehose"}.get(family, family)


def needs(
    method: str, path: str, headers: Mapping[str, str], body: bytes, query: Any, region: str
) -> Iterator[tuple[str, str]]:
    """Actions and resources that IAM asks a request's caller for."""
    if "/sagemaker/aws4_request" in headers.get("authorization", ""):
        yield from _of_sagemaker(path, headers, body, region)
        return
    if "/application-autoscaling/aws4_request" in headers.get("authorization", ""):
        yield _of_scaling(headers, region)
        return
    actions = core("iam_actions")
    kind = core("router").detect_service(method, path, headers, query)
    action = actions.extract_iam_action(kind, method, path, headers, body, query)
    if action is None:
        yield f"{kind}:unknown {method} {path}", "*"
    elif checks := actions.dynamodb_transaction_checks(action, body, region, ACCOUNT):
        yield from checks
    else:
        named = actions.extract_resource_arn(kind, method, path, headers, body, query, region, ACCOUNT)
        several = actions.dynamodb_resource_arns(body, region, ACCOUNT) if kind == "dynamodb" else []
        several += actions.eventbridge_resource_arns(body, region, ACCOUNT) if kind == "events" else []
        yield from ((action, _within_prefix(each)) for each in several or [named])


def _of_sagemaker(path: str, headers: Mapping[str, str], body: bytes, region: str) -> Iterator[tuple[str, str]]:
    """SageMaker's API, which is ours, and its runtime; a role that is given to a resource must be passed."""
    prefix = f"arn:aws:sagemaker:{region}:{ACCOUNT}:"
    if path.startswith("/endpoints/"):
        yield "sagemaker:InvokeEndpoint", f"{prefix}endpoint/{path.split('/')[2]}"
        return
    operation, request = headers["x-amz-target"].partition(".")[2], json.loads(body or b"{}")
    named = [] if operation in _WITHOUT_RESOURCE else [prefix + each for each in _named(request)]
    yield from ((f"sagemaker:{operation}", each) for each in named or ["*"])
    yield from (("iam:PassRole", each) for each in _roles(request))


def _of_scaling(headers: Mapping[str, str], region: str) -> tuple[str, str]:
    """Application Auto Scaling's API, which is ours as well; scalable targets get their names when they are made."""
    operation = headers["x-amz-target"].partition(".")[2]
    targets = f"arn:aws:application-autoscaling:{region}:{ACCOUNT}:scalable-target/*"
    return f"application-autoscaling:{operation}", "*" if operation.startswith("Describe") else targets


def _named(request: Mapping[str, Any]) -> Iterator[str]:
    """What a request names, by kind and name; the model's package and the variants' models are parts of it."""
    for member, value in request.items():
        if member in _SAGEMAKER_KINDS:
            yield value.split(":", 5)[-1] if value.startswith("arn:") else f"{_SAGEMAKER_KINDS[member]}/{value}"
        for part in value if isinstance(value, list) else [value]:
            if member in _PARTS:
                yield from _named(part)
    if "ModelPackageGroupName" in request:
        yield f"model-package/{request['ModelPackageGroupName'].split('/')[-1]}/0"


def _roles(value: Any) -> Iterator[str]:
    """ARNs of roles anywhere in a request."""
    for member, inner in value.items() if isinstance(value, dict) else ():
        if member.endswith("RoleArn"):
            yield inner
        yield from _roles(inner)


def _within_prefix(resource: str) -> str:
    """An object of S3 as all that lie below the same prefix: the parts of its key that have words for names."""
    bucket, slash, key = resource.removeprefix("arn:aws:s3:::").partition("/")
    if not resource.startswith("arn:aws:s3:::") or not slash:
        return resource
    words = re.match(r"(?:[a-z-]+/)*", key)
    return f"arn:aws:s3:::{bucket}/{words[0] if words else ''}*"


def canonical(resource: str, stack_name: str, names: Names) -> str:
    """A resource in the template's words: logical ids, the stack's name, and patterns for what varies."""
    if resource == "*":
        return resource
    family, _, _, local = resource.removeprefix("arn:aws:").split(":", 3)
    for pattern, replacement in _VARYING:
        local = re.sub(pattern, replacement, local)
    if family == "cloudwatch":  # alarms are granted by what their names begin with
        names = {}
    parts = [names.get((family, part), part) for part in re.split(r"([:/])", local)]
    if parts[-1] in names.values() or (family == "s3" and parts[0] in names.values()):
        return "".join(parts) if family == "s3" else parts[-1]
    return f"{family}:" + re.sub(rf"\b{re.escape(stack_name)}\b", "${AWS::StackName}", "".join(parts))
