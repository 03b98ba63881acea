"""The model registry: what a version says of itself, and what is refused as none of ours."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from fraud.aws.registry import ENVIRONMENT, SageMakerRegistry
from fraud.deployment_ports import Approval, Candidate, Evidence, RegisteredPackage, Registry
from fraud.errors import DeploymentFailed, DeploymentInterrupted, InvalidPackage
from tests.deployment.packages import ARN, DOCUMENT_URI, EVIDENCE, URI
from tests.fakes.rollouts import MemoryRegistry

IMAGE = "492215442770.dkr.ecr.eu-central-1.amazonaws.com/sagemaker-xgboost:3.2-0"
SHA256 = "ab" * 32


def candidate(*, approved: bool = True) -> Candidate:
    return Candidate(URI, DOCUMENT_URI, SHA256, 1234, approved)


def described(**fields: Any) -> dict[str, Any]:
    """What DescribeModelPackage answers."""
    container = {"Image": IMAGE, "ModelDataUrl": URI, "Environment": ENVIRONMENT}
    return {
        "ModelPackageName": "fraud",
        "ModelPackageGroupName": "fraud",
        "ModelPackageVersion": 3,
        "ModelPackageArn": ARN,
        "CreationTime": 1,
        "ModelPackageStatus": "Completed",
        "ModelPackageStatusDetails": {"ValidationStatuses": []},
        "ModelApprovalStatus": "Approved",
        "InferenceSpecification": {"Containers": [container]},
        "CustomerMetadataProperties": {"package_uri": DOCUMENT_URI},
    } | fields


@pytest.fixture
def stub() -> Iterator[Stubber]:
    client = boto3.client("sagemaker", region_name="eu-central-1")
    with Stubber(client) as stubber:
        yield stubber


def describe(stub: Stubber, answer: dict[str, Any]) -> RegisteredPackage:
    stub.add_response("describe_model_package", answer, {"ModelPackageName": ARN})
    return SageMakerRegistry(stub.client, "fraud", IMAGE).describe(ARN)


def listed(stub: Stubber, *statuses: str, **asked: str) -> None:
    """The group holds versions in these statuses, newest first."""
    summaries = [
        {
            "ModelPackageArn": f"{ARN}{number}",
            "CreationTime": 1,
            "ModelPackageStatus": status,
            "ModelPackageGroupName": "fraud",
        }
        for number, status in enumerate(statuses)
    ]
    newest = {"ModelPackageGroupName": "fraud", "SortBy": "CreationTime", "SortOrder": "Descending", "MaxResults": 100}
    stub.add_response("list_model_packages", {"ModelPackageSummaryList": summaries}, newest | asked)


def holding(**fields: Any) -> dict[str, Any]:
    """A version with the candidate's artefact."""
    recorded = {"package_uri": DOCUMENT_URI, "artefact_sha256": SHA256, "artefact_bytes": "1234"}
    return described(CustomerMetadataProperties=recorded) | fields


@mock_aws
@pytest.mark.parametrize(("approved", "approval"), [(True, Approval.APPROVED), (False, Approval.PENDING)])
def test_register_version_is_described_as_it_was_registered(approved: bool, approval: Approval) -> None:
    client = boto3.client("sagemaker", region_name="eu-central-1")
    client.create_model_package_group(ModelPackageGroupName="fraud")
    registry = SageMakerRegistry(client, "fraud", IMAGE)

    arn = registry.register(candidate(approved=approved))

    assert registry.describe(arn) == RegisteredPackage(
        model_package=arn,
        version=1,
        completed=True,
        approval=approval,
        artefact_uri=URI,
        document_uri=DOCUMENT_URI,
        artefact_sha256=SHA256,
        artefact_bytes=1234,
    )


