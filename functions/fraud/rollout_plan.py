"""The plan of a rollout: what a person may ask for, with defaults, bounds and clear refusals.

    {"model_package_arn": "arn:…/7", "plan": {"steps_bps": [500, 5000], "gates": {"block_rate": 0.02}}}

Everything has a default, so that `{}` is a plan.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, Literal

import msgspec

from fraud.errors import InvalidPlan, RolloutRefused
from fraud.routing import BASIS_POINTS

DAY = 86_400
MOST_STEPS = 10
LONGEST_TYPE = 63
SERVERLESS = re.compile(r"serverless\.([1-6])gb")
"""Memory of a serverless endpoint, in the sizes that SageMaker has, where a type of machine could stand."""
ENDPOINT_LOOK, PAUSED_LOOK, APPROVAL_LOOK = 60, 300, 600
"""Seconds between looks at an endpoint on its way, in a pause, and while a person is asked; at most."""
LONGEST_REMOVAL = 4 * 3_600
"""Seconds until a person is called; an endpoint that is still coming up cannot be removed before it has."""
EVENTS_OF_A_LOOK, EVENTS_OF_A_QUESTION, OTHER_EVENTS = 9, 16, 1_000
"""Events in an execution's history: of a look, of asking a person once more and looking, and of everything else."""
MOST_EVENTS = 24_000
"""Step Functions ends an execution after 25,000."""
GATES = ("traffic", "errors", "latency", "block_rate", "review_rate", "alarms")
"""Names of the gates, in the order they are judged."""
PROVEN, PROOF = ("block_rate", "review_rate"), 2_000
"""Gates that the shadow has to prove, and the pairs that half of all shadows over thousands of cards need at most.

See docs/benchmarks.md.
"""


