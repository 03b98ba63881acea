"""What makes the laptop take deployed code for other code, and what it does with environments of the old."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

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


OPTIONAL = """
Transform: AWS::Serverless-2016-10-31
Parameters: {Watched: {Type: String, Default: "no"}, Level: {Type: String, Default: INFO}}
Conditions: {Watches: !Equals [!Ref Watched, "yes"]}
Resources: {Board: {Type: AWS::CloudWatch::Dashboard, Condition: Watches}}
"""


class Unchanged:
    """A stack that was once given a parameter, whose last update was rolled back, and that is as it shall be."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []

    def describe_stacks(self, **_: str) -> dict[str, Any]:
        values = {"Watched": "yes", "Level": "INFO", "Gone": "1"}
        stack = {
            "StackStatus": "UPDATE_ROLLBACK_COMPLETE",
            "Parameters": [{"ParameterKey": key, "ParameterValue": value} for key, value in values.items()],
            "Outputs": [{"OutputKey": "A", "OutputValue": "a"}],
        }
        return {"Stacks": [stack]}

    def update_stack(self, **request: Any) -> None:
        self.asked = request["Parameters"]
        problem = {"Code": "ValidationError", "Message": "No updates are to be performed."}
        raise ClientError({"Error": problem}, "UpdateStack")  # type: ignore[typeddict-item]

    def describe_stack_events(self, **_: str) -> dict[str, Any]:
        return {"StackEvents": []}


@pytest.fixture
def optional(tmp_path: Path) -> Path:
    template = tmp_path / "template.yaml"
    template.write_text(OPTIONAL)
    return template


def put_again(template: Path, cloudformation: Unchanged, **parameters: str) -> deployment.Deployed:
    clients = {"cloudformation": cloudformation, "s3": SimpleNamespace(put_object=lambda **_: None)}
    place = Place(clients.__getitem__, "http://127.0.0.1:1", "us-east-1")
    return deployment._put(place, Request(template, "fraud", parameters), set())


def test_stack_that_went_back_from_a_failed_update_and_has_nothing_to_do_has_not_changed(optional: Path) -> None:
    deployed = put_again(optional, Unchanged())
    assert (deployed.changed, deployed.outputs) == (False, {"A": "a"})


def test_what_is_left_out_goes_by_the_parameters_that_the_stack_keeps(optional: Path) -> None:
    stack = Unchanged()
    assert put_again(optional, stack, Level="DEBUG").left_out == ("Board (AWS::CloudWatch::Dashboard)",)
    assert stack.asked == [
        {"ParameterKey": "Level", "ParameterValue": "DEBUG"},
        {"ParameterKey": "Watched", "UsePreviousValue": True},
    ]
    assert put_again(optional, stack, Watched="no").left_out == ()
