"""Every role is granted what is called with it, on what it is called on, and nothing else."""

from __future__ import annotations

import ast
import copy
from pathlib import Path
from typing import Any

import pytest

from checks.translation import translate
from tests.permissions.granted import Need, Resources, grants
from tests.permissions.least_privilege import differences, needed, recorded, unreached
from tests.permissions.recording import RECORDED

ROOT = Path(__file__).parents[2]
UNREACHED = RECORDED.with_name("unreached_calls.jsonl")


@pytest.fixture(scope="module")
def resources() -> Resources:
    found: Resources = translate()["Resources"]
    return found


@pytest.fixture(scope="module")
def needs(resources: Resources) -> set[Need]:
    return needed(resources)


def added(changed: Resources, resources: Resources, needs: set[Need]) -> list[str]:
    """What a change makes of the differences, whatever they are without it."""
    return sorted(set(differences(changed, needs)) - set(differences(resources, needs)))


def statements(resources: Resources, role: str) -> list[Any]:
    found: list[Any] = resources[role]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    return found


def test_every_role_is_granted_what_it_needs_and_no_more(resources: Resources, needs: set[Need]) -> None:
    assert differences(resources, needs) == []


def test_a_need_of_every_role_is_known(resources: Resources, needs: set[Need]) -> None:
    roles = {name for name, each in resources.items() if each["Type"] == "AWS::IAM::Role"}
    assert {each.role for each in needs} == roles


def test_every_grant_that_is_taken_away_is_missed(resources: Resources, needs: set[Need]) -> None:
    """One at a time, of a role of each kind, whatever it is granted."""
    for role in ("AbortRolloutRole", "ArchiveDeliveryRole", "DriftMachineRole", "MonitoringJobRole"):
        for number, statement in enumerate(statements(resources, role)):
            less = copy.copy(resources)
            less[role] = copy.deepcopy(resources[role])
            del statements(less, role)[number]
            missed = added(less, resources, needs)
            assert missed and all(each.startswith(f"{role}: too little: ") for each in missed), statement


@pytest.mark.parametrize(
    ("planted", "said"),
    [
        (
            {"Action": "dynamodb:Scan", "Resource": {"Fn::GetAtt": ["RolloutTable", "Arn"]}},
            ["AbortRolloutRole: too much: dynamodb:Scan on RolloutTable"],
        ),
        (
            {"Action": "dynamodb:GetItem", "Resource": {"Fn::GetAtt": ["DecisionTable", "Arn"]}},
            ["AbortRolloutRole: too much: dynamodb:GetItem on DecisionTable"],
        ),
        (
            {"Action": "dynamodb:*", "Resource": "*"},
            ["AbortRolloutRole: too much: dynamodb:* on *"],
        ),
        (
            {"Action": ["sns:Publish", "sqs:SendMessage"], "Resource": {"Fn::Sub": "${ArchiveBucket.Arn}/*"}},
            [
                "AbortRolloutRole: too much: sns:Publish on ArchiveBucket/*",
                "AbortRolloutRole: too much: sqs:SendMessage on ArchiveBucket/*",
            ],
        ),
    ],
)
def test_what_is_granted_besides_is_found(
    resources: Resources, needs: set[Need], planted: dict[str, Any], said: list[str]
) -> None:
    more = copy.copy(resources)
    more["AbortRolloutRole"] = copy.deepcopy(resources["AbortRolloutRole"])
    statements(more, "AbortRolloutRole").append({"Effect": "Allow", **planted})
    assert added(more, resources, needs) == said


def test_a_wider_resource_is_too_much_and_leaves_too_little(resources: Resources, needs: set[Need]) -> None:
    wider = copy.copy(resources)
    wider["RecordLabelsRole"] = copy.deepcopy(resources["RecordLabelsRole"])
    (storing,) = [each for each in statements(wider, "RecordLabelsRole") if each["Action"] == "s3:PutObject"]
    storing["Resource"] = {"Fn::Sub": "${QuarantineBucket.Arn}/*"}
    assert added(wider, resources, needs) == [
        "RecordLabelsRole: too little: s3:PutObject on QuarantineBucket/poison/labels/*",
        "RecordLabelsRole: too much: s3:PutObject on QuarantineBucket/*",
    ]


def test_roles_only_allow_and_name_actions(resources: Resources) -> None:
    """A pattern of actions is read as one; those of the key are AWS's own names for what it does in two ways."""
    assert {each.action for each in grants(resources) if "*" in each.action} == {
        "kms:GenerateDataKey*",
        "kms:ReEncrypt*",
    }
    for name, each in resources.items():
        if each["Type"] == "AWS::IAM::Role":
            found = [one for policy in each["Properties"]["Policies"] for one in policy["PolicyDocument"]["Statement"]]
            assert all(one["Effect"] == "Allow" and not {"NotAction", "NotResource"} & one.keys() for one in found), (
                name
            )


def test_calls_that_no_end_to_end_test_leads_to_are_made_by_the_tests_that_are_named() -> None:
    for test in set(unreached().values()):
        file, _, name = test.partition("::")
        tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
        assert name in {each.name for each in tree.body if isinstance(each, ast.FunctionDef)}, test


def test_lists_are_sorted_and_no_call_is_on_both() -> None:
    assert not recorded() & unreached().keys()
    for file in (RECORDED, UNREACHED):
        lines = file.read_text(encoding="utf-8").splitlines()
        assert lines == sorted(set(lines))
