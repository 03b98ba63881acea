"""Every function may do what it does, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from fraud import entities

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]

WITHOUT_RESOURCE_LEVEL = {"cloudwatch:PutMetricData", "dynamodb:ListStreams", "ecr:GetAuthorizationToken"}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def statements(role: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for policy in role["Properties"]["Policies"]:
        yield from policy["PolicyDocument"]["Statement"]


def granting(role: dict[str, Any], action: str) -> list[dict[str, Any]]:
    return [each for each in statements(role) if action in listed(each["Action"])]


def resources(granted: list[dict[str, Any]]) -> list[Any]:
    return [resource for each in granted for resource in listed(each["Resource"])]


@pytest.fixture
def roles(of_type: OfType) -> Resources:
    return of_type("AWS::IAM::Role")


@pytest.fixture
def role_of(of_type: OfType, roles: Resources) -> dict[str, dict[str, Any]]:
    """The role of each function, by the function's logical id."""
    return {
        name: roles[function["Properties"]["Role"]["Fn::GetAtt"][0]]
        for name, function in of_type("AWS::Lambda::Function").items()
    }


def test_every_function_has_a_role_of_its_own(role_of: Resources, roles: Resources) -> None:
    assert len({id(role) for role in role_of.values()}) == len(role_of)
    for role in role_of.values():
        (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_no_role_borrows_a_managed_policy(roles: Resources) -> None:
    assert [name for name, role in roles.items() if "ManagedPolicyArns" in role["Properties"]] == []


def test_no_role_is_granted_all_actions_of_a_service(roles: Resources) -> None:
    actions = [action for role in roles.values() for each in statements(role) for action in listed(each["Action"])]
    assert [action for action in actions if ":" not in action or action.endswith(":*")] == []
    assert all(
        each["Effect"] == "Allow" and "NotAction" not in each for role in roles.values() for each in statements(role)
    )


def test_all_resources_are_granted_only_to_actions_without_a_resource_level(roles: Resources) -> None:
    everywhere = [each for role in roles.values() for each in statements(role) if "*" in listed(each["Resource"])]
    assert {action for each in everywhere for action in listed(each["Action"])} == WITHOUT_RESOURCE_LEVEL


def test_metrics_are_put_only_to_namespaces_of_the_application(roles: Resources) -> None:
    (granted,) = granting(roles["SageMakerExecutionRole"], "cloudwatch:PutMetricData")
    assert granted["Condition"] == {"StringLike": {"cloudwatch:namespace": ["FraudDetection", "/aws/sagemaker/*"]}}


@pytest.mark.parametrize("name", ["ArchiveDeliveryRole", "SageMakerExecutionRole"])
def test_a_service_acts_only_for_this_account(roles: Resources, name: str) -> None:
    (trust,) = roles[name]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_only_scoring_invokes_endpoints_and_only_the_two_slots(role_of: Resources) -> None:
    invoking = {name for name, role in role_of.items() if granting(role, "sagemaker:InvokeEndpoint")}
    assert invoking == {"ScoreTransactionsFunction"}
    endpoints = resources(granting(role_of["ScoreTransactionsFunction"], "sagemaker:InvokeEndpoint"))
    prefix = "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:endpoint/${AWS::StackName}"
    assert endpoints == [{"Fn::Sub": f"{prefix}-a"}, {"Fn::Sub": f"{prefix}-b"}]


def test_sagemaker_reads_models_and_writes_to_no_bucket(roles: Resources) -> None:
    role = roles["SageMakerExecutionRole"]
    assert resources(granting(role, "s3:GetObject")) == [{"Fn::Sub": "${ArchiveBucket.Arn}/models/*"}]
    (listing,) = granting(role, "s3:ListBucket")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "models/*"}}
    actions = {action for each in statements(role) for action in listed(each["Action"])}
    assert not {"s3:PutObject", "kms:GenerateDataKey"} & actions


def test_every_function_writes_only_to_its_own_log_group(of_type: OfType, role_of: Resources) -> None:
    for name, function in of_type("AWS::Lambda::Function").items():
        group = function["Properties"]["LoggingConfig"]["LogGroup"]["Ref"]
        assert resources(granting(role_of[name], "logs:PutLogEvents")) == [{"Fn::GetAtt": [group, "Arn"]}]
        assert group == name.removesuffix("Function") + "LogGroup"


def test_a_function_with_an_on_failure_bucket_may_write_there(of_type: OfType, role_of: Resources) -> None:
    for mapping in of_type("AWS::Lambda::EventSourceMapping").values():
        if "DestinationConfig" in mapping["Properties"]:
            role = role_of[mapping["Properties"]["FunctionName"]["Ref"]]
            bucket = mapping["Properties"]["DestinationConfig"]["OnFailure"]["Destination"]
            assert bucket in resources(granting(role, "s3:ListBucket"))
            assert {"Fn::Sub": "${QuarantineBucket.Arn}/aws/lambda/*"} in resources(granting(role, "s3:PutObject"))


