"""Constructs what monitoring works with; apart from `bootstrap`, so that scoring does not load it at its start."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import boto3
import msgspec

from fraud import monitoring_plan, settings
from fraud.aws.bell import SnsBell
from fraud.aws.control_plane import CONTROL
from fraud.aws.executions import StepFunctionsExecutions
from fraud.aws.layer import LayerSource
from fraud.aws.model_monitor import SageMakerModelMonitor
from fraud.aws.monitoring_metrics import CloudWatchMonitoringMetrics
from fraud.aws.monitoring_store import DynamoRefreshStore, DynamoWatchStore
from fraud.aws.registry import SageMakerRegistry
from fraud.aws.routing_store import DynamoRoutingStore
from fraud.aws.run_files import S3RunFiles
from fraud.errors import InvalidPlan, InvalidSettings
from fraud.machine_task import Answer, Task
from fraud.monitoring import Baseline
from fraud.monitoring_ports import SchedulePlan
from fraud.services.job_code import JobCode
from fraud.services.monitoring_refresh import MonitoringRefresh
from fraud.services.refresh_end import RefreshEnd
from fraud.services.refresh_records import RefreshRecords
from fraud.services.schedule_upkeep import ScheduleUpkeep
from fraud.services.window_watch import WindowWatch
from fraud.settings import RefreshSettings, WatchSettings


def refresh_tasks(env: Mapping[str, str] = os.environ) -> Mapping[str, Callable[[Task], Answer]]:
    """The use-cases behind `refresh_monitoring`, by their tasks.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(RefreshSettings, env)
    records = RefreshRecords(DynamoRefreshStore(_client("dynamodb"), names.rollout_table), time.time)
    files = S3RunFiles(_client("s3"), names.archive_bucket)
    code = JobCode(LayerSource(Path(names.model_source)), files)
    routing = DynamoRoutingStore(_client("dynamodb"), names.rollout_table)
    sagemaker = _client("sagemaker")
    refresh = MonitoringRefresh(
        records=records,
        executions=StepFunctionsExecutions(_client("stepfunctions")),
        routing=routing,
        registry=SageMakerRegistry(sagemaker, names.model_package_group, names.model_image),
        files=files,
        code=code,
        bucket=names.archive_bucket,
        job_prefix=names.job_prefix,
        default_plan=_default_plan(names.monitoring_plan),
    )
    upkeep = ScheduleUpkeep(
        records=records,
        routing=routing,
        monitor=SageMakerModelMonitor(sagemaker),
        endpoints=(names.endpoint_slot_a, names.endpoint_slot_b),
        plans=partial(_schedule, names) if names.capture_percentage else None,
    )
    end = RefreshEnd(
        records=records,
        watches=DynamoWatchStore(_client("dynamodb"), names.rollout_table),
        routing=routing,
        bell=SnsBell(_client("sns"), names.alarm_topic),
        looks=names.monitoring_schedule_state == "ENABLED",
        silent_hours=names.monitoring_silent_hours,
    )
    tasks = (
        refresh.lock, refresh.choose_reference, refresh.judge_baseline, upkeep.replace_schedules,
        end.check_liveness, end.release, end.fail,
    )  # fmt: skip
    return {each.__name__: each for each in tasks}


def window_watch(env: Mapping[str, str] = os.environ) -> WindowWatch:
    """The use-case behind `judge_window`.

    Raises:
        InvalidSettings: a variable is missing or malformed.
    """
    names = settings.from_env(WatchSettings, env)
    dynamodb, files = _client("dynamodb"), S3RunFiles(_client("s3"), names.archive_bucket)
    return WindowWatch(
        refreshes=DynamoRefreshStore(dynamodb, names.rollout_table),
        watches=DynamoWatchStore(dynamodb, names.rollout_table),
        routing=DynamoRoutingStore(dynamodb, names.rollout_table),
        registry=SageMakerRegistry(_client("sagemaker"), names.model_package_group, names.model_image),
        files=files,
        code=JobCode(LayerSource(Path(names.model_source)), files),
        metrics=CloudWatchMonitoringMetrics(_client("cloudwatch"), names.powertools_metrics_namespace),
        clock=time.time,
        bucket=names.archive_bucket,
        job_prefix=names.job_prefix,
        default_plan=_default_plan(names.monitoring_plan),
    )


def _schedule(names: RefreshSettings, endpoint: str, baseline: Baseline) -> SchedulePlan:
    return SchedulePlan(
        endpoint=endpoint,
        image=names.model_monitor_image,
        role=names.monitoring_job_role,
        statistics_uri=f"{baseline.uri}statistics.json",
        constraints_uri=f"{baseline.uri}constraints.json",
        preprocessor_uri=f"{baseline.uri}capture_preprocessor.py",
        output_uri=f"s3://{names.archive_bucket}/monitoring/model-monitor/",
        instance_type=names.model_monitor_instance_type,
        key=names.volume_key,
    )


def _client(service: Any) -> Any:
    return boto3.client(service, config=CONTROL)


def _default_plan(text: str) -> dict[str, Any]:
    """Fails here, at the start, rather than in the middle of somebody's look."""
    try:
        plan: dict[str, Any] = msgspec.json.decode(text, type=dict[str, Any])
        monitoring_plan.parse(plan)
    except (msgspec.DecodeError, InvalidPlan) as error:
        raise InvalidSettings(f"MONITORING_PLAN is no plan: {error}") from error
    return plan
