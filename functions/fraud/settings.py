"""Typed settings from the environment; a missing or malformed one fails the cold start, loudly."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from fraud.errors import InvalidSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST_DAYS = 3650
MOST_HOURS = 8760
BUDGETS_MS = range(1000, 5001)
"""Milliseconds a caller may be told to wait: in less, calls have no time; for longer, no authorisation waits."""


@dataclass(frozen=True, slots=True)
class ScoringSettings:
    """Environment of `score_transactions`; a field is read from the variable of its name in capitals."""

    entity_table: str
    decision_table: str
    rollout_table: str
    quarantine_bucket: str
    decision_retention_days: int
    entity_retention_days: int


@dataclass(frozen=True, slots=True)
class AnsweringSettings:
    """Environment of `answer_transaction`; `answer_budget_ms` is the time for a request, without a cold start."""

    entity_table: str
    decision_table: str
    rollout_table: str
    decision_retention_days: int
    entity_retention_days: int
    answer_budget_ms: int


@dataclass(frozen=True, slots=True)
class ProjectionSettings:
    """Environment of `project_decisions`."""

    entity_table: str
    decision_table: str
    rollout_table: str
    decision_archive_stream: str
    label_archive_stream: str
    event_bus: str
    entity_retention_days: int


@dataclass(frozen=True, slots=True)
class LabellingSettings:
    """Environment of `record_labels`."""

    entity_table: str
    decision_table: str
    label_archive_stream: str
    quarantine_bucket: str
    entity_retention_days: int


@dataclass(frozen=True, slots=True)
class ShadowSettings:
    """Environment of `shadow_score`."""

    rollout_table: str


@dataclass(frozen=True, slots=True)
class PrepareSettings:
    """Environment of `prepare_rollout`.

    `rollout_plan` is the JSON text of the stack's default plan, `profile_plan` that of its profile's.
    """

    rollout_table: str
    rollout_plan: str
    profile_plan: str
    endpoint_slot_a: str
    endpoint_slot_b: str
    model_package_group: str
    model_image: str
    model_bucket: str
    alarm_prefix: str
    powertools_metrics_namespace: str


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """Environment of `deploy_challenger`; an endpoint has `most_instances`, if that is more than its plan says."""

    rollout_table: str
    endpoint_slot_a: str
    endpoint_slot_b: str
    model_package_group: str
    model_image: str
    model_bucket: str
    execution_role: str
    volume_key: str
    capture_uri: str
    capture_percentage: int
    most_instances: int


@dataclass(frozen=True, slots=True)
class TrafficSettings:
    """Environment of `shift_traffic`."""

    rollout_table: str


@dataclass(frozen=True, slots=True)
class JudgeSettings:
    """Environment of `judge_rollout`."""

    rollout_table: str
    endpoint_slot_a: str
    endpoint_slot_b: str
    alarm_prefix: str
    powertools_metrics_namespace: str


@dataclass(frozen=True, slots=True)
class SteerSettings:
    """Environment of `steer_rollout`."""

    rollout_table: str
    alarm_topic: str


@dataclass(frozen=True, slots=True)
class AbortSettings:
    """Environment of `abort_rollout`."""

    rollout_table: str
    endpoint_slot_a: str
    endpoint_slot_b: str
    alarm_prefix: str
    alarm_topic: str
    event_bus: str
    most_instances: int


@dataclass(frozen=True, slots=True)
class RetrainingStartSettings:
    """Environment of `prepare_retraining`; `retraining_plan` is the JSON text of the stack's default plan.

    `model_source` is the directory that holds what the jobs run: the content of `model/`, brought by a layer.
    """

    rollout_table: str
    retraining_plan: str
    archive_bucket: str
    job_prefix: str
    model_package_group: str
    model_image: str
    alarm_prefix: str
    model_source: str


@dataclass(frozen=True, slots=True)
class RetrainingJudgementSettings:
    """Environment of `judge_retraining`."""

    rollout_table: str
    archive_bucket: str
    job_prefix: str
    model_package_group: str
    model_image: str
    source_commit: str


@dataclass(frozen=True, slots=True)
class RetrainingEndSettings:
    """Environment of `finish_retraining`."""

    rollout_table: str
    alarm_topic: str
    alarm_prefix: str


@dataclass(frozen=True, slots=True)
class RefreshSettings:
    """Environment of `refresh_monitoring`; `monitoring_plan` is the JSON text of the stack's default plan.

    `capture_percentage` is the share of requests that endpoints capture; 0 wants no schedules of Model Monitor. After
    `monitoring_silent_hours` without a look, nobody looks any more.
    """

    rollout_table: str
    monitoring_plan: str
    archive_bucket: str
    job_prefix: str
    model_package_group: str
    model_image: str
    model_source: str
    alarm_topic: str
    endpoint_slot_a: str
    endpoint_slot_b: str
    capture_percentage: int
    model_monitor_image: str
    model_monitor_instance_type: str
    monitoring_job_role: str
    monitoring_schedule_state: str
    monitoring_silent_hours: float
    volume_key: str


@dataclass(frozen=True, slots=True)
class WatchSettings:
    """Environment of `judge_window`; `monitoring_plan` is the JSON text of the stack's default plan."""

    rollout_table: str
    monitoring_plan: str
    powertools_metrics_namespace: str
    archive_bucket: str
    job_prefix: str
    model_package_group: str
    model_image: str
    model_source: str


