"""What a person may ask for of a rollout, and how anything else is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fraud import rollout_plan
from fraud.errors import InvalidPlan, RolloutRefused
from fraud.rollout_plan import EVENTS_OF_A_LOOK, GATES, MOST_EVENTS, MOST_STEPS, Gates, Plan, parse

NUMBERS = [field.name for field in msgspec.structs.fields(Plan) if field.type is int]
LIMITS = [field.name for field in msgspec.structs.fields(Gates) if field.type in (int, float)]
DAY = 86_400


def test_parse_nothing_is_the_default_plan() -> None:
    assert parse({}) == Plan()
    assert Plan().shares == (100, 500, 2_500, 5_000, 10_000)


def test_parse_keeps_what_was_asked_for() -> None:
    plan = parse({"steps_bps": [500, 5000], "approval": "before_full", "gates": {"block_rate": 0.02}})
    assert plan == Plan(steps_bps=(500, 5000), approval="before_full", gates=Gates(block_rate=0.02))


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"stepz": [1]}, "unknown field `stepz`"),
        ({"gates": {"blok_rate": 0.1}}, r"unknown field `blok_rate` - at `\$\.gates`"),
        ({"look_seconds": "60"}, r"Expected `int`, got `str` - at `\$\.look_seconds`"),
        ({"look_seconds": True}, r"Expected `int`, got `bool`"),
        ({"look_seconds": 1.5}, r"Expected `int`, got `float`"),
        ({"look_seconds": None}, r"Expected `int`, got `null`"),
        ({"gates": {"error_rate": "low"}}, r"Expected `float`, got `str` - at `\$\.gates\.error_rate`"),
        ({"gates": []}, "Expected `object`, got `array`"),
        ({"steps_bps": 500}, "Expected `array`, got `int`"),
        ({"steps_bps": [1.5]}, r"Expected `int`, got `float` - at `\$\.steps_bps\[0\]`"),
        ({"approval": "sometimes"}, "Invalid enum value 'sometimes'"),
        ({"instance_type": "m5.large"}, "neither an ml. type nor serverless.1gb to .6gb: 'm5.large'"),
        ({"instance_type": "serverless.7gb"}, "neither an ml. type nor"),
        ({"instance_type": "serverless.2gb.xl"}, "neither an ml. type nor"),
        ({"gates": {"advisory": ["alarms"]}}, "may name errors, latency, block_rate, review_rate, not alarms"),
        ({"gates": {"advisory": ["errors", "traffic", "luck"]}}, "not traffic, luck"),
    ],
)
def test_parse_what_is_no_plan_is_refused_by_name(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidPlan, match=words):
        parse(asked)


@pytest.mark.parametrize(
    "steps", [[], [0], [-1], [10_000], [500, 500], [500, 100], list(range(1, MOST_STEPS + 2)), [100, 20_000]]
)
def test_parse_steps_that_do_not_ascend_below_full_traffic_are_refused(steps: list[int]) -> None:
    with pytest.raises(InvalidPlan, match=r"plan\.steps_bps must"):
        parse({"steps_bps": steps})


def test_parse_most_steps_are_accepted() -> None:
    steps = list(range(1, MOST_STEPS + 1))
    assert parse({"steps_bps": steps, "look_seconds": 3600}).steps_bps == tuple(steps)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, 10**9])
def test_parse_every_number_of_a_plan_is_bounded(name: str, value: int) -> None:
    with pytest.raises(InvalidPlan, match=rf"^plan\.{name} must lie between"):
        parse({name: value})


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("value", [-1, 10**9])
def test_parse_every_limit_of_a_gate_is_bounded(name: str, value: int) -> None:
    with pytest.raises(InvalidPlan, match=rf"^gates\.{name} must lie between [^$]*$"):
        parse({"gates": {name: value}})


@pytest.mark.parametrize("name", [name for name in LIMITS if name != "transactions"])
def test_parse_no_limit_can_be_switched_off_by_a_number_that_is_none(name: str) -> None:
    with pytest.raises(InvalidPlan, match=name):
        parse({"gates": {name: float("nan")}})


@pytest.mark.parametrize(
    ("asked", "accepted"),
    [
        ({"shadow_seconds": 0}, True),
        ({"shadow_cards_bps": 1}, True),
        ({"shadow_cards_bps": 0}, False),
        ({"shadow_cards_bps": 10_001}, False),
        ({"bake_seconds": 0}, False),
        ({"soak_seconds": 7 * DAY, "deadline_seconds": 8 * DAY, "look_seconds": 3600}, True),
        ({"soak_seconds": 7 * DAY + 1, "deadline_seconds": 8 * DAY, "look_seconds": 3600}, False),
        ({"deadline_seconds": 901}, True),
        ({"deadline_seconds": 900}, False),
        ({"shadow_seconds": 14_400}, False),
        ({"bake_seconds": 14_400}, False),
        ({"instance_count": 1}, True),
        ({"instance_count": 0}, False),
        ({"instance_count": 101}, False),
    ],
)
def test_parse_bounds_are_where_they_are_said_to_be(asked: dict[str, Any], accepted: bool) -> None:
    if accepted:
        parse(asked)
    else:
        with pytest.raises(InvalidPlan):
            parse(asked)


@pytest.mark.parametrize(("look_seconds", "accepted"), [(10, False), (11, True)])
def test_parse_more_looks_than_a_history_holds_are_refused(look_seconds: int, accepted: bool) -> None:
    asked = {"steps_bps": [1], "shadow_seconds": 0, "deadline_seconds": 10_000, "look_seconds": look_seconds}
    assert (2 * 10_000 // look_seconds * EVENTS_OF_A_LOOK < MOST_EVENTS) or not accepted
    if accepted:
        parse(asked)
    else:
        with pytest.raises(InvalidPlan, match=r"raise plan\.look_seconds"):
            parse(asked)


def test_events_are_those_of_every_look_that_a_plan_allows() -> None:
    """Six stages of 240 looks, 30 at the endpoint coming up and 240 at one being removed, and 288 in a pause."""
    assert Plan().events == (6 * 240 + 30 + 240 + 288) * EVENTS_OF_A_LOOK + 1_000
    assert MOST_EVENTS < 25_000


@pytest.mark.parametrize("asked", [{"deploy_seconds": 1_860}, {"pause_seconds": DAY + 300}, {"look_seconds": 59}])
def test_events_grow_with_everything_that_is_waited_for(asked: dict[str, Any]) -> None:
    assert parse(asked).events > Plan().events


def test_events_of_a_question_count_where_somebody_is_asked() -> None:
    longer = {"approval_seconds": 2 * DAY}
    assert parse(longer).events == Plan().events
    assert (
        parse(longer | {"approval": "before_full"}).events > parse({"approval": "before_full"}).events > Plan().events
    )


@pytest.mark.parametrize(("steps", "look_seconds", "accepted"), [(6, 60, True), (7, 60, False), (8, 80, True)])
def test_parse_plan_of_many_steps_is_looked_at_less_often(steps: int, look_seconds: int, accepted: bool) -> None:
    asked = {"steps_bps": list(range(1, steps + 1)), "look_seconds": look_seconds}
    if accepted:
        assert parse(asked).stages == steps + 2
    else:
        with pytest.raises(InvalidPlan, match=r"^the plan may take 25,462 events, and 24,000 is the most"):
            parse(asked)


def test_stages_are_the_shadow_every_step_and_full_traffic() -> None:
    assert Plan(steps_bps=(1, 2)).stages == 4
    assert Plan(steps_bps=(1, 2), shadow_seconds=0).stages == 3


@pytest.mark.parametrize(("approval", "step"), [("never", None), ("before_traffic", 0), ("before_full", 2)])
def test_approved_step_is_the_first_or_the_last(approval: Any, step: int | None) -> None:
    plan = Plan(steps_bps=(1, 2), approval=approval)
    assert plan.approved_step == step
    assert step is None or plan.shares[step] == {"before_traffic": 1, "before_full": 10_000}[approval]


@given(
    st.lists(st.integers(1, 9_999), min_size=1, max_size=MOST_STEPS, unique=True).map(sorted),
    st.integers(0, 3_000),
    st.floats(0, 1),
    st.sets(st.sampled_from(GATES[1:-1])).map(sorted),
)
def test_parse_what_a_plan_says_of_itself_is_the_plan(
    steps: list[int], seconds: int, rate: float, advisory: list[str]
) -> None:
    gates = {"block_rate": rate, "advisory": advisory}
    plan = parse({"steps_bps": steps, "shadow_seconds": seconds, "look_seconds": 120, "gates": gates})
    assert parse(msgspec.to_builtins(plan)) == plan
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan
    assert len(plan.shares) == len(steps) + 1 and plan.shares[-1] == 10_000


def test_merged_what_was_asked_for_goes_over_the_defaults_gate_by_gate() -> None:
    defaults = {"bake_seconds": 60, "gates": {"transactions": 10, "block_rate": 0.5}}
    asked = {"soak_seconds": 120, "gates": {"block_rate": 0.1}}
    assert rollout_plan.merged(defaults, asked) == {
        "bake_seconds": 60,
        "soak_seconds": 120,
        "gates": {"transactions": 10, "block_rate": 0.1},
    }
    assert rollout_plan.merged({"bake_seconds": 60}, {"bake_seconds": 90}) == {"bake_seconds": 90}
    with pytest.raises(InvalidPlan, match=r"plan\.gates must be an object"):
        rollout_plan.merged({}, {"gates": "none"})


def test_fitted_leaves_out_first_steps_that_would_not_see_enough() -> None:
    # A thousand transactions within two hours: 0.139 a second.
    assert rollout_plan.fitted(Plan(), 100.0).steps_bps == (100, 500, 2_500, 5_000)
    assert rollout_plan.fitted(Plan(), 1.0).steps_bps == (2_500, 5_000)
    assert rollout_plan.fitted(Plan(), 0.0).steps_bps == (5_000,)


def test_estimate_is_the_longer_of_a_stages_time_and_what_it_must_see() -> None:
    # The shadow and five steps of a quarter of an hour each, but 1,000 s for the 1,000 transactions of the first.
    assert rollout_plan.estimate(Plan(), 100.0) == (
        "At 100.0 transactions a second it takes about 92 minutes: 1 %, 5 %, 25 %, 50 %, 100 %."
    )


@pytest.mark.parametrize(("per_second", "needed"), [(0.0, "2,000"), (1.0, "1,000")])
def test_estimate_of_what_cannot_be_told_in_time_is_refused(per_second: float, needed: str) -> None:
    with pytest.raises(RolloutRefused, match=f"{needed} of them within its 14,400 s"):
        rollout_plan.estimate(Plan(), per_second)


@pytest.mark.parametrize(
    ("asked", "accepted"),
    [
        ({}, False),
        ({"shadow_seconds": 0}, True),
        ({"gates": {"advisory": ["block_rate"]}}, False),
        ({"gates": {"advisory": ["block_rate", "review_rate"]}}, True),
    ],
)
def test_estimate_takes_more_of_a_shadow_that_has_to_prove_something(asked: dict[str, Any], accepted: bool) -> None:
    plan = parse({"steps_bps": [9_000], "deadline_seconds": 1_500} | asked)
    if accepted:
        rollout_plan.estimate(plan, 1.0)
    else:
        with pytest.raises(RolloutRefused, match="2,000 of them within its 1,500 s"):
            rollout_plan.estimate(plan, 1.0)


@pytest.mark.parametrize(
    ("kind", "memory"), [("serverless.1gb", 1_024), ("serverless.6gb", 6_144), ("ml.m5.large", None)]
)
def test_serverless_memory_is_that_of_the_type(kind: str, memory: int | None) -> None:
    assert rollout_plan.serverless_memory(parse({"instance_type": kind}).instance_type) == memory
