"""AWS Config's rules are rules that AWS has, and look at this stack where a rule can be told so: by contract."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from importlib import resources as files
from typing import Any

import pytest

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]

RULES = {
    "AlarmsSpeakRule": "CLOUDWATCH_ALARM_ACTION_ENABLED_CHECK",
    "AuditLogKeptRule": "CW_LOGGROUP_RETENTION_PERIOD_CHECK",
    "BucketsEncryptedRule": "S3_DEFAULT_ENCRYPTION_KMS",
    "BucketsPrivateRule": "S3_BUCKET_LEVEL_PUBLIC_ACCESS_PROHIBITED",
    "EndpointsEncryptedRule": "SAGEMAKER_ENDPOINT_CONFIGURATION_KMS_KEY_CONFIGURED",
    "FunctionsPrivateRule": "LAMBDA_FUNCTION_PUBLIC_ACCESS_PROHIBITED",
    "KeyKeptRule": "KMS_CMK_NOT_SCHEDULED_FOR_DELETION",
    "KeysRotateRule": "CMK_BACKING_KEY_ROTATION_ENABLED",
    "LogsEncryptedRule": "CLOUDWATCH_LOG_GROUP_ENCRYPTED",
    "StreamsEncryptedRule": "KINESIS_STREAM_ENCRYPTED",
    "TablesEncryptedRule": "DYNAMODB_TABLE_ENCRYPTED_KMS",
    "TablesRecoverableRule": "DYNAMODB_PITR_ENABLED",
    "TopicsEncryptedRule": "SNS_ENCRYPTED_KMS",
    "TrailDeliveredRule": "CLOUD_TRAIL_CLOUD_WATCH_LOGS_ENABLED",
    "TrailEncryptedRule": "CLOUD_TRAIL_ENCRYPTION_ENABLED",
    "TrailOnRule": "CLOUD_TRAIL_ENABLED",
    "TrailValidatedRule": "CLOUD_TRAIL_LOG_FILE_VALIDATION_ENABLED",
}


@pytest.fixture(scope="session")
def managed() -> dict[str, Any]:
    """AWS Config's managed rules, by their identifier, as moto took them from its documentation."""
    packed = files.files("moto.config").joinpath("resources/aws_managed_rules.json.gz").read_bytes()
    found: dict[str, Any] = json.loads(gzip.decompress(packed))["ManagedRules"]
    return found


def test_rules_are_these_and_aws_has_them(of_type: OfType, managed: dict[str, Any]) -> None:
    sources = {name: each["Properties"]["Source"] for name, each in of_type("AWS::Config::ConfigRule").items()}
    assert {name: each["SourceIdentifier"] for name, each in sources.items()} == RULES
    assert {each["Owner"] for each in sources.values()} == {"AWS"}
    assert set(RULES.values()) <= set(managed)


def test_rules_have_the_parameters_that_aws_knows(of_type: OfType, managed: dict[str, Any]) -> None:
    for name, each in of_type("AWS::Config::ConfigRule").items():
        known = {parameter["Name"] for parameter in managed[RULES[name]]["Parameters"]}
        assert set(each["Properties"].get("InputParameters", {})) <= known


def test_rules_of_changes_look_at_this_stack_and_are_recorded(
    of_type: OfType, managed: dict[str, Any], template: dict[str, Any]
) -> None:
    """A rule that runs by the clock takes no scope."""
    tag = {"TagKey": "aws:cloudformation:stack-name", "TagValue": {"Ref": "AWS::StackName"}}
    on_change = {name for name, rule in RULES.items() if managed[rule]["Trigger type"] == "Configuration changes"}
    scopes = {name: each["Properties"].get("Scope") for name, each in of_type("AWS::Config::ConfigRule").items()}
    assert scopes == dict.fromkeys(RULES) | dict.fromkeys(on_change, tag)
    recorded = template["Resources"]["ConfigurationRecorder"]["Properties"]["RecordingGroup"]["ResourceTypes"]
    looked_at = {kind for name in on_change for kind in managed[RULES[name]]["Resource Types"].split(", ")}
    assert looked_at <= set(recorded)


def test_rules_are_made_after_the_stacks_own_recorder(of_type: OfType) -> None:
    for each in of_type("AWS::Config::ConfigRule").values():
        condition, by_recorder, _ = each["Properties"]["Description"]["Fn::If"]
        assert condition == "RecordsConfig" and "${ConfigurationRecorder}" in by_recorder["Fn::Sub"]


def test_the_data_key_admits_config_only_for_the_stacks_own_recorder(template: dict[str, Any]) -> None:
    statements = template["Resources"]["DataKey"]["Properties"]["KeyPolicy"]["Statement"]
    optional = [each["Fn::If"] for each in statements if "Fn::If" in each]
    granted = [each for each in optional if each[1]["Principal"] == {"Service": "config.amazonaws.com"}]
    ((condition, statement, otherwise),) = granted
    assert (condition, otherwise) == ("RecordsConfig", {"Ref": "AWS::NoValue"})
    assert statement["Action"] == ["kms:GenerateDataKey", "kms:Decrypt"]
    assert statement["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}
