"""What a role of the template may do is said as CloudFormation would have it, or not at all."""

from typing import Any

import pytest

from verification import template

REGION = {"AWS::Region": "us-east-1"}
READS = {"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}
NO_VALUE = {"Ref": "AWS::NoValue"}


@pytest.fixture
def role(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Properties of the only role of a template with two profiles."""
    properties: dict[str, Any] = {"Policies": []}
    written = {
        "Parameters": {"Profile": {"Default": "minimal"}},
        "Conditions": {"InProduction": {"Fn::Equals": [{"Ref": "Profile"}, "production"]}},
        "Mappings": {"Registry": {"us-east-1": {"Account": "123"}}},
        "Resources": {"Role": {"Properties": properties}},
    }
    monkeypatch.setattr(template, "template", lambda: written)
    return properties


def policy(*statements: Any) -> dict[str, Any]:
    return {"PolicyDocument": {"Statement": list(statements)}}


def in_production(met: Any, unmet: Any = NO_VALUE) -> dict[str, Any]:
    return {"Fn::If": ["InProduction", met, unmet]}


@pytest.mark.parametrize(("given", "resource"), [({}, "small"), ({"Profile": "production"}, "large")])
def test_condition_is_weighed_under_the_parameters_that_are_given_or_their_defaults(
    role: dict[str, Any], given: dict[str, str], resource: str
) -> None:
    role["Policies"] = [policy(READS | {"Resource": in_production("large", "small")})]
    assert template.statements("Role", given) == [READS | {"Resource": resource}]


@pytest.mark.parametrize(("given", "count"), [({}, 0), ({"Profile": "production"}, 2)])
def test_policy_or_statement_without_a_value_is_left_out(
    role: dict[str, Any], given: dict[str, str], count: int
) -> None:
    role["Policies"] = [policy(in_production(READS)), in_production(policy(READS))]
    assert template.statements("Role", given) == [READS] * count


def test_mapping_by_region_is_looked_up_inside_a_text(role: dict[str, Any]) -> None:
    account = {"Fn::FindInMap": ["Registry", {"Ref": "AWS::Region"}, "Account"]}
    role["Policies"] = [policy(READS | {"Resource": {"Fn::Sub": ["${Of}:${AWS::Region}", {"Of": account}]}})]
    assert template.statements("Role", REGION) == [READS | {"Resource": "123:us-east-1"}]


@pytest.mark.parametrize(
    "unknown",
    [
        {"Fn::Join": [":", ["a", {"Ref": "AWS::Region"}]]},
        {"Fn::FindInMap": ["Registry", {"Fn::GetAtt": ["Key", "Arn"]}, "Account"]},
    ],
)
def test_function_that_is_not_known_is_refused(role: dict[str, Any], unknown: dict[str, Any]) -> None:
    role["Policies"] = [policy(READS | {"Resource": [unknown]})]
    with pytest.raises(ValueError, match=next(iter(unknown))):
        template.statements("Role", REGION)


def test_reference_to_what_is_not_given_is_refused_where_it_is_asked_for(role: dict[str, Any]) -> None:
    uses_key = {"Effect": "Allow", "Action": "kms:Decrypt", "Resource": {"Fn::GetAtt": ["DataKey", "Arn"]}}
    role["Policies"] = [policy(READS, uses_key)]
    assert template.statements("Role", {}, ["s3"]) == [READS]
    with pytest.raises(KeyError, match="DataKey"):
        template.statements("Role", {})
