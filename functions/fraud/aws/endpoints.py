"""Models, endpoint configurations and endpoints of SageMaker: created, adopted, looked at and removed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from fraud.aws.control_plane import ABSENT, code, deploying, found
from fraud.deployment_ports import Capture, EndpointPlan, EndpointState, Instance, Phase, Scaling
from fraud.errors import DeploymentFailed, DeploymentInterrupted
from fraud.monitoring_ports import ModelMonitor
from fraud.rollout_plan import serverless_memory

VARIANT = "primary"
"""One variant per endpoint, of the same name everywhere: SageMaker's deployment guardrails need that."""
SERVERLESS_CALLS = 5
"""Calls that a serverless endpoint answers at once; a new account may have 10 for all of its endpoints together."""
ATTEMPTS = 5
"""What was just created may not be found yet by the next call, and AWS tells callers to try again."""
TAKEN = ABSENT | {"ResourceInUse", "ConflictException"}
"""Codes that a name in use may be refused with; ValidationException is one, so what stands there tells."""
GONE = "Deleting"
FAILED = frozenset({GONE, "Failed", "OutOfService", "UpdateRollbackFailed"})
"""Statuses that do not lead to InService by themselves."""
LOCAL_DISKS = re.compile(r"ml\.([a-z]+\d+[a-z]*d[a-z]*|(dl|trn)\d+[a-z]*|(g|gr|p)([5-9]|\d\d)[a-z]*(-[a-z0-9]+)?)\.")
"""Instance types with NVMe disks of their own: a d behind the generation, Habana and Trainium, and GPUs since the 5th.

https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/instance-store-volumes.html
"""

Described = Mapping[str, Any]


def volume_key(instance_type: str, key: str) -> str | None:
    """The key for the volumes of a machine; None where there are none of ours, because SageMaker refuses one.

    Local disks encrypt themselves, and serverless endpoints have no volumes.

    https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_CreateEndpointConfig.html
    """
    has_none = LOCAL_DISKS.match(instance_type) or serverless_memory(instance_type) is not None
    return None if has_none else key


@dataclass(frozen=True, slots=True)
class _Part:
    """One of the three things an endpoint is made of.

    Args:
        operation: as the client's methods end.
        name: argument that names it, and its name.
        content: the other arguments of its creation.
        is_same: whether what Describe answers has this content.
    """

    operation: str
    name: Mapping[str, str]
    content: Mapping[str, Any]
    is_same: Callable[[Described], bool]

    def __str__(self) -> str:
        return f"{self.operation.replace('_', ' ')} {next(iter(self.name.values()))}"


@dataclass(frozen=True)
class SageMakerEndpoints:
    """Brings endpoints up and down.

    Args:
        client: SageMaker.
        sleep: waits so many seconds.
        monitor: removes schedules that watch endpoints; None where nothing does.
        scaling: lets go of endpoints before they are removed; None where nothing is scaled.
    """

    client: Any
    sleep: Callable[[float], None]
    monitor: ModelMonitor | None = None
    scaling: Scaling | None = None

    def create(self, plan: EndpointPlan) -> None:
        """Create model, configuration and endpoint; what already exists with the plan's content is adopted.

        Raises:
            DeploymentFailed: refused, or something else stands under one of the names.
            DeploymentInterrupted: throttled or no answer; the same call goes on from there.
        """
        for part in _parts(plan):
            with deploying(f"creating {part}"):
                self._ensure(part)

    def describe(self, endpoint: str) -> EndpointState | None:
        """How an endpoint is; None without one.

        Raises:
            DeploymentInterrupted: no answer.
        """
        with deploying(f"looking at endpoint {endpoint}"):
            answer = found(self.client.describe_endpoint, EndpointName=endpoint)
        return None if answer is None else _state(answer)

    def clear(self, endpoint: str) -> bool:
        """One attempt at removing whatever stands under an endpoint's name; True once nothing does.

        A schedule that watches it goes first, because AWS removes no endpoint that one does, and so does its scaling.
        Configuration and model go with it, while the endpoint still tells their name: as soon as its own removal is
        under way, it needs them no more.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted: no answer; the same call goes on from there.
        """
        with deploying(f"removing endpoint {endpoint}"):
            standing = self._endpoint(endpoint)
            if standing is None:
                return True
            if _is_going(standing) or (_is_settled(standing) and self._is_removed(endpoint)):
                self._clear_parts(standing["EndpointConfigName"])
            return self._endpoint(endpoint) is None

    def _endpoint(self, name: str) -> Described | None:
        return found(self.client.describe_endpoint, EndpointName=name)

    def _is_removed(self, endpoint: str) -> bool:
        if self.scaling is not None:
            self.scaling.forget(endpoint)
        is_watched = self.monitor is not None and not self.monitor.clear(endpoint)
        return not is_watched and self._is_deleted(endpoint)

    def _is_deleted(self, endpoint: str) -> bool:
        """Delete it; False when somebody else just did, or SageMaker just began an update of its own."""
        try:
            self.client.delete_endpoint(EndpointName=endpoint)
        except ClientError as error:
            if code(error) in TAKEN and not _is_settled(self._endpoint(endpoint)):
                return False
            raise
        return True

    def _clear_parts(self, name: str) -> None:
        """Remove a plan's configuration and model, which have the same name; what others made is left."""
        config = found(self.client.describe_endpoint_config, EndpointConfigName=name)
        if config is not None and not _is_config(config, name):
            return
        # `found`, because somebody else may remove them at the same time.
        found(self.client.delete_endpoint_config, EndpointConfigName=name)
        found(self.client.delete_model, ModelName=name)

    def _ensure(self, part: _Part) -> None:
        """Create or adopt. No text of an error is relied upon: what stands under the name tells why it was refused."""
        standing, refusal = None, None
        for attempt in range(ATTEMPTS):
            refusal = self._created(part)
            if refusal is None:
                return
            standing = self._standing(part)
            if standing is not None and not _is_going(standing):
                _adopt(part, standing)
                return
            if attempt < ATTEMPTS - 1:
                self.sleep(2.0**attempt)
        if standing is not None:
            raise DeploymentInterrupted(f"{part} is still being deleted: try again") from refusal
        assert refusal is not None
        raise refusal

    def _created(self, part: _Part) -> ClientError | None:
        """Create; the error when the name may be in use, or something the call refers to may not be found yet."""
        try:
            getattr(self.client, f"create_{part.operation}")(**part.name, **part.content)
        except ClientError as error:
            if code(error) not in TAKEN:
                raise
            return error
        return None

    def _standing(self, part: _Part) -> Described | None:
        return found(getattr(self.client, f"describe_{part.operation}"), **part.name)


