"""Constructs what a retraining works with; apart from `bootstrap`, so that scoring does not load it at its start."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import boto3
import msgspec

from fraud import retraining_plan, settings
from fraud.aws.bell import SnsBell
from fraud.aws.control_plane import CONTROL
from fraud.aws.executions import StepFunctionsExecutions
from fraud.aws.jobs import SageMakerJobs
from fraud.aws.layer import LayerSource
from fraud.aws.package_store import S3PackageStore
from fraud.aws.registry import SageMakerRegistry
from fraud.aws.retraining_alarms import CloudWatchRetrainingAlarms
from fraud.aws.retraining_store import DynamoRetrainingStore
from fraud.aws.routing_store import DynamoRoutingStore
from fraud.aws.run_files import S3RunFiles
from fraud.errors import InvalidPlan, InvalidSettings
from fraud.services.job_inspection import JobInspection
from fraud.services.packages import Packages
from fraud.services.retraining_end import RetrainingEnd
from fraud.services.retraining_judgement import RetrainingJudgement
from fraud.services.retraining_records import RetrainingRecords
from fraud.services.retraining_start import RetrainingStart
from fraud.settings import RetrainingEndSettings, RetrainingJudgementSettings, RetrainingStartSettings


def retraining_start(env: Mapping[str, str] = os.environ) -> RetrainingStart:
    """The use-case behind `prepare_retraining`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(RetrainingStartSettings, env)
    return RetrainingStart(
        records=_records(names.rollout_table),
        executions=StepFunctionsExecutions(_client("stepfunctions")),
        alarms=CloudWatchRetrainingAlarms(_client("cloudwatch"), names.alarm_prefix),
        routing=DynamoRoutingStore(_client("dynamodb"), names.rollout_table),
        registry=SageMakerRegistry(_client("sagemaker"), names.model_package_group, names.model_image),
        files=S3RunFiles(_client("s3"), names.archive_bucket),
        source=LayerSource(Path(names.model_source)),
        bucket=names.archive_bucket,
        job_prefix=names.job_prefix,
        default_plan=_default_plan(names.retraining_plan),
    )


def job_inspection() -> JobInspection:
    """The use-case behind `inspect_job`."""
    return JobInspection(SageMakerJobs(_client("sagemaker")))


def retraining_judgement(env: Mapping[str, str] = os.environ) -> RetrainingJudgement:
    """The use-case behind `judge_retraining`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(RetrainingJudgementSettings, env)
    s3 = _client("s3")
    artefacts = S3PackageStore(s3, names.archive_bucket)
    registry = SageMakerRegistry(_client("sagemaker"), names.model_package_group, names.model_image)
    return RetrainingJudgement(
        records=_records(names.rollout_table),
        files=S3RunFiles(s3, names.archive_bucket),
        artefacts=artefacts,
        packages=Packages(registry, artefacts),
        routing=DynamoRoutingStore(_client("dynamodb"), names.rollout_table),
        bucket=names.archive_bucket,
        job_prefix=names.job_prefix,
        commit=names.source_commit,
    )


def retraining_end(env: Mapping[str, str] = os.environ) -> RetrainingEnd:
    """The use-case behind `finish_retraining`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(RetrainingEndSettings, env)
    return RetrainingEnd(
        records=_records(names.rollout_table),
        alarms=CloudWatchRetrainingAlarms(_client("cloudwatch"), names.alarm_prefix),
        bell=SnsBell(_client("sns"), names.alarm_topic),
    )


def _client(service: Any) -> Any:
    return boto3.client(service, config=CONTROL)


def _records(table: str) -> RetrainingRecords:
    return RetrainingRecords(DynamoRetrainingStore(_client("dynamodb"), table), time.time)


def _default_plan(text: str) -> dict[str, Any]:
    """Fails here, at the start, rather than in the middle of somebody's run."""
    try:
        plan: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        retraining_plan.parse(plan)
    except (msgspec.DecodeError, InvalidPlan) as error:
        raise InvalidSettings(f"RETRAINING_PLAN is no plan: {error}") from error
    return plan
