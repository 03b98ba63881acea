"""Packages: registered under a name that their content determines, and looked at again before they are served."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from fraud.deployment_ports import Approval
from fraud.errors import DeploymentInterrupted, FraudError, InvalidPackage
from fraud.model_package import digest, document_in
from fraud.services.packages import Packages
from tests.deployment import packages
from tests.fakes.rollout_world import Objects
from tests.fakes.rollouts import MemoryRegistry

OTHER_THRESHOLDS = {"review": 0.1, "block": 0.2}


@dataclass
class Shelf:
    """A registry, objects, and one package registered."""

    registry: MemoryRegistry = field(default_factory=MemoryRegistry)
    objects: Objects = field(default_factory=Objects)

    def __post_init__(self) -> None:
        self.packages = Packages(self.registry, self.objects)
        self.arn = self.packages.register(packages.archive(), approved=True)

    def record(self, **fields: Any) -> None:
        """The registry says something else."""
        self.registry.versions[0] = replace(self.registry.versions[0], **fields)

    def put(self, *, artefact: bytes | None = None, document: bytes | None = None) -> None:
        """Something else lies there."""
        version = self.registry.versions[0]
        assert version.document_uri is not None
        changes = {version.artefact_uri: artefact, version.document_uri: document}
        self.objects.held |= {uri: content for uri, content in changes.items() if content is not None}


def test_register_stores_the_artefact_and_its_document_under_the_digest() -> None:
    shelf, artefact = Shelf(), packages.archive()
    [version] = shelf.registry.versions
    assert version.artefact_uri == f"s3://archive/models/{digest(artefact)[:16]}/model.tar.gz"
    assert version.document_uri == f"s3://archive/models/{digest(artefact)[:16]}/package.json"
    assert shelf.objects.held == {version.artefact_uri: artefact, version.document_uri: document_in(artefact)}
    assert (version.artefact_sha256, version.artefact_bytes) == (digest(artefact), len(artefact))


@pytest.mark.parametrize(("approved", "approval"), [(True, Approval.APPROVED), (False, Approval.PENDING)])
def test_register_approves_only_when_told_to(approved: bool, approval: Approval) -> None:
    shelf = Shelf()
    arn = shelf.packages.register(packages.archive(training={"rows": 10}), approved=approved)
    assert shelf.registry.describe(arn).approval is approval


def test_register_passes_on_what_speaks_for_the_version_and_nothing_for_one_that_a_person_brings() -> None:
    shelf = Shelf()
    assert shelf.registry.evidence == {shelf.arn: None}
    artefact = packages.archive(training={"rows": 10})
    arn = shelf.packages.register(artefact, approved=False, evidence=packages.EVIDENCE)
    assert shelf.registry.evidence[arn] == packages.EVIDENCE


def test_register_again_keeps_the_version_and_what_it_says_of_its_origin() -> None:
    shelf = Shelf()
    assert shelf.packages.register(packages.archive(), approved=True, evidence=packages.EVIDENCE) == shelf.arn
    assert shelf.registry.evidence == {shelf.arn: None}


def test_register_package_that_cannot_be_served_stores_and_registers_nothing() -> None:
    shelf = Shelf()
    before = dict(shelf.objects.held)
    with pytest.raises(InvalidPackage, match="no smoke vectors"):
        shelf.packages.register(packages.archive(smoke_vectors=[]), approved=True)
    assert (shelf.objects.held, len(shelf.registry.versions)) == (before, 1)


def test_check_whole_and_approved_package_is_given_with_its_document() -> None:
    shelf = Shelf()
    checked = shelf.packages.check(shelf.arn)
    assert checked.registered.model_package == shelf.arn
    assert (checked.document.thresholds.review, len(checked.document.smoke_vectors)) == (0.6, 2)
    assert shelf.packages.look(shelf.arn) == checked


def test_check_package_without_recorded_digest_is_taken() -> None:
    shelf = Shelf()
    shelf.record(artefact_sha256=None, artefact_bytes=None)
    assert shelf.packages.check(shelf.arn).registered.artefact_sha256 is None


@pytest.mark.parametrize("asked", ["check", "look"])
@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"approval": Approval.PENDING}, InvalidPackage, "is pending, not approved: approve it, or name another"),
        ({"approval": Approval.REJECTED}, InvalidPackage, "is rejected, not approved"),
        ({"completed": False}, DeploymentInterrupted, "not completely registered yet: try again"),
        ({"document_uri": None}, InvalidPackage, "records no package_uri: without a feature contract"),
        ({"document_uri": "s3://archive/none"}, InvalidPackage, "there is no object s3://archive/none"),
    ],
)
def test_package_in_no_state_to_serve_is_refused(
    asked: str, fields: dict[str, Any], kind: type[FraudError], words: str
) -> None:
    shelf = Shelf()
    shelf.record(**fields)
    with pytest.raises(kind, match=words):
        getattr(shelf.packages, asked)(shelf.arn)


@pytest.mark.parametrize("asked", ["check", "look"])
def test_package_of_a_contract_with_another_meaning_is_refused(asked: str) -> None:
    shelf = Shelf()
    shelf.put(document=packages.text(contract={"names": packages.NAMES, "hash": "0" * 16}))
    with pytest.raises(InvalidPackage, match="the contract's hash is 0000000000000000"):
        getattr(shelf.packages, asked)(shelf.arn)


def test_check_artefact_replaced_after_registration_is_refused() -> None:
    shelf = Shelf()
    shelf.put(artefact=packages.archive({"model.ubj": b"others"}))
    with pytest.raises(InvalidPackage, match="the artefact has"):
        shelf.packages.check(shelf.arn)


def test_check_damaged_artefact_without_recorded_digest_is_refused() -> None:
    shelf = Shelf()
    shelf.record(artefact_sha256=None, artefact_bytes=None)
    shelf.put(artefact=packages.archive()[:-20])
    with pytest.raises(InvalidPackage, match="the artefact cannot be read"):
        shelf.packages.check(shelf.arn)


def test_check_document_that_differs_from_the_one_inside_is_refused() -> None:
    shelf = Shelf()
    shelf.put(document=packages.text(thresholds=OTHER_THRESHOLDS))
    with pytest.raises(InvalidPackage, match="differs from the one inside the artefact"):
        shelf.packages.check(shelf.arn)


def test_look_does_not_read_the_artefact_again() -> None:
    shelf = Shelf()
    del shelf.objects.held[shelf.registry.versions[0].artefact_uri]
    assert shelf.packages.look(shelf.arn).registered.model_package == shelf.arn


@pytest.mark.parametrize("asked", ["check", "look"])
def test_package_that_nobody_registered_is_refused(asked: str) -> None:
    with pytest.raises(InvalidPackage, match="there is no model package arn:none"):
        getattr(Shelf().packages, asked)("arn:none")