def _adopt(part: _Part, standing: Described) -> None:
    if not part.is_same(standing):
        raise DeploymentFailed(f"{part} exists already and is of another package or configuration: delete it first")


def _is_going(standing: Described) -> bool:
    return standing.get("EndpointStatus") == GONE


def _is_settled(standing: Described | None) -> bool:
    """Whether it can be deleted: it stands, and is not on its way anywhere."""
    return standing is not None and not _is_going(standing) and _state(standing).phase is not Phase.CHANGING


def _state(answer: Described) -> EndpointState:
    status = answer["EndpointStatus"]
    phase = Phase.IN_SERVICE if status == "InService" else Phase.FAILED if status in FAILED else Phase.CHANGING
    reason = answer.get("FailureReason")
    return EndpointState(phase, answer["EndpointConfigName"], f"{status}: {reason}" if reason else status)


def _parts(plan: EndpointPlan) -> Iterator[_Part]:
    """What a plan is made of, in the order of creation."""
    yield _Part("model", {"ModelName": plan.name}, _model(plan), lambda found: _is_model(found, plan))
    yield _Part(
        "endpoint_config", {"EndpointConfigName": plan.name}, _config(plan), lambda found: _is_config(found, plan.name)
    )
    yield _Part(
        "endpoint",
        {"EndpointName": plan.endpoint},
        {"EndpointConfigName": plan.name},
        lambda found: bool(found["EndpointConfigName"] == plan.name),
    )


def _model(plan: EndpointPlan) -> dict[str, Any]:
    """Its container can call nobody; a serverless endpoint has no such choice."""
    isolation = {"EnableNetworkIsolation": True} if plan.instance.memory is None else {}
    return {
        **isolation,
        "PrimaryContainer": {"ModelPackageName": plan.model_package},
        "ExecutionRoleArn": plan.hosting.role,
    }


def _is_model(described: Described, plan: EndpointPlan) -> bool:
    containers = [described.get("PrimaryContainer") or {}, *described.get("Containers", [])]
    return any(each.get("ModelPackageName") == plan.model_package for each in containers)


def _config(plan: EndpointPlan) -> dict[str, Any]:
    variant = {
        "VariantName": VARIANT,
        "ModelName": plan.name,
        "InitialVariantWeight": 1.0,
        **_machines(plan.instance),
    }
    key = {"KmsKeyId": plan.hosting.volume_key} if plan.hosting.volume_key else {}
    capture = {"DataCaptureConfig": _capture(plan.hosting.capture)} if plan.hosting.capture else {}
    return {"ProductionVariants": [variant], **key, **capture}


def _machines(instance: Instance) -> dict[str, Any]:
    if instance.memory is None:
        return {"InstanceType": instance.type, "InitialInstanceCount": instance.count}
    return {"ServerlessConfig": {"MemorySizeInMB": instance.memory, "MaxConcurrency": SERVERLESS_CALLS}}


def _capture(capture: Capture) -> dict[str, Any]:
    """Without its content types, what is captured would be Base64, which Model Monitor does not take apart."""
    key = {"KmsKeyId": capture.key} if capture.key else {}
    return {
        "EnableCapture": True,
        "InitialSamplingPercentage": capture.percentage,
        "DestinationS3Uri": capture.uri,
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
        **key,
    }


def _is_config(described: Described, name: str) -> bool:
    """Whether it is a plan's: its only model has its own name."""
    return [each["ModelName"] for each in described["ProductionVariants"]] == [name]
