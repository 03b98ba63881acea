"""Monitoring may do what it does, and nothing else: its functions, its machines and its jobs."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from fraud.deployment_ports import EndpointPlan, Hosting, Instance
from fraud.monitoring import Files
from fraud.monitoring_ports import SchedulePlan
from fraud.services.job_code import JobCode
from fraud.services.monitoring_refresh import MonitoringRefresh
from fraud.services.refresh_end import RefreshEnd
from fraud.services.schedule_upkeep import ScheduleUpkeep
from fraud.services.window_watch import WindowWatch
from tests.fakes.retraining import EXECUTION
from tests.template.policies import (
    LOG_DELIVERY,
    SAGEMAKER,
    actions,
    granted_to,
    granting,
    in_archive,
    listed,
    resources,
    statements,
)

Resources = dict[str, dict[str, Any]]
DEFINITIONS = Path(__file__).parents[2] / "state_machines"
ARCHIVE = {"Fn::GetAtt": ["ArchiveBucket", "Arn"]}
MACHINES = {"MonitoringMachine": "monitoring", "DriftMachine": "drift"}
JOBS = {
    "MonitoringMachine": f"{SAGEMAKER}processing-job/${{AWS::StackName}}-????????????-baseline",
    "DriftMachine": f"{SAGEMAKER}processing-job/${{AWS::StackName}}-????????????-monitor",
}
SCHEDULES = [
    f"{SAGEMAKER}monitoring-schedule/${{AWS::StackName}}-?-data-quality",
    f"{SAGEMAKER}data-quality-job-definition/${{AWS::StackName}}-?-*",
]


def files(kind: str, stack: str = "fraud-detection") -> Files:
    return Files("archive", stack, EXECUTION, "first", kind)


def prefixes(role: dict[str, Any], action: str) -> list[str]:
    """Prefixes of the archive bucket below which the role may do something to objects."""
    granted = [each.get("Fn::Sub", "") for each in resources(granting(role, action))]
    return sorted(each.removeprefix("${ArchiveBucket.Arn}/").removesuffix("/*") for each in granted)


# --- Functions --------------------------------------------------------------------------------------------------------

USE_CASES = {
    "RefreshMonitoring": (MonitoringRefresh, ScheduleUpkeep, RefreshEnd, JobCode),
    "JudgeWindow": (WindowWatch, JobCode),
}
ACTIONS = {
    "bell.ring": {"sns:Publish"},
    "executions.is_running": {"states:DescribeExecution"},
    "files.is_empty": {"s3:ListBucket"},
    # Without the right to list, S3 says of what is missing that it is forbidden.
    "files.read": {"s3:GetObject", "s3:ListBucket"},
    "files.write": {"s3:PutObject"},
    "metrics.publish": {"cloudwatch:PutMetricData"},
    "monitor.clear": {
        "sagemaker:DeleteDataQualityJobDefinition",
        "sagemaker:DeleteMonitoringSchedule",
        "sagemaker:DescribeMonitoringSchedule",
        "sagemaker:ListDataQualityJobDefinitions",
    },
    "monitor.ensure": {
        "iam:PassRole",
        "sagemaker:CreateDataQualityJobDefinition",
        "sagemaker:CreateMonitoringSchedule",
        "sagemaker:DeleteDataQualityJobDefinition",
        "sagemaker:DescribeDataQualityJobDefinition",
        "sagemaker:DescribeMonitoringSchedule",
        "sagemaker:ListDataQualityJobDefinitions",
        "sagemaker:StartMonitoringSchedule",
        "sagemaker:UpdateMonitoringSchedule",
    },
    "monitor.last_run": {"sagemaker:ListMonitoringExecutions"},
    "registry.describe": {"sagemaker:DescribeModelPackage"},
    "routing.read": {"dynamodb:GetItem"},
    "refreshes.read": {"dynamodb:GetItem"},
    "store.begin": {"dynamodb:PutItem"},
    "store.read": {"dynamodb:GetItem"},
    "store.save": {"dynamodb:PutItem"},
    "watches.put": {"dynamodb:PutItem"},
    "watches.read": {"dynamodb:GetItem"},
}
"""What a call of a port takes, of the adapters that make it on AWS."""
EVERY_FUNCTION = {"logs:CreateLogStream", "logs:PutLogEvents"}


def needed(name: str) -> set[str]:
    """Actions that a function takes, by the ports that its use-cases call; records are asked for by a wrapper."""
    text = "".join(inspect.getsource(each) for each in USE_CASES[name])
    called = {match.removeprefix("records.") for match in re.findall(r"self\.((?:records\.)?\w+\.\w+)\(", text)}
    called |= {"store.read", "store.save"} if "self.records." in text else set()
    return set().union(*(ACTIONS[each] for each in called if each in ACTIONS))


@pytest.mark.parametrize("name", USE_CASES)
def test_a_function_may_do_what_its_use_cases_call_and_no_more(roles: Resources, name: str) -> None:
    granted = {each for each in actions(roles[f"{name}Role"]) if not each.startswith("kms:")}
    asking = {"states:DescribeExecution"} & needed(name)
    assert granted | asking == needed(name) | EVERY_FUNCTION


def test_what_keeps_baselines_reads_them_and_looks_where_their_rows_come_from(roles: Resources) -> None:
    role = roles["RefreshMonitoringRole"]
    assert (prefixes(role, "s3:GetObject"), prefixes(role, "s3:PutObject")) == (["monitoring/baselines"], ["source"])
    (listing,) = granting(role, "s3:ListBucket")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["decisions/*", "monitoring/*"]}}


def test_what_judges_windows_reads_what_looks_found(roles: Resources) -> None:
    role = roles["JudgeWindowRole"]
    assert (prefixes(role, "s3:GetObject"), prefixes(role, "s3:PutObject")) == (["monitoring/windows"], ["source"])
    (listing,) = granting(role, "s3:ListBucket")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "monitoring/*"}}


def test_schedules_are_removed_by_what_keeps_them_and_what_removes_their_endpoints(roles: Resources) -> None:
    removing = {"RefreshMonitoring", "DeployChallenger", "AbortRollout"}
    for action in ("DeleteMonitoringSchedule", "DeleteDataQualityJobDefinition"):
        assert granted_to(roles, f"sagemaker:{action}") == removing
        for name in removing:
            granted = resources(granting(roles[f"{name}Role"], f"sagemaker:{action}"))
            assert granted == [{"Fn::Sub": each} for each in SCHEDULES]
    for action in ("CreateMonitoringSchedule", "UpdateMonitoringSchedule", "CreateDataQualityJobDefinition"):
        assert granted_to(roles, f"sagemaker:{action}") == {"RefreshMonitoring"}


# --- Names and places -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("job", "kind"), [("baseline", "baselines"), ("monitor", "windows")])
def test_a_jobs_name_is_one_that_the_policies_know(job: str, kind: str) -> None:
    patterns = [each.rpartition("/")[2].replace("${AWS::StackName}", "fraud-detection") for each in JOBS.values()]
    assert [fnmatchcase(files(kind).job(job), each) for each in patterns].count(True) == 1


@pytest.mark.parametrize("slot", ["a", "b"])
def test_a_schedules_names_are_those_that_the_policies_know(slot: str) -> None:
    text = dict.fromkeys(
        (
            "image",
            "role",
            "statistics_uri",
            "constraints_uri",
            "preprocessor_uri",
            "output_uri",
            "instance_type",
            "key",
        ),
        "x",
    )
    plan = SchedulePlan(endpoint=f"fraud-detection-{slot}", **text)
    endings = [each.rpartition("/")[2].replace("${AWS::StackName}", "fraud-detection") for each in SCHEDULES]
    assert [fnmatchcase(each, end) for each, end in zip((plan.schedule, plan.definition), endings, strict=True)] == [
        True,
        True,
    ]


def test_everything_of_a_look_lies_where_its_jobs_may_read_and_write(roles: Resources) -> None:
    for kind in ("baselines", "windows"):
        assert files(kind).found.startswith(f"s3://archive/monitoring/{kind}/")
        assert files(kind).dataset.startswith("s3://archive/monitoring/datasets/")
    role = roles["MonitoringJobRole"]
    assert prefixes(role, "s3:GetObject") == ["capture", "models", "monitoring", "source"]
    assert prefixes(role, "s3:PutObject") == ["monitoring"]
    (listing,) = granting(role, "s3:ListBucket")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["source/*", "models/*", "monitoring/*", "capture/*"]}}


def test_a_job_reaches_no_table_and_calls_nobody(roles: Resources) -> None:
    reached = {each.split(":")[0] for each in actions(roles["MonitoringJobRole"])}
    assert reached == {"cloudwatch", "ecr", "kms", "logs", "s3"}


def test_an_endpoint_that_captures_nothing_keeps_its_name() -> None:
    plan = EndpointPlan("stack-a", "arn:package/12", 12, Instance("ml.m5.large"), Hosting("arn:role", "key"))
    assert plan.name == "stack-a-v12-3bb58c1b"


# --- The machines -----------------------------------------------------------------------------------------------------

OF_A_JOB = {"sagemaker:AddTags", "sagemaker:ListTags"}
TAKES = {
    "lambda:invoke": {"lambda:InvokeFunction"},
    "sns:publish": {"sns:Publish"},
    "states:startExecution": {"states:StartExecution"},
    "sagemaker:createProcessingJob.sync": OF_A_JOB
    | {"sagemaker:CreateProcessingJob", "sagemaker:DescribeProcessingJob", "sagemaker:StopProcessingJob"},
    "athena:startQueryExecution.sync": {
        "athena:GetDataCatalog",
        "athena:GetQueryExecution",
        "athena:StartQueryExecution",
        "athena:StopQueryExecution",
    },
}
"""What a kind of state takes, besides what jobs and queries take in turn."""
TO_LEARN_OF_ENDS = {"events:DescribeRule", "events:PutRule", "events:PutTargets"}
TO_QUERY = {
    "glue:GetDatabase",
    "glue:GetPartitions",
    "glue:GetTable",
    "s3:AbortMultipartUpload",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:ListBucket",
    "s3:ListBucketMultipartUploads",
    "s3:ListMultipartUploadParts",
    "s3:PutObject",
}


def states(machine: str) -> list[dict[str, Any]]:
    text = (DEFINITIONS / f"{MACHINES[machine]}.asl.json").read_text(encoding="utf-8")
    return list(json.loads(text)["States"].values())


def kinds(machine: str) -> set[str]:
    """Kinds of states that call a service."""
    return {each["Resource"].removeprefix("arn:aws:states:::") for each in states(machine) if "Resource" in each}


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_may_do_what_its_states_do_and_no_more(roles: Resources, name: str) -> None:
    taken = set().union(*(TAKES[each] for each in kinds(name)))
    granted = {each for each in actions(roles[f"{name}Role"]) - LOG_DELIVERY if not each.startswith("kms:")}
    assert granted == taken | TO_LEARN_OF_ENDS | TO_QUERY | {"iam:PassRole"}


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_calls_the_functions_that_its_states_name(roles: Resources, name: str) -> None:
    called = {each["Fn::GetAtt"][0] for each in resources(granting(roles[f"{name}Role"], "lambda:InvokeFunction"))}
    assert called == {f"{each}Function" for each in re.findall(r"\$\{(\w+)Arn\}", " ".join(function_names(name)))}


def function_names(name: str) -> Iterator[str]:
    return (
        each["Parameters"]["FunctionName"]
        for each in states(name)
        if each.get("Resource", "").endswith("lambda:invoke")
    )


@pytest.mark.parametrize("name", MACHINES)
def test_a_machine_runs_the_one_job_of_its_own(roles: Resources, name: str) -> None:
    for action in ("AddTags", "CreateProcessingJob", "StopProcessingJob"):
        assert resources(granting(roles[f"{name}Role"], f"sagemaker:{action}")) == [{"Fn::Sub": JOBS[name]}]
    rule = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/"
    for action in TO_LEARN_OF_ENDS:
        heard = resources(granting(roles[f"{name}Role"], action))
        assert heard == [{"Fn::Sub": f"{rule}StepFunctionsGetEventsForSageMakerProcessingJobsRule"}]


@pytest.mark.parametrize("name", MACHINES)
def test_queries_read_the_archive_and_write_data_sets_and_their_own_results(roles: Resources, name: str) -> None:
    machine = roles[f"{name}Role"]
    assert resources(granting(machine, "s3:GetObject")) == in_archive("decisions", "labels", "queries")
    for action in ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"):
        assert resources(granting(machine, action)) == in_archive("queries", "monitoring/datasets")
    (listing,) = granting(machine, "s3:ListBucket")
    wanted = {"StringLike": {"s3:prefix": ["decisions/*", "labels/*", "queries/*", "monitoring/datasets/*"]}}
    assert (listing["Resource"], listing["Condition"]) == (ARCHIVE, wanted)


def test_machines_and_jobs_use_the_data_key_only_through_services(roles: Resources) -> None:
    services = {
        "MonitoringMachineRole": ["s3", "sns"],
        "DriftMachineRole": ["s3"],
        "MonitoringJobRole": ["s3"],
    }
    for name, allowed in services.items():
        (granted,) = [each for each in statements(roles[name]) if "kms:Decrypt" in listed(each["Action"])]
        via = listed(granted["Condition"]["StringEquals"]["kms:ViaService"])
        assert via == [{"Fn::Sub": f"{each}.${{AWS::Region}}.amazonaws.com"} for each in allowed]
