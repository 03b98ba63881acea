"""The network of the production profile: closed, and with a way to exactly the services that functions call."""

from __future__ import annotations

import copy
import ipaddress
import re
from pathlib import Path
from typing import Any

import pytest

from local import conditions

Resources = dict[str, dict[str, Any]]

FUNCTIONS = Path(__file__).parents[2] / "functions"
ANYWHERE = "0.0.0.0/0"
LISTS = {"S3PrefixListId": "pl-1a", "DynamoDBPrefixListId": "pl-2b"}

SERVICE_OF = {
    "application-autoscaling": "application-autoscaling",
    "cloudwatch": "monitoring",
    "dynamodb": "dynamodb",
    "events": "events",
    "firehose": "kinesis-firehose",
    "s3": "s3",
    "sagemaker": "sagemaker.api",
    "sagemaker-runtime": "sagemaker.runtime",
    "sns": "sns",
    "stepfunctions": "states",
}
"""Names that endpoints give to the services of boto3's clients."""

BY_LAMBDA = {"xray"}
"""What Lambda itself sends for a function."""


@pytest.fixture(scope="module")
def production(template: dict[str, Any]) -> Resources:
    return conditions.resources(template, {"Profile": "production", **LISTS})


@pytest.fixture(scope="module")
def minimal(template: dict[str, Any]) -> Resources:
    return conditions.resources(template, {})


def properties(resources: Resources, kind: str) -> Resources:
    return {name: each.get("Properties", {}) for name, each in resources.items() if each["Type"] == kind}


def called() -> set[str]:
    """Services of the clients that functions make."""
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(FUNCTIONS.rglob("*.py")))
    made = re.findall(r"""client\(\s*(["'\w-]+)""", source)
    return {SERVICE_OF[name.strip("\"'")] for name in made if name != "service"}


def endpoints(resources: Resources) -> dict[str, dict[str, Any]]:
    """Endpoints by the service that they lead to."""
    found = properties(resources, "AWS::EC2::VPCEndpoint").values()
    return {each["ServiceName"]["Fn::Sub"].removeprefix("com.amazonaws.${AWS::Region}."): each for each in found}


def outside(resources: Resources) -> list[str]:
    """Functions that are not in both private subnets and the functions' security group alone."""
    inside = {
        "SubnetIds": [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}],
        "SecurityGroupIds": [{"Fn::GetAtt": ["FunctionSecurityGroup", "GroupId"]}],
    }
    functions = properties(resources, "AWS::Lambda::Function")
    assert functions
    return [name for name, each in functions.items() if each.get("VpcConfig") != inside]


def open_to_the_world(resources: Resources) -> list[str]:
    """Security groups with a rule for any address; one that has no rule for what goes out lets everything out."""
    groups = properties(resources, "AWS::EC2::SecurityGroup")
    rules = {
        name: [*each.get("SecurityGroupIngress", []), *each.get("SecurityGroupEgress", [{"CidrIp": ANYWHERE}])]
        for name, each in groups.items()
    }
    for kind in ("Ingress", "Egress"):
        apart = properties(resources, f"AWS::EC2::SecurityGroup{kind}").values()
        for each in apart:
            rules[each["GroupId"]["Fn::GetAtt"][0]].append(each)
    return sorted(name for name, each in rules.items() if any({"CidrIp", "CidrIpv6"} & _wide(rule) for rule in each))


def _wide(rule: dict[str, Any]) -> set[str]:
    return {key for key, value in rule.items() if isinstance(value, str) and value.endswith("/0")}


def ways_out(resources: Resources) -> list[str]:
    """Whatever leads out of the network, or makes a subnet public."""
    kinds = ("InternetGateway", "NatGateway", "VPCGatewayAttachment", "EgressOnlyInternetGateway", "Route", "EIP")
    gates = [name for kind in kinds for name in properties(resources, f"AWS::EC2::{kind}")]
    subnets = properties(resources, "AWS::EC2::Subnet")
    return gates + [name for name, each in subnets.items() if each["MapPublicIpOnLaunch"] is not False]


def test_every_function_of_the_production_profile_is_in_the_network(production: Resources) -> None:
    assert outside(production) == []


def test_a_function_outside_of_the_network_is_found(production: Resources) -> None:
    strayed = copy.deepcopy(production)
    del strayed["InspectJobFunction"]["Properties"]["VpcConfig"]
    assert outside(strayed) == ["InspectJobFunction"]


def test_the_minimal_profile_has_no_network_and_pays_for_no_trace(minimal: Resources) -> None:
    assert [name for name, each in minimal.items() if each["Type"].startswith("AWS::EC2::")] == []
    assert properties(minimal, "AWS::IAM::ManagedPolicy") == {}
    assert {"FlowLogGroup", "FlowLogRole"} & minimal.keys() == set()
    for each in properties(minimal, "AWS::Lambda::Function").values():
        assert "VpcConfig" not in each
        assert each["TracingConfig"] == {"Mode": "PassThrough"}
    for each in properties(minimal, "AWS::StepFunctions::StateMachine").values():
        assert each["TracingConfiguration"] == {"Enabled": False}
    assert [name for name, each in properties(minimal, "AWS::IAM::Role").items() if "ManagedPolicyArns" in each] == []


