"""Names and places of monitoring are those that policies know."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from fraud.deployment_ports import EndpointPlan, Hosting, Instance
from fraud.monitoring import Files
from fraud.monitoring_ports import SchedulePlan
from tests.fakes.retraining import EXECUTION
from tests.template.policies import SAGEMAKER, granting, resources

Resources = dict[str, dict[str, Any]]
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


def test_an_endpoint_that_captures_nothing_keeps_its_name() -> None:
    plan = EndpointPlan("stack-a", "arn:package/12", 12, Instance("ml.m5.large"), Hosting("arn:role", "key"))
    assert plan.name == "stack-a-v12-3bb58c1b"