def test_register_asks_for_the_container_in_script_mode(stub: Stubber) -> None:
    expected = {
        "ModelPackageGroupName": "fraud",
        "InferenceSpecification": {
            "Containers": [
                {
                    "Image": IMAGE,
                    "ModelDataUrl": URI,
                    "Environment": {
                        "SAGEMAKER_PROGRAM": "inference.py",
                        "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
                        "PIP_NO_BUILD_ISOLATION": "0",
                    },
                }
            ],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        },
        "ModelApprovalStatus": "Approved",
        "CustomerMetadataProperties": {
            "package_uri": DOCUMENT_URI,
            "artefact_sha256": SHA256,
            "artefact_bytes": "1234",
        },
    }
    listed(stub)
    stub.add_response("create_model_package", {"ModelPackageArn": ARN}, expected)

    assert SageMakerRegistry(stub.client, "fraud", IMAGE).register(candidate()) == ARN


def added(stub: Stubber, **fields: Any) -> dict[str, Any]:
    """What CreateModelPackage is asked for, for a candidate with evidence."""
    asked: dict[str, Any] = {}

    def note(params: dict[str, Any], **_: Any) -> None:
        asked.update(params)

    stub.client.meta.events.register("before-parameter-build.sagemaker.CreateModelPackage", note)
    listed(stub)
    stub.add_response("create_model_package", {"ModelPackageArn": ARN})
    given = replace(candidate(), evidence=replace(EVIDENCE, **fields))
    assert SageMakerRegistry(stub.client, "fraud", IMAGE).register(given) == ARN
    return asked


def test_register_version_tells_where_it_comes_from_and_what_speaks_for_it(stub: Stubber) -> None:
    asked = added(stub)
    assert asked["ModelPackageDescription"] == EVIDENCE.description
    assert asked["MetadataProperties"] == {"CommitId": "a" * 40, "GeneratedBy": EVIDENCE.generated_by}
    statistics = {"ContentType": "application/json", "S3Uri": "s3://archive/models/m/evaluation.json"}
    assert asked["ModelMetrics"] == {"ModelQuality": {"Statistics": statistics}}
    assert asked["CustomerMetadataProperties"] == {
        "package_uri": DOCUMENT_URI,
        "artefact_sha256": SHA256,
        "artefact_bytes": "1234",
        "verdict": "promote",
        "training_job": "stack-0123456789ab-train",
        "trigger": "person ada@example.com",
        "report_uri": "s3://archive/models/m/report.html",
        "card_uri": "s3://archive/models/m/model_card.md",
        "query_uri": "s3://archive/models/m/training_set.sql",
        "plan_uri": "s3://archive/models/m/retraining_plan.json",
    }


def test_register_version_of_code_that_nobody_knows_names_no_commit(stub: Stubber) -> None:
    assert added(stub, commit="")["MetadataProperties"] == {"GeneratedBy": EVIDENCE.generated_by}


@pytest.mark.parametrize(
    ("value", "recorded"),
    [
        ("arn:aws:states:eu-central-1:1:execution:r:a", "arn:aws:states:eu-central-1:1:execution:r:a"),
        ("2025-06-15T15:06:40.500Z", "2025-06-15T15:06:40.500Z"),
        ("Žofie Müller 7", "Žofie Müller 7"),
        ("it's (50 %), #1\n", "it_s _50 ___ _1_"),
        ("x" * 256, "x" * 256),
        ("x" * 257, "x" * 253 + "..."),
        ("", None),
    ],
)
def test_register_lineage_is_recorded_in_characters_and_lengths_that_a_property_may_have(
    stub: Stubber, value: str, recorded: str | None
) -> None:
    assert added(stub, lineage={"trigger": value})["CustomerMetadataProperties"].get("trigger") == recorded


def test_register_lineage_cannot_stand_for_what_the_version_is(stub: Stubber) -> None:
    recorded = added(stub, lineage={"package_uri": "s3://elsewhere/package.json"})["CustomerMetadataProperties"]
    assert recorded["package_uri"] == DOCUMENT_URI


@pytest.mark.parametrize(
    ("text", "recorded"),
    [
        ("It is – „better“: +4 %.", "It is – „better“: +4 %."),
        ("two\nlines\x00", "two lines "),
        ("x" * 1_024, "x" * 1_024),
        ("x" * 1_025, "x" * 1_021 + "..."),
    ],
)
def test_register_description_is_printable_and_no_longer_than_it_may_be(
    stub: Stubber, text: str, recorded: str
) -> None:
    assert added(stub, description=text)["ModelPackageDescription"] == recorded