def test_the_production_profile_is_traced(production: Resources) -> None:
    functions = properties(production, "AWS::Lambda::Function").values()
    assert [each["TracingConfig"]["Mode"] for each in functions] == ["Active"] * len(functions)
    machines = properties(production, "AWS::StepFunctions::StateMachine").values()
    assert [each["TracingConfiguration"]["Enabled"] for each in machines] == [True] * 4


def test_there_is_an_endpoint_for_every_service_that_functions_call_and_no_other(production: Resources) -> None:
    assert set(endpoints(production)) == called() | BY_LAMBDA


def test_the_document_counts_the_endpoints_that_are_paid_for(production: Resources) -> None:
    paid = [each for each in endpoints(production).values() if each["VpcEndpointType"] == "Interface"]
    hour = sum(len(each["SubnetIds"]) for each in paid) * 0.01
    text = (FUNCTIONS.parent / "docs" / "network.md").read_text(encoding="utf-8")
    assert f"| {len(paid)} interface endpoints × 2 zones | $0.01 an hour each: **${hour:.2f} an hour** |" in text


def test_s3_and_dynamodb_are_reached_by_routes_and_the_others_by_their_own_names(production: Resources) -> None:
    for service, each in endpoints(production).items():
        if service in {"s3", "dynamodb"}:
            assert each["VpcEndpointType"] == "Gateway"
            assert each["RouteTableIds"] == [{"Ref": "PrivateRouteTable"}]
        else:
            assert (each["VpcEndpointType"], each["PrivateDnsEnabled"]) == ("Interface", True)
            assert each["SubnetIds"] == [{"Ref": "SubnetA"}, {"Ref": "SubnetB"}]
            assert each["SecurityGroupIds"] == [{"Fn::GetAtt": ["EndpointSecurityGroup", "GroupId"]}]


def test_an_endpoint_serves_one_service_to_this_account_about_this_account(production: Resources) -> None:
    own = {"aws:PrincipalAccount": {"Ref": "AWS::AccountId"}, "aws:ResourceAccount": {"Ref": "AWS::AccountId"}}
    for each in endpoints(production).values():
        (statement,) = each["PolicyDocument"]["Statement"]
        assert statement["Action"] != "*"
        assert statement["Condition"] == {"StringEquals": own}


def test_nothing_leads_out_of_the_network(production: Resources) -> None:
    assert ways_out(production) == []


@pytest.mark.parametrize("kind", ["InternetGateway", "NatGateway", "Route"])
def test_what_leads_out_is_found(production: Resources, kind: str) -> None:
    assert ways_out({**production, "Leak": {"Type": f"AWS::EC2::{kind}"}}) == ["Leak"]


def test_a_public_subnet_is_found(production: Resources) -> None:
    opened = copy.deepcopy(production)
    opened["SubnetB"]["Properties"]["MapPublicIpOnLaunch"] = True
    assert ways_out(opened) == ["SubnetB"]


def test_subnets_lie_in_two_zones_and_each_has_the_routes_and_the_list_of_the_network(production: Resources) -> None:
    subnets = properties(production, "AWS::EC2::Subnet")
    zones = [each["AvailabilityZone"] for each in subnets.values()]
    assert zones == [{"Fn::Select": [number, {"Fn::GetAZs": ""}]} for number in (0, 1)]
    for kind in ("RouteTable", "NetworkAcl"):
        held = properties(production, f"AWS::EC2::Subnet{kind}Association").values()
        assert [each["SubnetId"]["Ref"] for each in held] == list(subnets)
        assert {each[f"{kind}Id"]["Ref"] for each in held} == {f"Private{kind}"}


def test_no_security_group_is_open_to_the_world(production: Resources) -> None:
    assert open_to_the_world(production) == []


@pytest.mark.parametrize("side", ["Ingress", "Egress"])
def test_a_security_group_that_is_open_to_the_world_is_found(production: Resources, side: str) -> None:
    opened = copy.deepcopy(production)
    rules = opened["EndpointSecurityGroup"]["Properties"].setdefault(f"SecurityGroup{side}", [])
    rules.append({"IpProtocol": "-1", "CidrIp": ANYWHERE})
    assert open_to_the_world(opened) == ["EndpointSecurityGroup"]


def test_functions_call_the_endpoints_s3_and_dynamodb_by_https_and_nothing_calls_them(production: Resources) -> None:
    group = production["FunctionSecurityGroup"]["Properties"]
    assert "SecurityGroupIngress" not in group
    to = [
        {"DestinationSecurityGroupId": {"Fn::GetAtt": ["EndpointSecurityGroup", "GroupId"]}},
        {"DestinationPrefixListId": {"Ref": "S3PrefixListId"}},
        {"DestinationPrefixListId": {"Ref": "DynamoDBPrefixListId"}},
    ]
    https = {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443}
    rules = [{key: part for key, part in rule.items() if key != "Description"} for rule in group["SecurityGroupEgress"]]
    assert rules == [{**https, **each} for each in to]
    (inward,) = properties(production, "AWS::EC2::SecurityGroupIngress").values()
    assert inward["SourceSecurityGroupId"] == {"Fn::GetAtt": ["FunctionSecurityGroup", "GroupId"]}
    assert (inward["FromPort"], inward["ToPort"]) == (443, 443)


