"""`sam deploy` works without questions, for every environment."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from cli.target import DEFAULT_STACK

ENVIRONMENTS = ["dev", "staging", "prod"]


@pytest.fixture(scope="module")
def samconfig() -> dict[str, Any]:
    return tomllib.loads((Path(__file__).parents[2] / "samconfig.toml").read_text(encoding="utf-8"))


def test_a_first_deployment_needs_no_parameters(template: dict[str, Any]) -> None:
    assert [name for name, each in template["Parameters"].items() if "Default" not in each] == []


@pytest.mark.parametrize("environment", ["default", *ENVIRONMENTS])
def test_overrides_name_parameters_of_the_template(
    samconfig: dict[str, Any], template: dict[str, Any], environment: str
) -> None:
    overrides = dict(
        each.split("=") for each in samconfig[environment]["deploy"]["parameters"]["parameter_overrides"].split()
    )
    assert set(overrides) <= set(template["Parameters"])
    assert overrides["Stage"] == ("dev" if environment == "default" else environment)


def test_environments_are_stacks_of_their_own(samconfig: dict[str, Any]) -> None:
    names = [samconfig[each]["global"]["parameters"]["stack_name"] for each in ENVIRONMENTS]
    assert names == [DEFAULT_STACK, f"{DEFAULT_STACK}-staging", f"{DEFAULT_STACK}-prod"]


def test_a_plain_deployment_is_that_of_dev_and_the_one_that_commands_look_for(samconfig: dict[str, Any]) -> None:
    plain, dev = samconfig["default"], samconfig["dev"]
    assert plain["global"]["parameters"] == dev["global"]["parameters"] == {"stack_name": DEFAULT_STACK}
    assert plain["deploy"] == dev["deploy"]


def test_roles_are_acknowledged_but_not_roles_with_names(samconfig: dict[str, Any]) -> None:
    assert {each["deploy"]["parameters"]["capabilities"] for each in (samconfig[name] for name in ENVIRONMENTS)} == {
        "CAPABILITY_IAM"
    }


def test_production_shows_its_changes_before_it_makes_them(samconfig: dict[str, Any]) -> None:
    assert samconfig["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


def test_production_protects_its_tables_from_deletion_by_hand(template: dict[str, Any]) -> None:
    tables = [each for each in template["Resources"].values() if each["Type"] == "AWS::DynamoDB::Table"]
    protection = [each["Properties"]["DeletionProtectionEnabled"] for each in tables]
    assert protection == [{"Fn::If": ["IsProduction", True, False]}] * 3


def test_the_template_has_no_yaml_aliases_since_cloudformation_knows_none() -> None:
    import yaml

    events = yaml.parse((Path(__file__).parents[2] / "template.yaml").read_text(encoding="utf-8"))
    assert [event for event in events if isinstance(event, yaml.AliasEvent)] == []
