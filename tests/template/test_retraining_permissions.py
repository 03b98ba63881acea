"""Names and places of a retraining are those that policies know."""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import Any

import pytest

from fraud.aws import retraining_items
from fraud.errors import InvalidPlan
from fraud.retraining import LONGEST_PREFIX, Files
from fraud.retraining_plan import parse
from tests.fakes.retraining import EXECUTION, retraining
from tests.template.policies import SAGEMAKER, granting, resources

Resources = dict[str, dict[str, Any]]
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


def test_the_history_lies_where_its_policy_says() -> None:
    assert retraining_items.encode_past(retraining(ended_at=1.0))["pk"] == {"S": "retrainings"}


def test_a_plan_names_a_history_only_where_it_may_be_read() -> None:
    assert parse({"history_uri": "s3://archive/history/2024/"}).history_uri
    with pytest.raises(InvalidPlan, match="history_uri"):
        parse({"history_uri": "s3://archive/decisions/"})


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
