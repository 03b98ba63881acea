"""How schedules, machines, event sources, alarms and buses are removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from verification.account import Aws
from verification.kind import found
from verification.stored_kinds import PROCESSING, remove_log_streams

# --- Model Monitor ----------------------------------------------------------------------------------------------------


def executions(aws: Aws, schedule: str) -> list[Mapping[str, Any]]:
    """The newest runs of a schedule, newest first."""
    answer = found(
        lambda: aws.client("sagemaker").list_monitoring_executions(
            MonitoringScheduleName=schedule, SortBy="CreationTime", SortOrder="Descending", MaxResults=10
        )
    )
    return list(answer["MonitoringExecutionSummaries"]) if answer else []


def remove_schedule(aws: Aws, name: str) -> None:
    """Stop its runs, because it cannot go before them; what they logged goes while it still tells their names."""
    sagemaker = aws.client("sagemaker")
    runs = [each for each in executions(aws, name) if "ProcessingJobArn" in each]
    running = [each for each in runs if each["MonitoringExecutionStatus"] == "InProgress"]
    for run in running:
        sagemaker.stop_processing_job(ProcessingJobName=job_of(run))
    if not running:
        for run in runs:
            remove_log_streams(aws, f"{PROCESSING}|{job_of(run)}")
        sagemaker.delete_monitoring_schedule(MonitoringScheduleName=name)


def job_of(run: Mapping[str, Any]) -> str:
    return str(run["ProcessingJobArn"].rpartition("/")[2])


# --- Machines, functions, events --------------------------------------------------------------------------------------


def machine_stands(aws: Aws, arn: str) -> bool:
    return found(lambda: aws.client("stepfunctions").describe_state_machine(stateMachineArn=arn)) is not None


def remove_machine(aws: Aws, arn: str) -> None:
    aws.client("stepfunctions").delete_state_machine(stateMachineArn=arn)


def mappings(aws: Aws, function: str) -> list[str]:
    """Ids of a function's event sources."""
    answer = found(lambda: aws.client("lambda").list_event_source_mappings(FunctionName=function))
    return [each["UUID"] for each in answer["EventSourceMappings"]] if answer else []


def remove_mappings(aws: Aws, function: str) -> None:
    for mapping in mappings(aws, function):
        aws.client("lambda").delete_event_source_mapping(UUID=mapping)


def alarm_stands(aws: Aws, name: str) -> bool:
    return bool(aws.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"])


def remove_alarm(aws: Aws, name: str) -> None:
    aws.client("cloudwatch").delete_alarms(AlarmNames=[name])


def bus_stands(aws: Aws, name: str) -> bool:
    return found(lambda: aws.client("events").describe_event_bus(Name=name)) is not None


def remove_bus(aws: Aws, name: str) -> None:
    """Its rules and their targets first."""
    events = aws.client("events")
    for rule in events.list_rules(EventBusName=name)["Rules"]:
        targets = events.list_targets_by_rule(Rule=rule["Name"], EventBusName=name)["Targets"]
        if targets:
            ids = [each["Id"] for each in targets]
            events.remove_targets(Rule=rule["Name"], EventBusName=name, Ids=ids)
        events.delete_rule(Name=rule["Name"], EventBusName=name)
    events.delete_event_bus(Name=name)
