"""Schedules, job definitions and runs in Model Monitor's notation."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC
from typing import Any

from fraud.aws.endpoints import volume_key
from fraud.monitoring_ports import SchedulePlan

PENDING = "Pending"
UNDER_WAY = frozenset({PENDING, "InProgress", "Stopping"})
"""Statuses of runs that are not over."""
ENVIRONMENT = {"publish_cloudwatch_metrics": "Disabled"}
"""Three metrics of every feature have a price, and no alarm reads them: the application publishes its own."""
VOLUME_GB = 30
INPUT, OUTPUT = "/opt/ml/processing/input/endpoint", "/opt/ml/processing/output"
RUNS = {
    PENDING: "has not begun",
    "InProgress": "is under way",
    "Completed": "found no violation",
    "CompletedWithViolations": "found violations",
    "Stopping": "is being stopped",
    "Stopped": "was stopped",
}
NO_DATA = "no data"
"""What the reason of a run says that found nothing captured: it failed, but nothing is wrong with it."""

Described = Mapping[str, Any]


def status_of(schedule: Described) -> str:
    """Pending, Scheduled, Stopped or Failed."""
    return str(schedule["MonitoringScheduleStatus"])


def is_under_way(run: Described) -> bool:
    """Whether a run is not over."""
    return run["MonitoringExecutionStatus"] in UNDER_WAY


def is_of(standing: Described, plan: SchedulePlan) -> bool:
    """Whether a schedule is the plan's, by the name of its definition, which stands for all content, and its times."""
    config = standing["MonitoringScheduleConfig"]
    expression = config.get("ScheduleConfig", {}).get("ScheduleExpression")
    return (config.get("MonitoringJobDefinitionName"), expression) == (plan.definition, plan.expression)


def schedule(plan: SchedulePlan) -> dict[str, Any]:
    """The configuration of a plan's schedule."""
    return {
        "ScheduleConfig": {"ScheduleExpression": plan.expression},
        "MonitoringJobDefinitionName": plan.definition,
        "MonitoringType": "DataQuality",
    }


def definition(plan: SchedulePlan) -> dict[str, Any]:
    """The arguments by which a plan's job definition is created, apart from its name."""
    machines = {"InstanceCount": 1, "InstanceType": plan.instance_type, "VolumeSizeInGB": VOLUME_GB}
    key = volume_key(plan.instance_type, plan.key)
    reports = {"S3Uri": plan.output_uri, "LocalPath": OUTPUT, "S3UploadMode": "EndOfJob"}
    return {
        "DataQualityBaselineConfig": {
            "ConstraintsResource": {"S3Uri": plan.constraints_uri},
            "StatisticsResource": {"S3Uri": plan.statistics_uri},
        },
        "DataQualityAppSpecification": {
            "ImageUri": plan.image,
            "RecordPreprocessorSourceUri": plan.preprocessor_uri,
            "Environment": ENVIRONMENT,
        },
        "DataQualityJobInput": {"EndpointInput": {"EndpointName": plan.endpoint, "LocalPath": INPUT}},
        "DataQualityJobOutputConfig": {"MonitoringOutputs": [{"S3Output": reports}], "KmsKeyId": plan.key},
        "JobResources": {"ClusterConfig": machines | ({"VolumeKmsKeyId": key} if key else {})},
        "RoleArn": plan.role,
        "StoppingCondition": {"MaxRuntimeInSeconds": plan.run_seconds},
    }


def told(run: Described) -> str:
    """What became of a run, in words."""
    began = f"the run of {run['ScheduledTime'].astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    status, reason = run["MonitoringExecutionStatus"], run.get("FailureReason", "")
    if status != "Failed":
        return f"{began} {RUNS.get(status, status)}"
    if NO_DATA in reason.lower():
        return f"{began} had nothing to look at, because nothing was captured: {reason}"
    return f"{began} failed: {reason or 'the service does not say why'}"
