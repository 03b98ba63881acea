"""Typed settings from the environment; a missing or malformed one fails the cold start, loudly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, TypeVar

from fraud.errors import InvalidSettings

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
class DeploymentSettings:
    """What putting a model in service needs to know: outputs of the stack.

    Args:
        rollout_table: `RolloutTableName`.
        endpoint_slot_a: `EndpointSlotA`, the name of the endpoint in slot a.
        endpoint_slot_b: `EndpointSlotB`.
        model_package_group: `ModelPackageGroupName`.
        model_image: `ModelImageUri`.
        model_bucket: `ArchiveBucketName`; artefacts lie in it under `models/`.
        execution_role: `SageMakerExecutionRoleArn`.
        volume_key: `DataKeyArn` to encrypt the volumes of instances, or None for the service's own key, as for
            instance types with local NVMe disks.
    """

    rollout_table: str
    endpoint_slot_a: str
    endpoint_slot_b: str
    model_package_group: str
    model_image: str
    model_bucket: str
    execution_role: str
    volume_key: str | None = None


Settings = TypeVar("Settings", ScoringSettings, ProjectionSettings, LabellingSettings)


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
