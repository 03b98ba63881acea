"""On what conditions roles are granted what they need; that it is no more than that is in tests/permissions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from fraud import entities
from fraud.aws import retraining_items, rollout_items, routing_items
from fraud.deployment_ports import EndpointPlan, Hosting, Instance
from tests.template.policies import (
    LOG_DELIVERY,
    granted_to,
    granting,
    listed,
    statements,
)

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]

WITHOUT_RESOURCE_LEVEL = LOG_DELIVERY | {
    "application-autoscaling:DescribeScalableTargets",
    "cloudwatch:GetMetricData",
    "cloudwatch:PutMetricData",
    "dynamodb:ListStreams",
    "ecr:GetAuthorizationToken",
    "sagemaker:ListDataQualityJobDefinitions",
    "sagemaker:ListMonitoringExecutions",
}


def test_every_function_has_a_role_of_its_own(role_of: Resources, roles: Resources) -> None:
    assert len({id(role) for role in role_of.values()}) == len(role_of)
    for role in role_of.values():
        (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_no_role_borrows_a_policy_that_is_not_the_stacks_own(roles: Resources, role_of: Resources) -> None:
    """Functions and machines have the stack's own for the network and for traces, in the production profile alone."""
    borrowed = {name: arns for name, role in roles.items() if (arns := role["Properties"].get("ManagedPolicyArns"))}
    traced, none = {"Ref": "TracingPolicy"}, {"Ref": "AWS::NoValue"}
    machines = ("DriftMachineRole", "MonitoringMachineRole", "RetrainingMachineRole", "RolloutMachineRole")
    attached = {name: [traced] for name in machines}
    attached |= {
        f"{name.removesuffix('Function')}Role": [{"Ref": "NetworkInterfacePolicy"}, traced] for name in role_of
    }
    assert borrowed == {name: {"Fn::If": ["InProduction", arns, none]} for name, arns in attached.items()}


def test_all_resources_are_granted_only_to_actions_without_a_resource_level(roles: Resources) -> None:
    everywhere = [each for role in roles.values() for each in statements(role) if "*" in listed(each["Resource"])]
    assert {action for each in everywhere for action in listed(each["Action"])} == WITHOUT_RESOURCE_LEVEL


def test_metrics_are_put_only_to_namespaces_of_the_application(roles: Resources) -> None:
    """Jobs put none: what asks for a new model, or calls people, must not be written by what learns or looks."""
    own = {"Fn::Sub": "FraudDetection/${AWS::StackName}"}
    namespaces = {
        "SageMakerExecution": {"StringLike": [own, "/aws/sagemaker/*"]},
        "RetrainingJob": {"StringLike": "/aws/sagemaker/*"},
        "MonitoringJob": {"StringLike": ["/aws/sagemaker/*", "aws/sagemaker/*"]},
        "JudgeWindow": {"StringEquals": own},
    }
    assert granted_to(roles, "cloudwatch:PutMetricData") == set(namespaces)
    for name, allowed in namespaces.items():
        (granted,) = granting(roles[f"{name}Role"], "cloudwatch:PutMetricData")
        wanted = {operator: {"cloudwatch:namespace": namespace} for operator, namespace in allowed.items()}
        assert granted["Condition"] == wanted