def test_register_again_adds_nothing_to_what_the_version_says(stub: Stubber) -> None:
    listed(stub, "Completed")
    standing = holding(ModelApprovalStatus="PendingManualApproval")
    stub.add_response("describe_model_package", standing, {"ModelPackageName": f"{ARN}0"})
    approved = {"ModelPackageArn": ARN, "ModelApprovalStatus": "Approved"}
    stub.add_response("update_model_package", {"ModelPackageArn": ARN}, approved)

    given = replace(candidate(), evidence=EVIDENCE)

    assert SageMakerRegistry(stub.client, "fraud", IMAGE).register(given) == ARN


@pytest.mark.parametrize("evidence", [None, EVIDENCE])
def test_register_again_adopts_the_version_and_gives_it_the_approval_it_waits_for(
    registry: Registry, evidence: Evidence | None
) -> None:
    def candidate(*, approved: bool, sha256: str = SHA256) -> Candidate:
        return Candidate(URI, DOCUMENT_URI, sha256, 1234, approved, evidence)

    first = registry.register(candidate(approved=False))
    other = registry.register(candidate(approved=True, sha256="cd" * 32))

    assert other != first
    assert registry.register(candidate(approved=False)) == first
    assert registry.describe(first).approval is Approval.PENDING
    assert registry.register(candidate(approved=True)) == first
    assert registry.describe(first).approval is Approval.APPROVED
    assert [each.model_package for each in registry.approved()] == [other, first]


@pytest.mark.parametrize("approval", ["Approved", "Rejected"])
def test_register_again_leaves_what_people_decided(stub: Stubber, approval: str) -> None:
    listed(stub, "Completed")
    stub.add_response("describe_model_package", holding(ModelApprovalStatus=approval), {"ModelPackageName": f"{ARN}0"})

    assert SageMakerRegistry(stub.client, "fraud", IMAGE).register(candidate()) == ARN


@pytest.mark.parametrize(
    "fields",
    [
        {"CustomerMetadataProperties": {"artefact_sha256": "cd" * 32}},
        {"CustomerMetadataProperties": {}},
        {"InferenceSpecification": {"Containers": [{"Image": "older", "ModelDataUrl": URI, "Environment": {}}]}},
        {"InferenceSpecification": {"Containers": [{"Image": IMAGE}] * 2}},
    ],
)
def test_register_adopts_no_version_of_another_kind(stub: Stubber, fields: dict[str, Any]) -> None:
    listed(stub, "Failed", "Deleting", "Completed", "Pending")
    stub.add_response("describe_model_package", holding(**fields), {"ModelPackageName": f"{ARN}2"})
    stub.add_client_error(
        "describe_model_package", "ValidationException", expected_params={"ModelPackageName": f"{ARN}3"}
    )
    stub.add_response("create_model_package", {"ModelPackageArn": f"{ARN}9"})

    assert SageMakerRegistry(stub.client, "fraud", IMAGE).register(candidate()) == f"{ARN}9"


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("ValidationException", DeploymentFailed),
        ("ConflictException", DeploymentInterrupted),
        ("ThrottlingException", DeploymentInterrupted),
    ],
)
def test_register_refused_says_why(stub: Stubber, code: str, kind: type[Exception]) -> None:
    listed(stub)
    stub.add_client_error("create_model_package", code, "the reason")

    with pytest.raises(kind, match=f"registering the model: {code}: the reason"):
        SageMakerRegistry(stub.client, "fraud", IMAGE).register(candidate())


def test_describe_version_without_records_has_none(stub: Stubber) -> None:
    answer = described()
    del answer["CustomerMetadataProperties"]

    package = describe(stub, answer)

    assert (package.document_uri, package.artefact_sha256, package.artefact_bytes) == (None, None, None)


@pytest.mark.parametrize("status", ["Pending", "InProgress"])
def test_describe_version_in_the_making_is_not_completed(stub: Stubber, status: str) -> None:
    assert describe(stub, described(ModelPackageStatus=status)).completed is False


