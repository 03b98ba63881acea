"""Executions of the committed machine with the functions as they are, over a stack in memory whose traffic flows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any
from unittest.mock import patch

import msgspec
from moto.stepfunctions.parser.asl.component.state.state import CommonStateField

from fraud.aws.callbacks import STOPPED
from fraud.decision import NO_SLOT
from fraud.deployment_ports import EndpointPlan
from fraud.rollout import Stage
from fraud.rollout_task import Answer
from tests.fakes.rollout_machine import PACKAGE, QUICK, before_a_rollout
from tests.fakes.rollout_world import RolloutWorld
from tests.fakes.rollouts import MemoryEndpoints
from tests.state_machines import engine
from tests.state_machines.committed import STATES, arn, filled
from tests.state_machines.engine import Engine, Refusal, Run

ENTER = CommonStateField._eval_body
"""The interpreter's own; an engine replaces it while it runs."""
Happening = Callable[[RolloutWorld], object]
"""What else goes on in a stack."""


def nothing(world: RolloutWorld) -> None:
    """Nothing else goes on."""


# --- The stack --------------------------------------------------------------------------------------------------------


@dataclass
class GuardedEndpoints(MemoryEndpoints):
    """Endpoints that remember every change that was asked for.

    Args:
        serving: endpoints that serve somebody now.
        asked: the change, and the endpoint.
        touched: those of them that were about an endpoint that served somebody.
    """

    serving: Callable[[], set[str]] = set
    asked: list[tuple[str, str]] = field(default_factory=list)
    touched: list[tuple[str, str]] = field(default_factory=list)

    def create(self, plan: EndpointPlan) -> None:
        self._note("create", plan.endpoint)
        super().create(plan)

    def clear(self, endpoint: str) -> bool:
        self._note("clear", endpoint)
        return super().clear(endpoint)

    def _note(self, change: str, endpoint: str) -> None:
        self.asked.append((change, endpoint))
        if endpoint in self.serving():
            self.touched.append((change, endpoint))


def stack(**plan: Any) -> RolloutWorld:
    """Version 1 serves in slot a, and versions 2 and 3 are approved; endpoints take their time, people little."""
    return _guarded(before_a_rollout(**{"approval_seconds": 10, "pause_seconds": 100} | plan))


def empty_stack() -> RolloutWorld:
    """Versions 1 to 3 are approved, and none serves."""
    world = RolloutWorld(plan=QUICK)
    for _ in range(3):
        world.enlist()
    return _guarded(world)


def _guarded(world: RolloutWorld) -> RolloutWorld:
    world.endpoints = GuardedEndpoints(**vars(world.endpoints), serving=lambda: serving(world))
    world.endpoints.looks = world.endpoints.lingering = 1
    return world


def guard(world: RolloutWorld) -> GuardedEndpoints:
    assert isinstance(world.endpoints, GuardedEndpoints)
    return world.endpoints


def serving(world: RolloutWorld) -> set[str]:
    """Endpoints that the routing item names."""
    return {model.endpoint for model in world.routing.slots.values()} if world.routing else set()


def standing(world: RolloutWorld) -> set[str]:
    """Endpoints that are there to stay."""
    return {name for name, each in world.endpoints.standing.items() if not each.going}


# --- Executions -------------------------------------------------------------------------------------------------------


def machine(
    world: RolloutWorld, name: str = "first", *, meanwhile: Happening = nothing, person: Happening = nothing
) -> Engine:
    """An execution that waits while traffic flows.

    Args:
        world: the stack.
        name: of the execution.
        meanwhile: happens at the end of every wait.
        person: is asked for an approval.
    """

    def wait(seconds: int) -> None:
        world.pass_by(seconds)
        meanwhile(world)

    def ask(token: str, _: int) -> engine.Answer:
        person(world)
        return heard(world, token)

    return Engine(filled(), world.functions(function_arn), on_wait=wait, on_token=ask, name=name)


def function_arn(name: str) -> str:
    """Of `prepare_rollout` or another."""
    return arn(f"{name.title().replace('_', '')}Arn")


def heard(world: RolloutWorld, token: str) -> engine.Answer:
    """What the machine hears of the answer to its question, as the adapter sends it."""
    for resumed, step, by in world.callbacks.resumed:
        if resumed == token:
            output: dict[str, Any] = msgspec.to_builtins(Answer(next="shift", sentence=f"Approved by {by}.", step=step))
            return output
    for interrupted, sentence in world.callbacks.interrupted:
        if interrupted == token:
            return Refusal(STOPPED, sentence)
    world.callbacks.waiting.discard(token)
    return None


@contextmanager
def beside() -> Iterator[None]:
    """Lets an execution run while another one waits: it takes the interpreter as it is, and leaves the machine."""
    client = engine._client()
    with patch.object(CommonStateField, "_eval_body", ENTER), patch.object(client, "delete_state_machine"):
        yield


def at(stage: Stage, happening: Happening) -> Happening:
    """Let something happen once, when the rollout has come to a stage."""
    left = [happening]

    def meanwhile(world: RolloutWorld) -> None:
        if left and world.record.stage is stage:
            left.pop()(world)

    return meanwhile


def approve(world: RolloutWorld) -> None:
    """Grace says yes."""
    assert world.record.approval is not None
    world.steering.approve("grace", world.record.approval.request_id)


# --- Looking ----------------------------------------------------------------------------------------------------------


def steps(run: Run) -> list[str]:
    """The tasks of an execution, each loop of one told once."""
    return [state for state, _ in groupby(each for each in run.states if STATES[each]["Type"] == "Task")]


def announced(*runs: Run) -> list[str]:
    """What was put on the bus."""
    return [event["DetailType"] for run in runs for event in run.events()]


def promotions(world: RolloutWorld) -> Sequence[int]:
    """Versions that rollouts which are over promoted."""
    past: Any = vars(world._store)["past"]
    return [each.candidate.version for _, each in sorted(past.items()) if each.stage is Stage.PROMOTED]


def check_settled(world: RolloutWorld, version: int | None) -> None:
    """One version serves alone, or none; no endpoint was touched while it served, and no decision is lost."""
    world.flow(8)
    routing = world.routing
    late = [world.stores.decided()[f"t{number}"].slot for number in range(world.sent - 8, world.sent)]
    assert set(late) == {routing.champion if routing else NO_SLOT}
    assert world.serving() == (version and f"{PACKAGE}{version}")
    assert routing is None or (routing.challenger, routing.share_bps, routing.shadow_bps) == (None, 0, 0)
    assert routing is None or routing.slots.keys() == {routing.champion}
    assert guard(world).touched == []
    check_counted(world)


def check_counted(world: RolloutWorld) -> None:
    """No decision is lost, and the counters say of every epoch and slot what was decided there."""
    world.check_nothing_lost()
    decided = Counter((each.epoch, each.slot) for each in world.stores.decided().values())
    counted: Counter[tuple[int, str]] = Counter()
    for (epoch, slot, _), each in world.stores.counters().items():
        counted[epoch, slot] += each["transactions"]
    assert counted == decided


def check_only_endpoint(world: RolloutWorld) -> None:
    """What serves is all that costs money."""
    assert standing(world) == serving(world)
