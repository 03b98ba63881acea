"""Versions of the model in SageMaker's model registry."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

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
        """Add a version; its ARN.

        Raises:
            DeploymentInterrupted: may or may not have been added.
            DeploymentFailed: refused.
        """
        with deploying("registering the model"):
            answer = self.client.create_model_package(
                ModelPackageGroupName=self.group,
                InferenceSpecification=self._inference(candidate.artefact_uri),
                ModelApprovalStatus="Approved" if candidate.approved else "PendingManualApproval",
                CustomerMetadataProperties={
                    URI: candidate.document_uri,
                    SHA256: candidate.artefact_sha256,
                    BYTES: str(candidate.artefact_bytes),
                },
            )
        return str(answer["ModelPackageArn"])

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
        if answer["ModelPackageStatus"] in ("Failed", "Deleting"):
            raise InvalidPackage(f"{model_package} is {answer['ModelPackageStatus'].lower()} in the registry")
        return _registered(answer)

    def _inference(self, artefact_uri: str) -> dict[str, Any]:
        container = {"Image": self.image, "ModelDataUrl": artefact_uri, "Environment": ENVIRONMENT}
        return {
            "Containers": [container],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["application/json"],
        }


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
        approval=APPROVALS[answer.get("ModelApprovalStatus", "PendingManualApproval")],
        artefact_uri=containers[0]["ModelDataUrl"],
        document_uri=recorded.get(URI),
        artefact_sha256=recorded.get(SHA256),
        artefact_bytes=_size(recorded.get(BYTES)),
    )


def _size(recorded: str | None) -> int | None:
    if recorded is None:
        return None
    if not recorded.isdecimal():
        raise InvalidPackage(f"{BYTES} is recorded as {recorded!r}, which is no number of bytes")
    return int(recorded)
