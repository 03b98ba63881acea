"""Typed settings from the environment; a missing or malformed one fails the cold start, loudly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fraud.errors import InvalidSettings


@dataclass(frozen=True, slots=True)
class ScoringSettings:
    """Environment of `score_transactions`."""

    entity_table: str
    decision_table: str
    rollout_table: str
    quarantine_bucket: str
    decision_retention_days: int
    entity_retention_days: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ScoringSettings:
        """Read and check.

        Raises:
            InvalidSettings: names the variable.
        """
        return cls(
            entity_table=_text(env, "ENTITY_TABLE"),
            decision_table=_text(env, "DECISION_TABLE"),
            rollout_table=_text(env, "ROLLOUT_TABLE"),
            quarantine_bucket=_text(env, "QUARANTINE_BUCKET"),
            decision_retention_days=_days(env, "DECISION_RETENTION_DAYS"),
            entity_retention_days=_days(env, "ENTITY_RETENTION_DAYS"),
        )


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

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ProjectionSettings:
        """Read and check.

        Raises:
            InvalidSettings: names the variable.
        """
        return cls(
            entity_table=_text(env, "ENTITY_TABLE"),
            decision_table=_text(env, "DECISION_TABLE"),
            rollout_table=_text(env, "ROLLOUT_TABLE"),
            decision_archive_stream=_text(env, "DECISION_ARCHIVE_STREAM"),
            label_archive_stream=_text(env, "LABEL_ARCHIVE_STREAM"),
            event_bus=_text(env, "EVENT_BUS"),
            entity_retention_days=_days(env, "ENTITY_RETENTION_DAYS"),
        )


@dataclass(frozen=True, slots=True)
class LabellingSettings:
    """Environment of `record_labels`."""

    entity_table: str
    decision_table: str
    label_archive_stream: str
    quarantine_bucket: str
    entity_retention_days: int

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> LabellingSettings:
        """Read and check.

        Raises:
            InvalidSettings: names the variable.
        """
        return cls(
            entity_table=_text(env, "ENTITY_TABLE"),
            decision_table=_text(env, "DECISION_TABLE"),
            label_archive_stream=_text(env, "LABEL_ARCHIVE_STREAM"),
            quarantine_bucket=_text(env, "QUARANTINE_BUCKET"),
            entity_retention_days=_days(env, "ENTITY_RETENTION_DAYS"),
        )


def _text(env: Mapping[str, str], name: str) -> str:
    value = env.get(name, "")
    if not value:
        raise InvalidSettings(f"the environment variable {name} is missing or empty")
    return value


def _days(env: Mapping[str, str], name: str) -> int:
    value = _text(env, name)
    if not value.isdecimal() or not 1 <= int(value) <= 3650:
        raise InvalidSettings(f"{name} must be a number of days between 1 and 3650")
    return int(value)
