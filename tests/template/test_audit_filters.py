"""What is done to the stack outside of deployments and rollouts is counted, and nothing that looks like it.

Events have the form that CloudTrail writes by the documentation of each service; what stands in for CloudWatch's filter
patterns is filter_patterns.py, and only that.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.template.filter_patterns import LONGEST, matches

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]
Event = dict[str, Any]

STACK = "fraud-detection"
ACCOUNT = "111122223333"
KEY = f"arn:aws:kms:eu-west-1:{ACCOUNT}:key/1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY = KEY.replace("1234abcd", "9999abcd")
TRAIL = f"arn:aws:cloudtrail:eu-west-1:{ACCOUNT}:trail/{STACK}-audit"
LONGEST_ROLE_NAME = 64
LONGEST_STACK_NAME = 36


def physical(role: str, stack: str = STACK) -> str:
    """A role's name as CloudFormation generates it."""
    return f"{stack}-{role}-1A2B3C4D5E6F7"


def resolved(pattern: Any, stack: str = STACK, role: Callable[[str], str] = physical) -> str:
    """A filter's pattern with the names of a stack in it."""

    def name(found: re.Match[str]) -> str:
        known = {"AWS::StackName": stack, "DataKey.Arn": KEY}
        return known[found[1]] if found[1] in known else role(found[1])

    return re.sub(r"\$\{([\w.:]+)\}", name, pattern["Fn::Sub"] if isinstance(pattern, dict) else pattern)


@pytest.fixture
def patterns(of_type: OfType) -> dict[str, Any]:
    """The pattern of each filter, by its metric."""
    found = [each["Properties"] for each in of_type("AWS::Logs::MetricFilter").values()]
    return {each["MetricTransformations"][0]["MetricName"]: each["FilterPattern"] for each in found}


def person() -> Event:
    """Whoever is signed in by a role that is none of the stack's."""
    return by_role("Admin", session="alice")


def by_role(name: str, session: str = "session") -> Event:
    return {
        "type": "AssumedRole",
        "principalId": f"AROAIDPPEZS35WEXAMPLE:{session}",
        "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{name}/{session}",
        "accountId": ACCOUNT,
        "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
        "sessionContext": {
            "sessionIssuer": {
                "type": "Role",
                "principalId": "AROAIDPPEZS35WEXAMPLE",
                "arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
                "accountId": ACCOUNT,
                "userName": name,
            },
            "attributes": {"creationDate": "2026-01-01T00:00:00Z", "mfaAuthenticated": "false"},
        },
    }


ROOT: Event = {
    "type": "Root",
    "principalId": ACCOUNT,
    "arn": f"arn:aws:iam::{ACCOUNT}:root",
    "accountId": ACCOUNT,
    "accessKeyId": "AKIAIOSFODNN7EXAMPLE",
}


def record(source: str, name: str, parameters: Any = None, **others: Any) -> Event:
    """A record as CloudTrail writes it to a log group: one event, without `Records` around it."""
    return {
        "eventVersion": "1.11",
        "userIdentity": person(),
        "eventTime": "2026-01-01T00:00:00Z",
        "eventSource": f"{source}.amazonaws.com",
        "eventName": name,
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "192.0.2.0",
        "userAgent": "aws-cli/2.15.0",
        "requestParameters": parameters,
        "responseElements": None,
        "requestID": "EXAMPLE1-0000-0000-0000-000000000000",
        "eventID": "EXAMPLE2-0000-0000-0000-000000000000",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "managementEvent": True,
        "recipientAccountId": ACCOUNT,
        "eventCategory": "Management",
    } | others


def kms(name: str, key: str = KEY) -> Event:
    resource = {"accountId": ACCOUNT, "type": "AWS::KMS::Key", "ARN": key}
    return record("kms", name, {"keyId": key.rsplit("/", maxsplit=1)[-1]}, resources=[resource])


def sagemaker(name: str, **parameters: Any) -> Event:
    return record("sagemaker", name, parameters)


