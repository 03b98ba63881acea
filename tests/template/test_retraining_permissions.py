"""A retraining may do what it does, and nothing else: its functions, its machine and its jobs."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest

from fraud.aws import retraining_items
from fraud.errors import InvalidPlan
from fraud.retraining import LONGEST_PREFIX, Files
from fraud.retraining_plan import parse
from fraud.services.job_inspection import JobInspection
from fraud.services.retraining_end import RetrainingEnd
from fraud.services.retraining_judgement import RetrainingJudgement
from fraud.services.retraining_start import RetrainingStart
from tests.fakes.retraining import EXECUTION, retraining
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
DEFINITION = Path(__file__).parents[2] / "state_machines" / "retraining.asl.json"
ARCHIVE = {"Fn::GetAtt": ["ArchiveBucket", "Arn"]}
JOBS = {
    "train": f"{SAGEMAKER}training-job/${{AWS::StackName}}-????????????-train",
    "examine": f"{SAGEMAKER}processing-job/${{AWS::StackName}}-????????????-examine",
    "evaluate": f"{SAGEMAKER}processing-job/${{AWS::StackName}}-????????????-evaluate",
}


def files(stack: str = "fraud-detection") -> Files:
    return Files("archive", stack, EXECUTION, "first")


def prefixes(role: dict[str, Any], action: str) -> list[str]:
    """Prefixes of the archive bucket below which the role may do something to objects."""
    granted = [each.get("Fn::Sub", "") for each in resources(granting(role, action))]
    return sorted(each.removeprefix("${ArchiveBucket.Arn}/").removesuffix("/*") for each in granted)


# --- Functions --------------------------------------------------------------------------------------------------------

USE_CASES = {
    "PrepareRetraining": RetrainingStart,
    "InspectJob": JobInspection,
    "JudgeRetraining": RetrainingJudgement,
    "FinishRetraining": RetrainingEnd,
}
ACTIONS = {
    "alarms.firing": {"cloudwatch:DescribeAlarms"},
    "artefacts.read": {"s3:GetObject"},
    "artefacts.write": {"s3:PutObject"},
    "bell.ring": {"sns:Publish"},
    "executions.is_running": {"states:DescribeExecution"},
    "files.is_empty": {"s3:ListBucket"},
    # Without the right to list, S3 says of what is missing that it is forbidden.
    "files.read": {"s3:GetObject", "s3:ListBucket"},
    "files.write": {"s3:PutObject"},
    "jobs.describe": {"sagemaker:DescribeProcessingJob", "sagemaker:DescribeTrainingJob"},
    "packages.register": {
        "ecr:BatchGetImage",
        "ecr:DescribeImages",
        "s3:PutObject",
        "sagemaker:CreateModelPackage",
        "sagemaker:DescribeModelPackage",
        "sagemaker:ListModelPackages",
        "sagemaker:UpdateModelPackage",
    },
    "registry.describe": {"sagemaker:DescribeModelPackage"},
}
"""What a call of a port takes, of the adapters that make it on AWS; the record is in test_permissions.py."""
EVERY_FUNCTIONS = {"logs:CreateLogStream", "logs:PutLogEvents"}


@pytest.mark.parametrize("name", sorted(USE_CASES))
def test_a_function_is_granted_what_its_use_case_calls_and_no_more(roles: Resources, name: str) -> None:
    called = re.findall(r"self\.(\w+\.\w+)\(", inspect.getsource(USE_CASES[name]))
    needed = {action for each in called for action in ACTIONS.get(each, set())}
    granted = actions(roles[f"{name}Role"]) - EVERY_FUNCTIONS
    assert {each for each in granted if not each.startswith(("dynamodb:", "kms:"))} == needed


def test_a_lock_is_asked_for_its_own_machines_executions_only(roles: Resources) -> None:
    machines = {"PrepareRetraining": "RetrainingMachine", "RefreshMonitoring": "MonitoringMachine"}
    assert granted_to(roles, "states:DescribeExecution") == set(machines)
    for name, machine in machines.items():
        asked = resources(granting(roles[f"{name}Role"], "states:DescribeExecution"))
        execution = (
            f"arn:${{AWS::Partition}}:states:${{AWS::Region}}:${{AWS::AccountId}}:execution:${{{machine}.Name}}:*"
        )
        assert asked == [{"Fn::Sub": execution}]


def test_the_history_lies_where_its_policy_says() -> None:
    assert retraining_items.encode_past(retraining(ended_at=1.0))["pk"] == {"S": "retrainings"}


def test_whether_there_are_rows_is_seen_below_the_runs_and_the_history_alone(roles: Resources) -> None:
    (listing,) = granting(roles["PrepareRetrainingRole"], "s3:ListBucket")
    assert listing["Resource"] == ARCHIVE
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["retraining/*", "history/*"]}}
    assert prefixes(roles["PrepareRetrainingRole"], "s3:PutObject") == ["source"]


def test_a_plan_names_a_history_only_where_it_may_be_read() -> None:
    assert parse({"history_uri": "s3://archive/history/2024/"}).history_uri
    with pytest.raises(InvalidPlan, match="history_uri"):
        parse({"history_uri": "s3://archive/decisions/"})


def test_what_judges_reads_runs_and_writes_beside_models(roles: Resources) -> None:
    role = roles["JudgeRetrainingRole"]
    assert prefixes(role, "s3:GetObject") == ["models", "retraining"]
    assert prefixes(role, "s3:PutObject") == ["models"]


def test_what_looks_at_jobs_looks_at_those_of_this_stack(roles: Resources) -> None:
    role = roles["InspectJobRole"]
    described = {
        kind: [each["Fn::Sub"] for each in resources(granting(role, f"sagemaker:Describe{kind}Job"))]
        for kind in ("Training", "Processing")
    }
    monitoring = [
        f"{SAGEMAKER}processing-job/${{AWS::StackName}}-????????????-{job}" for job in ("baseline", "monitor")
    ]
    retraining = [JOBS["examine"], JOBS["evaluate"]]
    assert described == {"Training": [JOBS["train"]], "Processing": [*retraining, *monitoring]}


# --- Names and places -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("job", sorted(JOBS))
@pytest.mark.parametrize("stack", ["fraud-detection", "x" * LONGEST_PREFIX])
def test_a_jobs_name_is_one_that_the_policies_know(job: str, stack: str) -> None:
    pattern = JOBS[job].rpartition("/")[2].replace("${AWS::StackName}", stack)
    assert fnmatchcase(files(stack).job(job), pattern)


def test_jobs_of_a_stack_with_a_similar_name_are_out_of_reach() -> None:
    pattern = JOBS["train"].rpartition("/")[2].replace("${AWS::StackName}", "fraud-detection")
    assert not fnmatchcase(files("fraud-detection-prod").job("train"), pattern)


def test_everything_of_a_run_lies_where_its_jobs_may_read_and_write(roles: Resources) -> None:
    assert files().root.startswith("s3://archive/retraining/")
    role = roles["RetrainingJobRole"]
    assert prefixes(role, "s3:GetObject") == ["history", "models", "retraining", "source"]
    (listing,) = granting(role, "s3:ListBucket")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": ["source/*", "retraining/*", "models/*", "history/*"]}}


def test_a_job_writes_neither_models_nor_what_it_runs_itself(roles: Resources) -> None:
    role = roles["RetrainingJobRole"]
    assert prefixes(role, "s3:PutObject") == ["retraining"]
    reached = {each.split(":")[0] for each in actions(role)}
    assert reached == {"cloudwatch", "ecr", "kms", "logs", "s3"}


# --- The machine ------------------------------------------------------------------------------------------------------

OF_A_JOB = {"sagemaker:AddTags", "sagemaker:ListTags"}
TAKES = {
    "lambda:invoke": {"lambda:InvokeFunction"},
    "sns:publish": {"sns:Publish"},
    "sagemaker:createTrainingJob.sync": OF_A_JOB
    | {"sagemaker:CreateTrainingJob", "sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"},
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
MANAGED_RULES = {
    "sagemaker:createTrainingJob.sync": "StepFunctionsGetEventsForSageMakerTrainingJobsRule",
    "sagemaker:createProcessingJob.sync": "StepFunctionsGetEventsForSageMakerProcessingJobsRule",
}
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


def kinds() -> set[str]:
    """Kinds of states that call a service."""
    states = json.loads(DEFINITION.read_text(encoding="utf-8"))["States"].values()
    return {each["Resource"].removeprefix("arn:aws:states:::") for each in states if "Resource" in each}


@pytest.fixture
def machine(roles: Resources) -> dict[str, Any]:
    return roles["RetrainingMachineRole"]


def test_the_machine_may_do_what_its_states_do_and_no_more(machine: dict[str, Any]) -> None:
    taken = set().union(*(TAKES[each] for each in kinds()))
    granted = {each for each in actions(machine) - LOG_DELIVERY if not each.startswith("kms:")}
    assert granted == taken | TO_LEARN_OF_ENDS | TO_QUERY | {"iam:PassRole"}


def test_the_machine_calls_the_functions_that_its_states_name(machine: dict[str, Any]) -> None:
    named = set(re.findall(r"\$\{(\w+)Arn\}", " ".join(function_names())))
    called = [each["Fn::GetAtt"][0] for each in resources(granting(machine, "lambda:InvokeFunction"))]
    assert sorted(called) == sorted(f"{name}Function" for name in named)


def function_names() -> Iterator[str]:
    states = json.loads(DEFINITION.read_text(encoding="utf-8"))["States"].values()
    return (each["Parameters"]["FunctionName"] for each in states if each.get("Resource", "").endswith("lambda:invoke"))


@pytest.mark.parametrize("action", ["AddTags", "CreateTrainingJob", "StopTrainingJob"])
def test_training_is_this_stacks_own(machine: dict[str, Any], action: str) -> None:
    assert {"Fn::Sub": JOBS["train"]} in resources(granting(machine, f"sagemaker:{action}"))
    found = {each["Fn::Sub"] for each in resources(granting(machine, f"sagemaker:{action}"))}
    assert found <= set(JOBS.values())


@pytest.mark.parametrize("action", ["AddTags", "CreateProcessingJob", "StopProcessingJob"])
def test_processing_is_this_stacks_own(machine: dict[str, Any], action: str) -> None:
    found = {each["Fn::Sub"] for each in resources(granting(machine, f"sagemaker:{action}"))}
    assert {JOBS["examine"], JOBS["evaluate"]} <= found <= set(JOBS.values())


def test_step_functions_hears_of_the_ends_of_jobs_by_the_rules_that_it_makes_for_them(machine: dict[str, Any]) -> None:
    rule = "arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/"
    wanted = [
        {"Fn::Sub": rule + MANAGED_RULES[each]} for each in sorted(kinds(), reverse=True) if each in MANAGED_RULES
    ]
    for action in TO_LEARN_OF_ENDS:
        assert resources(granting(machine, action)) == wanted


def test_queries_run_in_the_workgroup_and_read_the_two_tables(machine: dict[str, Any]) -> None:
    account = "${AWS::Region}:${AWS::AccountId}:"
    for action in ("GetQueryExecution", "StartQueryExecution", "StopQueryExecution"):
        (group,) = resources(granting(machine, f"athena:{action}"))
        assert group == {"Fn::Sub": f"arn:${{AWS::Partition}}:athena:{account}workgroup/${{QueryWorkGroup}}"}
    tables = {each["Fn::Sub"].partition(account)[2] for each in resources(granting(machine, "glue:GetTable"))}
    assert tables == {
        "catalog",
        "database/${ArchiveDatabase}",
        "table/${ArchiveDatabase}/${ArchivedDecisions}",
        "table/${ArchiveDatabase}/${ArchivedLabels}",
    }


def test_queries_read_the_archive_and_write_data_sets_and_their_own_results(machine: dict[str, Any]) -> None:
    assert resources(granting(machine, "s3:GetObject")) == in_archive("decisions", "labels", "queries")
    for action in ("s3:AbortMultipartUpload", "s3:ListMultipartUploadParts", "s3:PutObject"):
        assert resources(granting(machine, action)) == in_archive("queries", "retraining")
    (listing,) = granting(machine, "s3:ListBucket")
    wanted = {"StringLike": {"s3:prefix": ["decisions/*", "labels/*", "queries/*", "retraining/*"]}}
    assert (listing["Resource"], listing["Condition"]) == (ARCHIVE, wanted)


def test_the_machine_and_its_jobs_use_the_data_key_only_through_services(roles: Resources) -> None:
    services = {
        "RetrainingMachineRole": ["s3", "sns"],
        "RetrainingJobRole": ["s3"],
    }
    for name, allowed in services.items():
        (granted,) = [each for each in statements(roles[name]) if "kms:Decrypt" in listed(each["Action"])]
        via = listed(granted["Condition"]["StringEquals"]["kms:ViaService"])
        assert via == [{"Fn::Sub": f"{each}.${{AWS::Region}}.amazonaws.com"} for each in allowed]
