"""Every function may do what it does, and nothing else; the rollout's machine and rules as well."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable
from typing import Any

import pytest

from fraud import entities
from fraud.aws import retraining_items, rollout_items, routing_items
from fraud.deployment_ports import EndpointPlan, Hosting, Instance
from fraud.services.aborting import Aborting
from fraud.services.challenger import Challenger
from fraud.services.judging import Judging
from fraud.services.rollback import Rollback
from fraud.services.rollout_start import RolloutStart
from fraud.services.shifting import Shifting
from fraud.services.steering import Steering
from tests.template.policies import (
    LOG_DELIVERY,
    PACKAGES,
    SAGEMAKER,
    granted_to,
    granting,
    listed,
    resources,
    statements,
)

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]

WITHOUT_RESOURCE_LEVEL = LOG_DELIVERY | {
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
    of_services = [role for role in roles.values() if role not in role_of.values()]
    assert len(of_services) == 13
    for role in of_services:
        (trust,) = role["Properties"]["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


USE_CASES = {
    "PrepareRollout": RolloutStart,
    "DeployChallenger": Challenger,
    "ShiftTraffic": Shifting,
    "JudgeRollout": Judging,
    "SteerRollout": Steering,
    "AbortRollout": Aborting,
}
ACTIONS = {
    "alarms.fired": "cloudwatch:DescribeAlarmHistory",
    "announcements.announce": "events:PutEvents",
    "bell.ring": "sns:Publish",
    "callbacks.interrupt": "states:SendTaskFailure",
    "callbacks.resume": "states:SendTaskSuccess",
    "endpoints.create": "sagemaker:CreateEndpoint",
    "observations.arms": "dynamodb:Query",
    "packages.check": "s3:GetObject",
    "registry.approved": "sagemaker:ListModelPackages",
    "scorer.score": "sagemaker:InvokeEndpoint",
    "slots.clear": "sagemaker:DeleteEndpoint",
    "traffic.per_second": "cloudwatch:GetMetricData",
}
"""What a call of a port takes, of the adapters that make it on AWS."""


def port_calls(code: Any) -> set[str]:
    """Calls of ports in a class or method; those of a rollback's are what its methods call in turn."""
    text = inspect.getsource(code)
    found = set(re.findall(r"self\.(\w+\.\w+)\(", text))
    entered = {name.removeprefix("rollback.") for name in found if name.startswith("rollback.")}
    if not inspect.isclass(code):
        entered |= set(re.findall(r"self\.(\w+)\(", text)) & vars(Rollback).keys()
    return found.union(*(port_calls(getattr(Rollback, name)) for name in entered))


def needed(name: str) -> set[str]:
    """Actions that a function of the rollout takes."""
    return {ACTIONS[each] for each in port_calls(USE_CASES[name]) if each in ACTIONS}


@pytest.mark.parametrize("name", sorted(USE_CASES))
def test_a_function_of_the_rollout_is_granted_what_its_use_case_calls(roles: Resources, name: str) -> None:
    role = roles[f"{name}Role"]
    assert {action for action in ACTIONS.values() if granting(role, action)} == needed(name)


ENDPOINTS = [{"Fn::Sub": f"{SAGEMAKER}endpoint/${{AWS::StackName}}-{slot}"} for slot in "ab"]
PARTS = [
    {"Fn::Sub": f"{SAGEMAKER}{kind}/${{AWS::StackName}}-{slot}-v*"}
    for kind in ("endpoint-config", "model")
    for slot in "ab"
]


def test_only_what_scores_or_proves_invokes_endpoints_and_only_the_two_slots(roles: Resources) -> None:
    invoking = granted_to(roles, "sagemaker:InvokeEndpoint")
    rollouts = {name for name in USE_CASES if "sagemaker:InvokeEndpoint" in needed(name)}
    assert invoking == {"AnswerTransaction", "ScoreTransactions", "ShadowScore"} | rollouts
    for name in invoking:
        assert resources(granting(roles[f"{name}Role"], "sagemaker:InvokeEndpoint")) == ENDPOINTS


def test_one_function_creates_endpoints_and_only_those_of_the_slots(roles: Resources) -> None:
    for action in ("CreateEndpoint", "CreateEndpointConfig", "CreateModel"):
        assert granted_to(roles, f"sagemaker:{action}") == {"DeployChallenger"}
        assert resources(granting(roles["DeployChallengerRole"], f"sagemaker:{action}")) == [
            *ENDPOINTS,
            *PARTS,
            PACKAGES,
        ]


