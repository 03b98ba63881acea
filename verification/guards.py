"""Which accounts and identities are refused before anything is created."""

from __future__ import annotations

from itertools import islice

from verification.account import Aws
from verification.errors import Refused
from verification.kind import MOST

PRODUCTION_STACK = "fraud-detection-prod"
STAGES = frozenset({"env", "environment", "stage"})
"""Tags that say what a stack is for, in any case."""
OTHER_PARTITIONS = ("cn-", "us-gov-", "us-iso", "eu-isoe-", "eusc-")
PRODUCTION = frozenset({"prod", "production", "live"})


def account_of(aws: Aws) -> str:
    """Id of the account that would be asked.

    Raises:
        Refused: the identity is the account's root.
    """
    identity = aws.client("sts").get_caller_identity()
    if identity["Arn"].endswith(":root"):
        raise Refused("the root user may do too much for a probe: use a role that has the policy of the dry run")
    return str(identity["Account"])


def refuse_production(aws: Aws, account: str, named: str) -> None:
    """See that this is the account that was meant, and that it serves nobody.

    Raises:
        Refused: it is another, or has a stack of production in this region, or the region is of another partition.
    """
    if aws.region.startswith(OTHER_PARTITIONS):
        raise Refused(f"probes know the partition aws alone, and {aws.region} is in another")
    if account != named:
        raise Refused(f"the credentials are for account {account}, and --account names {named}")
    pages = aws.client("cloudformation").get_paginator("describe_stacks").paginate()
    for stack in islice((stack for page in pages for stack in page["Stacks"]), MOST):
        tags = {each["Key"].lower(): each["Value"].lower() for each in stack.get("Tags", [])}
        stages = {value for key, value in tags.items() if key in STAGES}
        if stack["StackName"] == PRODUCTION_STACK or stages & PRODUCTION:
            raise Refused(f"the account serves production: it has the stack {stack['StackName']}. Use a sandbox")
