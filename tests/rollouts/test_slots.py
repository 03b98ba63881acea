"""The champion's machines follow its traffic between rollouts, and stay as they are during one."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fraud.errors import DeploymentInterrupted
from fraud.routing import ServedModel
from fraud.services.slots import Scaled, Slots
from tests.fakes import samples
from tests.fakes.rollout_world import MOST_INSTANCES, SLOTS, task
from tests.fakes.rollouts import MemoryEndpoints, MemoryScaling
from tests.rollouts.stages import bring_up, locked, promoted


def slots(champion: ServedModel | None, scaling: MemoryScaling, most: int = 4) -> Slots:
    """Slots of which a serves, if any does."""

    class Routings:
        def read(self) -> object:
            return champion and replace(samples.routing(), champion="a", slots={"a": champion})

    return Slots(MemoryEndpoints(), Routings(), SLOTS, Scaled(scaling, most))  # type: ignore[arg-type]


def served(**fields: object) -> ServedModel:
    machines = {"endpoint": "fraud-a", "instance_type": "ml.m5.large", "instance_count": 2}
    return replace(samples.model("a"), **machines | fields)  # type: ignore[arg-type]


def test_champion_follows_its_traffic_between_its_machines_and_the_most() -> None:
    scaling = MemoryScaling()
    assert slots(served(), scaling).clear() == []
    assert scaling.bounds == {"fraud-a": (2, 4)}


@pytest.mark.parametrize(
    ("fields", "most"),
    [
        ({}, 2),
        ({}, 1),
        ({"instance_type": "serverless.2gb"}, 4),
        ({"instance_type": "", "instance_count": 0}, 4),
    ],
    ids=["as many as it has", "fewer than it has", "serverless", "of before machines were known"],
)
def test_champion_that_cannot_grow_is_left_alone(fields: dict[str, object], most: int) -> None:
    scaling = MemoryScaling()
    slots(served(**fields), scaling, most).clear()
    assert scaling.bounds == {}


def test_stack_without_a_model_has_nothing_to_hold_or_to_follow() -> None:
    scaling = MemoryScaling()
    slots(None, scaling).hold()
    slots(None, scaling).clear()
    assert (scaling.bounds, scaling.held) == ({}, set())


def test_champion_is_held_while_its_challenger_comes_up() -> None:
    world = locked()
    world.scaling.follow("fraud-a", 1, MOST_INSTANCES)
    bring_up(world)
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


def test_champion_follows_again_once_its_challenger_is_removed() -> None:
    scaling = MemoryScaling()
    both = slots(served(), scaling)
    both.clear()
    both.hold()
    assert scaling.held == {"fraud-a"}
    both.clear()
    assert (scaling.bounds, scaling.held) == ({"fraud-a": (2, 4)}, set())
