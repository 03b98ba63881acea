"""The policy that is printed grants what a run calls, and no more than the page admits."""

import json
from collections.abc import Iterator
from fnmatch import fnmatchcase
from typing import Any

import pytest

from local.children import ROOT
from verification import permissions
from verification.kinds import KINDS
from verification.points import ALL

PAGE = (ROOT / "docs" / "verify-aws.md").read_text(encoding="utf-8")
LARGEST_POLICY = 6_144
"""Characters of a managed policy, white space aside."""
AS_GOOD_AS_ALL = {"iam:CreateRole", "iam:PutRolePolicy", "sts:AssumeRole"}
"""Limited to roles of ours, and yet no limit: a role of ours may be given any policy."""


@pytest.fixture(scope="module")
def statements() -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = permissions.policy(ALL)["Statement"]
    return found


def resources_of(statements: list[dict[str, Any]], action: str) -> list[str]:
    return [resource for each in statements if action in each["Action"] for resource in each["Resource"]]


def is_ours(resource: str) -> bool:
    return "fraud-verify-" in resource or "fraud_verify_" in resource or resource.endswith(":catalog")


def beyond_ours(statements: list[dict[str, Any]]) -> Iterator[str]:
    """Changes of things that bear neither our prefix nor our tag."""
    for each in statements[1:]:
        condition = json.dumps(each.get("Condition", {}))
        is_held = "aws:ResourceTag/fraud-verify" in condition or is_ours(condition)
        if not is_held and not all(map(is_ours, each["Resource"])):
            yield from each["Action"]


def test_policy_allows_what_probes_and_their_clean_up_call(statements: list[dict[str, Any]]) -> None:
    actions = {action for each in statements for action in each["Action"]}
    assert {"sagemaker:CreateEndpoint", "s3:ListBucket", "states:CreateStateMachine", "iam:PassRole"} <= actions
    assert {kind.calls[0].partition(".")[0] for kind in KINDS.values()} <= {
        "stepfunctions" if each.startswith("states:") else each.partition(":")[0] for each in actions
    }


def test_policy_looks_at_everything_and_allows_each_action_once(statements: list[dict[str, Any]]) -> None:
    look, *changes = statements
    assert look["Resource"] == ["*"]
    assert [each for each in look["Action"] if not each.partition(":")[2].startswith(permissions.LOOKS)] == []
    actions = [action for each in [look, *changes] for action in each["Action"]]
    assert len(actions) == len(set(actions))
    assert len({each["Sid"] for each in statements}) == len(statements)
    assert all(each["Sid"].isalnum() for each in statements)


def test_policy_fits_into_a_managed_one() -> None:
    assert len(json.dumps(permissions.policy(ALL), separators=(",", ":"))) <= LARGEST_POLICY


@pytest.mark.parametrize(
    ("action", "group"),
    [
        ("logs:DeleteLogGroup", "/aws/sagemaker/ProcessingJobs"),
        ("logs:DeleteLogGroup", "/aws/sagemaker/Endpoints/fraud-detection-a"),
        ("logs:DeleteLogStream", "/aws/sagemaker/Endpoints/fraud-verify-x"),
        ("logs:DeleteLogStream", "/aws/sagemaker/TrainingJobs:log-stream:retraining-1/algo-1"),
    ],
)
def test_logs_of_others_are_kept_as_far_as_they_can_be_told_apart(
    statements: list[dict[str, Any]], action: str, group: str
) -> None:
    arn = f"arn:aws:logs:us-east-1:123456789012:log-group:{group}"
    granted = resources_of(statements, action)
    assert granted and not any(fnmatchcase(arn, each) for each in granted)


def test_keys_are_created_and_tagged_with_our_tag_only(statements: list[dict[str, Any]]) -> None:
    for action in ("kms:CreateKey", "kms:TagResource"):
        [statement] = [each for each in statements if action in each["Action"]]
        assert statement["Condition"]["StringLike"] == {"aws:RequestTag/fraud-verify": "*"}


def test_page_admits_every_change_that_is_not_limited_to_what_is_ours(statements: list[dict[str, Any]]) -> None:
    changes = {*beyond_ours(statements), *AS_GOOD_AS_ALL}
    assert {"kms:TagResource", "sagemaker:StopProcessingJob"} <= changes
    assert sorted(each for each in changes if f"`{each}`" not in PAGE) == []
    assert all(resources_of(statements, each) for each in AS_GOOD_AS_ALL)