READS = {"BatchGetItem", "ConditionCheckItem", "GetItem", "Query", "Scan"}
WRITES = {"BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem"}


def tables(role: dict[str, Any], action: str) -> set[str]:
    """Tables on which the action is granted, on whatever condition."""
    return {each["Fn::GetAtt"][0].removesuffix("Table") for each in resources(granting(role, f"dynamodb:{action}"))}


@pytest.mark.parametrize(
    ("function", "allowed"),
    [
        (
            "ScoreTransactionsFunction",
            {"BatchGetItem": {"Entity", "Rollout"}, "PutItem": {"Entity", "Decision"}},
        ),
        (
            "ProjectDecisionsFunction",
            {
                "BatchGetItem": {"Entity", "Decision"},
                "ConditionCheckItem": {"Decision"},
                "DeleteItem": {"Entity"},
                "PutItem": {"Entity"},
                "UpdateItem": {"Entity", "Decision", "Rollout"},
            },
        ),
        (
            "RecordLabelsFunction",
            {
                "BatchGetItem": {"Entity", "Decision"},
                "ConditionCheckItem": {"Decision"},
                "DeleteItem": {"Entity"},
                "PutItem": {"Entity"},
                "UpdateItem": {"Entity", "Decision"},
            },
        ),
    ],
)
def test_a_function_touches_only_the_tables_it_works_on(
    role_of: Resources, function: str, allowed: dict[str, set[str]]
) -> None:
    role = role_of[function]
    assert {action: found for action in READS | WRITES if (found := tables(role, action))} == allowed


@pytest.mark.parametrize(
    ("function", "keys"),
    [
        ("ScoreTransactionsFunction", ["card#*"]),
        ("ProjectDecisionsFunction", ["terminal#*", "label#*"]),
        ("RecordLabelsFunction", ["terminal#*", "label#*"]),
    ],
)
def test_a_function_writes_only_the_entities_that_are_its_own(
    role_of: Resources, function: str, keys: list[str]
) -> None:
    """In one statement, for a transaction writes several kinds; and the condition must not hold for no keys at all."""
    writing = [
        each
        for each in statements(role_of[function])
        if {"Fn::GetAtt": ["EntityTable", "Arn"]} in listed(each["Resource"])
        and {action.removeprefix("dynamodb:") for action in listed(each["Action"])} & WRITES
    ]
    assert [each.get("Condition") for each in writing] == [
        {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}, "Null": {"dynamodb:LeadingKeys": "false"}}
    ]


def test_the_keys_that_policies_name_are_those_that_the_code_writes() -> None:
    written = [entities.card_key("c"), entities.terminal_key("t"), entities.early_label_key("l")]
    assert written == ["card#c", "terminal#t", "label#l"]


def services_of(role: dict[str, Any]) -> set[str]:
    """Services through which the role may use the data key."""
    conditions = [each["Condition"].get("StringEquals", {}) for each in granting(role, "kms:Decrypt")]
    via = [listed(each["kms:ViaService"]) for each in conditions if "kms:ViaService" in each]
    return {service["Fn::Sub"].split(".")[0] for services in via for service in services}


@pytest.mark.parametrize(
    ("function", "services"),
    [
        ("ScoreTransactionsFunction", {"dynamodb", "kinesis", "s3"}),
        ("ProjectDecisionsFunction", {"dynamodb", "firehose", "s3"}),
        ("RecordLabelsFunction", {"dynamodb", "firehose", "s3", "sqs"}),
    ],
)
def test_a_function_uses_the_data_key_only_through_the_services_it_uses(
    role_of: Resources, function: str, services: set[str]
) -> None:
    role = role_of[function]
    assert services_of(role) == services
    assert all("Condition" in each for each in granting(role, "kms:Decrypt"))


def test_every_bucket_queue_and_topic_refuses_what_comes_without_tls(of_type: OfType) -> None:
    policies = of_type("AWS::S3::BucketPolicy") | of_type("AWS::SQS::QueuePolicy") | of_type("AWS::SNS::TopicPolicy")
    protected = []
    for policy in (each["Properties"] for each in policies.values()):
        deny = policy["PolicyDocument"]["Statement"][0]
        assert (deny["Effect"], deny["Principal"]) == ("Deny", "*")
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        of = {each["Ref"] for each in policy.get("Queues") or policy.get("Topics") or [policy["Bucket"]]}
        named = [each for each in listed(deny["Resource"]) if "Fn::Sub" not in each]
        assert {each.get("Ref") or each["Fn::GetAtt"][0] for each in named} == of
        protected += of
    kinds = ["AWS::S3::Bucket", "AWS::SNS::Topic", "AWS::SQS::Queue"]
    assert sorted(protected) == sorted(name for kind in kinds for name in of_type(kind))


def test_no_bucket_can_be_made_public(of_type: OfType) -> None:
    for bucket in of_type("AWS::S3::Bucket").values():
        block = bucket["Properties"]["PublicAccessBlockConfiguration"]
        assert block == dict.fromkeys(
            ["BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"], True
        )
