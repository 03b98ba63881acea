"""No value of a parameter makes CloudFormation replace what holds data, nor what has a name of its own.

What holds data would begin empty, and what has a name cannot be replaced while the one before it still has it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

import pytest
from cfnlint.schema import PROVIDER_SCHEMA_MANAGER

Template = dict[str, Any]
OfType = Callable[[str], dict[str, dict[str, Any]]]

STATEFUL = {
    "AWS::DynamoDB::Table": {"TableName", "ImportSourceSpecification", "KeySchema"},
    "AWS::KMS::Key": set(),
    "AWS::Kinesis::Stream": {"Name"},
    "AWS::S3::Bucket": {"BucketName", "BucketNamePrefix", "BucketNamespace"},
    "AWS::SQS::Queue": {"FifoQueue", "QueueName"},
    "AWS::SageMaker::ModelPackageGroup": {"ModelPackageGroupName", "ModelPackageGroupDescription"},
}
"""Properties whose change replaces a resource, by CloudFormation's schemas."""
KEPT = ("Retain", "RetainExceptOnCreate")


@cache
def replacing(kind: str) -> frozenset[str]:
    """Properties of a type whose change makes CloudFormation create another resource."""
    schema = PROVIDER_SCHEMA_MANAGER.get_resource_schema("us-east-1", kind).schema
    paths = [*schema.get("createOnlyProperties", ()), *schema.get("conditionalCreateOnlyProperties", ())]
    return frozenset(path.split("/")[2] for path in paths)


def parameters_in(value: Any, parameters: set[str]) -> Iterator[str]:
    """Parameters and conditions that a value depends on."""
    match value:
        case str():
            yield from parameters.intersection(re.findall(r"\$\{(\w+)}", value))
        case {"Ref": str(name)}:
            yield from parameters & {name}
        case {"Fn::If": [str(condition), *_]}:
            yield condition
        case dict() | list():
            for each in value.values() if isinstance(value, dict) else value:
                yield from parameters_in(each, parameters)


def replaced_by_parameters(template: Template) -> set[str]:
    """`Resource.Property`, whose value a parameter moves although that replaces what must stay."""
    parameters = set(template["Parameters"])
    return {
        f"{name}.{found}"
        for name, resource in template["Resources"].items()
        if resource["Type"] in STATEFUL or is_named(resource)
        for found in replacing(resource["Type"]) & resource.get("Properties", {}).keys()
        if any(parameters_in(resource["Properties"][found], parameters))
    }


def is_named(resource: dict[str, Any]) -> bool:
    kind = resource["Type"].rsplit("::", 1)[1]
    properties: dict[str, Any] = resource.get("Properties", {})
    return resource["Type"].startswith("AWS::") and bool({"Name", f"{kind}Name"} & properties.keys())


def test_what_replaces_a_stateful_resource_is_what_the_manual_says() -> None:
    assert {kind: set(replacing(kind)) for kind in STATEFUL} == STATEFUL


def test_no_parameter_replaces_what_holds_data_or_has_a_name(template: Template) -> None:
    assert replaced_by_parameters(template) == set()


@pytest.mark.parametrize(
    ("resource", "changed", "value"),
    [
        ("TransactionStream", "Name", {"Fn::Sub": "${AWS::StackName}-${Profile}"}),
        ("DecisionTable", "KeySchema", {"Fn::If": ["InProduction", [], []]}),
        ("ModelPackageGroup", "ModelPackageGroupDescription", {"Ref": "Stage"}),
    ],
)
def test_a_parameter_that_would_replace_is_found(
    template: Template, resource: str, changed: str, value: dict[str, Any]
) -> None:
    altered = template["Resources"][resource]
    altered = altered | {"Properties": altered["Properties"] | {changed: value}}
    broken = template | {"Resources": template["Resources"] | {resource: altered}}
    assert replaced_by_parameters(broken) == {f"{resource}.{changed}"}


def test_what_holds_data_under_a_condition_outlives_it(template: Template) -> None:
    conditional = {
        name: each.get("DeletionPolicy")
        for name, each in template["Resources"].items()
        if each["Type"] in STATEFUL and "Condition" in each
    }
    assert [name for name, policy in conditional.items() if policy not in KEPT] == []


def test_group_of_models_is_described_as_ever(of_type: OfType) -> None:
    """Another description would replace the group, whose name is taken: the update would fail."""
    (group,) = of_type("AWS::SageMaker::ModelPackageGroup").values()
    described = group["Properties"]["ModelPackageGroupDescription"]
    assert described == "Fraud models, each with its feature contract, thresholds and baseline"


def test_what_outlives_the_stack_leaves_its_name_to_the_next(template: Template) -> None:
    """A name that CloudFormation generates, or one that holds a part of the stack's id."""
    kept = {n: each for n, each in template["Resources"].items() if each.get("DeletionPolicy") in KEPT}
    named = {name: each["Properties"] for name, each in kept.items() if is_named(each)}
    fixed = {name for name, properties in named.items() if "AWS::StackId" not in json.dumps(properties)}
    assert fixed - {name for name in fixed if kept[name]["Type"] == "AWS::Lambda::LayerVersion"} == set()
    assert set(named) - fixed == {"ModelPackageGroup"}
