"""Executions of the rollout's state machine, played task by task, so that a test can step in between any two.

It orders, waits and retries as `state_machines/rollout.asl.json` does, without an interpreter: a whole rollout takes a
few milliseconds, so that every moment of it can be tried.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fraud.errors import DeploymentInterrupted, RolloutMoved, StoreUnavailable
from fraud.rollout import Stage
from tests.fakes.faults import Clock, Fault
from tests.fakes.rollout_world import PLAN, RolloutWorld
from tests.fakes.rollouts import EXECUTION
from tests.fakes.samples import NOW
from tests.fakes.world import MemoryStores, Stores

QUICK: Mapping[str, Any] = {
    **PLAN,
    "steps_bps": [5_000],
    "shadow_seconds": 2,
    "bake_seconds": 2,
    "soak_seconds": 2,
    "look_seconds": 2,
    "deadline_seconds": 20,
    "gates": PLAN["gates"] | {"transactions": 4},
}
"""A shadow, one step and full traffic, a few transactions each."""
PACKAGE = "arn:aws:sagemaker:eu-central-1:123456789012:model-package/fraud/"
TRANSIENT = (StoreUnavailable, DeploymentInterrupted, RolloutMoved)
TRIES = 7
"""The first one and the retries."""
MOST_TASKS = 200
"""A rollout that takes more of them will never end."""

FUNCTIONS = {
    "check": "prepare_rollout",
    "lock": "prepare_rollout",
    "bring_up": "deploy_challenger",
    "smoke": "deploy_challenger",
    "remove": "deploy_challenger",
    "judge": "judge_rollout",
    "ask": "steer_rollout",
} | dict.fromkeys(
    ("serve_first", "shadow", "shift", "verify", "promote", "restore", "verify_rollback", "release"), "shift_traffic"
)
"""Task → the function that does it."""
ANSWER, ANNOUNCE = "answer", "announce"
"""No tasks of a function: a person's answer, waited for until the next look, and an event on the bus."""

NEXT: dict[tuple[str, str], str | None] = {
    ("check", "roll_out"): "lock",
    ("check", "nothing"): None,
    ("check", "refused"): None,
    ("lock", "locked"): "bring_up",
    ("lock", "under_way"): None,
    ("lock", "refused"): None,
    ("bring_up", "wait"): "bring_up",
    ("bring_up", "ready"): "smoke",
    ("smoke", "bootstrap"): "serve_first",
    ("smoke", "shadow"): "shadow",
    ("smoke", "shift"): "shift",
    ("smoke", "ask"): "ask",
    ("serve_first", "served"): "remove",
    ("shadow", "shadowing"): "judge",
    ("judge", "hold"): "judge",
    ("judge", "shift"): "shift",
    ("judge", "ask"): "ask",
    ("judge", "promote"): "promote",
    ("shift", "shifted"): "verify",
    ("verify", "verified"): "judge",
    ("ask", "asked"): ANSWER,
    (ANSWER, "answered"): "judge",
    (ANSWER, "timeout"): "judge",
    ("shift", "paused"): "judge",
    ("promote", "promoted"): "remove",
    ("promote", "paused"): "judge",
    ("restore", "restored"): "verify_rollback",
    ("restore", "promoted"): "remove",
    ("restore", "superseded"): None,
    ("verify_rollback", "verified"): "remove",
    ("verify_rollback", "superseded"): None,
    ("remove", "wait"): "remove",
    ("remove", "removed"): ANNOUNCE,
    (ANNOUNCE, "announced"): "release",
    ("remove", "superseded"): None,
    ("release", "released"): None,
    ("release", "superseded"): None,
}
"""What follows from the word of an answer; from any other it is the restoring of traffic."""
FINAL = ("restore", "verify_rollback", "remove", "release")
"""Tasks whose failure ends an execution."""


def before_a_rollout(stores: Stores | None = None, **plan: Any) -> RolloutWorld:
    """Version 1 serves in slot a, and versions 2 and 3 are approved."""
    world = RolloutWorld(stores or MemoryStores(Clock(NOW)), plan={**QUICK, **plan}).with_champion()
    world.enlist()
    world.enlist()
    return world


def meet(world: RolloutWorld, moment: str, call: str, fault: Fault, nth: int = 1) -> None:
    """Let the so manieth call of this name from now on meet a fault before or after its effect."""
    {"before": world.faults.before, "after": world.faults.after}[moment](call, world.faults.count(call) + nth, fault)


def check_rolled_back(world: RolloutWorld) -> None:
    """The champion serves alone, the challenger is gone, and no decision is lost."""
    assert (world.record.stage, world.record.verified, world.record.released) == (Stage.ROLLED_BACK, True, True)
    assert world.routing is not None and (world.routing.challenger, world.routing.share_bps) == (None, 0)
    assert world.serving() == f"{PACKAGE}1"
    assert world.endpoints.standing.keys() == {"fraud-a"}
    world.check_nothing_lost()


def everything(world: RolloutWorld) -> Any:
    """All that a rollout may change."""
    endpoints = {name: (each.plan, each.going) for name, each in world.endpoints.standing.items()}
    callbacks = (list(world.callbacks.resumed), list(world.callbacks.interrupted))
    told = (list(world.bell.rung), list(world.announcements.made), *callbacks)
    return world._store.read(), world.routing, endpoints, list(world.endpoints.created), told