def test_two_functions_remove_endpoints_and_only_those_of_the_slots(roles: Resources) -> None:
    for action in ("DeleteEndpoint", "DeleteEndpointConfig", "DeleteModel"):
        assert granted_to(roles, f"sagemaker:{action}") == {"DeployChallenger", "AbortRollout"}
        for name in ("DeployChallengerRole", "AbortRolloutRole"):
            assert resources(granting(roles[name], f"sagemaker:{action}")) == [*ENDPOINTS, *PARTS]


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


def test_packages_are_read_by_what_chooses_and_deploys_them(roles: Resources) -> None:
    learning = {"PrepareRetraining", "JudgeRetraining"}
    reading = granted_to(roles, "sagemaker:DescribeModelPackage")
    watching = {"RefreshMonitoring", "JudgeWindow"}
    assert reading == {"PrepareRollout", "DeployChallenger"} | learning | watching
    for name in reading:
        assert resources(granting(roles[f"{name}Role"], "sagemaker:DescribeModelPackage")) == [PACKAGES]
    for name in ("PrepareRolloutRole", "DeployChallengerRole"):
        assert resources(granting(roles[name], "s3:GetObject")) == [{"Fn::Sub": "${ArchiveBucket.Arn}/models/*"}]
    assert granted_to(roles, "sagemaker:ListModelPackages") == {"PrepareRollout", "JudgeRetraining"}
    for name in ("PrepareRolloutRole", "JudgeRetrainingRole"):
        listing = resources(granting(roles[name], "sagemaker:ListModelPackages"))
        assert listing == [{"Ref": "ModelPackageGroup"}, PACKAGES]


def test_only_what_judges_candidates_registers_and_approves_models_of_this_stack(roles: Resources) -> None:
    role = roles["JudgeRetrainingRole"]
    for action, found in (
        ("sagemaker:CreateModelPackage", [{"Ref": "ModelPackageGroup"}, PACKAGES]),
        ("sagemaker:UpdateModelPackage", [PACKAGES]),
    ):
        assert granted_to(roles, action) == {"JudgeRetraining"}
        assert resources(granting(role, action)) == found


def test_nobody_removes_a_model_or_changes_an_alarm(roles: Resources) -> None:
    for action in ("sagemaker:DeleteModelPackage", "cloudwatch:PutMetricAlarm", "cloudwatch:SetAlarmState"):
        assert granted_to(roles, action) == set()


def test_alarms_are_read_by_what_checks_and_judges(roles: Resources) -> None:
    alarm = "arn:${AWS::Partition}:cloudwatch:${AWS::Region}:${AWS::AccountId}:alarm:"
    reading = granted_to(roles, "cloudwatch:DescribeAlarms")
    assert reading == {"PrepareRollout", "JudgeRollout", "PrepareRetraining", "FinishRetraining"}
    assert granted_to(roles, "cloudwatch:DescribeAlarmHistory") == {"JudgeRollout"}
    for name in reading:
        assert resources(granting(roles[f"{name}Role"], "cloudwatch:DescribeAlarms")) == [{"Fn::Sub": f"{alarm}*"}]
    history = resources(granting(roles["JudgeRolloutRole"], "cloudwatch:DescribeAlarmHistory"))
    assert history == [{"Fn::Sub": alarm + "${AWS::StackName}-slot-*"}]


def test_only_those_who_pass_a_persons_word_on_answer_the_machine_and_no_other_machine(roles: Resources) -> None:
    assert granted_to(roles, "states:SendTaskSuccess") == {"SteerRollout"}
    assert granted_to(roles, "states:SendTaskFailure") == {"SteerRollout", "AbortRollout"}
    for name in ("SteerRolloutRole", "AbortRolloutRole"):
        assert resources(granting(roles[name], "states:SendTaskFailure")) == [{"Ref": "RolloutMachine"}]


def test_what_starts_a_machine_starts_no_other(roles: Resources) -> None:
    machines = {
        "ModelApproval": ["RolloutMachine"],
        "RetrainingAlarm": ["RetrainingMachine"],
        "RetrainingSchedule": ["RetrainingMachine"],
        "MonitoringPromotion": ["MonitoringMachine"],
        "MonitoringSchedule": ["DriftMachine", "MonitoringMachine"],
        "DriftMachine": ["MonitoringMachine"],
    }
    assert granted_to(roles, "states:StartExecution") == set(machines)
    for name, started in machines.items():
        granted = resources(granting(roles[f"{name}Role"], "states:StartExecution"))
        assert granted == [{"Ref": machine} for machine in started]


