"""Models, configurations and endpoints of SageMaker: what is asked for, adopted and removed, and what errors become."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.exceptions import ConnectTimeoutError
from botocore.stub import Stubber
from moto import mock_aws

from fraud.aws.endpoints import ATTEMPTS, SERVERLESS_CALLS, SageMakerEndpoints, volume_key
from fraud.deployment_ports import Capture, Endpoints, EndpointState, Hosting, Instance, Phase
from fraud.errors import DeploymentFailed, DeploymentInterrupted
from tests.deployment.packages import ARN, KEY, PLAN, ROLE
from tests.fakes.monitoring import FakeModelMonitor, Scheduled, schedule
from tests.fakes.rollouts import MemoryEndpoints, MemoryScaling

ARNS = "arn:aws:sagemaker:eu-central-1:123456789012:"
MODEL = {"ModelName": PLAN.name}
CONFIG = {"EndpointConfigName": PLAN.name}
ENDPOINT = {"EndpointName": PLAN.endpoint}
SERVERLESS_MODEL = {"PrimaryContainer": {"ModelPackageName": ARN}, "ExecutionRoleArn": ROLE}
CREATE_MODEL = MODEL | SERVERLESS_MODEL | {"EnableNetworkIsolation": True}
VARIANT = {
    "VariantName": "primary",
    "ModelName": PLAN.name,
    "InstanceType": "ml.m5.large",
    "InitialInstanceCount": 1,
    "InitialVariantWeight": 1.0,
}
CREATE_CONFIG = CONFIG | {"ProductionVariants": [VARIANT]}
CREATE_ENDPOINT = ENDPOINT | CONFIG
TIMES = {"CreationTime": 1, "LastModifiedTime": 1}


def model(package: str = ARN) -> dict[str, Any]:
    return MODEL | {"PrimaryContainer": {"ModelPackageName": package}, "CreationTime": 1, "ModelArn": ARNS + "model/m"}


def config(served: str = PLAN.name) -> dict[str, Any]:
    arn = {"EndpointConfigArn": ARNS + "endpoint-config/c"}
    return CONFIG | arn | {"CreationTime": 1, "ProductionVariants": [VARIANT | {"ModelName": served}]}


def endpoint(status: str = "Creating", configured: str = PLAN.name, **fields: Any) -> dict[str, Any]:
    arn = {"EndpointArn": ARNS + "endpoint/e"}
    return ENDPOINT | arn | TIMES | {"EndpointConfigName": configured, "EndpointStatus": status} | fields


class SageMaker:
    """A client that answers as told, in order, and the waits in between."""

    def __init__(self) -> None:
        self.client = boto3.client("sagemaker", region_name="eu-central-1")
        self.stub = Stubber(self.client)
        self.waits: list[float] = []
        self.endpoints = SageMakerEndpoints(self.client, self.waits.append)

    def answers(self, operation: str, expected: dict[str, Any], answer: dict[str, Any] | None = None) -> None:
        self.stub.add_response(operation, answer or {}, expected)

    def creates(self, operation: str, expected: dict[str, Any], arn: str) -> None:
        self.stub.add_response(operation, {arn: ARNS + "x/y-z-of-twenty"}, expected)

    def refuses(
        self, operation: str, code: str = "ValidationException", message: str = "no", status: int = 400
    ) -> None:
        self.stub.add_client_error(operation, code, message, status)

    def creates_model(self) -> None:
        self.creates("create_model", CREATE_MODEL, "ModelArn")

    def creates_config(self) -> None:
        self.creates("create_endpoint_config", CREATE_CONFIG, "EndpointConfigArn")

    def creates_endpoint(self) -> None:
        self.creates("create_endpoint", CREATE_ENDPOINT, "EndpointArn")


@pytest.fixture
def sagemaker() -> Iterator[SageMaker]:
    fake = SageMaker()
    with fake.stub:
        yield fake
        fake.stub.assert_no_pending_responses()


def test_create_asks_for_model_configuration_and_endpoint(sagemaker: SageMaker) -> None:
    sagemaker.creates_model()
    sagemaker.creates_config()
    sagemaker.creates_endpoint()

    sagemaker.endpoints.create(PLAN)

    assert sagemaker.waits == []


def test_create_volume_key_is_part_of_the_configuration(sagemaker: SageMaker) -> None:
    plan = replace(PLAN, hosting=Hosting(ROLE, KEY))
    config_name = {"EndpointConfigName": plan.name}
    variant = VARIANT | {"ModelName": plan.name}
    expected = config_name | {"ProductionVariants": [variant], "KmsKeyId": KEY}
    sagemaker.creates("create_model", CREATE_MODEL | {"ModelName": plan.name}, "ModelArn")
    sagemaker.creates("create_endpoint_config", expected, "EndpointConfigArn")
    sagemaker.creates("create_endpoint", ENDPOINT | config_name, "EndpointArn")

    sagemaker.endpoints.create(plan)


@pytest.mark.parametrize("key", [KEY, None])
def test_create_capture_is_part_of_the_configuration(sagemaker: SageMaker, key: str | None) -> None:
    plan = replace(PLAN, hosting=Hosting(ROLE, capture=Capture("s3://archive/capture/", 25, key)))
    config_name = {"EndpointConfigName": plan.name}
    capture = {
        "EnableCapture": True,
        "InitialSamplingPercentage": 25,
        "DestinationS3Uri": "s3://archive/capture/",
        "CaptureOptions": [{"CaptureMode": "Input"}, {"CaptureMode": "Output"}],
        "CaptureContentTypeHeader": {"CsvContentTypes": ["text/csv"], "JsonContentTypes": ["application/json"]},
    } | ({"KmsKeyId": key} if key else {})
    expected = config_name | {"ProductionVariants": [VARIANT | {"ModelName": plan.name}], "DataCaptureConfig": capture}
    sagemaker.creates("create_model", CREATE_MODEL | {"ModelName": plan.name}, "ModelArn")
    sagemaker.creates("create_endpoint_config", expected, "EndpointConfigArn")
    sagemaker.creates("create_endpoint", ENDPOINT | config_name, "EndpointArn")

    sagemaker.endpoints.create(plan)


@pytest.mark.parametrize("code", ["ValidationException", "ResourceInUse"])
def test_create_what_exists_with_the_same_content_is_adopted(sagemaker: SageMaker, code: str) -> None:
    sagemaker.refuses("create_model", code, "Cannot create already existing model")
    sagemaker.answers("describe_model", MODEL, model())
    sagemaker.refuses("create_endpoint_config", code, "Cannot create already existing endpoint configuration")
    sagemaker.answers("describe_endpoint_config", CONFIG, config())
    sagemaker.refuses("create_endpoint", code, "Cannot create already existing endpoint")
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint())

    sagemaker.endpoints.create(PLAN)

    assert sagemaker.waits == []


def test_create_serverless_slot_has_memory_and_no_machines(sagemaker: SageMaker) -> None:
    plan = replace(PLAN, instance=Instance("serverless.2gb"))
    name = plan.name
    assert name != PLAN.name
    variant = {
        "VariantName": "primary",
        "ModelName": name,
        "InitialVariantWeight": 1.0,
        "ServerlessConfig": {"MemorySizeInMB": 2_048, "MaxConcurrency": SERVERLESS_CALLS},
    }
    sagemaker.creates("create_model", SERVERLESS_MODEL | {"ModelName": name}, "ModelArn")
    config_of = {"EndpointConfigName": name}
    sagemaker.creates("create_endpoint_config", config_of | {"ProductionVariants": [variant]}, "EndpointConfigArn")
    sagemaker.creates("create_endpoint", ENDPOINT | config_of, "EndpointArn")

    sagemaker.endpoints.create(plan)


def test_create_model_described_with_a_list_of_containers_is_adopted(sagemaker: SageMaker) -> None:
    described = model() | {"PrimaryContainer": {}, "Containers": [{"ModelPackageName": ARN}]}
    sagemaker.refuses("create_model")
    sagemaker.answers("describe_model", MODEL, described)
    sagemaker.creates_config()
    sagemaker.creates_endpoint()

    sagemaker.endpoints.create(PLAN)


def test_create_model_of_another_package_under_the_name_is_refused(sagemaker: SageMaker) -> None:
    sagemaker.refuses("create_model")
    sagemaker.answers("describe_model", MODEL, model("arn:of/another"))

    with pytest.raises(DeploymentFailed, match=f"model {PLAN.name} exists already .* delete it first"):
        sagemaker.endpoints.create(PLAN)


def test_create_configuration_of_another_model_under_the_name_is_refused(sagemaker: SageMaker) -> None:
    sagemaker.creates_model()
    sagemaker.refuses("create_endpoint_config")
    sagemaker.answers("describe_endpoint_config", CONFIG, config("another"))

    with pytest.raises(DeploymentFailed, match=r"endpoint config .* exists already"):
        sagemaker.endpoints.create(PLAN)


def test_create_endpoint_with_another_configuration_is_refused(sagemaker: SageMaker) -> None:
    sagemaker.creates_model()
    sagemaker.creates_config()
    sagemaker.refuses("create_endpoint")
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService", "another"))

    with pytest.raises(DeploymentFailed, match="endpoint fraud-a exists already"):
        sagemaker.endpoints.create(PLAN)


def test_create_configuration_not_found_yet_is_tried_again(sagemaker: SageMaker) -> None:
    sagemaker.creates_model()
    sagemaker.creates_config()
    for _ in range(2):
        sagemaker.refuses("create_endpoint", message="Could not find endpoint configuration")
        sagemaker.refuses("describe_endpoint", message="Could not find endpoint")
    sagemaker.creates_endpoint()

    sagemaker.endpoints.create(PLAN)

    assert sagemaker.waits == [1.0, 2.0]


def test_create_refused_every_time_fails_with_the_last_reason(sagemaker: SageMaker) -> None:
    for _ in range(ATTEMPTS):
        sagemaker.refuses("create_model", message="Could not assume role")
        sagemaker.refuses("describe_model", message="Could not find model")

    with pytest.raises(DeploymentFailed, match=f"creating model {PLAN.name}: .*Could not assume role"):
        sagemaker.endpoints.create(PLAN)

    assert sagemaker.waits == [1.0, 2.0, 4.0, 8.0]


def test_create_endpoint_once_the_old_one_is_gone_succeeds(sagemaker: SageMaker) -> None:
    sagemaker.creates_model()
    sagemaker.creates_config()
    sagemaker.refuses("create_endpoint")
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("Deleting", "another"))
    sagemaker.creates_endpoint()

    sagemaker.endpoints.create(PLAN)


def test_create_endpoint_while_the_old_one_is_being_deleted_is_interrupted(sagemaker: SageMaker) -> None:
    sagemaker.creates_model()
    sagemaker.creates_config()
    for _ in range(ATTEMPTS):
        sagemaker.refuses("create_endpoint")
        sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("Deleting"))

    with pytest.raises(DeploymentInterrupted, match="fraud-a is still being deleted: try again"):
        sagemaker.endpoints.create(PLAN)


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ResourceLimitExceeded", 400, DeploymentFailed),
        ("AccessDeniedException", 403, DeploymentFailed),
        ("ThrottlingException", 400, DeploymentInterrupted),
        ("ServiceUnavailable", 503, DeploymentInterrupted),
        ("Unheard", 500, DeploymentInterrupted),
    ],
)
def test_create_other_errors_are_raised_at_once(
    sagemaker: SageMaker, code: str, status: int, kind: type[Exception]
) -> None:
    sagemaker.creates_model()
    sagemaker.refuses("create_endpoint_config", code, "the reason", status)

    with pytest.raises(kind, match=f"creating endpoint config {PLAN.name}: {code}: the reason"):
        sagemaker.endpoints.create(PLAN)


def test_create_without_an_answer_is_interrupted() -> None:
    class Silent:
        def create_model(self, **arguments: Any) -> None:
            raise ConnectTimeoutError(endpoint_url="https://api.sagemaker")

    with pytest.raises(DeploymentInterrupted, match="creating model"):
        SageMakerEndpoints(Silent(), print).create(PLAN)


@pytest.mark.parametrize(
    ("status", "phase"),
    [
        ("Creating", Phase.CHANGING),
        ("Updating", Phase.CHANGING),
        ("SystemUpdating", Phase.CHANGING),
        ("RollingBack", Phase.CHANGING),
        ("InService", Phase.IN_SERVICE),
        ("Failed", Phase.FAILED),
        ("OutOfService", Phase.FAILED),
        ("UpdateRollbackFailed", Phase.FAILED),
        ("Deleting", Phase.FAILED),
    ],
)
def test_describe_status_becomes_a_phase(sagemaker: SageMaker, status: str, phase: Phase) -> None:
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint(status, "c1"))

    assert sagemaker.endpoints.describe("fraud-a") == EndpointState(phase, "c1", status)


def test_describe_failed_endpoint_has_the_reason(sagemaker: SageMaker) -> None:
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("Failed", "c1", FailureReason="no such image"))

    assert sagemaker.endpoints.describe("fraud-a") == EndpointState(Phase.FAILED, "c1", "Failed: no such image")


def test_describe_no_endpoint_is_none(sagemaker: SageMaker) -> None:
    sagemaker.refuses("describe_endpoint", message="Could not find endpoint")

    assert sagemaker.endpoints.describe("fraud-a") is None


def test_describe_without_permission_fails(sagemaker: SageMaker) -> None:
    sagemaker.refuses("describe_endpoint", "AccessDeniedException", "not you")

    with pytest.raises(DeploymentFailed, match="looking at endpoint fraud-a: AccessDeniedException: not you"):
        sagemaker.endpoints.describe("fraud-a")


@mock_aws
def test_create_describe_and_clear_against_a_model_of_sagemaker() -> None:
    client = boto3.client("sagemaker", region_name="eu-central-1")
    endpoints = SageMakerEndpoints(client, lambda seconds: None)

    endpoints.create(PLAN)
    endpoints.create(PLAN)

    assert endpoints.describe("fraud-a") == EndpointState(Phase.IN_SERVICE, PLAN.name, "InService")
    assert endpoints.clear("fraud-a") is True
    assert endpoints.clear("fraud-a") is True
    assert endpoints.describe("fraud-a") is None
    assert client.list_models()["Models"] == [] and client.list_endpoint_configs()["EndpointConfigs"] == []


def test_clear_nothing_there_is_done(sagemaker: SageMaker) -> None:
    sagemaker.refuses("describe_endpoint", message="Could not find endpoint")

    assert sagemaker.endpoints.clear("fraud-a") is True


@pytest.mark.parametrize("status", ["InService", "Failed", "OutOfService", "UpdateRollbackFailed"])
def test_clear_endpoint_goes_first_and_is_not_gone_at_once(sagemaker: SageMaker, status: str) -> None:
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint(status))
    sagemaker.answers("delete_endpoint", ENDPOINT)
    sagemaker.answers("describe_endpoint_config", CONFIG, config())
    sagemaker.answers("delete_endpoint_config", CONFIG)
    sagemaker.answers("delete_model", MODEL)
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("Deleting"))

    assert sagemaker.endpoints.clear("fraud-a") is False


def test_clear_endpoint_on_its_way_out_takes_what_an_interrupted_call_left(sagemaker: SageMaker) -> None:
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("Deleting"))
    sagemaker.refuses("describe_endpoint_config", message="Could not find endpoint configuration")
    sagemaker.refuses("delete_endpoint_config", message="Could not find endpoint configuration")
    sagemaker.answers("delete_model", MODEL)
    sagemaker.refuses("describe_endpoint", message="Could not find endpoint")

    assert sagemaker.endpoints.clear("fraud-a") is True


@pytest.mark.parametrize("status", ["Creating", "Updating", "SystemUpdating", "RollingBack"])
def test_clear_endpoint_on_its_way_is_left_until_later(sagemaker: SageMaker, status: str) -> None:
    for _ in range(2):
        sagemaker.answers("describe_endpoint", ENDPOINT, endpoint(status))

    assert sagemaker.endpoints.clear("fraud-a") is False


def test_clear_configuration_that_others_made_is_left(sagemaker: SageMaker) -> None:
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService"))
    sagemaker.answers("delete_endpoint", ENDPOINT)
    sagemaker.answers("describe_endpoint_config", CONFIG, config("another"))
    sagemaker.refuses("describe_endpoint", message="Could not find endpoint")

    assert sagemaker.endpoints.clear("fraud-a") is True


@pytest.mark.parametrize("status", ["Deleting", "SystemUpdating"])
def test_clear_endpoint_that_changed_since_the_look_is_left_until_later(sagemaker: SageMaker, status: str) -> None:
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService"))
    sagemaker.refuses("delete_endpoint", message="Cannot update in-progress endpoint")
    for _ in range(2):
        sagemaker.answers("describe_endpoint", ENDPOINT, endpoint(status))

    assert sagemaker.endpoints.clear("fraud-a") is False


def test_clear_refused_says_why(sagemaker: SageMaker) -> None:
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService"))
    sagemaker.refuses("delete_endpoint", message="the reason")
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService"))

    with pytest.raises(DeploymentFailed, match="removing endpoint fraud-a: ValidationException: the reason"):
        sagemaker.endpoints.clear("fraud-a")


@pytest.mark.parametrize(
    ("code", "kind"), [("ThrottlingException", DeploymentInterrupted), ("AccessDeniedException", DeploymentFailed)]
)
def test_clear_refused_for_another_reason_is_not_looked_at_again(
    sagemaker: SageMaker, code: str, kind: type[Exception]
) -> None:
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService"))
    sagemaker.refuses("delete_endpoint", code, "the reason")

    with pytest.raises(kind, match="the reason"):
        sagemaker.endpoints.clear("fraud-a")


def watched(sagemaker: SageMaker, monitor: FakeModelMonitor) -> SageMakerEndpoints:
    """Endpoints of which one may be watched."""
    return SageMakerEndpoints(sagemaker.client, sagemaker.waits.append, monitor)


def monitoring(**fields: Any) -> FakeModelMonitor:
    """A schedule watches the endpoint."""
    return FakeModelMonitor(standing={"fraud-a": Scheduled(schedule())}, **fields)


def test_clear_endpoint_that_is_watched_is_left_until_its_schedule_is_gone(sagemaker: SageMaker) -> None:
    endpoints = watched(sagemaker, monitoring(lingering=1))
    for _ in range(2):
        sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService"))

    assert endpoints.clear("fraud-a") is False

    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService"))
    sagemaker.answers("delete_endpoint", ENDPOINT)
    sagemaker.answers("describe_endpoint_config", CONFIG, config())
    sagemaker.answers("delete_endpoint_config", CONFIG)
    sagemaker.answers("delete_model", MODEL)
    sagemaker.refuses("describe_endpoint", message="Could not find endpoint")

    assert endpoints.clear("fraud-a") is True


@pytest.mark.parametrize("refusal", ["", "closed to new customers"])
def test_clear_endpoint_that_nothing_watches_goes_at_once(sagemaker: SageMaker, refusal: str) -> None:
    monitor = FakeModelMonitor(refusal=refusal)
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService"))
    sagemaker.answers("delete_endpoint", ENDPOINT)
    sagemaker.answers("describe_endpoint_config", CONFIG, config("another"))
    sagemaker.refuses("describe_endpoint", message="Could not find endpoint")

    assert watched(sagemaker, monitor).clear("fraud-a") is True
    assert monitor.cleared == ["fraud-a"]


def test_clear_endpoint_whose_schedule_cannot_be_looked_at_is_interrupted(sagemaker: SageMaker) -> None:
    monitor = monitoring(interruptions=[DeploymentInterrupted("later")])
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService"))

    with pytest.raises(DeploymentInterrupted, match=r"^later$"):
        watched(sagemaker, monitor).clear("fraud-a")


def test_clear_endpoint_that_is_scaled_is_let_go_before_it_is_deleted(sagemaker: SageMaker) -> None:
    scaling = MemoryScaling(bounds={"fraud-a": (1, 2)})
    sagemaker.answers("describe_endpoint", ENDPOINT, endpoint("InService"))
    sagemaker.refuses("delete_endpoint", "AccessDeniedException", status=403)

    with pytest.raises(DeploymentFailed, match="AccessDenied"):
        SageMakerEndpoints(sagemaker.client, sagemaker.waits.append, scaling=scaling).clear("fraud-a")

    assert scaling.bounds == {}


@pytest.mark.parametrize("status", ["Creating", "Updating"])
def test_clear_endpoint_on_its_way_keeps_its_schedule(sagemaker: SageMaker, status: str) -> None:
    monitor = monitoring()
    for _ in range(2):
        sagemaker.answers("describe_endpoint", ENDPOINT, endpoint(status))

    assert watched(sagemaker, monitor).clear("fraud-a") is False
    assert monitor.cleared == []


OTHER = replace(PLAN, model_package=ARN + "1")
"""Another version under the same endpoint's name."""
SLOT_B = replace(PLAN, endpoint="fraud-b")


