"""Machines of an endpoint that follow its traffic, by Application Auto Scaling.

https://docs.aws.amazon.com/sagemaker/latest/dg/endpoint-auto-scaling.html
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import ClientError

from fraud.aws.control_plane import code, deploying
from fraud.aws.endpoints import VARIANT

NAMESPACE, DIMENSION = "sagemaker", "sagemaker:variant:DesiredInstanceCount"
POLICY = "calls-of-an-instance"
CALLS_A_MINUTE = 600.0
"""Of one machine; each call holds up to a hundred rows. What a machine can do was not measured on AWS."""
OUT_SECONDS, IN_SECONDS = 60, 600
"""Between two changes in one direction: more at once, fewer slowly."""
UNKNOWN = "ObjectNotFoundException"


@dataclass(frozen=True)
class ApplicationAutoScaling:
    """Target tracking of calls.

    Args:
        client: Application Auto Scaling.
    """

    client: Any

    def follow(self, endpoint: str, least: int, most: int) -> None:
        """Have the number of machines follow the traffic between two bounds, from now on.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted: no answer; the same call goes on from there.
        """
        bounds = {"MinCapacity": least, "MaxCapacity": most}
        with deploying(f"scaling endpoint {endpoint}"):
            self.client.register_scalable_target(**_target(endpoint), **bounds, SuspendedState=_suspended(False))
            self.client.put_scaling_policy(**_target(endpoint), **_policy())

    def hold(self, endpoint: str) -> None:
        """Let it have no fewer machines than now, until it is told to follow again.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted: no answer; the same call goes on from there.
        """
        with deploying(f"holding the scaling of endpoint {endpoint}"):
            # A target that is not there would be made, and for that bounds would be asked for.
            if self._is_scaled(endpoint):
                self.client.register_scalable_target(**_target(endpoint), SuspendedState=_suspended(True))

    def forget(self, endpoint: str) -> None:
        """Let go of an endpoint, and of the policy and its alarms with it.

        Raises:
            DeploymentFailed: refused.
            DeploymentInterrupted: no answer; the same call goes on from there.
        """
        with deploying(f"ending the scaling of endpoint {endpoint}"):
            if self._is_scaled(endpoint):
                self._deregister(endpoint)

    def _deregister(self, endpoint: str) -> None:
        try:
            self.client.deregister_scalable_target(**_target(endpoint))
        except ClientError as error:
            # Somebody else just did.
            if code(error) != UNKNOWN:
                raise

    def _is_scaled(self, endpoint: str) -> bool:
        found = self.client.describe_scalable_targets(
            ServiceNamespace=NAMESPACE, ScalableDimension=DIMENSION, ResourceIds=[_resource(endpoint)]
        )
        return bool(found["ScalableTargets"])


def _resource(endpoint: str) -> str:
    return f"endpoint/{endpoint}/variant/{VARIANT}"


def _target(endpoint: str) -> dict[str, Any]:
    return {"ServiceNamespace": NAMESPACE, "ScalableDimension": DIMENSION, "ResourceId": _resource(endpoint)}


def _suspended(is_held: bool) -> dict[str, bool]:
    """Growing is never suspended: a rollout may last longer than the quiet hours that it began in."""
    return {
        "DynamicScalingInSuspended": is_held,
        "DynamicScalingOutSuspended": False,
        "ScheduledScalingSuspended": is_held,
    }


def _policy() -> dict[str, Any]:
    return {
        "PolicyName": POLICY,
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": {
            "TargetValue": CALLS_A_MINUTE,
            "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
            "ScaleOutCooldown": OUT_SECONDS,
            "ScaleInCooldown": IN_SECONDS,
        },
    }
