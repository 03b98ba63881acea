"""`fraud.bootstrap.deployment` on moto: from an archive to the routing item, with only the scores made up."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import boto3
import pytest
from moto import mock_aws

from fraud import bootstrap
from fraud.errors import DeploymentFailed, InvalidPackage, ModelUnavailable, RoutingConflict
from fraud.routing import Routing, ServedModel
from fraud.services.deployment import Deployment
from fraud.settings import DeploymentSettings
from tests.deployment import packages
from tests.deployment.fakes import Scorer

REGION = "eu-central-1"
NAMES = DeploymentSettings(
    rollout_table="rollouts",
    endpoint_slot_a="fraud-a",
    endpoint_slot_b="fraud-b",
    model_package_group="fraud",
    model_image="492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:3.2-0",
    model_bucket="archive",
    execution_role=packages.ROLE,
)


@pytest.fixture
def session() -> Any:
    """The stack's resources that a deployment meets."""
    with mock_aws():
        session = boto3.Session(region_name=REGION)
        session.client("s3").create_bucket(
            Bucket="archive", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"}
        )
        session.client("sagemaker").create_model_package_group(ModelPackageGroupName="fraud")
        session.client("dynamodb").create_table(
            TableName="rollouts",
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
            AttributeDefinitions=[
                {"AttributeName": "pk", "AttributeType": "S"},
                {"AttributeName": "sk", "AttributeType": "S"},
            ],
            BillingMode="PAY_PER_REQUEST",
        )
        yield session


def deployment(session: Any, scorer: Scorer) -> Deployment:
    """As it is built, but for the model's answers and for time."""
    return replace(bootstrap.deployment(session, NAMES), scorer=scorer, sleep=lambda seconds: None)


def test_deployment_archive_becomes_champion(session: Any) -> None:
    deployed = deployment(session, Scorer())
    arn = deployed.register(packages.archive(), approved=True)

    routing = deployed.bootstrap_champion(arn, packages.INSTANCE)

    contract_hash = packages.document()["contract"]["hash"]
    served = ServedModel("fraud-a", arn, packages.NAMES, contract_hash, 0.6, 0.9)
    assert routing == Routing(1, "steady", "a", None, 0, routing.salt, {"a": served})
    assert len(routing.salt) == 32
    assert deployed.routing.read() == routing


def test_deployment_second_champion_is_refused_and_the_first_stays(session: Any) -> None:
    deployed = deployment(session, Scorer())
    arn = deployed.register(packages.archive(), approved=True)
    routing = deployed.bootstrap_champion(arn, packages.INSTANCE)

    with pytest.raises(RoutingConflict, match=f"{arn} already serves"):
        deployed.bootstrap_champion(arn, packages.INSTANCE)

    assert deployed.routing.read() == routing
    assert session.client("sagemaker").list_endpoints()["Endpoints"]


def test_deployment_unapproved_version_creates_nothing(session: Any) -> None:
    deployed = deployment(session, Scorer())
    arn = deployed.register(packages.archive(), approved=False)

    with pytest.raises(InvalidPackage, match="is pending, not approved"):
        deployed.bootstrap_champion(arn, packages.INSTANCE)

    assert session.client("sagemaker").list_models()["Models"] == []


def test_deployment_artefact_replaced_after_registration_creates_nothing(session: Any) -> None:
    deployed = deployment(session, Scorer())
    arn = deployed.register(packages.archive(), approved=True)
    uri = deployed.packages.registry.describe(arn).artefact_uri
    other = packages.archive({"model.ubj": b"others"})
    session.client("s3").put_object(Bucket="archive", Key=uri.removeprefix("s3://archive/"), Body=other)

    with pytest.raises(InvalidPackage, match="the artefact has"):
        deployed.bootstrap_champion(arn, packages.INSTANCE)

    assert session.client("sagemaker").list_models()["Models"] == []


@pytest.mark.parametrize(
    ("scorer", "kind"),
    [(Scorer([[0.5, 0.5]]), InvalidPackage), (Scorer([ModelUnavailable("ModelError")]), DeploymentFailed)],
)
def test_deployment_model_that_fails_its_proof_leaves_nothing(
    session: Any, scorer: Scorer, kind: type[Exception]
) -> None:
    deployed = deployment(session, scorer)
    arn = deployed.register(packages.archive(), approved=True)

    with pytest.raises(kind):
        deployed.bootstrap_champion(arn, packages.INSTANCE)

    sagemaker = session.client("sagemaker")
    assert deployed.routing.read() is None
    assert sagemaker.list_endpoints()["Endpoints"] == []
    assert sagemaker.list_endpoint_configs()["EndpointConfigs"] == []
    assert sagemaker.list_models()["Models"] == []


def test_deployment_asks_the_url_it_is_given() -> None:
    session = boto3.Session(region_name=REGION)

    deployed: Any = bootstrap.deployment(session, NAMES, "http://127.0.0.1:4566")

    adapters = (
        deployed.packages.registry,
        deployed.packages.store,
        deployed.endpoints,
        deployed.routing,
        deployed.scorer,
    )
    assert {adapter.client.meta.endpoint_url for adapter in adapters} == {"http://127.0.0.1:4566"}