@pytest.fixture(params=["memory", "aws"])
def endpoints(request: pytest.FixtureRequest) -> Iterator[Endpoints]:
    if request.param == "memory":
        yield MemoryEndpoints()
        return
    with mock_aws():
        yield SageMakerEndpoints(boto3.client("sagemaker", region_name="eu-central-1"), lambda seconds: None)


def test_endpoints_of_two_slots_come_and_go_by_themselves(endpoints: Endpoints) -> None:
    for plan in (PLAN, SLOT_B, PLAN):
        endpoints.create(plan)

    assert endpoints.describe("fraud-a") == EndpointState(Phase.IN_SERVICE, PLAN.name, "InService")
    assert endpoints.describe("fraud-b") == EndpointState(Phase.IN_SERVICE, SLOT_B.name, "InService")
    assert endpoints.clear("fraud-a") is True
    assert endpoints.describe("fraud-a") is None
    assert endpoints.describe("fraud-b") is not None


def test_endpoints_another_plan_comes_under_the_name_once_it_is_clear(endpoints: Endpoints) -> None:
    endpoints.create(PLAN)

    assert endpoints.clear("fraud-a") is True
    assert endpoints.clear("fraud-a") is True
    endpoints.create(OTHER)
    state = endpoints.describe("fraud-a")
    assert state is not None and state.config == OTHER.name


