"""Model packages: registered when they can be served, and checked again before anything is created for them."""

from __future__ import annotations

from dataclasses import dataclass

from fraud.deployment_ports import Approval, Candidate, Evidence, PackageStore, RegisteredPackage, Registry
from fraud.errors import DeploymentInterrupted, InvalidPackage
from fraud.model_package import (
    DOCUMENT,
    LARGEST_ARTEFACT,
    LARGEST_DOCUMENT,
    PackageDocument,
    check_artefact,
    digest,
    document_in,
    parse,
)


@dataclass(frozen=True, slots=True)
class CheckedPackage:
    """A package that this code can serve."""

    registered: RegisteredPackage
    document: PackageDocument


@dataclass(frozen=True)
class Packages:
    """The model's versions.

    Args:
        registry: versions and approvals.
        store: artefacts and package documents.
    """

    registry: Registry
    store: PackageStore

    def register(self, artefact: bytes, *, approved: bool, evidence: Evidence | None = None) -> str:
        """Register an archive as a version of the model, under a name that its content determines; its ARN.

        An archive that is registered already keeps its version, and what that says of its origin.

        Raises:
            InvalidPackage: it could not be served, so it is not registered.
            DeploymentFailed: the registry refuses.
            DeploymentInterrupted: try again; what was registered is found again.
        """
        document = document_in(artefact)
        sha256 = digest(artefact)
        candidate = Candidate(
            artefact_uri=self.store.write(f"{sha256[:16]}/model.tar.gz", artefact),
            document_uri=self.store.write(f"{sha256[:16]}/{DOCUMENT}", document),
            artefact_sha256=sha256,
            artefact_bytes=len(artefact),
            approved=approved,
            evidence=evidence,
        )
        return self.registry.register(candidate)

    def check(self, model_package: str) -> CheckedPackage:
        """Look a version up and check that it can be served: approved, whole, its contract one that this code computes.

        Raises:
            InvalidPackage: with the first thing found wrong.
            DeploymentInterrupted: the registry is still at work on it, or does not answer.
        """
        registered = self.registry.describe(model_package)
        _check_standing(registered)
        return CheckedPackage(registered, self._document(registered))

    def look(self, model_package: str) -> CheckedPackage:
        """A version that was checked before, without reading its artefact again.

        Raises:
            InvalidPackage: not approved any more, or without a document.
            DeploymentInterrupted: the registry does not answer.
        """
        registered = self.registry.describe(model_package)
        _check_standing(registered)
        return CheckedPackage(registered, self._described(registered))

    def _document(self, registered: RegisteredPackage) -> PackageDocument:
        """The package document; the artefact is whole, as registered, and holds the same document."""
        document = self._described(registered)
        artefact = self.store.read(registered.artefact_uri, LARGEST_ARTEFACT)
        check_artefact(artefact, registered.artefact_sha256, registered.artefact_bytes)
        if parse(document_in(artefact)) != document:
            raise InvalidPackage("the package document differs from the one inside the artefact")
        return document

    def _described(self, registered: RegisteredPackage) -> PackageDocument:
        if registered.document_uri is None:
            raise InvalidPackage("the package records no package_uri: without a feature contract it cannot be served")
        return parse(self.store.read(registered.document_uri, LARGEST_DOCUMENT))


def _check_standing(registered: RegisteredPackage) -> None:
    if registered.approval is not Approval.APPROVED:
        raise InvalidPackage(
            f"{registered.model_package} is {registered.approval}, not approved: approve it, or name another version"
        )
    if not registered.completed:
        raise DeploymentInterrupted(f"{registered.model_package} is not completely registered yet: try again")
