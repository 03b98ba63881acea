"""Use-cases are put together from an environment that is complete, or the cold start fails and says what is missing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest

from fraud import monitoring_bootstrap
from fraud.errors import InvalidSettings
from fraud.settings import RefreshSettings, WatchSettings
from model.baseline import PREPROCESSOR
from tests.fakes.functions import ENVIRONMENT
from tests.fakes.monitoring import baseline
from tests.fakes.monitoring_world import REFRESHING

IMAGE = "156813124566.dkr.ecr.us-east-1.amazonaws.com/sagemaker-model-monitor-analyzer"
MONITORING: Mapping[str, str] = ENVIRONMENT | {
    "MONITORING_PLAN": "{}",
    "ARCHIVE_BUCKET": "archive",
    "JOB_PREFIX": "fraud",
    "MODEL_SOURCE": "/opt",
    "CAPTURE_PERCENTAGE": "10",
    "MODEL_MONITOR_IMAGE": IMAGE,
    "MODEL_MONITOR_INSTANCE_TYPE": "ml.m5.large",
    "MONITORING_JOB_ROLE": "arn:aws:iam::123456789012:role/looks",
    "MONITORING_SCHEDULE_STATE": "ENABLED",
    "MONITORING_SILENT_HOURS": "26",
}
Make = Callable[[Mapping[str, str]], Any]
CONSTRUCTORS: Mapping[str, tuple[Make, type]] = {
    "refresh_monitoring": (monitoring_bootstrap.refresh_tasks, RefreshSettings),
    "judge_window": (monitoring_bootstrap.window_watch, WatchSettings),
}
NEEDED = [(name, each.name.upper()) for name, (_, kind) in CONSTRUCTORS.items() for each in fields(kind)]


@pytest.mark.parametrize(("name", "variable"), NEEDED)
def test_cold_start_without_a_variable_names_it(name: str, variable: str) -> None:
    env = {key: value for key, value in MONITORING.items() if key != variable}
    with pytest.raises(InvalidSettings, match=variable):
        CONSTRUCTORS[name][0](env)


@pytest.mark.parametrize("name", CONSTRUCTORS)
@pytest.mark.parametrize("plan", ["{", "[]", '{"window_hour": 24}', '{"alpha": 1}'])
def test_cold_start_with_a_default_plan_that_is_none_fails(name: str, plan: str) -> None:
    with pytest.raises(InvalidSettings, match="MONITORING_PLAN is no plan"):
        CONSTRUCTORS[name][0](MONITORING | {"MONITORING_PLAN": plan})


def test_refresh_answers_every_task_of_its_machine() -> None:
    assert tuple(monitoring_bootstrap.refresh_tasks(MONITORING)) == REFRESHING


def of_task(name: str, **env: str) -> Any:
    """The use-case behind a task."""
    task: Any = monitoring_bootstrap.refresh_tasks(MONITORING | env)[name]
    return task.__self__


def test_looks_that_are_switched_off_are_not_missed() -> None:
    assert of_task("release").looks
    assert not of_task("release", MONITORING_SCHEDULE_STATE="DISABLED").looks


def test_silence_is_as_long_as_the_stack_says() -> None:
    assert of_task("release").silent_hours == 26
    assert of_task("release", MONITORING_SILENT_HOURS="200.5").silent_hours == 200.5


@pytest.mark.parametrize("hours", ["0", "0.99", "-26", "nan", "inf", "1e3", "8761", "1 day"])
def test_cold_start_with_a_silence_that_is_none_fails(hours: str) -> None:
    with pytest.raises(InvalidSettings, match="MONITORING_SILENT_HOURS must be a number of hours from 1"):
        monitoring_bootstrap.refresh_tasks(MONITORING | {"MONITORING_SILENT_HOURS": hours})


@pytest.mark.parametrize("percentage", ["0.5", "0.0", "101", "-1", "ten"])
def test_cold_start_with_a_share_of_capture_that_is_none_fails(percentage: str) -> None:
    with pytest.raises(InvalidSettings, match="CAPTURE_PERCENTAGE must be a whole number from 0 to 100"):
        monitoring_bootstrap.refresh_tasks(MONITORING | {"CAPTURE_PERCENTAGE": percentage})


def test_without_capture_no_schedule_is_wanted() -> None:
    assert of_task("replace_schedules").plans is not None
    assert of_task("replace_schedules", CAPTURE_PERCENTAGE="0").plans is None


def test_schedule_is_of_the_baseline_and_of_what_the_stack_says() -> None:
    plan = of_task("replace_schedules").plans("fraud-a", baseline())
    assert (plan.endpoint, plan.image, plan.instance_type) == ("fraud-a", IMAGE, "ml.m5.large")
    assert plan.statistics_uri == f"{baseline().uri}statistics.json"
    assert plan.preprocessor_uri == f"{baseline().uri}{PREPROCESSOR}"


def test_window_watch_knows_its_bucket_names_source_and_namespace() -> None:
    made = monitoring_bootstrap.window_watch(MONITORING | {"MONITORING_PLAN": '{"window_hours": 48}'})
    found: Any = made
    assert (made.bucket, made.job_prefix, made.default_plan) == ("archive", "fraud", {"window_hours": 48})
    assert (found.code.source.model, found.metrics.namespace) == (Path("/opt"), "FraudDetection/tests")
