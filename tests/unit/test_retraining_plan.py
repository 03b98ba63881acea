"""What a person may ask for of a retraining, and how anything else is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from fraud.errors import InvalidPlan
from fraud.retraining_plan import (
    GROUPS,
    HYPERPARAMETERS,
    LONGEST_VALUE,
    MOST_HYPERPARAMETERS,
    Plan,
    merged,
    parse,
)

DAY = 86_400
NUMBERS = [field.name for field in msgspec.structs.fields(Plan) if field.type in (int, float)]
SHARES = [field.name for field in msgspec.structs.fields(Plan) if field.type is float]


def test_parse_nothing_is_the_default_plan() -> None:
    assert parse({}) == Plan()


def test_parse_default_plan_reads_what_is_learned_from_and_what_is_not_mature_yet() -> None:
    assert (Plan().training_days, Plan().maturity_days, Plan().archive_days) == (90, 7, 97)


def test_parse_keeps_what_was_asked_for() -> None:
    plan = parse({"training_days": 60, "approval": "manual", "hyperparameters": {"max_depth": 6}})
    assert plan == Plan(training_days=60, approval="manual", hyperparameters={"max_depth": 6})


def test_parse_keeps_hyperparameters_of_every_kind() -> None:
    given = {"max_depth": 6, "eta": 1, "lambda": "0.5", "objective": "binary:logitraw"}
    assert parse({"hyperparameters": given}).hyperparameters == given


def test_plan_is_read_as_it_was_written() -> None:
    plan = Plan(hyperparameters={"eta": 0.1, "max_depth": 6}, fairness=("channel", "currency"), margin=0.01)
    assert msgspec.json.decode(msgspec.json.encode(plan), type=Plan) == plan


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"training_dayz": 60}, "unknown field `training_dayz`"),
        ({"training_days": "60"}, r"Expected `int`, got `str` - at `\$\.training_days`"),
        ({"training_days": True}, r"Expected `int`, got `bool`"),
        ({"training_days": 1.5}, r"Expected `int`, got `float`"),
        ({"margin": "low"}, r"Expected `float`, got `str` - at `\$\.margin`"),
        ({"spot": 1}, r"Expected `bool`, got `int` - at `\$\.spot`"),
        ({"approval": "sometimes"}, "Invalid enum value 'sometimes'"),
        ({"cold_start": "luck"}, "Invalid enum value 'luck'"),
        ({"instance_type": "m5.large"}, "plan.instance_type is no ml. type: 'm5.large'"),
        ({"fairness": ["country", "age"]}, "plan.fairness may name .*, not age$"),
        ({"fairness": [*GROUPS, *GROUPS]}, "plan.fairness may name 5 fields at most"),
        ({"hyperparameters": []}, r"Expected `object`, got `array` - at `\$\.hyperparameters`"),
        ({"hyperparameters": {"eta": True}}, r"Expected `int \| float \| str`, got `bool`"),
    ],
)
def test_parse_what_is_no_plan_is_refused_by_name(asked: dict[str, Any], words: str) -> None:
    with pytest.raises(InvalidPlan, match=words):
        parse(asked)


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [-1, 10**9])
def test_parse_every_number_of_a_plan_is_bounded(name: str, value: int) -> None:
    with pytest.raises(InvalidPlan, match=rf"^plan\.{name} must lie between [^$]*$"):
        parse({name: value})


@pytest.mark.parametrize("name", SHARES)
def test_parse_no_limit_can_be_switched_off_by_a_number_that_is_none(name: str) -> None:
    with pytest.raises(InvalidPlan, match=rf"plan\.{name} must lie between"):
        parse({name: float("nan")})


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("training_days", 2, 730),
        ("maturity_days", 0, 120),
        ("evaluation_days", 1, 90),
        ("gap_days", 0, 120),
        ("fewest_frauds", 1, 1_000_000),
        ("fewest_evaluation_frauds", 1, 1_000_000),
        ("freshest_hours", 1, 8_760),
        ("freshest_label_days", 1, 365),
        ("draws", 100, 10_000),
        ("cooldown_hours", 0, 720),
        ("run_seconds", 60, 21_600),
        ("wait_seconds", 7_200, 2 * DAY),
    ],
)
def test_parse_bounds_are_where_they_are_said_to_be(name: str, least: int, most: int) -> None:
    for accepted in (least, most):
        assert getattr(parse({name: accepted}), name) == accepted
    for refused in (least - 1, most + 1):
        with pytest.raises(InvalidPlan, match=name):
            parse({name: refused})


@pytest.mark.parametrize("name", ["most_fraud_share", "margin", "most_calibration_error", "segment_loss"])
def test_parse_shares_lie_between_nothing_and_all(name: str) -> None:
    for accepted in (0, 1):
        assert getattr(parse({name: accepted}), name) == accepted
    for refused in (-0.001, 1.001):
        with pytest.raises(InvalidPlan, match=name):
            parse({name: refused})


def test_parse_training_that_waits_less_than_it_runs_is_refused() -> None:
    assert parse({"run_seconds": DAY, "wait_seconds": DAY}).wait_seconds == DAY
    with pytest.raises(InvalidPlan, match="wait_seconds must be at least run_seconds, 86,400, not 86,399"):
        parse({"run_seconds": DAY, "wait_seconds": DAY - 1})


@pytest.mark.parametrize("uri", ["", "s3://stack-archive/history/", "s3://stack-archive/history/2024/month=01/"])
def test_parse_history_of_an_archive_is_accepted(uri: str) -> None:
    assert parse({"history_uri": uri}).history_uri == uri


@pytest.mark.parametrize(
    "uri",
    [
        "s3://stack-archive/history/2024",
        "s3://stack-archive/decisions/",
        "s3://stack-archive/historyx/",
        "s3://stack-archive/history/a b/",
        "s3://stack-archive/history/a'/",
        "s3://stack-archive/history/a/\n",
        "s3:///history/",
        "https://stack-archive/history/",
        f"s3://stack-archive/history/{'x' * 600}/",
    ],
)
def test_parse_history_that_the_jobs_may_not_read_is_refused(uri: str) -> None:
    with pytest.raises(InvalidPlan, match=r"plan\.history_uri is not like"):
        parse({"history_uri": uri})


@pytest.mark.parametrize(
    ("name", "value"),
    [("sagemaker_program", "evil.py"), ("max-depth", 6), ("", 6), ("a b", 6), ("eta", "x" * (LONGEST_VALUE + 1))],
)
def test_parse_hyperparameter_that_is_the_containers_or_none_is_refused(name: str, value: object) -> None:
    with pytest.raises(InvalidPlan, match=r"plan\.hyperparameters may not set"):
        parse({"hyperparameters": {name: value}})


def test_hyperparameters_are_those_that_the_training_script_takes() -> None:
    from model import boosting, train

    taken = train._hyperparameters([])
    assert {name: type(value) for name, value in taken.items()} == HYPERPARAMETERS
    assert taken == boosting.chosen()


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("max_dept", 6, r"plan\.hyperparameters may set base_score, .*, validation_share, not max_dept$"),
        ("booster", "dart", "not booster$"),
        ("max_depth", 6.5, r"plan\.hyperparameters\.max_depth must be a whole number, not 6\.5$"),
        ("max_depth", "deep", "must be a whole number, not 'deep'"),
        ("num_boost_round", 1e2, "must be a whole number, not 100.0"),
        ("eta", "slow", r"plan\.hyperparameters\.eta must be a number, not 'slow'"),
        ("eta", "nan", "must be a number, not 'nan'"),
        ("lambda", "-inf", "must be a number"),
    ],
)
def test_parse_hyperparameter_that_the_training_would_refuse_is_refused(name: str, value: object, words: str) -> None:
    with pytest.raises(InvalidPlan, match=words):
        parse({"hyperparameters": {name: value}})


@pytest.mark.parametrize(("name", "kind"), HYPERPARAMETERS.items())
def test_parse_refuses_what_the_training_script_refuses(name: str, kind: type) -> None:
    from model import train

    for value in (1, 0.5, "7", "0.25", "text"):
        try:
            parse({"hyperparameters": {name: value}})
        except InvalidPlan:
            with pytest.raises(SystemExit):
                train._hyperparameters([f"--{name}", str(value)])
        else:
            assert isinstance(train._hyperparameters([f"--{name}", str(value)])[name], kind)


def test_plan_of_an_older_run_is_read_whatever_its_hyperparameters_were_called() -> None:
    older = Plan(hyperparameters={"booster": "dart"})
    assert msgspec.json.decode(msgspec.json.encode(older), type=Plan) == older


def test_parse_more_hyperparameters_than_a_job_takes_are_refused() -> None:
    most: dict[str, Any] = {f"p{number}": number for number in range(MOST_HYPERPARAMETERS)}
    assert len(Plan(hyperparameters=most).hyperparameters) == MOST_HYPERPARAMETERS
    with pytest.raises(InvalidPlan, match=r"plan\.hyperparameters may name 50 at most"):
        parse({"hyperparameters": most | {"one_more": 1}})


def test_merged_what_a_person_wrote_goes_over_the_stacks_plan() -> None:
    assert merged({"training_days": 60, "spot": False}, {"training_days": 30}) == {"training_days": 30, "spot": False}


def test_merged_hyperparameters_go_over_the_stacks_one_by_one() -> None:
    defaults = {"hyperparameters": {"eta": 0.1, "max_depth": 6}}
    assert merged(defaults, {"hyperparameters": {"eta": 0.3}}) == {"hyperparameters": {"eta": 0.3, "max_depth": 6}}
    assert merged(defaults, {}) == defaults
    assert merged({}, {}) == {}


@pytest.mark.parametrize("value", [None, 3, [], "eta"])
def test_merged_hyperparameters_that_are_none_are_refused(value: object) -> None:
    for defaults, given in (({"hyperparameters": value}, {}), ({}, {"hyperparameters": value})):
        with pytest.raises(InvalidPlan, match=r"plan\.hyperparameters must be an object"):
            merged(defaults, given)