def dynamodb(name: str, identity: Event | None = None) -> Event:
    key = {"tableName": f"{STACK}-RolloutTable-1A2B", "key": {"pk": "routing", "sk": "routing"}}
    table = {
        "accountId": ACCOUNT,
        "type": "AWS::DynamoDB::Table",
        "ARN": f"arn:aws:dynamodb:eu-west-1:{ACCOUNT}:table/{STACK}-RolloutTable-1A2B",
    }
    event = record("dynamodb", name, key, resources=[table], apiVersion="2012-08-10")
    event |= {"userIdentity": identity or person(), "managementEvent": False, "eventCategory": "Data"}
    return event


def by(event: Event, identity: Event) -> Event:
    return event | {"userIdentity": identity}


def deployed(event: Event) -> Event:
    """The same, done by CloudFormation for whoever deploys."""
    service = "cloudformation.amazonaws.com"
    identity = copy.deepcopy(event["userIdentity"]) | {"invokedBy": service}
    return event | {"sourceIPAddress": service, "userAgent": service, "userIdentity": identity}


STOP = record("cloudtrail", "StopLogging", {"name": TRAIL})
LOSE_THE_KEY = kms("ScheduleKeyDeletion")
ENDPOINT = sagemaker("UpdateEndpoint", endpointName=f"{STACK}-a", endpointConfigName="another")
CONFIGURATION = sagemaker("CreateEndpointConfig", endpointConfigName=f"{STACK}-b-v3-0a1b2c")
MODEL = sagemaker("CreateModel", modelName=f"{STACK}-a-v7-0a1b2c")
POLICY = {"roleName": physical("ShiftTrafficRole"), "policyName": "more", "policyDocument": "{}"}
GRANT = record("iam", "PutRolePolicy", POLICY, awsRegion="us-east-1")

TOLD = [
    ("TrailChanged", STOP),
    ("TrailChanged", record("cloudtrail", "DeleteTrail", {"name": f"{STACK}-audit"})),
    ("TrailChanged", record("cloudtrail", "UpdateTrail", {"name": TRAIL, "isMultiRegionTrail": False})),
    ("TrailChanged", record("cloudtrail", "PutEventSelectors", {"trailName": f"{STACK}-audit", "eventSelectors": []})),
    ("TrailChanged", record("cloudtrail", "PutInsightSelectors", {"trailName": TRAIL})),
    ("DataKeyChanged", LOSE_THE_KEY),
    ("DataKeyChanged", kms("DisableKey")),
    ("DataKeyChanged", kms("PutKeyPolicy")),
    ("DataKeyChanged", kms("DisableKeyRotation")),
    ("EndpointChanged", ENDPOINT),
    ("EndpointChanged", CONFIGURATION),
    ("EndpointChanged", MODEL),
    ("EndpointChanged", sagemaker("CreateEndpoint", endpointName=f"{STACK}-b", endpointConfigName="another")),
    ("EndpointChanged", sagemaker("DeleteEndpoint", endpointName=f"{STACK}-b")),
    ("EndpointChanged", sagemaker("DeleteEndpointConfig", endpointConfigName=f"{STACK}-a-v1-0a1b2c")),
    ("EndpointChanged", sagemaker("DeleteModel", modelName=f"{STACK}-b-v1-0a1b2c")),
    ("EndpointChanged", by(ENDPOINT, by_role(physical("ShiftTrafficRole")))),
    ("EndpointChanged", ENDPOINT | {"errorCode": "AccessDenied"}),
    ("RoutingChanged", dynamodb("PutItem")),
    ("RoutingChanged", dynamodb("DeleteItem", ROOT)),
    ("RoutingChanged", dynamodb("UpdateItem", by_role(physical("ScoreTransactionsRole")))),
    ("RoutingChanged", dynamodb("PutItem", by_role(physical("ShiftTrafficRole", "another")))),
    ("RoleChanged", GRANT),
    ("RoleChanged", record("iam", "AttachRolePolicy", {"roleName": POLICY["roleName"], "policyArn": "arn"})),
    ("RoleChanged", record("iam", "UpdateAssumeRolePolicy", {"roleName": POLICY["roleName"]})),
    ("RoleChanged", record("iam", "DeleteRolePermissionsBoundary", {"roleName": POLICY["roleName"]})),
    ("RoleChanged", record("iam", "DeleteRole", {"roleName": POLICY["roleName"]})),
    ("RootUsed", by(record("iam", "CreateAccessKey"), ROOT)),
    ("RootUsed", by(record("signin", "ConsoleLogin", eventType="AwsConsoleSignIn"), ROOT)),
]
NOT_TOLD = [
    ("TrailChanged", deployed(STOP)),
    ("TrailChanged", record("cloudtrail", "StopLogging", {"name": TRAIL.replace("audit", "audit-of-another")})),
    ("TrailChanged", record("cloudtrail", "StopLogging", {"name": f"another-{STACK}-audit"})),
    ("TrailChanged", record("cloudtrail", "StartLogging", {"name": TRAIL})),
    ("DataKeyChanged", deployed(kms("PutKeyPolicy"))),
    ("DataKeyChanged", kms("ScheduleKeyDeletion", OTHER_KEY)),
    ("DataKeyChanged", kms("CancelKeyDeletion")),
    ("EndpointChanged", by(ENDPOINT, by_role(physical("DeployChallengerRole")))),
    ("EndpointChanged", by(MODEL, by_role(physical("AbortRolloutRole")))),
    ("EndpointChanged", sagemaker("UpdateEndpoint", endpointName=f"{STACK}-prod-a", endpointConfigName="another")),
    ("EndpointChanged", sagemaker("CreateModel", modelName=f"{STACK}-prod-a-v7-0a1b2c")),
    ("EndpointChanged", sagemaker("UpdateEndpointWeightsAndCapacities", endpointName=f"{STACK}-a")),
    *(
        ("RoutingChanged", dynamodb("PutItem", by_role(physical(f"{role}Role"))))
        for role in ("PrepareRollout", "ShiftTraffic", "SteerRollout", "AbortRollout")
    ),
    ("RoutingChanged", record("dynamodb", "UpdateTable", {"tableName": f"{STACK}-RolloutTable-1A2B"})),
    ("RoleChanged", deployed(GRANT)),
    (
        "RoleChanged",
        record("iam", "PutRolePolicy", POLICY | {"roleName": physical("ShiftTrafficRole", f"{STACK}-prod")}),
    ),
    ("RoleChanged", record("iam", "TagRole", {"roleName": POLICY["roleName"]})),
    ("RootUsed", record("iam", "CreateAccessKey")),
    ("RootUsed", by(record("s3", "PutObject"), ROOT | {"invokedBy": "cloudformation.amazonaws.com"})),
    ("RootUsed", by(record("kms", "RotateKey", eventType="AwsServiceEvent"), ROOT)),
]


