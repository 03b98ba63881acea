"""The template, as written and as CloudFormation sees it."""

from __future__ import annotations

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
