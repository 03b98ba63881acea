"""The champion's machines follow its traffic between rollouts, and stay as they are during one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fraud.errors import DeploymentFailed, DeploymentInterrupted
from fraud.routing import ServedModel
from fraud.services.slots import Slots
from tests.fakes import samples
from tests.fakes.rollout_world import MOST_INSTANCES, SLOTS, events, task
from tests.fakes.rollouts import MemoryEndpoints, MemoryScaling
from tests.rollouts.stages import bring_up, deployed, locked, promoted


def slots(champion: ServedModel | None, scaling: MemoryScaling, most: int = 4) -> Slots:
    """Slots of which a serves, if any does."""

    class Routings:
        def read(self) -> object:
            return champion and replace(samples.routing(), champion="a", slots={"a": champion})

    return Slots(MemoryEndpoints(), Routings(), SLOTS, scaling, most)  # type: ignore[arg-type]


def served(**fields: object) -> ServedModel:
    machines = {"endpoint": "fraud-a", "instance_type": "ml.m5.large", "instance_count": 2}
    return replace(samples.model("a"), **machines | fields)  # type: ignore[arg-type]


def test_champion_follows_its_traffic_between_its_machines_and_the_most() -> None:
    scaling = MemoryScaling()
    slots(served(), scaling).follow()
    assert scaling.bounds == {"fraud-a": (2, 4)}


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({}, 2),
        ({}, 0),
        ({"instance_type": "serverless.2gb"}, 4),
        ({"instance_type": "", "instance_count": 0}, 4),
    ],
    ids=["as many as it has", "never", "serverless", "of before machines were known"],
)
def test_champion_that_is_not_to_grow_does_not_go_on_growing(fields: dict[str, object], most: int) -> None:
    """The stack may have been deployed with another profile since it began to."""
    scaling = MemoryScaling(bounds={"fraud-a": (2, 6)}, held={"fraud-a"})
    slots(served(**fields), scaling, most).follow()
    assert (scaling.bounds, scaling.held) == ({}, set())


def test_stack_without_a_model_has_nothing_to_hold_or_to_follow() -> None:
    scaling = MemoryScaling()
    slots(None, scaling).hold()
    slots(None, scaling).follow()
    assert (scaling.bounds, scaling.held) == ({}, set())


def test_champion_is_held_while_its_challenger_comes_up() -> None:
    world = locked()
    world.scaling.follow("fraud-a", 1, MOST_INSTANCES)
    world.challenger.bring_up(task("bring_up"))
    assert world.scaling.held == {"fraud-a"}


def test_endpoint_is_not_asked_for_before_the_champion_is_held() -> None:
    world = locked()
    world.faults.before("scaling.hold", 1, DeploymentInterrupted("later"))
    with pytest.raises(DeploymentInterrupted, match="later"):
        world.challenger.bring_up(task("bring_up"))
    assert world.endpoints.created == []


def test_challenger_follows_once_it_is_the_champion_alone() -> None:
    world = promoted()
    while world.challenger.remove(task("remove")).next != "removed":
        world.pass_by(60)
    assert (world.scaling.bounds, world.scaling.held) == ({"fraud-b": (1, MOST_INSTANCES)}, set())


def test_refusal_to_follow_does_not_keep_a_rollout_from_ending() -> None:
    world = promoted()
    world.faults.always("scaling.follow", DeploymentFailed("scaling endpoint fraud-b: ValidationException: no"))
    while (answer := world.challenger.remove(task("remove"))).next != "removed":
        world.pass_by(60)
    said = "Machines do not follow the traffic: scaling endpoint fraud-b: ValidationException: no."
    assert answer.sentence.endswith(said)
    assert said in events(world.record)


def test_challenger_may_grow_and_does_not_shrink_while_it_takes_traffic() -> None:
    world = deployed()
    assert (world.scaling.bounds, world.scaling.held) == ({"fraud-b": (1, MOST_INSTANCES)}, {"fraud-b"})


def test_refusal_to_grow_does_not_keep_a_challenger_from_traffic() -> None:
    world = locked()
    world.faults.always("scaling.follow", DeploymentFailed("scaling endpoint fraud-b: ValidationException: no"))
    bring_up(world)
    said = "Machines do not follow the traffic: scaling endpoint fraud-b: ValidationException: no."
    assert said in events(world.record)
