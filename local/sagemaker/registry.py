"""The model registry: groups, their versioned packages, and the event that announces every change of one."""

from collections.abc import Callable
from typing import Any

from local.sagemaker.api import ApiError, Document, Operation, output
from local.sagemaker.records import Records, now, page

_CHANGEABLE = ("ModelApprovalStatus", "ApprovalDescription")
Announce = Callable[[str, str, Document], None]
"""(detail type, ARN, detail) -> an event on the account's default bus."""


class Registry:
    """CreateModelPackageGroup, CreateModelPackage and their relatives."""

    def __init__(self, prefix: str, announce: Announce) -> None:
        self._groups = Records("ModelPackageGroup", prefix)
        self._packages = Records("ModelPackage", prefix)
        self._announce = announce

    def operations(self) -> dict[str, Operation]:
        return {
            "CreateModelPackageGroup": self.create_group,
            "DescribeModelPackageGroup": lambda request: self._groups.get(_last(request["ModelPackageGroupName"])),
            "DeleteModelPackageGroup": self.delete_group,
            "ListModelPackageGroups": lambda request: page(
                self._groups.all(),
                request,
                "ModelPackageGroupSummaryList",
                "ModelPackageGroupName",
                order="Ascending",
            ),
            "CreateModelPackage": self.create,
            "DescribeModelPackage": lambda request: self._packages.get(request["ModelPackageName"]),
            "UpdateModelPackage": self.update,
            "DeleteModelPackage": lambda request: self._packages.remove(request["ModelPackageName"]),
            "ListModelPackages": self.list_packages,
        }

    def create_group(self, request: Document) -> Document:
        name = request["ModelPackageGroupName"]
        document = {
            **request,
            "ModelPackageGroupArn": self._groups.arn(f"model-package-group/{name}"),
            "ModelPackageGroupStatus": "Completed",
            "CreationTime": now(),
            "CreatedBy": {},
            "_versions": 0,
        }
        return self._groups.add(name, document)

    def delete_group(self, request: Document) -> Document:
        name = _last(request["ModelPackageGroupName"])
        if self._versions_of(name):
            raise ApiError(f'ModelPackageGroup "{name}" still has model packages.', "ConflictException")
        return self._groups.remove(name)

    def create(self, request: Document) -> Document:
        if "ModelPackageGroupName" not in request:
            raise ApiError("The laptop registers versions of a ModelPackageGroup only.")
        group = self._groups.get(_last(request["ModelPackageGroupName"]))
        group["_versions"] += 1
        name, version = group["ModelPackageGroupName"], group["_versions"]
        arn = self._packages.arn(f"model-package/{name}/{version}")
        given = {
            "ModelPackageName": name,
            "ModelPackageGroupName": name,
            "ModelPackageVersion": version,
            "ModelPackageArn": arn,
            "CreationTime": now(),
            "ModelPackageStatus": "Completed",
            "ModelPackageStatusDetails": {"ValidationStatuses": []},
        }
        package = self._packages.add(arn, {"ModelApprovalStatus": "PendingManualApproval"} | request | given)
        self._announce_change(package)
        return package

    def update(self, request: Document) -> Document:
        package = self._packages.get(request["ModelPackageArn"])
        properties = package.get("CustomerMetadataProperties", {}) | request.get("CustomerMetadataProperties", {})
        for name in request.get("CustomerMetadataPropertiesToRemove", ()):
            properties.pop(name, None)
        package.update({name: request[name] for name in _CHANGEABLE if name in request})
        package.update(CustomerMetadataProperties=properties, LastModifiedTime=now())
        self._announce_change(package)
        return package

    def list_packages(self, request: Document) -> Document:
        group, approval = request.get("ModelPackageGroupName"), request.get("ModelApprovalStatus")
        found = [
            package
            for package in (self._versions_of(_last(group)) if group else self._packages.all())
            if approval in (None, package["ModelApprovalStatus"])
        ]
        return page(found, request, "ModelPackageSummaryList", "ModelPackageName", order="Ascending")

    def approved_container(self, arn: str) -> dict[str, Any]:
        """The container of a package's inference specification; only an approved package may be deployed."""
        package = self._packages.get(arn)
        if package["ModelApprovalStatus"] != "Approved":
            raise ApiError(f"Model package {arn} is {package['ModelApprovalStatus']}: it cannot be deployed.")
        container: dict[str, Any] = package["InferenceSpecification"]["Containers"][0]
        return container

    def _versions_of(self, group: str) -> list[Document]:
        return [package for package in self._packages.all() if package["ModelPackageGroupName"] == group]

    def _announce_change(self, package: Document) -> None:
        detail = output("DescribeModelPackage", package)
        times = {n: package[n].isoformat() for n in ("CreationTime", "LastModifiedTime") if n in package}
        self._announce("SageMaker Model Package State Change", package["ModelPackageArn"], detail | times)


def _last(name_or_arn: str) -> str:
    return name_or_arn.rpartition("/")[2]
