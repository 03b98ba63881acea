"""The condition on leading keys, which keeps functions off each other's items, inside transactions."""

from __future__ import annotations

from typing import Any

from verification.account import Aws
from verification.probe import Answer, Place, Probe, Term, confirmed, differs, inconclusive
from verification.sandbox import Sandbox
from verification.stages import ROLE_CALLS, account_itself, allow, assumed, make_role

DENIED = "AccessDeniedException"


def _make_table(sandbox: Sandbox) -> str:
    name, dynamodb = sandbox.name("table"), sandbox.client("dynamodb")
    sandbox.make(
        "table",
        name,
        lambda: dynamodb.create_table(
            TableName=name,
            AttributeDefinitions=[{"AttributeName": "pk", "AttributeType": "S"}],
            KeySchema=[{"AttributeName": "pk", "KeyType": "HASH"}],
            BillingMode="PAY_PER_REQUEST",
            Tags=sandbox.tags,
        ),
    )

    def look() -> bool | None:
        return dynamodb.describe_table(TableName=name)["Table"]["TableStatus"] == "ACTIVE" or None

    sandbox.until("the table is ready", look, 3)
    return name


def _writer(sandbox: Sandbox, table: str) -> Aws:
    """Clients of a role with a condition as in the template."""
    condition = {
        "ForAllValues:StringLike": {"dynamodb:LeadingKeys": ["card#*"]},
        "Null": {"dynamodb:LeadingKeys": "false"},
    }
    statement = allow(["dynamodb:PutItem"], sandbox.arn("dynamodb", f"table/{table}"), **condition)
    role = make_role(sandbox, "writer", account_itself(sandbox), [statement])

    return assumed(sandbox, role)


def _ask_leading_keys(sandbox: Sandbox) -> Answer:
    table = _make_table(sandbox)
    dynamodb = _writer(sandbox, table).client("dynamodb")

    def put(*keys: str) -> Any:
        items = [{"Put": {"TableName": table, "Item": {"pk": {"S": key}}}} for key in keys]
        return sandbox.refused(lambda: dynamodb.transact_write_items(TransactItems=items))

    own, mixed = put("card#1", "card#2"), put("card#3", "label#1")
    if own is not None:
        seen = f"keys that are allowed: {own.text}"
        return differs(seen) if own.code == DENIED else inconclusive(seen)
    if mixed is None:
        return differs("a transaction with a key that is not allowed was committed")
    if mixed.code != DENIED:
        return inconclusive(f"a transaction with a key that is not allowed: {mixed.text}")
    return confirmed(f"keys that are allowed: committed; with one that is not: {mixed.text}")


PROBES = (
    Probe(
        "leading-keys",
        "Does dynamodb:LeadingKeys hold inside TransactWriteItems?",
        "Each item of a transaction is judged as a PutItem of its own, so one foreign key refuses the transaction.",
        (Place("template.yaml", 'ForAllValues:StringLike: { dynamodb:LeadingKeys: ["card#*"] }'),),
        _ask_leading_keys,
        (
            "dynamodb.create_table",
            "dynamodb.describe_table",
            "dynamodb.transact_write_items",
            "sts.assume_role",
            *ROLE_CALLS,
        ),
        minutes=6,
        terms=(Term("dynamodb_write", 8),),
    ),
)