def test_people_are_called_by_what_asks_stops_ends_and_orders(roles: Resources) -> None:
    calling = granted_to(roles, "sns:Publish")
    rollouts = {"SteerRollout", "AbortRollout", "RolloutMachine"}
    assert calling == rollouts | {"FinishRetraining", "RetrainingMachine", "RefreshMonitoring", "MonitoringMachine"}
    for name in calling:
        assert resources(granting(roles[f"{name}Role"], "sns:Publish")) == [{"Ref": "AlarmTopic"}]


def test_what_becomes_of_a_rollout_is_announced_on_the_stacks_bus_only(roles: Resources) -> None:
    announcing = granted_to(roles, "events:PutEvents") - {"ProjectDecisions"}
    assert announcing == {"AbortRollout", "RolloutMachine"}
    for name in announcing:
        assert resources(granting(roles[f"{name}Role"], "events:PutEvents")) == [{"Fn::GetAtt": ["EventBus", "Arn"]}]


def test_what_stops_rollouts_and_the_scheduler_may_set_aside_what_they_failed_at(roles: Resources) -> None:
    queues = {
        "AbortRollout": "RolloutDeadLetterQueue",
        "RetrainingSchedule": "RetrainingDeadLetterQueue",
        "MonitoringSchedule": "MonitoringDeadLetterQueue",
    }
    assert granted_to(roles, "sqs:SendMessage") == set(queues)
    for name, queue in queues.items():
        assert resources(granting(roles[f"{name}Role"], "sqs:SendMessage")) == [{"Fn::GetAtt": [queue, "Arn"]}]


CALLED = ["PrepareRollout", "DeployChallenger", "ShiftTraffic", "JudgeRollout", "SteerRollout"]


def test_the_machine_calls_its_functions_and_does_nothing_itself(roles: Resources) -> None:
    role = roles["RolloutMachineRole"]
    called = resources(granting(role, "lambda:InvokeFunction"))
    assert called == [{"Fn::GetAtt": [f"{name}Function", "Arn"]} for name in CALLED]
    assert resources(granting(role, "events:PutEvents")) == [{"Fn::GetAtt": ["EventBus", "Arn"]}]
    assert {action for each in statements(role) for action in listed(each["Action"])} - LOG_DELIVERY == {
        "events:PutEvents",
        "kms:Decrypt",
        "kms:GenerateDataKey*",
        "lambda:InvokeFunction",
        "sns:Publish",
    }


WILD = {
    # Objects, by prefix.
    "/aws/lambda/*",
    "/capture/*",
    "/decisions/*",
    "/errors/*",
    "/history/*",
    "/labels/*",
    "/models/*",
    "/monitoring/*",
    "/monitoring/baselines/*",
    "/monitoring/datasets/*",
    "/monitoring/windows/*",
    "/poison/*",
    "/queries/*",
    "/retraining/*",
    "/source/*",
    # Jobs, which are named after the stack, the execution in twelve digits, and what they do.
    "/${AWS::StackName}-????????????-baseline",
    "/${AWS::StackName}-????????????-evaluate",
    "/${AWS::StackName}-????????????-examine",
    "/${AWS::StackName}-????????????-monitor",
    "/${AWS::StackName}-????????????-train",
    # Schedules of Model Monitor and their definitions, which are named after a slot.
    "monitoring-schedule/${AWS::StackName}-?-data-quality",
    "data-quality-job-definition/${AWS::StackName}-?-*",
    # Executions of machines whose lock is held by one.
    ":execution:${MonitoringMachine.Name}:*",
    ":execution:${RetrainingMachine.Name}:*",
    # What is named after a slot, a group, the stack's alarms.
    "-a-v*",
    "-b-v*",
    "model-package/${Group}/*",
    ":alarm:*",
    "-slot-*",
    # Logs of endpoints and jobs, whose groups SageMaker makes.
    "log-group:/aws/sagemaker/*",
}


def unbounded(roles: Resources) -> list[str]:
    """Resources by pattern that nobody has accounted for, with the role that has them."""
    found = []
    for name, role in roles.items():
        for resource in resources(list(statements(role))):
            text = resource if isinstance(resource, str) else resource.get("Fn::Sub", "")
            pattern = text if isinstance(text, str) else text[0]
            if set("*?") & set(pattern) and pattern != "*" and not pattern.endswith(tuple(WILD)):
                found.append(f"{name}: {pattern}")
    return found


def test_every_resource_by_pattern_is_accounted_for(roles: Resources) -> None:
    assert unbounded(roles) == []


