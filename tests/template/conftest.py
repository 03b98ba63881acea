"""The template, as written and as CloudFormation sees it."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest

from checks.translation import read_template, translate

Resources = dict[str, dict[str, Any]]


@pytest.fixture(scope="session")
def written() -> dict[str, Any]:
    return read_template()


@pytest.fixture(scope="session")
def template() -> dict[str, Any]:
    return translate()


@pytest.fixture(scope="session")
def of_type(template: dict[str, Any]) -> Callable[[str], Resources]:
    """Resources of a type, by logical id; asking for a type that is not there is a mistake of the test."""

    def select(kind: str) -> Resources:
        found = {name: each for name, each in template["Resources"].items() if each["Type"] == kind}
        assert found, f"the template has no {kind}"
        return found

    return select


@pytest.fixture
def roles(of_type: Callable[[str], Resources]) -> Resources:
    """Roles, with the policies that are attached to them from outside."""
    found, attached = copy.deepcopy((of_type("AWS::IAM::Role"), of_type("AWS::IAM::Policy")))
    for policy in attached.values():
        for role in policy["Properties"]["Roles"]:
            found[role["Ref"]]["Properties"]["Policies"].append(policy["Properties"])
    return found


@pytest.fixture
def role_of(of_type: Callable[[str], Resources], roles: Resources) -> Resources:
    """The role of each function, by the function's logical id."""
    return {
        name: roles[function["Properties"]["Role"]["Fn::GetAtt"][0]]
        for name, function in of_type("AWS::Lambda::Function").items()
    }
