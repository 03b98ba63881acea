"""Versions of the model in the registry, with what is kept beside each: package document, evaluation, report, card."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from cli import tables
from cli.errors import CommandError, NotFound
from cli.target import Target

MOST_VERSIONS = 1_000
APPROVALS = {"Approved": "approved", "PendingManualApproval": "pending", "Rejected": "rejected"}


@dataclass(frozen=True)
class Version:
    """One version.

    Args:
        target: the stack.
        described: as the registry describes it.
    """

    target: Target
    described: Mapping[str, Any]

    @property
    def arn(self) -> str:
        """Of the model package."""
        return str(self.described["ModelPackageArn"])

    @property
    def number(self) -> int:
        """In its group."""
        return int(self.described["ModelPackageVersion"])

    @property
    def approval(self) -> str:
        """What people decided: approved, pending or rejected."""
        return APPROVALS[self.described.get("ModelApprovalStatus", "PendingManualApproval")]

    @property
    def registered_at(self) -> datetime:
        """When."""
        at: datetime = self.described["CreationTime"]
        return at

    @property
    def lineage(self) -> dict[str, str]:
        """What was recorded of where it comes from."""
        return dict(self.described.get("CustomerMetadataProperties", {}))

    @cached_property
    def document(self) -> dict[str, Any]:
        """`package.json`; empty where there is none."""
        return self._json("package_uri")

    @cached_property
    def evaluation(self) -> dict[str, Any]:
        """`evaluation.json`; empty for a version that no retraining made."""
        return self._json("evaluation_uri")

    @property
    def _places(self) -> dict[str, str]:
        """Where documents lie that are kept beside it; the registry has a field of its own for measurements."""
        quality = self.described.get("ModelMetrics", {}).get("ModelQuality", {}).get("Statistics")
        return self.lineage | ({"evaluation_uri": quality["S3Uri"]} if quality else {})

    def text(self, kind: str) -> str:
        """A document that was recorded under a name such as `report_uri`. Raises: NotFound."""
        uri = self._places.get(kind)
        if uri is None:
            raise NotFound(f"Version {self.number} records no {kind}: no retraining made it.")
        return self._read(uri).decode()

    def artefact(self) -> bytes:
        """The archive that is served."""
        return self._read(str(self.described["InferenceSpecification"]["Containers"][0]["ModelDataUrl"]))

    def _json(self, kind: str) -> dict[str, Any]:
        uri = self._places.get(kind)
        if uri is None:
            return {}
        try:
            found: dict[str, Any] = json.loads(self._read(uri))
        except ValueError as error:
            raise CommandError(f"{uri} is no JSON: {error}.") from error
        return found

    def _read(self, uri: str) -> bytes:
        from botocore.exceptions import ClientError

        parts = urlsplit(uri)
        try:
            content: bytes = (
                self.target.client("s3").get_object(Bucket=parts.netloc, Key=parts.path.lstrip("/"))["Body"].read()
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "NoSuchKey":
                raise NotFound(f"Version {self.number} records {uri}, and nothing is there.") from error
            raise
        return content


def versions(target: Target, most: int) -> Iterator[Version]:
    """The newest versions, newest first."""
    return (look(target, str(each["ModelPackageArn"])) for each in islice(_listed(target), most))


def version(target: Target, model: str | None) -> Version:
    """A version by its number or ARN; the newest without either. Raises: CommandError."""
    arn = arn_of(target, model)
    if arn is not None:
        return look(target, arn)
    newest = next(versions(target, 1), None)
    if newest is None:
        raise NotFound("No version is registered yet; the first one: fraud train, then fraud deploy-model.")
    return newest


def look(target: Target, arn: str) -> Version:
    """A version by its ARN."""
    return Version(target, target.client("sagemaker").describe_model_package(ModelPackageName=arn))


def arn_of(target: Target, model: str | None) -> str | None:
    """ARN of a version; of a number the registry knows it. Raises: CommandError."""
    if model is None or model.startswith("arn:"):
        return model
    if not model.isdecimal():
        raise CommandError(
            f"{model!r} is neither the number nor the ARN of a version; register one: fraud deploy-model"
        )
    known = {each["ModelPackageVersion"]: each["ModelPackageArn"] for each in islice(_listed(target), MOST_VERSIONS)}
    if int(model) not in known:
        there_are = ", ".join(map(str, sorted(known)[-10:])) or "none"
        group = target.output("ModelPackageGroupName")
        raise NotFound(f"There is no version {model} of {group}; the newest are: {there_are}.")
    return str(known[int(model)])


def roles(target: Target) -> dict[str, str]:
    """What each serving version is, champion or challenger, by its ARN."""
    routing = tables.get(target, "RolloutTableName", {"pk": "routing", "sk": "routing"})
    if routing is None:
        return {}
    served = {slot: str(model["model_package"]) for slot, model in routing["slots"].items()}
    names = {routing.get("challenger"): "challenger", routing["champion"]: "champion"}
    return {package: names[slot] for slot, package in served.items() if slot in names}


def _listed(target: Target) -> Iterator[Mapping[str, Any]]:
    pages = (
        target.client("sagemaker")
        .get_paginator("list_model_packages")
        .paginate(ModelPackageGroupName=target.output("ModelPackageGroupName"), SortOrder="Descending")
    )
    return (each for page in pages for each in page["ModelPackageSummaryList"])
