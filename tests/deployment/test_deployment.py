"""Putting a model in service: in the right order, or not at all and with nothing left behind."""

from __future__ import annotations

from typing import Any

import pytest

from fraud.deployment_ports import Approval, EndpointState, Instance, Phase
from fraud.errors import (
    DeploymentFailed,
    DeploymentInterrupted,
    FraudError,
    InvalidPackage,
    ModelUnavailable,
    RoutingConflict,
    StoreUnavailable,
)
from fraud.model_package import digest, document_in
from fraud.routing import Routing, ServedModel
from fraud.services.deployment import LONGEST_PAUSE, PATIENCE, SMOKE_ATTEMPTS
from tests.deployment import packages
from tests.deployment.fakes import LOOK_CHANGING, LOOK_READY, Endpoints, RoutingItem, Scorer, World

SERVED = ServedModel(
    endpoint="fraud-a",
    model_package=packages.ARN,
    contract=packages.NAMES,
    contract_hash=packages.document()["contract"]["hash"],
    review_threshold=0.6,
    block_threshold=0.9,
)
CHAMPION = Routing(1, "steady", "a", None, 0, "fresh", {"a": SERVED})
OTHER = ServedModel("fraud-b", "arn:other/2", packages.NAMES, "hash", 0.5, 0.8)


def failed(world: World, kind: type[FraudError], words: str) -> FraudError:
    """Bootstrap, which must fail like this."""
    with pytest.raises(kind, match=words) as caught:
        world.bootstrap()
    return caught.value


def test_bootstrap_approved_package_serves_every_card_from_slot_a() -> None:
    world = World()

    assert world.bootstrap() == CHAMPION

    assert world.routing.item == CHAMPION
    assert world.endpoints.created == [packages.PLAN]
    assert world.endpoints.removed == []
    assert world.scorer.asked == [(SERVED, [[1000.0, 0.0, None], [90000.0, 7.0, 0.5]])]


def test_bootstrap_tells_every_step() -> None:
    world = World()

    world.bootstrap()

    assert world.told == [
        f"Checking {packages.ARN}",
        "Creating endpoint fraud-a on 1 x ml.m5.large",
        "Waiting for endpoint fraud-a, 0 s",
        "Scoring 2 smoke vectors",
        f"{packages.ARN} serves as champion in slot a",
    ]


def test_bootstrap_beside_a_champion_is_refused_before_anything_is_looked_at() -> None:
    world = World(routing=RoutingItem(Routing(4, "steady", "b", None, 0, "salt", {"b": OTHER})))

    failed(world, RoutingConflict, r"arn:other/2 already serves as champion in slot b, epoch 4: bring .* rollout")

    assert world.told == [] and world.endpoints.created == []


@pytest.mark.parametrize(
    ("fields", "kind", "words"),
    [
        ({"approval": Approval.PENDING}, InvalidPackage, "is pending, not approved"),
        ({"approval": Approval.REJECTED}, InvalidPackage, "is rejected, not approved"),
        ({"completed": False}, DeploymentInterrupted, "not completely registered yet"),
        ({"document_uri": None}, InvalidPackage, "records no package_uri: without a feature contract"),
        ({"document_uri": "s3://archive/none"}, InvalidPackage, "there is no object s3://archive/none"),
        ({"artefact_uri": "s3://archive/none"}, InvalidPackage, "there is no object s3://archive/none"),
        ({"artefact_sha256": "0" * 64}, InvalidPackage, "not the one that was registered"),
        ({"artefact_bytes": 7}, InvalidPackage, "bytes, not 7"),
    ],
)
def test_bootstrap_package_in_no_state_to_serve_creates_nothing(
    fields: dict[str, Any], kind: type[FraudError], words: str
) -> None:
    world = World()
    world.registry.known[packages.ARN] = packages.registered(**fields)

    failed(world, kind, words)

    assert world.endpoints.created == [] and world.scorer.asked == [] and world.routing.item is None


