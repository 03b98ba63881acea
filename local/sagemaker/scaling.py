"""Application Auto Scaling, as far as it scales endpoints: targets and policies are kept, and nothing is scaled."""

import re
from collections.abc import Callable
from itertools import count

from local.sagemaker.api import ApiError, Document, Operation
from local.sagemaker.records import now

SERVICE = "application-autoscaling"
TARGET_PREFIX = "AnyScaleFrontendService."
_RESOURCE = re.compile(r"endpoint/([^/]+)/variant/([^/]+)")
_SUSPENDED = ("DynamicScalingInSuspended", "DynamicScalingOutSuspended", "ScheduledScalingSuspended")


class Scaling:
    """Scalable targets by resource, each with its policies by name."""

    def __init__(self, prefix: str, machines: Callable[[str, str], int]) -> None:
        self._prefix = prefix
        self._machines = machines
        """Of a variant of an endpoint; 0 where there is none, or it is serverless."""
        self._made = count(1)
        self._targets: dict[str, Document] = {}
        self._policies: dict[str, dict[str, Document]] = {}

    def operations(self) -> dict[str, Operation]:
        return {
            "RegisterScalableTarget": self.register,
            "DeregisterScalableTarget": self.deregister,
            "DescribeScalableTargets": self.describe,
            "PutScalingPolicy": self.put_policy,
            "DescribeScalingPolicies": self.policies,
        }

    def register(self, request: Document) -> Document:
        """Add a target, or change what is given of one."""
        resource = _of_endpoint(request)
        match = _RESOURCE.fullmatch(resource)
        if match is None or not self._machines(match[1], match[2]):
            raise ApiError(f"No machines to scale at {resource}.")
        bounds: Document = {name: request[name] for name in ("MinCapacity", "MaxCapacity") if name in request}
        before: Document = self._targets.get(resource) or self._new(resource, request)
        target: Document = {**before, **bounds}
        if target["MinCapacity"] > target["MaxCapacity"]:
            raise ApiError("Maximum capacity cannot be less than minimum capacity.")
        target["SuspendedState"] = target["SuspendedState"] | request.get("SuspendedState", {})
        self._targets[resource] = target
        return {"ScalableTargetARN": target["ScalableTargetARN"]}

    def _new(self, resource: str, request: Document) -> Document:
        if not {"MinCapacity", "MaxCapacity"} <= request.keys():
            raise ApiError("MinCapacity and MaxCapacity are needed to register a target.")
        named = {name: request[name] for name in ("ServiceNamespace", "ScalableDimension", "ResourceId")}
        arn = f"{self._prefix}:scalable-target/{next(self._made):032x}"
        state = dict.fromkeys(_SUSPENDED, False)
        return {**named, "RoleARN": "", "CreationTime": now(), "ScalableTargetARN": arn, "SuspendedState": state}

    def deregister(self, request: Document) -> Document:
        """Remove a target and its policies."""
        resource = self._known(request)
        del self._targets[resource]
        self._policies.pop(resource, None)
        return {}

    def describe(self, request: Document) -> Document:
        wanted = request.get("ResourceIds") or list(self._targets)
        return {"ScalableTargets": [self._targets[each] for each in wanted if each in self._targets]}

    def put_policy(self, request: Document) -> Document:
        resource = self._known(request)
        name = request["PolicyName"]
        arn = f"{self._prefix}:scalingPolicy:{name}"
        policy = {**request, "PolicyARN": arn, "CreationTime": now()}
        self._policies.setdefault(resource, {})[name] = policy
        return {"PolicyARN": arn, "Alarms": []}

    def policies(self, request: Document) -> Document:
        found = [policy for each in self._policies.values() for policy in each.values()]
        wanted = request.get("ResourceId")
        return {"ScalingPolicies": [each for each in found if wanted in (None, each["ResourceId"])]}

    def _known(self, request: Document) -> str:
        resource = _of_endpoint(request)
        if resource not in self._targets:
            raise ApiError(f"No scalable target registered for {resource}.", "ObjectNotFoundException")
        return resource


def _of_endpoint(request: Document) -> str:
    if (request["ServiceNamespace"], request["ScalableDimension"]) != (
        "sagemaker",
        "sagemaker:variant:DesiredInstanceCount",
    ):
        raise ApiError("The laptop scales endpoints of SageMaker only.")
    resource: str = request["ResourceId"]
    return resource
