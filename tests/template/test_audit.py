"""What happens to the stack is recorded, at a bounded price, where nobody can take it back: by contract.

What the filters count is in test_audit_filters.py, AWS Config's rules are in test_config_rules.py.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest

from tests.template.policies import granting, listed

Resources = dict[str, dict[str, Any]]
OfType = Callable[[str], Resources]


@pytest.fixture
def patterns(of_type: OfType) -> dict[str, Any]:
    """The pattern of each filter, by its metric."""
    found = [each["Properties"] for each in of_type("AWS::Logs::MetricFilter").values()]
    return {each["MetricTransformations"][0]["MetricName"]: each["FilterPattern"] for each in found}


def test_every_filter_has_its_alarm_in_a_namespace_that_no_role_may_write_to(
    of_type: OfType, patterns: dict[str, Any]
) -> None:
    own = {"Fn::Sub": "FraudAudit/${AWS::StackName}"}
    filters = [each["Properties"] for each in of_type("AWS::Logs::MetricFilter").values()]
    assert [each["MetricTransformations"][0]["MetricNamespace"] for each in filters] == [own] * len(patterns)
    assert {json.dumps(each["LogGroupName"]) for each in filters} == {'{"Ref": "AuditLogGroup"}'}
    alarms = [each["Properties"] for each in of_type("AWS::CloudWatch::Alarm").values()]
    watching = {each["MetricName"]: each for each in alarms if each.get("Namespace") == own}
    assert set(watching) == set(patterns)
    assert {(each["Statistic"], each["Threshold"]) for each in watching.values()} == {("Sum", 0)}


def test_roles_that_filters_do_not_tell_of_are_those_that_may(patterns: dict[str, Any], roles: Resources) -> None:
    left_out = {name: set(re.findall(r"\$\{(\w+Role)\}", resolve["Fn::Sub"])) for name, resolve in written(patterns)}
    assert left_out.pop("RoutingChanged") == writers_of_routing(roles)
    sagemaker_roles = {name for name, role in roles.items() if endpoint_changes(role)}
    assert left_out.pop("EndpointChanged") == sagemaker_roles
    assert set().union(*left_out.values()) == set()


def written(patterns: dict[str, Any]) -> list[tuple[str, Any]]:
    return [(name, each) for name, each in patterns.items() if isinstance(each, dict)]


def endpoint_changes(role: dict[str, Any]) -> bool:
    return any(granting(role, f"sagemaker:{verb}Endpoint") for verb in ("Create", "Update", "Delete"))


def rollout_writes(role: dict[str, Any]) -> list[dict[str, Any]]:
    table = {"Fn::GetAtt": ["RolloutTable", "Arn"]}
    verbs = ("PutItem", "UpdateItem", "DeleteItem", "BatchWriteItem")
    granted = [each for verb in verbs for each in granting(role, f"dynamodb:{verb}")]
    return [each for each in granted if table in listed(each["Resource"])]


def writers_of_routing(roles: Resources) -> set[str]:
    """Roles that may write the routing item; a statement without leading keys would allow it too."""
    return {
        name
        for name, role in roles.items()
        for each in rollout_writes(role)
        if "Condition" not in each or '"routing"' in json.dumps(each["Condition"])
    }


@pytest.fixture
def trail(template: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = template["Resources"]["AuditTrail"]["Properties"]
    return properties


def selector(trail: dict[str, Any], name: str) -> dict[str, dict[str, list[Any]]]:
    """What a selector asks of each field."""
    (found,) = [each for each in trail["AdvancedEventSelectors"] if each["Name"] == name]
    return {each["Field"]: {k: v for k, v in each.items() if k != "Field"} for each in found["FieldSelectors"]}


def left_out(fields: dict[str, dict[str, list[Any]]]) -> set[str]:
    """Roles whose sessions a selector leaves out; an ARN that ends within a name would leave out others."""
    sessions = r"arn:\$\{AWS::Partition\}:sts::\$\{AWS::AccountId\}:assumed-role/\$\{(\w+)\}/"
    found = [re.fullmatch(sessions, each["Fn::Sub"]) for each in fields["userIdentity.arn"]["NotStartsWith"]]
    return {each[1] for each in found if each is not None} if all(found) else set()


def test_objects_are_recorded_for_everybody_but_roles_that_work_on_them(
    trail: dict[str, Any], roles: Resources
) -> None:
    fields = selector(trail, "Objects that anybody but the application touches")
    buckets = [{"Fn::Sub": f"${{{name}.Arn}}/"} for name in ("ArchiveBucket", "QuarantineBucket")]
    assert fields["resources.ARN"] == {"StartsWith": buckets}
    working = {n for n, r in roles.items() if granting(r, "s3:GetObject") or granting(r, "s3:PutObject")}
    assert left_out(fields) == working
    assert "eventName" not in fields and "readOnly" not in fields


def test_writes_of_the_rollout_table_are_recorded_but_of_roles_that_cannot_reach_the_routing(
    trail: dict[str, Any], roles: Resources
) -> None:
    fields = selector(trail, "Changes of the routing")
    assert fields["resources.ARN"] == {"Equals": [{"Fn::GetAtt": ["RolloutTable", "Arn"]}]}
    assert fields["readOnly"] == {"Equals": ["false"]}
    writing = {name for name, role in roles.items() if rollout_writes(role)}
    assert left_out(fields) == writing - writers_of_routing(roles)


def test_evidence_that_is_deleted_is_recorded_and_evidence_that_is_written_is_not(trail: dict[str, Any]) -> None:
    """CloudTrail writes its files as anybody does: recorded, each would make the next."""
    assert selector(trail, "Evidence that is deleted") == {
        "eventCategory": {"Equals": ["Data"]},
        "resources.type": {"Equals": ["AWS::S3::Object"]},
        "resources.ARN": {"StartsWith": [{"Fn::Sub": "${AuditBucket.Arn}/"}]},
        "eventName": {"StartsWith": ["Delete"]},
    }


def test_no_more_data_events_are_paid_for_than_those(trail: dict[str, Any]) -> None:
    categories = [each["FieldSelectors"][0] for each in trail["AdvancedEventSelectors"]]
    assert [each["Equals"] for each in categories] == [["Management"], ["Data"], ["Data"], ["Data"]]
    changes = selector(trail, "Changes in the account")
    assert changes == {"eventCategory": {"Equals": ["Management"]}, "readOnly": {"Equals": ["false"]}}


def test_fields_of_selectors_are_those_that_a_trail_knows(trail: dict[str, Any]) -> None:
    """By AdvancedFieldSelector, AWS CloudTrail API Reference; of changes in the account, a trail knows fewer."""
    known = {"eventCategory", "eventName", "readOnly", "resources.ARN", "resources.type", "userIdentity.arn"}
    fields = [each["Field"] for found in trail["AdvancedEventSelectors"] for each in found["FieldSelectors"]]
    assert set(fields) <= known
    conditions = [v for f in trail["AdvancedEventSelectors"] for each in f["FieldSelectors"] for v in each.values()]
    assert sum(len(each) for each in conditions if isinstance(each, list)) <= 500


def test_the_trail_is_whole_encrypted_and_can_be_proven(trail: dict[str, Any]) -> None:
    wanted = ("IsLogging", "IsMultiRegionTrail", "IncludeGlobalServiceEvents", "EnableLogFileValidation")
    assert [trail[name] for name in wanted] == [True] * 4
    assert trail["KMSKeyId"] == {"Fn::GetAtt": ["DataKey", "Arn"]}
    assert trail["CloudWatchLogsLogGroupArn"] == {"Fn::GetAtt": ["AuditLogGroup", "Arn"]}


THE_TRAIL = {
    "Fn::Sub": "arn:${AWS::Partition}:cloudtrail:${AWS::Region}:${AWS::AccountId}:trail/${AWS::StackName}-audit"
}


def test_key_and_bucket_admit_this_trail_only(template: dict[str, Any], trail: dict[str, Any]) -> None:
    assert trail["TrailName"] == {"Fn::Sub": THE_TRAIL["Fn::Sub"].rsplit("/", 1)[-1]}
    key = template["Resources"]["DataKey"]["Properties"]["KeyPolicy"]["Statement"]
    optional = [each["Fn::If"][:2] for each in key if "Fn::If" in each]
    granted = [(when, each) for when, each in optional if each["Principal"] == {"Service": "cloudtrail.amazonaws.com"}]
    assert [when for when, _ in granted] == ["InProduction"]
    bucket = template["Resources"]["AuditBucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    granted += [("InProduction", each) for each in bucket if each["Effect"] == "Allow"]
    assert [each["Condition"]["StringEquals"]["aws:SourceArn"] for _, each in granted] == [THE_TRAIL] * 3


@pytest.mark.parametrize("bucket", ["AuditBucket", "ConfigBucket"])
def test_bucket_of_evidence_is_written_by_its_service_alone(template: dict[str, Any], bucket: str) -> None:
    policy = template["Resources"][f"{bucket}Policy"]["Properties"]["PolicyDocument"]["Statement"]
    tls, people, *granted = policy
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert (people["Effect"], people["Action"], people["Principal"]) == ("Deny", "s3:PutObject", "*")
    assert people["Condition"] == {"Bool": {"aws:PrincipalIsAWSService": "false"}}
    assert {json.dumps(each["Principal"]) for each in granted} == {json.dumps(granted[0]["Principal"])}


def test_files_of_the_trail_are_locked_for_as_long_as_they_are_kept(template: dict[str, Any]) -> None:
    bucket = template["Resources"]["AuditBucket"]["Properties"]
    days = {"Ref": "AuditRetentionDays"}
    assert bucket["ObjectLockConfiguration"]["Rule"]["DefaultRetention"] == {"Mode": "GOVERNANCE", "Days": days}
    assert [each.get("ExpirationInDays") for each in bucket["LifecycleConfiguration"]["Rules"]] == [days]
    # AWS Config delivers to no bucket whose objects are locked by default.
    assert "ObjectLockConfiguration" not in template["Resources"]["ConfigBucket"]["Properties"]


def test_what_cloudtrail_delivers_by_may_write_the_trails_lines_only(roles: Resources) -> None:
    (trust,) = roles["AuditDeliveryRole"]["Properties"]["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "cloudtrail.amazonaws.com"}
    # CloudTrail stops delivering where one is asked for.
    assert "Condition" not in trust
    (granted,) = roles["AuditDeliveryRole"]["Properties"]["Policies"][0]["PolicyDocument"]["Statement"]
    assert granted["Action"] == ["logs:CreateLogStream", "logs:PutLogEvents"]
    arn, names = granted["Resource"]["Fn::Sub"]
    assert arn.endswith(":log-group:${Group}:log-stream:${AWS::AccountId}_CloudTrail_*")
    assert names == {"Group": {"Ref": "AuditLogGroup"}}


def test_loss_of_the_log_group_is_heard_of_without_it(template: dict[str, Any]) -> None:
    heard = template["Resources"]["AuditLogLostRule"]["Properties"]["EventPattern"]
    assert heard["source"] == ["aws.logs"]
    assert heard["detail"]["requestParameters"] == {"logGroupName": [{"Ref": "AuditLogGroup"}]}
    assert {"DeleteLogGroup", "DeleteMetricFilter"} < set(heard["detail"]["eventName"])


def test_nothing_of_the_audit_is_there_unless_asked_for(template: dict[str, Any]) -> None:
    audit = re.compile(r"CloudTrail::|Config::|MetricFilter")
    conditions = {
        name: each.get("Condition")
        for name, each in template["Resources"].items()
        if audit.search(each["Type"]) or name.startswith(("Audit", "ConfigBucket"))
    }
    assert set(conditions.values()) == {"InProduction", "ChecksConfig", "ChecksTrail", "RecordsConfig"}
    switches = [template["Parameters"][name]["Default"] for name in ("ConfigRules", "ConfigRecorder")]
    assert switches == ["DISABLED", "DISABLED"]
    assert template["Conditions"]["ChecksTrail"] == {
        "Fn::And": [{"Condition": "ChecksConfig"}, {"Condition": "InProduction"}]
    }
