"""Versions of the model in SageMaker's model registry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fraud.aws import registry_evidence
from fraud.aws.calls import logger
from fraud.aws.control_plane import deploying, found
from fraud.deployment_ports import Approval, Candidate, RegisteredPackage
from fraud.errors import InvalidPackage

ENVIRONMENT = {
    "SAGEMAKER_PROGRAM": "inference.py",
    "SAGEMAKER_SUBMIT_DIRECTORY": "/opt/ml/model/code",
    # The container installs the code with pip at every start. 0 switches isolated builds off (the variable is
    # inverted), and with them a download that fails where there is no network.
    "PIP_NO_BUILD_ISOLATION": "0",
}
"""Of the XGBoost container in script mode, which looks for code nowhere by itself."""
APPROVALS = {
    "Approved": Approval.APPROVED,
    "PendingManualApproval": Approval.PENDING,
    "Rejected": Approval.REJECTED,
}
URI, SHA256, BYTES = "package_uri", "artefact_sha256", "artefact_bytes"
"""Keys of CustomerMetadataProperties."""
LOST = ("Failed", "Deleting")
"""Statuses of versions that cannot be served any more."""
LOOKED_AT = 100
"""Newest versions among which one with the same artefact is looked for: a repeated command made it lately. So many are
listed as approved, too: it is what one call gives."""


@dataclass(frozen=True)
class SageMakerRegistry:
    """The model package group of the application.

    Args:
        client: SageMaker.
        group: name of the model package group.
        image: URI of the container that models run in.
    """

    client: Any
    group: str
    image: str

    def register(self, candidate: Candidate) -> str:
        """Add a version, or adopt the one that holds the same artefact; its ARN.

        An adopted version that waits for its approval gets the candidate's; one that was rejected stays so.

        Raises:
            DeploymentInterrupted: may or may not have been added.
            DeploymentFailed: refused.
        """
        with deploying("registering the model"):
            standing = self._standing(candidate)
            if standing is None:
                return self._add(candidate)
            if candidate.approved and _approval(standing) is Approval.PENDING:
                self.client.update_model_package(
                    ModelPackageArn=standing["ModelPackageArn"], ModelApprovalStatus="Approved"
                )
        return str(standing["ModelPackageArn"])

    def describe(self, model_package: str) -> RegisteredPackage:
        """Look a version up by its ARN.

        Raises:
            InvalidPackage: there is none, or it is not what this application registers.
            DeploymentInterrupted: no answer.
        """
        with deploying("looking the model package up"):
            answer = found(self.client.describe_model_package, ModelPackageName=model_package)
        if answer is None:
            raise InvalidPackage(f"there is no model package {model_package}")
        if answer["ModelPackageStatus"] in LOST:
            raise InvalidPackage(f"{model_package} is {answer['ModelPackageStatus'].lower()} in the registry")
        return _registered(answer)

    def approved(self) -> Sequence[RegisteredPackage]:
        """The approved versions that this application registers, newest first, 100 at most.

        Raises:
            DeploymentInterrupted: no answer.
            DeploymentFailed: refused.
        """
        with deploying("listing the approved models"):
            versions = list(self._versions(ModelApprovalStatus="Approved"))
        return [package for version in versions if (package := _registered_here(version)) is not None]

    def _standing(self, candidate: Candidate) -> Mapping[str, Any] | None:
        """The newest version with the candidate's artefact, for the container that models run in now."""
        return next((each for each in self._versions() if self._is_same(each, candidate)), None)

    def _versions(self, **wanted: str) -> Iterator[Mapping[str, Any]]:
        """Versions of the group that can still be served, newest first."""
        listed = self.client.list_model_packages(
            ModelPackageGroupName=self.group,
            SortBy="CreationTime",
            SortOrder="Descending",
            MaxResults=LOOKED_AT,
            **wanted,
        )
        for each in listed["ModelPackageSummaryList"]:
            if each["ModelPackageStatus"] not in LOST:
                version = found(self.client.describe_model_package, ModelPackageName=each["ModelPackageArn"])
                if version is not None:
                    yield version

    def _is_same(self, version: Mapping[str, Any], candidate: Candidate) -> bool:
        recorded = version.get("CustomerMetadataProperties") or {}
        containers = version.get("InferenceSpecification", {}).get("Containers", [])
        wanted = self._inference(candidate.artefact_uri)["Containers"][0]
        # SageMaker adds fields of its own, such as the image's digest.
        as_wanted = len(containers) == 1 and wanted.items() <= containers[0].items()
        return as_wanted and recorded.get(SHA256) == candidate.artefact_sha256

    def _add(self, candidate: Candidate) -> str:
        evidence = candidate.evidence
        recorded = {
            URI: candidate.document_uri,
            SHA256: candidate.artefact_sha256,
            BYTES: str(candidate.artefact_bytes),
        }
        answer = self.client.create_model_package(
            ModelPackageGroupName=self.group,
            InferenceSpecification=self._inference(candidate.artefact_uri),
            ModelApprovalStatus="Approved" if candidate.approved else "PendingManualApproval",
            CustomerMetadataProperties=(registry_evidence.properties(evidence) if evidence else {}) | recorded,
            **(registry_evidence.fields(evidence) if evidence else {}),
        )
        return str(answer["ModelPackageArn"])

    def _inference(self, artefact_uri: str) -> dict[str, Any]:
        container = {"Image": self.image, "ModelDataUrl": artefact_uri, "Environment": ENVIRONMENT}
        return {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        }


def _registered_here(answer: Mapping[str, Any]) -> RegisteredPackage | None:
    """None for a version that somebody else registered in the group, in a way that this application cannot serve."""
    try:
        return _registered(answer)
    except InvalidPackage as error:
        logger.warning("version passed over", extra={"reason": str(error)})
        return None


def _registered(answer: Mapping[str, Any]) -> RegisteredPackage:
    arn, recorded = answer["ModelPackageArn"], answer.get("CustomerMetadataProperties") or {}
    containers = answer.get("InferenceSpecification", {}).get("Containers", [])
    if "ModelPackageVersion" not in answer:
        raise InvalidPackage(f"{arn} is no version of a model package group")
    if len(containers) != 1 or "ModelDataUrl" not in containers[0]:
        raise InvalidPackage(f"{arn} does not consist of one container with one artefact")
    return RegisteredPackage(
        model_package=arn,
        version=int(answer["ModelPackageVersion"]),
        completed=answer["ModelPackageStatus"] == "Completed",
        approval=_approval(answer),
        artefact_uri=containers[0]["ModelDataUrl"],
        document_uri=recorded.get(URI),
        artefact_sha256=recorded.get(SHA256),
        artefact_bytes=_size(recorded.get(BYTES)),
    )


def _approval(answer: Mapping[str, Any]) -> Approval:
    return APPROVALS[answer.get("ModelApprovalStatus", "PendingManualApproval")]


def _size(recorded: str | None) -> int | None:
    if recorded is None:
        return None
    if not recorded.isdecimal():
        raise InvalidPackage(f"{BYTES} is recorded as {recorded!r}, which is no number of bytes")
    return int(recorded)
