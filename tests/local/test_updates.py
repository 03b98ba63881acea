"""What makes the laptop take deployed code for other code, and what it does with environments of the old."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from local import deployment
from local.children import Children, Location
from local.deployment import DeploymentFailed, Place, Request
from local.environments import Environments, Function
from local.functions import revision

HANDLER = "def handler(event, context):\n    return {value}\n"


@pytest.fixture
def code(tmp_path: Path) -> Path:
    code = tmp_path / "code"
    (code / "package" / "__pycache__").mkdir(parents=True)
    (code / "code.py").write_text(HANDLER.format(value=1))
    return code


@pytest.fixture
def environments(tmp_path: Path) -> Iterator[Environments]:
    children = Children()
    environments = Environments(children, Location("http://127.0.0.1:1", "us-east-1", "000000000000"), tmp_path)
    yield environments
    environments.retain(set())
    children.close()


def function(code: Path) -> Function:
    return Function("f", "arn:f", revision(code), "role", "code.handler", code, 5.0, 128, "/logs", ())


def test_revision_changes_with_content_names_and_place_but_not_with_what_python_leaves(code: Path) -> None:
    first = revision(code)
    (code / "package" / "__pycache__" / "code.pyc").write_bytes(b"compiled")
    assert revision(code) == first
    (code / "code.py").write_text(HANDLER.format(value=22))
    second = revision(code)
    (code / "code.py").rename(code / "package" / "code.py")
    third = revision(code)
    elsewhere = code.rename(code.parent / "elsewhere")
    assert len({first, second, third, revision(elsewhere)}) == 4


def test_updated_function_runs_the_new_code_and_ends_the_environments_of_the_old(
    code: Path, environments: Environments
) -> None:
    before = function(code)
    assert environments.invoke(before, {}, "1").answer == 1
    (code / "code.py").write_text(HANDLER.format(value=22))
    assert environments.invoke(before, {}, "2").answer == 1  # not deployed yet

    assert environments.invoke(replace(before, revision=revision(code)), {}, "3").answer == 22

    assert [each.revision for each, idle in environments._idle.items() if idle] == [revision(code)]


def test_environments_of_functions_that_are_gone_are_ended(code: Path, environments: Environments) -> None:
    environments.invoke(function(code), {}, "1")
    environments.retain({"arn:f"})
    assert any(environments._idle.values())
    environments.retain(set())
    assert not any(environments._idle.values())


def test_parameter_that_the_template_has_not_is_refused(tmp_path: Path) -> None:
    template = tmp_path / "template.yaml"
    template.write_text("Parameters: {Known: {Type: String}}\nResources: {}\n")
    place = Place(lambda name: pytest.fail(f"{name} is asked"), "http://127.0.0.1:1", "us-east-1")
    with pytest.raises(DeploymentFailed, match=r"\[Nonsense\] do not exist in the template"):
        deployment._put(place, Request(template, "fraud", {"Nonsense": "1"}), set())