def execution(name: str) -> str:
    """ARN of an execution."""
    return EXECUTION.rpartition(":")[0] + f":{name}"


@dataclass
class Machine:
    """An execution.

    Args:
        world: the stack.
        name: of the execution.
        version: that it is to roll out.
        plan: what of the plan is asked for.
        next: the task that comes next; None at the end.
        answer: the last one.
        played: every task so far, and the word of its answer.
    """

    world: RolloutWorld
    name: str = "first"
    version: int = 2
    plan: Mapping[str, Any] = field(default_factory=dict)
    next: str | None = "check"
    answer: dict[str, Any] = field(default_factory=dict)
    played: list[tuple[str, str]] = field(default_factory=list)

    @property
    def arn(self) -> str:
        return execution(self.name)

    @property
    def given(self) -> dict[str, Any]:
        """Its input."""
        return {"model_package_arn": f"{PACKAGE}{self.version}", "plan": dict(self.plan), "started_by": "ada"}

    @property
    def word(self) -> str:
        """Of the last answer; empty before the first."""
        return str(self.answer.get("next", ""))

    @property
    def token(self) -> str:
        """Resumes it from its last question."""
        return f"{self.name}-{sum(task == 'ask' for task, _ in self.played)}"

    def reach(self, task: str, visit: int = 1) -> Machine:
        """Play until a task comes next for the so manieth time."""
        for _ in range(MOST_TASKS):
            if self.next == task and sum(each == task for each, _ in self.played) == visit - 1:
                return self
            self.step()
        raise AssertionError(f"{task} is not reached: {self.played}")

    def reach_look(self, stage: Stage) -> Machine:
        """Play until the first look at a stage comes next."""
        for _ in range(MOST_TASKS):
            if self.next == "judge" and self.world.record.stage is stage:
                return self
            self.step()
        raise AssertionError(f"{stage} is not reached: {self.played}")

    def finish(self) -> Machine:
        """Play to the end."""
        for _ in range(MOST_TASKS):
            if self.next is None:
                return self
            self.step()
        raise AssertionError(f"it does not end: {self.played}")

    def step(self) -> str:
        """Wait, if the machine does, and do the next task; the word of its answer."""
        task = self.next
        assert task is not None, "it is over"
        if self.word == "wait" or (task == "judge" and self.word not in ("answered", "timeout")):
            self.world.pass_by(self.answer["wait_seconds"])
        self.answer = {ANSWER: self._heard, ANNOUNCE: self._announced}.get(task, lambda: self._tried(task))()
        self.played.append((task, self.word))
        self.next = NEXT.get((task, self.word), "restore")
        return self.word

    def call(self, task: str, **fields: Any) -> dict[str, Any]:
        """Do a task now, whatever comes next."""
        event = {"task": task, "execution": self.arn, "execution_name": self.name, "input": self.given}
        carried = {name: self.answer[name] for name in ("step", "model_package_arn", "sentence") if name in self.answer}
        functions = self.world.functions(lambda name: name)
        answer: dict[str, Any] = functions[FUNCTIONS[task]](event | carried | fields)
        return answer

    def _tried(self, task: str) -> dict[str, Any]:
        fields: dict[str, Any] = {}
        # The answer before is kept while a person is asked: it says how long the machine waits.
        kept: dict[str, Any] = {}
        if task == "ask":
            fields["token"] = f"{self.name}-{1 + sum(each == 'ask' for each, _ in self.played)}"
            kept["wait_seconds"] = self.answer["wait_seconds"]
        for _ in range(TRIES - 1):
            try:
                return self.call(task, **fields) | kept
            except TRANSIENT:
                continue
        try:
            return self.call(task, **fields) | kept
        except TRANSIENT as error:
            if task in FINAL:
                raise
            return {"next": "failed", "sentence": f"{type(error).__name__}: {error}"}

    def _heard(self) -> dict[str, Any]:
        """What came of the question by now; if nothing did, nothing comes until the next look."""
        for token, step, _ in self.world.callbacks.resumed:
            if token == self.token:
                return self.answer | {"next": "answered", "step": step}
        if self.token in self.world.callbacks.waiting:
            self.world.pass_by(self.answer["wait_seconds"])
            self.world.callbacks.waiting.remove(self.token)
            return self.answer | {"next": "timeout"}
        return {"next": "failed", "sentence": "It was interrupted."}

    def _announced(self) -> dict[str, Any]:
        """The event says what the answer before it does, which stays."""
        self.world.announcements.made.append((self.name, str(self.world.record.stage), self.answer["sentence"]))
        return self.answer | {"next": "announced"}


def abandon(world: RolloutWorld) -> RolloutWorld:
    """Let the execution `first` shift half of the cards, and be silent beyond its lease."""
    traffic = world.per_second
    machine = Machine(world).reach("bring_up")
    world.per_second = 0
    machine.reach("judge")
    world.clock.now = world.record.lease_until + 1
    world.per_second = traffic
    return world


def calls(world: RolloutWorld, machine: Machine) -> list[tuple[str, int]]:
    """Calls of a machine's next task, and which of their name they are."""
    world.faults.calls.clear()
    machine.step()
    made = world.faults.calls
    return [(name, made[: place + 1].count(name)) for place, name in enumerate(made)]


def every_task(world: RolloutWorld, machine: Machine) -> Iterator[str]:
    """Play to the end; names every task that comes next."""
    while machine.next is not None:
        yield machine.next
        machine.step()
