"""Typed settings from the environment; a missing or malformed one fails the cold start, loudly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, TypeVar

from fraud.errors import InvalidSettings

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

MOST_DAYS = 3650


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
    """Environment of `prepare_rollout`; `rollout_plan` is the JSON text of the stack's default plan."""

    rollout_table: str
    rollout_plan: str
    endpoint_slot_a: str
    endpoint_slot_b: str
    model_package_group: str
    model_image: str
    model_bucket: str
    alarm_prefix: str
    powertools_metrics_namespace: str


@dataclass(frozen=True, slots=True)
class DeploySettings:
    """Environment of `deploy_challenger`."""

    rollout_table: str
    endpoint_slot_a: str
    endpoint_slot_b: str
    model_package_group: str
    model_image: str
    model_bucket: str
    execution_role: str
    volume_key: str
    capture_uri: str
    capture_percentage: str


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

    `capture_percentage` is the share of requests that endpoints capture; 0 wants no schedules of Model Monitor.
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
    capture_percentage: str
    model_monitor_image: str
    model_monitor_instance_type: str
    monitoring_job_role: str
    monitoring_schedule_state: str
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
    values: dict[str, Any] = {
        field.name: _days(env, field.name.upper()) if field.name.endswith("_days") else _text(env, field.name.upper())
        for field in fields(kind)
    }
    return kind(**values)


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
