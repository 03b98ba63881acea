"""Every test that asks for stores runs twice: over the fakes and over the adapters."""

import pytest

from tests.fakes.fixtures import functions, stores, world
from tests.fakes.rollout_machine import abandon, before_a_rollout
from tests.fakes.rollout_world import RolloutWorld
from tests.fakes.world import Stores

__all__ = ["functions", "stores", "world"]


@pytest.fixture
def abandoned(stores: Stores) -> RolloutWorld:
    """The execution `first` shifted half of the cards, and is silent beyond its lease."""
    return abandon(before_a_rollout(stores, shadow_seconds=0))
