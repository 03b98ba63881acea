"""Row 38 of the fault table: a package that cannot be served, or is damaged, gets no traffic."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fraud.decision import Score
from fraud.model_package import digest
from tests.deployment import packages
from tests.fakes.rollout_machine import Machine, before_a_rollout, check_rolled_back, everything
from tests.fakes.rollout_world import RolloutWorld

SECOND = 1
"""Place of version 2 in the registry."""
Damage = Callable[[RolloutWorld], None]


def recorded(**fields: Any) -> Damage:
    """The registry says something else of version 2."""

    def damage(world: RolloutWorld) -> None:
        world.registry.versions[SECOND] = replace(world.registry.versions[SECOND], **fields)

    return damage


def cut_off(world: RolloutWorld) -> None:
    uri = world.registry.versions[SECOND].artefact_uri
    world.objects.held[uri] = world.objects.held[uri][:-10]


def put(artefact: bytes, document: bytes, **fields: Any) -> Damage:
    """Other objects lie there; the registry may say so."""

    def damage(world: RolloutWorld) -> None:
        version = world.registry.versions[SECOND]
        assert version.document_uri is not None
        world.objects.held |= {version.artefact_uri: artefact, version.document_uri: document}
        recorded(**fields)(world)

    return damage


def replaced(**parts: Any) -> Damage:
    """Archive and document of another package lie there, whose size was never recorded."""
    return put(packages.archive(**parts), packages.text(**parts), artefact_bytes=None)


def foreign(archived: dict[str, Any], documented: dict[str, Any], files: dict[str, bytes] | None = None) -> Damage:
    """A version that other code registered: what is recorded of the artefact is true."""
    artefact = packages.archive(files, **archived)
    sizes = {"artefact_sha256": digest(artefact), "artefact_bytes": len(artefact)}
    return put(artefact, packages.text(**documented), **sizes)


OTHER_CONTRACT = {"contract": {"names": list(packages.NAMES), "hash": "0" * 64}}
UNKNOWN_FEATURE = {"contract": {"names": ["height", *packages.NAMES[1:]], "hash": "0" * 64}}
DAMAGES = {
    "only part of the artefact is there": (cut_off, "the artefact has"),
    "another artefact is there": (replaced(training={"rows": 1}), "not the one that was registered"),
    "the model is another": (foreign({}, {}, {"model.ubj": b"stumps"}), "model.ubj is not the one"),
    "the document is another": (foreign({}, {"thresholds": {"review": 0.1, "block": 0.2}}), "differs from the one"),
    "there is no document": (recorded(document_uri=None), "without a feature contract"),
    "there is no contract": (foreign({}, {"contract": None}), "not a package document"),
    "the contract is another": (foreign(OTHER_CONTRACT, OTHER_CONTRACT), "the contract's hash is"),
    "a feature is unknown": (foreign(UNKNOWN_FEATURE, UNKNOWN_FEATURE), "does not compute: height"),
}


@pytest.mark.parametrize(("damage", "why"), DAMAGES.values(), ids=DAMAGES)
def test_fault_38_damaged_package_is_refused_before_lock_and_endpoint(damage: Damage, why: str) -> None:
    world = before_a_rollout()
    damage(world)
    before = everything(world)
    machine = Machine(world).finish()
    assert machine.played == [("check", "refused")] and why in machine.answer["sentence"]
    assert everything(world) == before


@pytest.mark.parametrize(("damage", "why"), DAMAGES.values(), ids=DAMAGES)
def test_fault_38_package_damaged_while_its_endpoint_comes_up_is_rolled_back_before_any_traffic(
    damage: Damage, why: str
) -> None:
    world = before_a_rollout()
    machine, routing = Machine(world).reach("smoke"), world.routing
    damage(world)
    assert machine.step() == "roll_back" and why in machine.answer["sentence"]
    assert machine.finish().word == "released"
    assert world.routing == routing
    check_rolled_back(world)


def test_fault_38_document_lost_after_the_check_is_refused_before_the_lock() -> None:
    world = before_a_rollout()
    machine, before = Machine(world).reach("lock"), everything(world)
    del world.objects.held[world.registry.versions[SECOND].document_uri or ""]
    assert machine.finish().word == "refused"
    assert everything(world) == before


@pytest.mark.parametrize("score", [Score(0.5), None])
def test_fault_38_model_that_scores_otherwise_than_its_package_says_is_rolled_back_before_any_traffic(
    score: Score | None,
) -> None:
    world = before_a_rollout()
    routing = world.routing
    world.scorer.answers["fraud-b"] = lambda rows: [score for _ in rows]
    machine = Machine(world).finish()
    assert ("smoke", "roll_back") in machine.played
    assert "a smoke vector is scored" in world.record.reason
    assert world.routing == routing
    check_rolled_back(world)