def test_endpoints_in_memory_refuse_another_plan_under_the_name() -> None:
    endpoints = MemoryEndpoints()
    endpoints.create(PLAN)

    with pytest.raises(DeploymentFailed, match="endpoint fraud-a exists already"):
        endpoints.create(OTHER)


def test_endpoints_in_memory_take_as_many_looks_as_told() -> None:
    endpoints = MemoryEndpoints(looks=2, lingering=1, failures={"fraud-b": "no capacity"})
    for plan in (PLAN, SLOT_B):
        endpoints.create(plan)

    assert [endpoints.clear("fraud-a") for _ in range(2)] == [False, False]
    assert endpoints.describe("fraud-a") == EndpointState(Phase.IN_SERVICE, PLAN.name, "InService")
    assert [endpoints.clear("fraud-a") for _ in range(3)] == [False, False, True]
    assert [endpoints.describe("fraud-b").detail for _ in range(3)] == ["Creating", "Creating", "Failed: no capacity"]
    assert endpoints.parts == {SLOT_B.name: SLOT_B}


# Types that SageMaker offers for endpoints; p3dn and m6idn are EC2's, for the rule's sake.
WITH_DISKS = (
    "c5d",
    "dl1",
    "g4dn",
    "g5",
    "g6e",
    "gr6",
    "m6idn",
    "p3dn",
    "p4d",
    "p5",
    "p6-b200",
    "r7gd",
    "trn1n",
    "trn2",
)
WITHOUT_DISKS = ("c4", "c5", "c6gn", "c7i", "inf2", "m5", "m8g", "p2", "p3", "r6g", "t2")


@pytest.mark.parametrize("family", WITH_DISKS)
def test_volume_key_is_none_where_disks_of_the_machine_encrypt_themselves(family: str) -> None:
    assert volume_key(f"ml.{family}.xlarge", KEY) is None


@pytest.mark.parametrize("family", WITHOUT_DISKS)
def test_volume_key_is_the_one_given_on_attached_volumes(family: str) -> None:
    assert volume_key(f"ml.{family}.xlarge", KEY) == KEY