@pytest.mark.parametrize("completed", [True, False])
def test_packages_tell_whether_a_registration_is_complete(completed: bool) -> None:
    world = World()
    world.registry.known[packages.ARN] = packages.registered(completed=completed)

    assert world.deployment().packages.is_complete(packages.ARN) is completed


def test_bootstrap_unknown_package_creates_nothing() -> None:
    world = World()
    world.registry.known.clear()

    failed(world, InvalidPackage, "there is no model package")

    assert world.endpoints.created == []


def test_bootstrap_contract_of_another_meaning_creates_nothing() -> None:
    world = World()
    world.packages.objects[packages.DOCUMENT_URI] = packages.text(contract={"names": packages.NAMES, "hash": "0" * 16})

    failed(world, InvalidPackage, "the contract's hash is 0000000000000000")

    assert world.endpoints.created == []


def test_bootstrap_damaged_artefact_without_recorded_digest_creates_nothing() -> None:
    world = World()
    world.registry.known[packages.ARN] = packages.registered(artefact_sha256=None, artefact_bytes=None)
    world.packages.objects[packages.URI] = packages.archive()[:-20]

    failed(world, InvalidPackage, "the artefact cannot be read")

    assert world.endpoints.created == []


def test_bootstrap_document_beside_differs_from_the_one_inside_creates_nothing() -> None:
    world = World()
    world.packages.objects[packages.DOCUMENT_URI] = packages.text(thresholds={"review": 0.1, "block": 0.2})

    failed(world, InvalidPackage, "differs from the one inside")

    assert world.endpoints.created == []


def test_bootstrap_package_without_recorded_digest_is_served() -> None:
    world = World()
    world.registry.known[packages.ARN] = packages.registered(artefact_sha256=None, artefact_bytes=None)

    assert world.bootstrap() == CHAMPION


def test_bootstrap_refused_endpoint_is_cleaned_up() -> None:
    world = World(endpoints=Endpoints(refusal=DeploymentFailed("no quota")))

    failed(world, DeploymentFailed, "^no quota$")

    assert world.endpoints.removed == [packages.PLAN] and world.routing.item is None


@pytest.mark.parametrize(
    ("look", "words"),
    [
        (EndpointState(Phase.FAILED, packages.PLAN.name, "Failed: no such image"), "Failed: no such image"),
        (EndpointState(Phase.IN_SERVICE, "older", "InService"), "in service with configuration older, not fraud-a-v3-"),
        (None, "fraud-a does not exist"),
    ],
)
def test_bootstrap_endpoint_that_does_not_come_up_is_cleaned_up(look: EndpointState | None, words: str) -> None:
    world = World(endpoints=Endpoints(looks=[LOOK_CHANGING, look]))

    failed(world, DeploymentFailed, words)

    assert world.endpoints.removed == [packages.PLAN]
    assert world.scorer.asked == [] and world.routing.item is None


def test_bootstrap_endpoint_that_takes_too_long_is_left_to_come_up() -> None:
    world = World(endpoints=Endpoints(looks=[LOOK_CHANGING]))

    failed(world, DeploymentInterrupted, "not in service after 30 minutes; .* run the same again")

    assert PATIENCE <= world.now < PATIENCE + LONGEST_PAUSE
    assert world.endpoints.removed == []


def test_bootstrap_after_an_interruption_goes_on() -> None:
    world = World(endpoints=Endpoints(looks=[LOOK_CHANGING]))
    failed(world, DeploymentInterrupted, "not in service")
    world.endpoints.looks = [LOOK_READY]

    assert world.bootstrap() == CHAMPION

    assert world.endpoints.created == [packages.PLAN, packages.PLAN]


@pytest.mark.parametrize("scores", [[0.02, 0.96], [0.02, None], [0.02002, 0.97]])
def test_bootstrap_other_scores_than_recorded_never_serve(scores: list[float | None]) -> None:
    world = World(scorer=Scorer([scores]))

    failed(world, InvalidPackage, "a smoke vector is scored")

    assert world.endpoints.removed == [packages.PLAN] and world.routing.item is None


def test_bootstrap_scores_within_tolerance_serve() -> None:
    world = World(scorer=Scorer([[0.020009, 0.969991]]))

    assert world.bootstrap() == CHAMPION