@dataclass(frozen=True, slots=True)
class RegistrySettings:
    """What registering a model needs to know: outputs of the stack.

    Args:
        model_package_group: `ModelPackageGroupName`.
        model_image: `ModelImageUri`.
        model_bucket: `ArchiveBucketName`; artefacts lie in it under `models/`.
    """

    model_package_group: str
    model_image: str
    model_bucket: str


Settings = TypeVar("Settings", bound="DataclassInstance")


def from_env(kind: type[Settings], env: Mapping[str, str]) -> Settings:
    """Read and check every variable that a function needs.

    Raises:
        InvalidSettings: names the variable.
    """
    values = {field.name: _reader(field.name)(env, field.name.upper()) for field in fields(kind)}
    return kind(**values)


def _reader(name: str) -> Callable[[Mapping[str, str], str], Any]:
    """What reads a variable, by the unit that its name ends with."""
    hundred = {"percentage": _to_hundred, "instances": _to_hundred}
    return {"days": _days, "hours": _hours, "ms": _budget, **hundred}.get(name.rpartition("_")[2], _text)


def _text(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise InvalidSettings(f"the environment variable {name} is missing or empty")
    return value


def _days(env: Mapping[str, str], name: str) -> int:
    value = _text(env, name)
    if not value.isdecimal() or not 1 <= int(value) <= MOST_DAYS:
        raise InvalidSettings(f"{name} must be a number of days between 1 and {MOST_DAYS}")
    return int(value)


def _hours(env: Mapping[str, str], name: str) -> float:
    value = _text(env, name)
    if not re.fullmatch(r"[0-9]+(\.[0-9]+)?", value) or not 1 <= float(value) <= MOST_HOURS:
        raise InvalidSettings(f"{name} must be a number of hours from 1 to {MOST_HOURS}")
    return float(value)


def _to_hundred(env: Mapping[str, str], name: str) -> int:
    value = _text(env, name)
    if not value.isdecimal() or not int(value) <= 100:
        raise InvalidSettings(f"{name} must be a whole number from 0 to 100")
    return int(value)


def _budget(env: Mapping[str, str], name: str) -> int:
    value = _text(env, name)
    if not value.isdecimal() or int(value) not in BUDGETS_MS:
        raise InvalidSettings(f"{name} must be a number of milliseconds between {BUDGETS_MS[0]} and {BUDGETS_MS[-1]}")
    return int(value)
