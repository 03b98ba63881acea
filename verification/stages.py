"""What probes share: a bucket, a key, and roles."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from botocore.exceptions import ClientError

from fraud.aws.control_plane import code
from verification.account import Aws
from verification.probe import Stage, Term
from verification.sandbox import Sandbox

INSTANCE = "ml.m5.large"
"""The default of rollouts."""
SETTLING = 15.0
"""Seconds until a new role is usually known everywhere."""


# --- Storage and identity ---------------------------------------------------------------------------------------------


def _make_bucket(sandbox: Sandbox) -> str:
    name, region = sandbox.name("files"), sandbox.aws.region
    where = {} if region == "us-east-1" else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    s3 = sandbox.client("s3")
    sandbox.make("bucket", name, lambda: s3.create_bucket(Bucket=name, **where))
    s3.put_bucket_tagging(Bucket=name, Tagging={"TagSet": sandbox.tags})
    return name


BUCKET = Stage("a bucket", _make_bucket, ("s3.create_bucket", "s3.put_bucket_tagging"))


def make_key(sandbox: Sandbox, what: str, services: Sequence[str] = ()) -> str:
    """A key that the account's identities may use, and services; its ARN."""
    name = sandbox.name(what)
    allowed = [_allowed_key(account_itself(sandbox), "kms:*")]
    if services:
        allowed.append(
            _allowed_key({"Service": list(services)}, ["kms:Decrypt", "kms:DescribeKey", "kms:GenerateDataKey*"])
        )
    policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
    kms, tags = sandbox.client("kms"), [{"TagKey": each["Key"], "TagValue": each["Value"]} for each in sandbox.tags]
    made = sandbox.make("key", name, lambda: kms.create_key(Description=name, Policy=policy, Tags=tags))
    return str(made["KeyMetadata"]["Arn"])


def _allowed_key(principal: Mapping[str, Any], actions: str | list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": "*"}


KEY = Stage(
    "a key", lambda sandbox: make_key(sandbox, "key"), ("kms.create_key",), terms=(Term("kms_key", 1 / 730, True),)
)


def make_role(
    sandbox: Sandbox, what: str, principal: Mapping[str, str], statements: Sequence[Mapping[str, Any]]
) -> str:
    """A role with one policy; its ARN, once it is usually known."""
    name, iam = sandbox.name(what), sandbox.client("iam")
    trust = [{"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}]
    made = sandbox.make(
        "role",
        name,
        lambda: iam.create_role(
            RoleName=name,
            AssumeRolePolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": trust}),
            Tags=sandbox.tags,
        ),
    )
    policy = json.dumps({"Version": "2012-10-17", "Statement": list(statements)})
    iam.put_role_policy(RoleName=name, PolicyName="probe", PolicyDocument=policy)
    sandbox.sleep(SETTLING)
    return str(made["Role"]["Arn"])


ROLE_CALLS = ("iam.create_role", "iam.put_role_policy")
PASS = ("iam.pass_role",)
"""No call of its own: whoever gives a service a role needs it."""


def allow(actions: Sequence[str], *resources: str, **condition: Any) -> dict[str, Any]:
    """A statement."""
    when = {"Condition": condition} if condition else {}
    return {"Effect": "Allow", "Action": list(actions), "Resource": list(resources) or "*", **when}


def account_itself(sandbox: Sandbox) -> dict[str, str]:
    """A principal: whoever of the account may assume a role."""
    return {"AWS": sandbox.arn("iam", "root", region=False)}


def assumed(sandbox: Sandbox, role: str) -> Aws:
    """Clients under a role that the account itself may assume."""

    def look() -> Mapping[str, Any] | None:
        try:
            answer = sandbox.client("sts").assume_role(RoleArn=role, RoleSessionName="probe")
        except ClientError as error:
            # The role is new.
            if code(error) != "AccessDenied":
                raise
            return None
        return dict(answer["Credentials"])

    return sandbox.aws.under(sandbox.until("the role can be assumed", look, 2))


def _make_job_role(sandbox: Sandbox) -> str:
    bucket = f"arn:aws:s3:::{sandbox.uses(BUCKET)}"
    statements = [
        allow(["s3:GetObject", "s3:PutObject"], f"{bucket}/*"),
        allow(["s3:ListBucket", "s3:GetBucketLocation"], bucket),
        allow(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]),
        allow(["ecr:GetAuthorizationToken", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]),
        allow(["ecr:BatchCheckLayerAvailability", "cloudwatch:PutMetricData"]),
        allow(["kms:Decrypt", "kms:GenerateDataKey*"]),
    ]
    return make_role(sandbox, "jobs", {"Service": "sagemaker.amazonaws.com"}, statements)


JOB_ROLE = Stage("a role of jobs", _make_job_role, ROLE_CALLS, needs=(BUCKET,))


def put(sandbox: Sandbox, key: str, body: bytes) -> str:
    """An object in the bucket; its address."""
    bucket = sandbox.uses(BUCKET)
    sandbox.client("s3").put_object(Bucket=bucket, Key=key, Body=body)
    return f"s3://{bucket}/{key}"