def test_describe_rejected_version_says_so(stub: Stubber) -> None:
    assert describe(stub, described(ModelApprovalStatus="Rejected")).approval is Approval.REJECTED


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"ModelPackageStatus": "Failed"}, "is failed in the registry"),
        ({"ModelPackageStatus": "Deleting"}, "is deleting in the registry"),
        ({"InferenceSpecification": {"Containers": [{"Image": IMAGE}]}}, "one container with one artefact"),
        ({"InferenceSpecification": {"Containers": [{"ModelDataUrl": URI}] * 2}}, "one container with one artefact"),
        ({"CustomerMetadataProperties": {"artefact_bytes": "many"}}, "recorded as 'many', which is no number"),
    ],
)
def test_describe_version_of_another_kind_is_refused(stub: Stubber, fields: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidPackage, match=words):
        describe(stub, described(**fields))


def test_describe_package_outside_a_group_is_refused(stub: Stubber) -> None:
    answer = described()
    del answer["ModelPackageVersion"]

    with pytest.raises(InvalidPackage, match="is no version of a model package group"):
        describe(stub, answer)


def test_describe_unknown_version_is_refused(stub: Stubber) -> None:
    stub.add_client_error("describe_model_package", "ValidationException", "does not exist")

    with pytest.raises(InvalidPackage, match=f"there is no model package {ARN}"):
        SageMakerRegistry(stub.client, "fraud", IMAGE).describe(ARN)


def test_describe_throttled_is_interrupted(stub: Stubber) -> None:
    stub.add_client_error("describe_model_package", "ThrottlingException", "slow down")

    with pytest.raises(DeploymentInterrupted, match="slow down"):
        SageMakerRegistry(stub.client, "fraud", IMAGE).describe(ARN)


@pytest.fixture(params=["memory", "aws"])
def registry(request: pytest.FixtureRequest) -> Iterator[Registry]:
    if request.param == "memory":
        yield MemoryRegistry()
        return
    with mock_aws():
        client = boto3.client("sagemaker", region_name="eu-central-1")
        client.create_model_package_group(ModelPackageGroupName="fraud")
        yield SageMakerRegistry(client, "fraud", IMAGE)


def test_approved_versions_come_newest_first_as_they_are_described(registry: Registry) -> None:
    assert registry.approved() == []
    arns = [
        registry.register(replace(candidate(approved=approved), artefact_sha256=f"{number}" * 64))
        for number, approved in enumerate((True, False, True))
    ]

    assert [each.version for each in registry.approved()] == [3, 1]
    assert list(registry.approved()) == [registry.describe(arns[2]), registry.describe(arns[0])]


def test_approved_version_that_cannot_be_served_or_is_gone_is_passed_over(
    stub: Stubber, caplog: pytest.LogCaptureFixture
) -> None:
    listed(stub, "Failed", "Completed", "Completed", "Deleting", "Completed", ModelApprovalStatus="Approved")
    foreign = described(InferenceSpecification={"Containers": [{"Image": IMAGE}]})
    stub.add_response("describe_model_package", foreign, {"ModelPackageName": f"{ARN}1"})
    stub.add_client_error(
        "describe_model_package", "ValidationException", expected_params={"ModelPackageName": f"{ARN}2"}
    )
    stub.add_response("describe_model_package", described(), {"ModelPackageName": f"{ARN}4"})

    approved = SageMakerRegistry(stub.client, "fraud", IMAGE).approved()

    assert [each.version for each in approved] == [3]
    assert [record.message for record in caplog.records] == ["version passed over"]


@pytest.mark.parametrize(
    ("code", "kind"), [("ThrottlingException", DeploymentInterrupted), ("AccessDeniedException", DeploymentFailed)]
)
def test_approved_not_answered_says_why(stub: Stubber, code: str, kind: type[Exception]) -> None:
    stub.add_client_error("list_model_packages", code, "the reason")

    with pytest.raises(kind, match=f"listing the approved models: {code}: the reason"):
        SageMakerRegistry(stub.client, "fraud", IMAGE).approved()