def test_bootstrap_first_answers_too_late_are_asked_for_again() -> None:
    world = World(scorer=Scorer([ModelUnavailable("ReadTimeoutError"), ModelUnavailable("ModelError"), [0.02, 0.97]]))

    assert world.bootstrap() == CHAMPION


def test_bootstrap_endpoint_that_never_answers_is_cleaned_up() -> None:
    world = World(scorer=Scorer([ModelUnavailable("ModelError")]))

    failed(world, DeploymentFailed, "fraud-a does not score its smoke vectors: ModelError")

    assert len(world.scorer.asked) == SMOKE_ATTEMPTS
    assert world.endpoints.removed == [packages.PLAN] and world.routing.item is None


def test_bootstrap_slower_than_a_rival_elsewhere_removes_its_own_endpoint() -> None:
    rival = Routing(1, "steady", "b", None, 0, "other", {"b": OTHER})
    world = World(routing=RoutingItem(rival=lambda mine: rival))

    failed(world, RoutingConflict, "arn:other/2 already serves")

    assert world.endpoints.removed == [packages.PLAN] and world.routing.item == rival


def test_bootstrap_slower_than_a_rival_on_the_same_endpoint_leaves_it_serving() -> None:
    rival = Routing(1, "steady", "a", None, 0, "other", {"a": SERVED})
    world = World(routing=RoutingItem(rival=lambda mine: rival))

    failed(world, RoutingConflict, "already serves as champion in slot a")

    assert world.endpoints.removed == []


def test_bootstrap_whose_write_arrived_though_its_answer_was_lost_succeeds() -> None:
    world = World(routing=RoutingItem(rival=lambda mine: mine))

    assert world.bootstrap() == CHAMPION

    assert world.endpoints.removed == []


def test_bootstrap_write_of_unknown_outcome_removes_nothing() -> None:
    world = World(routing=RoutingItem(failure=StoreUnavailable("PutItem: ConnectTimeoutError")))

    failed(world, StoreUnavailable, "PutItem")

    assert world.endpoints.removed == []


def test_bootstrap_failing_clean_up_is_told_with_the_reason_for_it() -> None:
    world = World(scorer=Scorer([[0.5, 0.5]]))
    world.endpoints.stuck = DeploymentInterrupted("removing endpoint fraud-a: ThrottlingException: slow down")

    failed(
        world, InvalidPackage, "a smoke vector is scored .* What was created could not be removed: removing endpoint"
    )


def test_remove_endpoint_with_traffic_is_left() -> None:
    world = World(routing=RoutingItem(CHAMPION))

    world.deployment().remove(packages.PLAN)

    assert world.endpoints.removed == []


def test_plan_same_arguments_give_the_same_name_and_other_ones_another() -> None:
    deployment = World().deployment()
    package = deployment.check(packages.ARN)

    assert deployment.plan("a", package, packages.INSTANCE) == packages.PLAN
    assert deployment.plan("b", package, packages.INSTANCE).name.startswith("fraud-b-v3-")
    assert deployment.plan("a", package, Instance("ml.m5.xlarge")).name != packages.PLAN.name


def test_register_stores_the_artefact_and_its_document_under_the_digest() -> None:
    world, artefact = World(), packages.archive()

    assert world.deployment().register(artefact, approved=False) == packages.ARN

    (candidate,) = world.registry.candidates
    assert candidate.artefact_uri == f"s3://archive/models/{digest(artefact)[:16]}/model.tar.gz"
    assert world.packages.objects[candidate.artefact_uri] == artefact
    assert world.packages.objects[candidate.document_uri] == document_in(artefact)
    assert (candidate.artefact_sha256, candidate.artefact_bytes) == (digest(artefact), len(artefact))
    assert candidate.approved is False


def test_register_package_that_cannot_be_served_is_not_registered() -> None:
    world = World()

    with pytest.raises(InvalidPackage, match="no smoke vectors"):
        world.deployment().register(packages.archive(smoke_vectors=[]), approved=True)

    assert world.registry.candidates == []
