"""Which resources stand under which parameters."""

from __future__ import annotations

from typing import Any

import pytest

from checks.translation import read_template
from local import conditions

TEMPLATE: dict[str, Any] = {
    "Parameters": {"Size": {"Type": "String", "Default": "small"}, "Count": {"Type": "Number", "Default": 0}},
    "Mappings": {"Sizes": {"small": {"Width": 1}, "large": {"Width": 4}}},
    "Conditions": {
        "IsLarge": {"Fn::Equals": [{"Ref": "Size"}, "large"]},
        "HasCount": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Count"}, 0]}]},
        "Both": {"Fn::And": [{"Condition": "IsLarge"}, {"Condition": "HasCount"}]},
        "Either": {"Fn::Or": [{"Condition": "IsLarge"}, {"Condition": "HasCount"}]},
    },
    "Resources": {
        "Always": {
            "Type": "T",
            "Properties": {
                "Width": {
                    "Fn::If": ["HasCount", {"Ref": "Count"}, {"Fn::FindInMap": ["Sizes", {"Ref": "Size"}, "Width"]}]
                },
                "Lid": {"Fn::If": ["IsLarge", "yes", {"Ref": "AWS::NoValue"}]},
                "Parts": ["one", {"Fn::If": ["IsLarge", "two", {"Ref": "AWS::NoValue"}]}],
                "Account": {"Fn::FindInMap": ["Accounts", {"Ref": "AWS::Region"}, "Id"]},
            },
        },
        **{name: {"Type": "T", "Condition": name} for name in ("IsLarge", "HasCount", "Both", "Either")},
    },
}


@pytest.mark.parametrize(
    ("given", "standing"),
    [
        ({}, {"Always"}),
        ({"Size": "large"}, {"Always", "IsLarge", "Either"}),
        ({"Count": "2"}, {"Always", "HasCount", "Either"}),
        ({"Size": "large", "Count": "2"}, {"Always", "IsLarge", "HasCount", "Both", "Either"}),
    ],
)
def test_resource_stands_where_its_condition_is_met(given: dict[str, str], standing: set[str]) -> None:
    assert set(conditions.resources(TEMPLATE, given)) == standing


def test_parameter_without_a_default_is_needed_only_by_the_conditions_that_ask_for_it() -> None:
    template = TEMPLATE | {"Parameters": {**TEMPLATE["Parameters"], "Colour": {"Type": "String"}}}
    assert conditions.standing(template, {}) == ["Always"]


def test_property_is_what_its_condition_and_its_mapping_yield() -> None:
    region = {"Fn::FindInMap": ["Accounts", {"Ref": "AWS::Region"}, "Id"]}
    small = conditions.resources(TEMPLATE, {})["Always"]["Properties"]
    assert small == {"Width": 1, "Parts": ["one"], "Account": region}
    large = conditions.resources(TEMPLATE, {"Size": "large", "Count": "7"})["Always"]["Properties"]
    assert large == {"Width": {"Ref": "Count"}, "Lid": "yes", "Parts": ["one", "two"], "Account": region}


def test_what_depends_on_the_region_is_decided_where_it_is_told() -> None:
    account = {"Fn::FindInMap": ["Accounts", {"Ref": "AWS::Region"}, "Id"]}
    template = {
        "Mappings": {"Accounts": {"here": {"Id": "1"}, "there": {"Id": "none"}}},
        "Conditions": {"IsOffered": {"Fn::Not": [{"Fn::Equals": [account, "none"]}]}},
        "Resources": {"Watch": {"Type": "T", "Condition": "IsOffered", "Properties": {"Account": account}}},
    }
    assert conditions.standing(template, {}, {"AWS::Region": "here"}) == ["Watch"]
    settled = conditions.resources(template, {}, {"AWS::Region": "here"})
    assert settled == {"Watch": {"Type": "T", "Properties": {"Account": "1"}}}
    assert conditions.resources(template, {}, {"AWS::Region": "there"}) == {}


def test_parameter_that_there_is_not_is_refused() -> None:
    with pytest.raises(KeyError, match="Colour"):
        conditions.resources(TEMPLATE, {"Colour": "red"})


def test_profile_decides_the_shards_unless_they_are_given() -> None:
    def stream(**given: str) -> Any:
        return conditions.resources(read_template(), given)["TransactionStream"]["Properties"]

    assert (stream()["ShardCount"], stream()["RetentionPeriodHours"]) == (1, 24)
    assert (stream(Profile="production")["ShardCount"], stream(Profile="production")["RetentionPeriodHours"]) == (
        4,
        168,
    )
    assert stream(StreamShards="9")["ShardCount"] == {"Ref": "StreamShards"}
