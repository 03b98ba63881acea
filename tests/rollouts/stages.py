"""Rollouts of version 2 to slot b, beside version 1 in slot a, brought to each of their stages by their own tasks."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from fraud.errors import FraudError
from tests.fakes.rollout_world import RolloutWorld, task

OTHER = "arn:aws:states:eu-central-1:123456789012:execution:rollout:second"
PACKAGE = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/"
FIRST, SECOND, THIRD = (f"{PACKAGE}{version}" for version in (1, 2, 3))
TOKEN = "a token"


def given(package: str = SECOND, **plan: Any) -> dict[str, Any]:
    """An execution's input."""
    return {"model_package_arn": package, "plan": plan, "started_by": "ada"}


def lock(world: RolloutWorld, package: str = SECOND, **plan: Any) -> RolloutWorld:
    answer = world.start.lock(task("lock", input=given(package, **plan), model_package_arn=package))
    assert answer.next == "locked"
    return world


def locked(**plan: Any) -> RolloutWorld:
    world = RolloutWorld().with_champion()
    world.enlist()
    return lock(world, **plan)


def bring_up(world: RolloutWorld) -> RolloutWorld:
    while world.challenger.bring_up(task("bring_up")).next != "ready":
        pass
    return world


def deployed(**plan: Any) -> RolloutWorld:
    return bring_up(locked(**plan))


def in_shadow(**plan: Any) -> RolloutWorld:
    world = deployed(**plan)
    assert world.shifting.shadow(task("shadow")).next == "shadowing"
    return world


def at_step(step: int, **plan: Any) -> RolloutWorld:
    """Shifted from the shadow to a step; 2 is full traffic."""
    world = in_shadow(**plan)
    for each in range(step + 1):
        assert world.shifting.shift(task("shift", step=each)).next == "shifted"
    return world


def asked(step: int = 2, **plan: Any) -> RolloutWorld:
    """Waits for an answer to whether it may go to a step."""
    approval = "before_full" if step else "before_traffic"
    world = at_step(step - 1, approval=approval, **plan)
    world.callbacks.waiting.add(TOKEN)
    assert world.steering.ask(task("ask", step=step, token=TOKEN)).next == "asked"
    return world


def promoted() -> RolloutWorld:
    world = at_step(2)
    assert world.shifting.promote(task("promote")).next == "promoted"
    return world


def restored(sentence: str = "It was no good.") -> RolloutWorld:
    world = at_step(0)
    assert world.shifting.restore(task("restore", sentence=sentence)).next == "restored"
    return world


@contextmanager
def nothing_written(world: RolloutWorld) -> Iterator[None]:
    """Neither record nor routing item change."""
    before = world._store.read(), world.routing
    yield
    assert (world._store.read(), world.routing) == before


@contextmanager
def refused(world: RolloutWorld, kind: type[FraudError], words: str) -> Iterator[None]:
    """It is refused in these words, and nothing is written."""
    with nothing_written(world), pytest.raises(kind, match=words):
        yield