@pytest.mark.parametrize(
    "planted",
    [
        "arn:${AWS::Partition}:states:${AWS::Region}:${AWS::AccountId}:stateMachine:*",
        "arn:${AWS::Partition}:sagemaker:${AWS::Region}:${AWS::AccountId}:endpoint/*",
        "${ArchiveBucket.Arn}/*",
    ],
)
def test_a_pattern_that_reaches_further_is_found(roles: Resources, planted: str) -> None:
    policy = roles["AbortRolloutRole"]["Properties"]["Policies"][-1]["PolicyDocument"]
    policy["Statement"].append(
        {"Effect": "Allow", "Action": "states:SendTaskFailure", "Resource": {"Fn::Sub": planted}}
    )
    assert unbounded(roles) == [f"AbortRolloutRole: {planted}"]


def test_models_are_read_by_what_serves_them_which_writes_what_it_captures(roles: Resources) -> None:
    role = roles["SageMakerExecutionRole"]
    assert resources(granting(role, "s3:GetObject")) == [{"Fn::Sub": "${ArchiveBucket.Arn}/models/*"}]
    (listing,) = granting(role, "s3:ListBucket")
    assert listing["Condition"] == {"StringLike": {"s3:prefix": "models/*"}}
    assert resources(granting(role, "s3:PutObject")) == [{"Fn::Sub": "${ArchiveBucket.Arn}/capture/*"}]


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
            "AnswerTransactionFunction",
            {"BatchGetItem": {"Entity", "Rollout", "Decision"}, "PutItem": {"Entity", "Decision"}},
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
        ("PrepareRolloutFunction", {"GetItem": {"Rollout"}, "Query": {"Rollout"}, "PutItem": {"Rollout"}}),
        ("DeployChallengerFunction", {"GetItem": {"Rollout"}, "PutItem": {"Rollout"}}),
        ("ShiftTrafficFunction", {"GetItem": {"Rollout"}, "Query": {"Rollout"}, "PutItem": {"Rollout"}}),
        ("JudgeRolloutFunction", {"GetItem": {"Rollout"}, "Query": {"Rollout"}, "PutItem": {"Rollout"}}),
        ("SteerRolloutFunction", {"GetItem": {"Rollout"}, "PutItem": {"Rollout"}}),
        ("AbortRolloutFunction", {"GetItem": {"Rollout"}, "Query": {"Rollout"}, "PutItem": {"Rollout"}}),
        ("ShadowScoreFunction", {"GetItem": {"Rollout"}, "PutItem": {"Rollout"}, "UpdateItem": {"Rollout"}}),
        ("PrepareRetrainingFunction", {"GetItem": {"Rollout"}, "PutItem": {"Rollout"}}),
        ("InspectJobFunction", {}),
        ("JudgeRetrainingFunction", {"GetItem": {"Rollout"}, "PutItem": {"Rollout"}}),
        ("FinishRetrainingFunction", {"GetItem": {"Rollout"}, "PutItem": {"Rollout"}}),
        ("RefreshMonitoringFunction", {"GetItem": {"Rollout"}, "PutItem": {"Rollout"}}),
        ("JudgeWindowFunction", {"GetItem": {"Rollout"}, "PutItem": {"Rollout"}}),
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


def services_of(role: dict[str, Any]) -> set[str]:
    """Services through which the role may use the data key."""
    conditions = [each["Condition"].get("StringEquals", {}) for each in granting(role, "kms:Decrypt")]
    via = [listed(each["kms:ViaService"]) for each in conditions if "kms:ViaService" in each]
    return {service["Fn::Sub"].split(".")[0] for services in via for service in services}


@pytest.mark.parametrize(
    ("function", "services"),
    [
        ("ScoreTransactionsFunction", {"dynamodb", "kinesis", "s3"}),
        ("AnswerTransactionFunction", {"dynamodb"}),
        ("ProjectDecisionsFunction", {"dynamodb", "firehose", "s3"}),
        ("RecordLabelsFunction", {"dynamodb", "firehose", "s3", "sqs"}),
        ("PrepareRolloutFunction", {"dynamodb", "s3"}),
        ("DeployChallengerFunction", {"dynamodb", "s3"}),
        ("ShiftTrafficFunction", {"dynamodb"}),
        ("JudgeRolloutFunction", {"dynamodb"}),
        ("SteerRolloutFunction", {"dynamodb", "sns"}),
        ("AbortRolloutFunction", {"dynamodb", "sns"}),
        ("ShadowScoreFunction", {"dynamodb"}),
        ("PrepareRetrainingFunction", {"dynamodb", "s3"}),
        ("InspectJobFunction", set()),
        ("JudgeRetrainingFunction", {"dynamodb", "s3"}),
        ("FinishRetrainingFunction", {"dynamodb", "sns"}),
        ("RefreshMonitoringFunction", {"dynamodb", "s3", "sns"}),
        ("JudgeWindowFunction", {"dynamodb", "s3"}),
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