def named(cases: list[tuple[str, Event]]) -> list[str]:
    return [f"{metric}-{event['eventName']}" for metric, event in cases]


@pytest.mark.parametrize(("metric", "event"), TOLD, ids=named(TOLD))
def test_what_is_done_outside_the_application_is_counted(patterns: dict[str, Any], metric: str, event: Event) -> None:
    assert matches(resolved(patterns[metric]), event)


@pytest.mark.parametrize(("metric", "event"), NOT_TOLD, ids=named(NOT_TOLD))
def test_what_looks_like_it_is_not_counted(patterns: dict[str, Any], metric: str, event: Event) -> None:
    assert not matches(resolved(patterns[metric]), event)


def test_every_filter_has_something_that_it_matches_and_something_that_it_does_not(patterns: dict[str, Any]) -> None:
    assert {metric for metric, _ in TOLD} == {metric for metric, _ in NOT_TOLD} == set(patterns)


def test_pattern_fits_whatever_the_names(patterns: dict[str, Any]) -> None:
    stack = "s" * LONGEST_STACK_NAME
    longest = {name: resolved(each, stack, lambda _: "r" * LONGEST_ROLE_NAME) for name, each in patterns.items()}
    assert {name: len(each) for name, each in longest.items() if len(each) > LONGEST} == {}


@pytest.mark.parametrize("pattern", ['$.a = "b"', '{ $.a ~ "b" }', '{ ($.a = "b" }', '{ $.a = "b" $.c = "d" }'])
def test_pattern_beyond_what_is_known_is_refused(pattern: str) -> None:
    with pytest.raises((ValueError, IndexError)):
        matches(pattern, {})
