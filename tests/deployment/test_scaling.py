"""Machines that follow the traffic: one contract for AWS's scaling and the fake, and what is asked of AWS."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Protocol

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from fraud.aws.scaling import CALLS_A_MINUTE, ApplicationAutoScaling
from fraud.deployment_ports import Scaling
from fraud.errors import DeploymentFailed, DeploymentInterrupted
from tests.fakes.rollouts import MemoryScaling

TARGET = {
    "ServiceNamespace": "sagemaker",
    "ScalableDimension": "sagemaker:variant:DesiredInstanceCount",
    "ResourceId": "endpoint/fraud-a/variant/primary",
}
FOUND = TARGET | {"MinCapacity": 1, "MaxCapacity": 2, "RoleARN": "arn", "CreationTime": 1}


def suspended(is_held: bool) -> dict[str, Any]:
    fewer = dict.fromkeys(("DynamicScalingInSuspended", "ScheduledScalingSuspended"), is_held)
    return {"SuspendedState": fewer | {"DynamicScalingOutSuspended": False}}


# --- One contract -----------------------------------------------------------------------------------------------------


class Scales(Protocol):
    """What scales, and a look at it from outside."""

    scaling: Scaling

    def bounds(self) -> dict[str, tuple[int, int]]: ...

    def held(self) -> set[str]: ...


class InMemory:
    def __init__(self) -> None:
        self.scaling = MemoryScaling()

    def bounds(self) -> dict[str, tuple[int, int]]:
        return self.scaling.bounds

    def held(self) -> set[str]:
        return self.scaling.held


class OnAws:
    def __init__(self) -> None:
        self.client = boto3.client("application-autoscaling", region_name="eu-central-1")
        self.scaling = ApplicationAutoScaling(self.client)

    def _targets(self) -> dict[str, dict[str, Any]]:
        found = self.client.describe_scalable_targets(ServiceNamespace="sagemaker")["ScalableTargets"]
        return {each["ResourceId"].split("/")[1]: each for each in found}

    def bounds(self) -> dict[str, tuple[int, int]]:
        return {name: (each["MinCapacity"], each["MaxCapacity"]) for name, each in self._targets().items()}

    def held(self) -> set[str]:
        held = suspended(is_held=True)["SuspendedState"]
        return {name for name, each in self._targets().items() if each["SuspendedState"] == held}


@pytest.fixture(params=["memory", "aws"])
def scales(request: pytest.FixtureRequest) -> Iterator[Scales]:
    if request.param == "memory":
        yield InMemory()
    else:
        with mock_aws():
            yield OnAws()


def test_endpoint_follows_until_it_is_held_and_again_afterwards(scales: Scales) -> None:
    for least, most in ((2, 6), (2, 6), (1, 4)):
        scales.scaling.follow("fraud-a", least, most)
        assert (scales.bounds(), scales.held()) == ({"fraud-a": (least, most)}, set())
        for _ in range(2):
            scales.scaling.hold("fraud-a")
            assert (scales.bounds(), scales.held()) == ({"fraud-a": (least, most)}, {"fraud-a"})
    scales.scaling.follow("fraud-a", 1, 4)
    assert scales.held() == set()


def test_endpoint_that_does_not_follow_is_not_made_to_by_holding_it(scales: Scales) -> None:
    scales.scaling.hold("fraud-a")
    assert (scales.bounds(), scales.held()) == ({}, set())


def test_endpoint_is_let_go_alone_and_as_often_as_one_likes(scales: Scales) -> None:
    for endpoint in ("fraud-a", "fraud-b"):
        scales.scaling.follow(endpoint, 1, 2)
    for _ in range(2):
        scales.scaling.forget("fraud-a")
        assert scales.bounds() == {"fraud-b": (1, 2)}


# --- What is asked of AWS ---------------------------------------------------------------------------------------------


@pytest.fixture
def stub() -> Iterator[Stubber]:
    with Stubber(boto3.client("application-autoscaling", region_name="eu-central-1")) as stub:
        yield stub
        stub.assert_no_pending_responses()


def test_follow_tracks_the_calls_of_a_machine(stub: Stubber) -> None:
    stub.add_response(
        "register_scalable_target", {}, TARGET | {"MinCapacity": 2, "MaxCapacity": 6} | suspended(is_held=False)
    )
    tracking = {
        "TargetValue": CALLS_A_MINUTE,
        "PredefinedMetricSpecification": {"PredefinedMetricType": "SageMakerVariantInvocationsPerInstance"},
        "ScaleOutCooldown": 60,
        "ScaleInCooldown": 600,
    }
    policy = {
        "PolicyName": "calls-of-an-instance",
        "PolicyType": "TargetTrackingScaling",
        "TargetTrackingScalingPolicyConfiguration": tracking,
    }
    stub.add_response("put_scaling_policy", {"PolicyARN": "arn"}, TARGET | policy)
    ApplicationAutoScaling(stub.client).follow("fraud-a", 2, 6)


def test_target_that_somebody_else_just_removed_is_gone(stub: Stubber) -> None:
    stub.add_response("describe_scalable_targets", {"ScalableTargets": [FOUND]})
    stub.add_client_error("deregister_scalable_target", "ObjectNotFoundException", "none", 400, expected_params=TARGET)
    ApplicationAutoScaling(stub.client).forget("fraud-a")


@pytest.mark.parametrize(
    ("code", "kind"),
    [("ConcurrentUpdateException", DeploymentInterrupted), ("ValidationException", DeploymentFailed)],
)
def test_refusal_says_what_was_being_done(stub: Stubber, code: str, kind: type[Exception]) -> None:
    stub.add_response("describe_scalable_targets", {"ScalableTargets": [FOUND]})
    stub.add_client_error("deregister_scalable_target", code, "the reason", 400)
    with pytest.raises(kind, match=f"ending the scaling of endpoint fraud-a: {code}: the reason"):
        ApplicationAutoScaling(stub.client).forget("fraud-a")
