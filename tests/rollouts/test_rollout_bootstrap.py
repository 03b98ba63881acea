"""Use-cases are put together from an environment that is complete, or the cold start fails and says what is missing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from subprocess import run
from typing import Any

import boto3
import pytest

from fraud import rollout_bootstrap
from fraud.aws.model_monitor import SageMakerModelMonitor
from fraud.aws.scaling import ApplicationAutoScaling
from fraud.deployment_ports import Capture, Hosting
from fraud.errors import InvalidSettings
from fraud.settings import RegistrySettings
from tests.fakes.functions import ENVIRONMENT

SLOTS = {"a": "fraud-a", "b": "fraud-b"}
CONSTRUCTORS: Mapping[str, tuple[Callable[[Mapping[str, str]], Any], tuple[str, ...]]] = {
    "prepare_rollout": (
        rollout_bootstrap.rollout_start,
        ("ROLLOUT_TABLE", "ROLLOUT_PLAN", "PROFILE_PLAN", "MODEL_PACKAGE_GROUP", "MODEL_BUCKET", "ALARM_PREFIX"),
    ),
    "deploy_challenger": (
        rollout_bootstrap.challenger,
        (
            *("ROLLOUT_TABLE", "ENDPOINT_SLOT_A", "ENDPOINT_SLOT_B", "MODEL_PACKAGE_GROUP", "EXECUTION_ROLE"),
            *("VOLUME_KEY", "CAPTURE_URI", "CAPTURE_PERCENTAGE", "MOST_INSTANCES"),
        ),
    ),
    "shift_traffic": (rollout_bootstrap.shifting, ("ROLLOUT_TABLE",)),
    "judge_rollout": (
        rollout_bootstrap.judging,
        ("ROLLOUT_TABLE", "ENDPOINT_SLOT_A", "ALARM_PREFIX", "POWERTOOLS_METRICS_NAMESPACE"),
    ),
    "steer_rollout": (rollout_bootstrap.steering, ("ROLLOUT_TABLE", "ALARM_TOPIC")),
    "abort_rollout": (rollout_bootstrap.aborting, ("ROLLOUT_TABLE", "ENDPOINT_SLOT_B", "ALARM_PREFIX", "ALARM_TOPIC")),
}


@pytest.mark.parametrize(
    ("name", "variable"), [(name, variable) for name, (_, needed) in CONSTRUCTORS.items() for variable in needed]
)
def test_cold_start_without_a_variable_names_it(name: str, variable: str) -> None:
    env = {key: value for key, value in ENVIRONMENT.items() if key != variable}
    with pytest.raises(InvalidSettings, match=variable):
        CONSTRUCTORS[name][0](env)


@pytest.mark.parametrize(
    ("plan", "words"),
    [
        ("{", "ROLLOUT_PLAN is no plan"),
        ("[]", "ROLLOUT_PLAN is no plan"),
        ('{"bake": 5}', "ROLLOUT_PLAN is no plan: .*bake"),
        ('{"steps_bps": [500, 100]}', "ROLLOUT_PLAN is no plan: plan.steps_bps must ascend"),
    ],
)
def test_cold_start_with_a_default_plan_that_is_none_fails(plan: str, words: str) -> None:
    with pytest.raises(InvalidSettings, match=words):
        rollout_bootstrap.rollout_start(ENVIRONMENT | {"ROLLOUT_PLAN": plan})


def test_rollout_start_knows_slots_and_default_plan() -> None:
    plans = {"ROLLOUT_PLAN": '{"bake_seconds": 30}', "PROFILE_PLAN": '{"instance_type": "serverless.2gb"}'}
    made = rollout_bootstrap.rollout_start(ENVIRONMENT | plans)
    assert (made.slots, made.default_plan) == (SLOTS, {"bake_seconds": 30})
    assert made.profile_plan == {"instance_type": "serverless.2gb"}


def test_challenger_hosts_by_what_the_machines_allow() -> None:
    hosting = rollout_bootstrap.challenger(ENVIRONMENT).hosting
    role, key = ENVIRONMENT["EXECUTION_ROLE"], ENVIRONMENT["VOLUME_KEY"]
    assert hosting("ml.m5.large") == Hosting(role, key)
    assert hosting("ml.g5.xlarge") == Hosting(role, None)
    assert hosting("serverless.2gb") == Hosting(role, None)


def test_challenger_captures_the_share_that_the_stack_wants() -> None:
    captures = ENVIRONMENT | {"CAPTURE_PERCENTAGE": "10"}
    hosting = rollout_bootstrap.challenger(captures).hosting("ml.m5.large")
    assert hosting.capture == Capture("s3://archive/capture", 10, ENVIRONMENT["VOLUME_KEY"])
    assert rollout_bootstrap.challenger(captures).hosting("serverless.2gb").capture is None


@pytest.mark.parametrize("percentage", ["0.5", "0.0", "101", "-1", "ten"])
def test_cold_start_with_a_share_of_capture_that_is_none_fails(percentage: str) -> None:
    with pytest.raises(InvalidSettings, match="CAPTURE_PERCENTAGE must be a whole number from 0 to 100"):
        rollout_bootstrap.challenger(ENVIRONMENT | {"CAPTURE_PERCENTAGE": percentage})


def test_endpoints_are_removed_by_what_knows_the_schedules_that_watch_them() -> None:
    for made in (rollout_bootstrap.challenger(ENVIRONMENT), rollout_bootstrap.aborting(ENVIRONMENT)[0]):
        use_case: Any = made
        assert isinstance(use_case.slots.endpoints.monitor, SageMakerModelMonitor)
        assert isinstance(use_case.slots.endpoints.scaling, ApplicationAutoScaling)


def test_endpoints_are_scaled_to_as_many_machines_as_the_stack_allows() -> None:
    env = ENVIRONMENT | {"MOST_INSTANCES": "6"}
    for slots in (rollout_bootstrap.challenger(env).slots, rollout_bootstrap.aborting(env)[0].slots):
        assert slots.most_instances == 6


def test_aborting_knows_what_the_alarms_names_begin_with() -> None:
    use_case, prefix = rollout_bootstrap.aborting(ENVIRONMENT)
    assert (use_case.slots.names, prefix) == (SLOTS, "fraud-slot-")


def test_shifting_salts_are_long_and_never_the_same() -> None:
    new_salt = rollout_bootstrap.shifting(ENVIRONMENT).new_salt
    salts = {new_salt() for _ in range(100)}
    assert len(salts) == 100
    assert {len(salt) for salt in salts} == {32}


def test_clients_try_no_longer_than_their_function_may_take() -> None:
    use_case: Any = rollout_bootstrap.challenger(ENVIRONMENT)
    config = use_case.endpoints.client.meta.config
    assert config.retries["total_max_attempts"] * (config.connect_timeout + config.read_timeout) < 60


def test_packages_ask_the_url_they_are_given() -> None:
    names = RegistrySettings("fraud", ENVIRONMENT["MODEL_IMAGE"], "archive")
    made: Any = rollout_bootstrap.packages(boto3.Session(), names, "http://127.0.0.1:4566")
    urls = {adapter.client.meta.endpoint_url for adapter in (made.registry, made.store)}
    assert urls == {"http://127.0.0.1:4566"}


def test_scoring_does_not_load_what_rollouts_need() -> None:
    code = "import sys, fraud.bootstrap; sys.exit('fraud.rollout_bootstrap' in sys.modules)"
    done = run([sys.executable, "-c", code], cwd="functions", check=False, timeout=30)
    assert done.returncode == 0
