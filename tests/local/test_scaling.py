"""What scales endpoints on the laptop, by plain boto3: targets are kept, and what cannot be scaled is refused."""

from __future__ import annotations

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.conftest import Running
from tests.local.lab import Lab

NAMESPACE = {"ServiceNamespace": "sagemaker", "ScalableDimension": "sagemaker:variant:DesiredInstanceCount"}
SERVERLESS = {"ServerlessConfig": {"MemorySizeInMB": 2_048, "MaxConcurrency": 5}}


@pytest.fixture
def lab(stack: Running, outputs: dict[str, str]) -> Lab:
    return Lab(stack, outputs, set())


@pytest.fixture
def scaling(stack: Running) -> Any:
    return stack.client("application-autoscaling")


def target(endpoint: str) -> dict[str, str]:
    return NAMESPACE | {"ResourceId": f"endpoint/{endpoint}/variant/AllTraffic"}


def serverless(lab: Lab, **changes: Any) -> dict[str, Any]:
    """A configuration with one serverless variant."""
    lab.sagemaker.create_model(ModelName=lab.name, PrimaryContainer=lab.container(), ExecutionRoleArn=lab.role)
    variant = {"VariantName": "AllTraffic", "ModelName": lab.name, **SERVERLESS}
    return {"EndpointConfigName": lab.name, "ProductionVariants": [variant], **changes}


def test_endpoint_is_registered_held_and_let_go(lab: Lab, scaling: Any) -> None:
    name = lab.endpoint(lab.container())
    scaling.register_scalable_target(**target(name), MinCapacity=1, MaxCapacity=3)
    tracking = {
        "TargetValue": 600.0,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
    }
    scaling.put_scaling_policy(
        **target(name),
        PolicyName="calls",
        PolicyType="TargetTrackingScaling",
        TargetTrackingScalingPolicyConfiguration=tracking,
    )
    scaling.register_scalable_target(**target(name), SuspendedState={"DynamicScalingInSuspended": True})
    [found] = scaling.describe_scalable_targets(**NAMESPACE, ResourceIds=[target(name)["ResourceId"]])[
        "ScalableTargets"
    ]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 3)
    assert [kind for kind, held in found["SuspendedState"].items() if held] == ["DynamicScalingInSuspended"]
    [policy] = scaling.describe_scaling_policies(**target(name))["ScalingPolicies"]
    assert policy["PolicyName"] == "calls"
    scaling.deregister_scalable_target(**target(name))
    assert scaling.describe_scaling_policies(**target(name))["ScalingPolicies"] == []
    with pytest.raises(ClientError, match="ObjectNotFoundException"):
        scaling.deregister_scalable_target(**target(name))


def test_bounds_that_cannot_be_are_refused_and_change_nothing(lab: Lab, scaling: Any) -> None:
    name = lab.endpoint(lab.container())
    with pytest.raises(ClientError, match="MinCapacity and MaxCapacity are needed"):
        scaling.register_scalable_target(**target(name), SuspendedState={"DynamicScalingInSuspended": True})
    scaling.register_scalable_target(**target(name), MinCapacity=1, MaxCapacity=3)
    with pytest.raises(ClientError, match="Maximum capacity cannot be less"):
        scaling.register_scalable_target(**target(name), MinCapacity=4)
    [found] = scaling.describe_scalable_targets(**NAMESPACE, ResourceIds=[target(name)["ResourceId"]])[
        "ScalableTargets"
    ]
    assert (found["MinCapacity"], found["MaxCapacity"]) == (1, 3)
    scaling.deregister_scalable_target(**target(name))


def test_serverless_endpoint_answers_tells_its_memory_and_cannot_be_scaled(lab: Lab, scaling: Any) -> None:
    lab.sagemaker.create_endpoint_config(**serverless(lab))
    lab.sagemaker.create_endpoint(EndpointName=lab.name, EndpointConfigName=lab.name)
    [variant] = lab.settled()["ProductionVariants"]
    assert variant["CurrentServerlessConfig"] == SERVERLESS["ServerlessConfig"]
    assert "CurrentInstanceCount" not in variant
    assert lab.invoke("1,2")
    with pytest.raises(ClientError, match="No machines to scale"):
        scaling.register_scalable_target(**target(lab.name), MinCapacity=1, MaxCapacity=3)


CAPTURE = {
    "EnableCapture": True,
    "InitialSamplingPercentage": 10,
    "DestinationS3Uri": "s3://archive/capture",
    "CaptureOptions": [{"CaptureMode": "Input"}],
}


def test_serverless_endpoint_that_would_capture_is_refused(lab: Lab) -> None:
    with pytest.raises(ClientError, match="Data capture is not supported for serverless endpoints"):
        lab.sagemaker.create_endpoint_config(**serverless(lab, DataCaptureConfig=CAPTURE))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"InstanceType": "ml.m5.large", "InitialInstanceCount": 1}, "is serverless, and has no machines"),
        ({"ServerlessConfig": {"MemorySizeInMB": 1_500, "MaxConcurrency": 1}}, "MemorySizeInMB is one of"),
    ],
)
def test_serverless_variant_that_cannot_be_is_refused(lab: Lab, changes: dict[str, Any], words: str) -> None:
    config = serverless(lab)
    config["ProductionVariants"][0] |= changes
    with pytest.raises(ClientError, match=words):
        lab.sagemaker.create_endpoint_config(**config)