class Gates(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Limits that a challenger must stay within; rates are shares of transactions, 0 to 1.

    Args:
        transactions: fewest transactions of the challenger's in a stage before the stage can be passed.
        error_rate: highest share of its transactions that it leaves without a score.
        error_rate_increase: how far that share may lie above the champion's.
        latency_p99_ms: highest 99th percentile of its answers to the shadow's calls, milliseconds.
        latency_ratio: how many times the champion's mean time its own may take, on the same rows.
        block_rate: highest share that it may block.
        block_rate_increase: how far that share may lie above or below the champion's.
        review_rate: highest share that it may send to review: what people can look at.
        review_rate_increase: how far that share may lie above or below the champion's.
        error_probability: how often at most a good challenger may be stopped by chance, over a whole stage.
        advisory: names of the gates that are told of, but stop nothing; never `traffic` or `alarms`.
    """

    transactions: int = 1_000
    error_rate: float = 0.01
    error_rate_increase: float = 0.01
    latency_p99_ms: float = 500.0
    latency_ratio: float = 3.0
    block_rate: float = 0.05
    block_rate_increase: float = 0.01
    review_rate: float = 0.10
    review_rate_increase: float = 0.02
    error_probability: float = 0.05
    advisory: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _within("gates.transactions", self.transactions, 1, 100_000_000)
        for name in ("error_rate", "error_rate_increase", "block_rate", "block_rate_increase", "review_rate"):
            _within(f"gates.{name}", getattr(self, name), 0.0, 1.0)
        _within("gates.review_rate_increase", self.review_rate_increase, 0.0, 1.0)
        _within("gates.latency_p99_ms", self.latency_p99_ms, 1.0, 60_000.0)
        _within("gates.latency_ratio", self.latency_ratio, 1.0, 1_000.0)
        _within("gates.error_probability", self.error_probability, 1e-6, 0.5)
        _require(len(set(self.advisory)) == len(self.advisory), "gates.advisory names a gate twice")
        unknown = [name for name in self.advisory if name not in GATES[1:-1]]
        _require(not unknown, f"gates.advisory may name {', '.join(GATES[1:-1])}, not {', '.join(unknown)}")


class Plan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How a challenger gets from no traffic to all of it.

    Args:
        steps_bps: shares of cards on the way, in basis points (100 is 1 %), ascending and below 10,000; full traffic
            follows the last of them.
        shadow_seconds: shortest time that the challenger scores in the shadow before it gets traffic; 0 leaves the
            shadow out.
        shadow_cards_bps: share of cards that are scored in the shadow, in basis points.
        bake_seconds: shortest time at each step.
        soak_seconds: shortest time at full traffic, the former champion kept warm, before it is removed.
        look_seconds: time between two looks at the measurements.
        deadline_seconds: longest time in a stage, pauses not counted; what cannot be told by then is rolled back.
        deploy_seconds: longest time until the endpoint is in service.
        approval: whether a person is asked: `never`, `before_traffic` or `before_full` traffic.
        approval_seconds: how long an answer is waited for; without one the rollout is rolled back.
        pause_seconds: longest pause; after it the rollout is rolled back.
        instance_type: machines of the challenger's endpoint, or `serverless.1gb` to `serverless.6gb` for none at all;
            the champion's, where neither input nor stack says.
        instance_count: how many machines; likewise. A serverless endpoint has none.
        gates: limits.
    """

    steps_bps: tuple[int, ...] = (100, 500, 2_500, 5_000)
    shadow_seconds: int = 900
    shadow_cards_bps: int = BASIS_POINTS
    bake_seconds: int = 900
    soak_seconds: int = 900
    look_seconds: int = 60
    deadline_seconds: int = 4 * 3_600
    deploy_seconds: int = 1_800
    approval: Literal["never", "before_traffic", "before_full"] = "never"
    approval_seconds: int = DAY
    pause_seconds: int = DAY
    instance_type: str = "ml.m5.large"
    instance_count: int = 1
    gates: Gates = msgspec.field(default_factory=Gates)

    def __post_init__(self) -> None:
        steps = self.steps_bps
        _require(1 <= len(steps) <= MOST_STEPS, f"plan.steps_bps must have 1 to {MOST_STEPS} steps, not {len(steps)}")
        _require(
            all(0 < step < BASIS_POINTS for step in steps) and all(low < high for low, high in pairwise(steps)),
            f"plan.steps_bps must ascend between 1 and {BASIS_POINTS - 1} basis points, not {list(steps)}",
        )
        for name, least, most in _BOUNDS:
            _within(f"plan.{name}", getattr(self, name), least, most)
        _require(
            _is_type(self.instance_type),
            "plan.instance_type is neither an ml. type nor serverless.1gb to .6gb: "
            f"{self.instance_type[:LONGEST_TYPE]!r}",
        )
        longest = max(self.shadow_seconds, self.bake_seconds, self.soak_seconds)
        _require(
            longest < self.deadline_seconds,
            f"plan.deadline_seconds must be above the longest stage's {longest} s, not {self.deadline_seconds}",
        )
        _require(
            self.events <= MOST_EVENTS,
            f"the plan may take {self.events:,} events, and {MOST_EVENTS:,} is the most that an execution's history "
            "holds: raise plan.look_seconds, or lower plan.deadline_seconds",
        )

    @property
    def shares(self) -> tuple[int, ...]:
        """The challenger's share at every step, full traffic included, in basis points."""
        return (*self.steps_bps, BASIS_POINTS)

    @property
    def approved_step(self) -> int | None:
        """The step, an index into `shares`, that needs a person's approval."""
        return {"before_traffic": 0, "before_full": len(self.steps_bps)}.get(self.approval)

    @property
    def events(self) -> int:
        """The most events that an execution's history may hold: every stage to its deadline, and one longest pause."""
        looks = self.stages * self.deadline_seconds // self.look_seconds
        looks += (self.deploy_seconds + LONGEST_REMOVAL) // ENDPOINT_LOOK + self.pause_seconds // PAUSED_LOOK
        questions = 0 if self.approval == "never" else self.approval_seconds // APPROVAL_LOOK
        return looks * EVENTS_OF_A_LOOK + questions * EVENTS_OF_A_QUESTION + OTHER_EVENTS

    @property
    def stages(self) -> int:
        """How many stages are judged: the shadow, if any, each step, and full traffic."""
        return len(self.shares) + bool(self.shadow_seconds)


_BOUNDS = (
    ("shadow_seconds", 0, DAY),
    ("shadow_cards_bps", 1, BASIS_POINTS),
    ("bake_seconds", 1, DAY),
    ("soak_seconds", 1, 7 * DAY),
    ("look_seconds", 1, 3_600),
    ("deadline_seconds", 2, 14 * DAY),
    ("deploy_seconds", 10, 4 * 3_600),
    ("approval_seconds", 10, 4 * DAY),
    ("pause_seconds", 10, 2 * DAY),
    ("instance_count", 1, 100),
)


def serverless_memory(instance_type: str) -> int | None:
    """MB of a serverless endpoint; None for one with machines."""
    size = SERVERLESS.fullmatch(instance_type)
    return 1_024 * int(size[1]) if size else None


def _is_type(name: str) -> bool:
    return serverless_memory(name) is not None or (name.startswith("ml.") and len(name) <= LONGEST_TYPE)


def merged(defaults: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """What a person wrote, over the defaults of the stack; gates one by one."""
    gates = {**_mapping(defaults, "gates"), **_mapping(given, "gates")}
    return {**defaults, **given, **({"gates": gates} if gates else {})}


def _mapping(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = given.get(name, {})
    if not isinstance(value, Mapping):
        raise InvalidPlan(f"plan.{name} must be an object, not {value!r}")
    return value


def parse(given: Mapping[str, Any]) -> Plan:
    """A plan from what a person wrote.

    Raises:
        InvalidPlan: with the first thing found wrong, and what is allowed.
    """
    try:
        return msgspec.convert(given, Plan)
    except msgspec.ValidationError as error:
        # A refusal of __post_init__ names its field; msgspec adds where it was.
        raise InvalidPlan(str(error).partition(" - at `$")[0] if error.__cause__ else str(error)) from error


def fitted(plan: Plan, per_second: float) -> Plan:
    """The plan without the first steps that could not see enough transactions in half a stage's longest time."""
    within = plan.deadline_seconds / 2
    enough = plan.gates.transactions
    steps = [share for share in plan.steps_bps if _seconds(enough, per_second, share) <= within]
    return msgspec.structs.replace(plan, steps_bps=tuple(steps) or plan.steps_bps[-1:])


def estimate(plan: Plan, per_second: float) -> str:
    """How long a rollout takes when nothing holds it up, in words.

    Args:
        plan: the plan.
        per_second: transactions a second, over all cards.

    Raises:
        RolloutRefused: some stage could not see enough transactions by its deadline.
    """
    stages = [(shortest, _seconds(needed, per_second, share), needed) for share, shortest, needed in _stages(plan)]
    _, longest, needed = max(stages, key=lambda stage: stage[1])
    if longest > plan.deadline_seconds:
        raise RolloutRefused(
            f"At {per_second:,.2f} transactions a second a stage of this plan would not see {needed:,} of them within "
            f"its {plan.deadline_seconds:,} s: take larger steps, fewer gates.transactions, no shadow or a later "
            "deadline_seconds, or start when there is more traffic."
        )
    total = sum(max(shortest, seconds) for shortest, seconds, _ in stages)
    shares = ", ".join(f"{share / 100:g} %" for share in plan.shares)
    return f"At {per_second:,.1f} transactions a second it takes about {total / 60:,.0f} minutes: {shares}."


def _stages(plan: Plan) -> Iterator[tuple[int, int, int]]:
    """Share of the cards in basis points, shortest time in seconds, and transactions needed, of every stage."""
    enough = plan.gates.transactions
    if plan.shadow_seconds:
        proves = not set(PROVEN) <= set(plan.gates.advisory)
        yield plan.shadow_cards_bps, plan.shadow_seconds, max(enough, PROOF) if proves else enough
    for share in plan.steps_bps:
        yield share, plan.bake_seconds, enough
    yield BASIS_POINTS, plan.soak_seconds, enough


def _seconds(transactions: int, per_second: float, share_bps: int) -> float:
    """Until a share of the cards has made so many transactions."""
    seen = per_second * share_bps / BASIS_POINTS
    return transactions / seen if seen else math.inf


def _within(name: str, value: float, least: float, most: float) -> None:
    _require(least <= value <= most, f"{name} must lie between {least:,} and {most:,}, not {value:,}")


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise ValueError(message)