def test_without_the_ids_of_prefix_lists_only_https_is_open_and_only_the_routes_bound_it(
    template: dict[str, Any],
) -> None:
    resources = conditions.resources(template, {"Profile": "production"})
    assert open_to_the_world(resources) == ["FunctionSecurityGroup"]
    rules = resources["FunctionSecurityGroup"]["Properties"]["SecurityGroupEgress"]
    assert [(each["FromPort"], each["ToPort"]) for each in rules] == [(443, 443)] * 2
    assert ways_out(resources) == []


def test_the_networks_list_lets_https_out_and_answers_in_and_nothing_else(production: Resources) -> None:
    entries = properties(production, "AWS::EC2::NetworkAclEntry").values()
    allowed = {
        (each.get("Egress", False), each["PortRange"]["From"], each["PortRange"]["To"], str(each["CidrBlock"]))
        for each in entries
    }
    inner = str({"Ref": "VpcCidr"})
    assert allowed == {
        (True, 443, 443, ANYWHERE),
        (True, 1024, 65535, inner),
        (False, 443, 443, inner),
        (False, 1024, 65535, ANYWHERE),
    }
    assert {(each["Protocol"], each["RuleAction"]) for each in entries} == {(6, "allow")}


def test_all_that_flows_is_written_down_encrypted_and_for_a_time(production: Resources) -> None:
    (log,) = properties(production, "AWS::EC2::FlowLog").values()
    assert (log["ResourceId"], log["ResourceType"], log["TrafficType"]) == ({"Ref": "Vpc"}, "VPC", "ALL")
    group = production[log["LogGroupName"]["Ref"]]["Properties"]
    assert group == {"KmsKeyId": {"Fn::GetAtt": ["DataKey", "Arn"]}, "RetentionInDays": {"Ref": "LogRetentionDays"}}
    role = production[log["DeliverLogsPermissionArn"]["Fn::GetAtt"][0]]["Properties"]
    (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert trust["Principal"] == {"Service": "vpc-flow-logs.amazonaws.com"}
    (written, _) = role["Policies"][0]["PolicyDocument"]["Statement"]
    assert written["Resource"] == {"Fn::GetAtt": ["FlowLogGroup", "Arn"]}


def test_code_of_functions_may_not_use_what_lambda_uses_to_connect_them(production: Resources) -> None:
    policy = production["NetworkInterfacePolicy"]["Properties"]["PolicyDocument"]
    granted, refused = policy["Statement"]
    assert (granted["Effect"], refused["Effect"]) == ("Allow", "Deny")
    assert set(granted["Action"]) < set(refused["Action"])
    (pattern,) = refused["Condition"]["ArnLike"].values()
    assert pattern["Fn::Sub"].endswith(":lambda:${AWS::Region}:${AWS::AccountId}:function:*")


def test_no_function_moves_into_the_network_before_it_can_call_out(production: Resources) -> None:
    """Functions wait for their roles, roles for the policy, and the policy for the endpoints."""
    waits = set(production["NetworkInterfacePolicy"]["DependsOn"])
    assert waits == properties(production, "AWS::EC2::VPCEndpoint").keys() | {"SubnetARoutes", "SubnetBRoutes"}
    for each in properties(production, "AWS::Lambda::Function").values():
        role = production[each["Role"]["Fn::GetAtt"][0]]["Properties"]
        assert {"Ref": "NetworkInterfacePolicy"} in role["ManagedPolicyArns"]


def test_what_is_traced_may_send_traces(production: Resources) -> None:
    traced = properties(production, "AWS::Lambda::Function") | properties(
        production, "AWS::StepFunctions::StateMachine"
    )
    for each in traced.values():
        role = (each.get("Role") or each["RoleArn"])["Fn::GetAtt"][0]
        assert {"Ref": "TracingPolicy"} in production[role]["Properties"]["ManagedPolicyArns"]


@pytest.mark.parametrize("cidr", ["10.64.0.0/22", "172.31.0.0/16", "192.168.254.0/23"])
def test_a_private_block_with_room_for_both_subnets_is_taken(template: dict[str, Any], cidr: str) -> None:
    assert re.search(template["Parameters"]["VpcCidr"]["AllowedPattern"], cidr)
    assert len(list(ipaddress.ip_network(cidr).subnets(new_prefix=24))) >= 2


@pytest.mark.parametrize("cidr", ["8.8.0.0/16", "172.32.0.0/16", "10.0.0.0/15", "10.0.0.0/24", "10.300.0.0/16"])
def test_a_public_or_narrow_block_is_refused(template: dict[str, Any], cidr: str) -> None:
    assert re.search(template["Parameters"]["VpcCidr"]["AllowedPattern"], cidr) is None