def test_a_service_acts_only_for_this_account(roles: Resources, role_of: Resources) -> None:
    """All but the trail's, which CloudTrail assumes without saying for whom: tests/template/test_audit.py."""
    of_services = [r for name, r in roles.items() if r not in role_of.values() and name != "AuditDeliveryRole"]
    assert len(of_services) == 14
    for role in of_services:
        (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


@pytest.mark.parametrize(
    ("role", "below"),
    [
        ("PrepareRetrainingRole", ["retraining/*", "history/*"]),
        ("RetrainingJobRole", ["source/*", "retraining/*", "models/*", "history/*"]),
        ("RetrainingMachineRole", ["decisions/*", "labels/*", "queries/*", "retraining/*"]),
        ("RefreshMonitoringRole", ["decisions/*", "monitoring/*"]),
        ("JudgeWindowRole", "monitoring/*"),
        ("MonitoringJobRole", ["source/*", "models/*", "monitoring/*", "capture/*"]),
        ("MonitoringMachineRole", ["decisions/*", "labels/*", "queries/*", "monitoring/datasets/*"]),
        ("DriftMachineRole", ["decisions/*", "labels/*", "queries/*", "monitoring/datasets/*"]),
        ("SageMakerExecutionRole", "models/*"),
    ],
)
def test_the_archive_is_listed_only_below_what_a_role_works_on(roles: Resources, role: str, below: Any) -> None:
    (listing,) = granting(roles[role], "s3:ListBucket")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": below}}


def test_names_of_models_and_configurations_begin_as_policies_say() -> None:
    plan = EndpointPlan("stack-a", "arn:package/12", 12, Instance("ml.m5.large"), Hosting("arn:role"))
    assert plan.name.startswith("stack-a-v12")


def test_models_and_jobs_may_only_be_given_the_role_that_they_run_under(roles: Resources) -> None:
    passed = {
        "DeployChallenger": "SageMakerExecutionRole",
        "RetrainingMachine": "RetrainingJobRole",
        "MonitoringMachine": "MonitoringJobRole",
        "DriftMachine": "MonitoringJobRole",
        "RefreshMonitoring": "MonitoringJobRole",
    }
    assert granted_to(roles, "iam:PassRole") == set(passed)
    for name, role in passed.items():
        (granted,) = granting(roles[f"{name}Role"], "iam:PassRole")
        assert granted["Resource"] == {"Fn::GetAtt": [role, "Arn"]}
        assert granted["Condition"] == {"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}}


def test_the_data_key_is_granted_on_only_to_services_of_aws(roles: Resources) -> None:
    holders = {"DeployChallenger", "MonitoringJob", "RetrainingJob", "SageMakerExecution"}
    assert granted_to(roles, "kms:CreateGrant") == holders
    grants = [each for role in roles.values() for each in granting(role, "kms:CreateGrant")]
    assert [each["Condition"] for each in grants] == [{"Bool": {"kms:GrantIsForAWSResource": "true"}}] * 4


WRITES = {"BatchWriteItem", "DeleteItem", "PutItem", "UpdateItem"}


@pytest.mark.parametrize(
    ("function", "keys"),
    [
        ("ScoreTransactionsFunction", ["card#*"]),
        ("AnswerTransactionFunction", ["card#*"]),
        ("ProjectDecisionsFunction", ["terminal#*", "label#*"]),
        ("RecordLabelsFunction", ["terminal#*", "label#*"]),
    ],
)
def test_a_function_writes_only_the_entities_that_are_its_own(
    role_of: Resources, function: str, keys: list[str]
) -> None:
    """In one statement, for a transaction writes several kinds; and the condition must not hold for no keys at all."""
    assert conditions_of_writing(role_of[function], "EntityTable") == [
        {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}, "Null": {"dynamodb:LeadingKeys": "false"}}
    ]


def conditions_of_writing(role: dict[str, Any], table: str) -> list[Any]:
    """On what condition the role may write to a table, for every statement that lets it."""
    return [
        each.get("Condition")
        for each in statements(role)
        if {"Fn::GetAtt": [table, "Arn"]} in listed(each["Resource"])
        and {action.removeprefix("dynamodb:") for action in listed(each["Action"])} & WRITES
    ]


RECORD = ["rollout", "rollouts"]
RETRAININGS = ["retraining", "retrainings"]


@pytest.mark.parametrize(
    ("function", "operator", "keys"),
    [
        ("PrepareRolloutFunction", "StringEquals", [*RECORD, "routing"]),
        ("DeployChallengerFunction", "StringEquals", RECORD),
        ("ShiftTrafficFunction", "StringEquals", [*RECORD, "routing"]),
        ("JudgeRolloutFunction", "StringEquals", RECORD),
        ("SteerRolloutFunction", "StringEquals", [*RECORD, "routing"]),
        ("AbortRolloutFunction", "StringEquals", [*RECORD, "routing"]),
        ("ProjectDecisionsFunction", "StringLike", ["counters#*"]),
        ("ShadowScoreFunction", "StringLike", ["shadow#*"]),
        ("PrepareRetrainingFunction", "StringEquals", RETRAININGS),
        ("JudgeRetrainingFunction", "StringEquals", RETRAININGS),
        ("FinishRetrainingFunction", "StringEquals", RETRAININGS),
        ("RefreshMonitoringFunction", "StringEquals", ["monitoring"]),
        ("JudgeWindowFunction", "StringEquals", ["monitoring"]),
    ],
)
def test_what_a_rollout_is_judged_by_is_not_written_by_what_moves_or_judges_it(
    role_of: Resources, function: str, operator: str, keys: list[str]
) -> None:
    """The routing item belongs to whatever may roll back; judging, deploying and learning leave traffic alone."""
    assert conditions_of_writing(role_of[function], "RolloutTable") == [
        {f"ForAllValues:{operator}": {"dynamodb:LeadingKeys": keys}, "Null": {"dynamodb:LeadingKeys": "false"}}
    ]


def test_the_keys_that_policies_name_are_those_that_the_code_writes() -> None:
    written = [entities.card_key("c"), entities.terminal_key("t"), entities.early_label_key("l")]
    assert written == ["card#c", "terminal#t", "label#l"]
    records = [items.KEY["pk"]["S"] for items in (rollout_items, routing_items, retraining_items)]
    assert records == ["rollout", "routing", "retraining"]


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
